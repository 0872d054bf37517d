package nest

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/rueidis"
)

// Scope is a declaration tree bound to a client, with the parameters so far filled in. It is an
// immutable value: safe for concurrent use and cheap to copy. [Open] returns the first one,
// [ClusterDef.At] those below it.
type Scope struct {
	at     *mounted
	prefix string
	err    *Error
}

// Prefix returns what the names of all keys below the scope begin with, without the ':' that
// follows: "root:user:42". It returns "" for a root without a prefix, for the scope above a root
// whose prefix has parameters, and for a scope with an error.
func (s Scope) Prefix() string { return s.prefix }

// Format prints what String returns, for every verb and flag. So package fmt never shows sensitive
// parameters.
func (s Scope) Format(state fmt.State, verb rune) { formatted(state, verb, s.String()) }

// String returns the prefix with its sensitive parameters replaced by their templates. For a scope
// with an error, it returns a description of the error.
func (s Scope) String() string {
	switch {
	case s.err != nil:
		return "invalid scope (" + s.err.Error() + ")"
	case s.at == nil:
		return "zero scope"
	}
	return s.redactedPrefix()
}

// Err returns what is wrong with the scope: the [*Error] that every operation on it and below it
// returns. It returns nil for a good scope.
func (s Scope) Err() error { return s.check("scope") }

// check returns the error of a scope that cannot be used.
func (s Scope) check(op string) error {
	switch {
	case s.err != nil:
		return s.err
	case s.at == nil:
		return &Error{Op: op, Err: because(ErrNoClient, "the zero Scope is bound to nothing: use the one that Open returns")}
	}
	return nil
}

// ready is checkClient for operations that send something at once. It refuses a nil context too.
func (s Scope) ready(ctx context.Context, op string) error {
	if err := s.checkClient(op); err != nil {
		return err
	}
	if ctx == nil {
		return s.fail(op, errNilContext)
	}
	return nil
}

// admit is ready for operations that report to their observers only once they have begun. It
// reports a refusal to them itself.
func (s Scope) admit(ctx context.Context, op string) error {
	err := s.ready(ctx, op)
	if err != nil && s.at != nil {
		s.observe(ctx, op, time.Now(), err)
	}
	return err
}

// checkClient is check for operations that need a server.
func (s Scope) checkClient(op string) error {
	if err := s.check(op); err != nil {
		return err
	}
	if s.at.tree.client == nil {
		return &Error{Op: op, Template: s.at.name.Text, Err: because(ErrNoClient, "the scope was opened with NamesOnly")}
	}
	return nil
}

// fail returns the error of an operation on the scope. The outcome of one that only reads is never
// unknown.
func (s Scope) fail(op string, err error) error {
	writes := op == "clear" || op == "rotate" || op == "migrate"
	return &Error{Op: op, Template: s.at.name.Text, Key: s.redactedPrefix(), Err: away(serverError(err), writes)}
}

// redactedPrefix returns the prefix with its sensitive parameters replaced by their templates.
func (s Scope) redactedPrefix() string { return s.at.name.Redact(s.prefix) }

// observed runs an operation on the scope, and tells the observers of it.
func (s Scope) observed(ctx context.Context, op string, do func(context.Context) error) error {
	if !s.at.tree.observed() {
		return do(ctx)
	}
	ctx, o := s.begin(ctx, op, time.Now())
	defer o.end()
	err := do(ctx)
	o.event.Err = err
	return err
}

// observe tells the observers of an operation on the scope that has ended.
func (s Scope) observe(ctx context.Context, op string, start time.Time, err error) {
	if s.at.tree.observed() {
		_, o := s.begin(ctx, op, start)
		defer o.end()
		o.event.Err = err
	}
}

// begin tells the observers that an operation on the scope begins.
func (s Scope) begin(ctx context.Context, op string, start time.Time) (context.Context, *observation) {
	t := s.at.tree
	e := Event{Op: op, Kind: KindCluster, Template: s.at.name.Text, Key: s.redactedPrefix(), Start: start}
	e.Server = t.whereabouts.of("")
	return observing(ctx, t.options.observers, e)
}

// Client returns the client that the scope was opened with, for what package nest does not send
// itself. It returns nil for a scope without one ([NamesOnly]) and for a scope with an error.
func (s Scope) Client() rueidis.Client {
	if s.check("client") != nil {
		return nil
	}
	return unguarded(s.at.tree.client)
}
