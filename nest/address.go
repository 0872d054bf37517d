package nest

import (
	"context"
	"time"

	"github.com/redis/rueidis"
)

// address is what a reference of any kind holds: the mounted key and its full name, or the error
// that makes the reference invalid. In the latter case m, if it is not nil, is the place in the
// tree whose observers are notified. The code that operations of all kinds share works on an
// address. [Ref] holds it as a field and does not embed it: otherwise the compiler would copy each
// of its methods for each combination of kind and type that a program uses.
type address struct {
	m   *mounted
	key string
	err *Error
}

var errZeroRef = &Error{Op: "ref", Err: because(ErrNoClient, "the zero reference stands for no key: make it with a declaration's At")}

// wrong returns the error that makes the reference invalid, if any.
func (r address) wrong() error {
	if r.err != nil {
		return r.err
	}
	if r.m == nil {
		return errZeroRef
	}
	return nil
}

// redacted returns the key with its sensitive parameters replaced by their templates, or a text
// that says what is wrong with the reference.
func (r address) redacted() string {
	switch {
	case r.err != nil:
		return "invalid reference (" + r.err.Error() + ")"
	case r.m == nil:
		return "zero reference"
	}
	return r.m.name.Redact(r.key)
}

// usable returns an error if no operation on the key can be sent.
func (r address) usable() error {
	if err := r.wrong(); err != nil {
		return err
	}
	if r.m.tree.client == nil {
		return &Error{Op: "ref", Template: r.m.name.Text, Err: because(ErrNoClient, "the scope was opened with NamesOnly")}
	}
	return nil
}

// ready returns an error if nothing can be sent for an operation.
func (r address) ready(ctx context.Context, op string) error {
	err := r.usable()
	if err == nil && ctx == nil {
		err = r.fail(op, errNilContext)
	}
	return err
}

// admit is like ready, but also notifies the observers of the error. It is for operations that
// otherwise notify them only once they have begun.
func (r address) admit(ctx context.Context, op string) error {
	err := r.ready(ctx, op)
	if err != nil && r.m != nil {
		r.observe(ctx, op, time.Now(), err)
	}
	return err
}

// reject returns the error of an operation that is refused before it has begun, and notifies the
// observers of it.
func (r address) reject(ctx context.Context, op string, err error) error {
	err = r.fail(op, err)
	r.observe(ctx, op, time.Now(), err)
	return err
}

func (r address) b() rueidis.Builder { return r.m.tree.client.B() }

func (r address) declared() expiry {
	if ms := r.m.ttl(); ms > 0 {
		return expiry{expireIn, ms}
	}
	return expiry{mode: expireNever}
}

func (r address) expiry(opts []SetOption) (expiry, error) {
	switch len(opts) {
	case 0:
		return r.declared(), nil
	case 1:
	default:
		return expiry{}, because(ErrArgument, "one expiry option at most")
	}
	switch o := opts[0]; o.mode {
	case expireKeep:
		return expiry{mode: expireKeep}, nil
	case expireNever:
		return expiry{mode: expireNever}, nil
	case expireIn:
		if o.d < time.Millisecond {
			return expiry{}, because(ErrArgument, tooShort("ExpireIn", o.d).Error())
		}
		return expiry{expireIn, o.d.Milliseconds()}, nil
	case expireUntil:
		ms, err := unixMillis(o.at)
		if err != nil || !o.at.After(time.Now()) {
			return expiry{}, because(ErrArgument, "ExpireUntil takes a time from now on, up to the year 9999")
		}
		return expiry{expireUntil, ms}, nil
	}
	return r.declared(), nil
}

func (r address) plain() address {
	if r.m.plain {
		return r
	}
	m := *r.m
	m.plain = true
	if r.readsRenew() {
		m.settings.autoRenew, m.renewed = false, r.m
	}
	r.m = &m
	return r
}
