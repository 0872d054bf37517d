package nest

import (
	"context"

	"github.com/redis/rueidis"
)

// address is what a reference of any kind holds: the mounted key and its full name, or what is wrong
// with them. What operations of all kinds have in common works on it. It stands in [Ref] as a
// field and is not embedded: the compiler would make a copy of each of its methods for each kind
// with each type that a program uses.
type address struct {
	m   *mounted
	key string
	err *Error
}

var errZeroRef = &Error{Op: "ref", Err: because(ErrNoClient, "the zero reference stands for no key: make it with a declaration's At")}

var errNilContext = because(ErrArgument, "the context is nil")

// wrong tells what is wrong with the reference.
func (r address) wrong() error {
	if r.err != nil {
		return r.err
	}
	if r.m == nil {
		return errZeroRef
	}
	return nil
}

// redacted gives the key with its sensitive parameters replaced by their templates.
func (r address) redacted() string {
	if r.m == nil {
		return ""
	}
	return r.m.redact(r.key)
}

// usable tells why nothing can be sent, whatever the operation.
func (r address) usable() error {
	if err := r.wrong(); err != nil {
		return err
	}
	if r.m.tree.client == nil {
		return &Error{Op: "ref", Template: r.m.template, Err: because(ErrNoClient, "the scope was opened with NamesOnly")}
	}
	return nil
}

// ready tells why nothing can be sent for an operation.
func (r address) ready(ctx context.Context, op string) error {
	err := r.usable()
	if err == nil && ctx == nil {
		err = r.fail(op, errNilContext)
	}
	return err
}

func (r address) b() rueidis.Builder { return r.m.tree.client.B() }
