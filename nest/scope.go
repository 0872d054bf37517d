package nest

import (
	"context"
	"fmt"
)

// Scope is a declaration tree bound to a client, with the parameters so far filled in. It is an
// immutable value: safe for concurrent use and cheap to copy. [Open] gives the first one,
// [ClusterDef.At] those below it.
type Scope struct {
	at     *mounted
	prefix string
	err    *Error
}

// Prefix is what the names of all keys below the scope begin with, without the ':' that
// follows: "root:user:42". It is "" for a root without a prefix, for the scope above a root
// whose prefix has parameters, and for a scope with an error.
func (s Scope) Prefix() string { return s.prefix }

// Format prints what String gives, whatever the verb and the flags: sensitive parameters stay out of
// what package fmt shows of it.
func (s Scope) Format(state fmt.State, verb rune) { formatted(state, verb, s.String()) }

// String gives the prefix with its sensitive parameters replaced by their templates.
func (s Scope) String() string {
	if s.at == nil {
		return ""
	}
	return s.redactedPrefix()
}

// Err is what is wrong with the scope: the [*Error] that every operation on it and below it
// returns. It is nil for a good scope.
func (s Scope) Err() error { return s.check("scope") }

// check gives the error of a scope that cannot be used.
func (s Scope) check(op string) error {
	switch {
	case s.err != nil:
		return s.err
	case s.at == nil:
		return &Error{Op: op, Err: because(ErrNoClient, "the zero Scope is bound to nothing: use the one that Open returns")}
	}
	return nil
}

// ready is checkClient for operations that send something at once.
func (s Scope) ready(ctx context.Context, op string) error {
	if err := s.checkClient(op); err != nil {
		return err
	}
	if ctx == nil {
		return s.fail(op, errNilContext)
	}
	return nil
}

// checkClient is check for operations that need a server.
func (s Scope) checkClient(op string) error {
	if err := s.check(op); err != nil {
		return err
	}
	if s.at.tree.client == nil {
		return &Error{Op: op, Template: s.at.template, Err: because(ErrNoClient, "the scope was opened with NamesOnly")}
	}
	return nil
}
