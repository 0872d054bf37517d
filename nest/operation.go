package nest

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// operation is what can be done with a key, told once: direct calls, batches and observers all
// run it. It is a static value; what differs from call to call stands in a command.
type operation[R any] struct {
	name string // "get"
	// reply turns the server's answer into the result. A nil answer is handed on as such;
	// errors of the client or the server never get here.
	reply func(m *mounted, answer rueidis.RedisMessage) (R, error)
}

// command is one operation on one key, ready to be sent.
type command[R any] struct {
	op  *operation[R]
	cmd rueidis.Completed
	err error // the operation cannot be sent
}

func refuse[R any](op *operation[R], err error) command[R] { return command[R]{op: op, err: err} }

// run sends a command and gives its result.
func run[R any](ctx context.Context, r Ref, c command[R]) (R, error) {
	if len(r.m.tree.options.observers) > 0 {
		return runObserved(ctx, r, c)
	}
	return send(ctx, r, c)
}

func runObserved[R any](ctx context.Context, r Ref, c command[R]) (R, error) {
	start := time.Now()
	v, err := send(ctx, r, c)
	r.observe(ctx, c.op.name, start, err)
	return v, err
}

func (r Ref) observe(ctx context.Context, op string, start time.Time, err error) {
	e := Event{Op: op, Template: r.m.template, Key: r.m.redact(r.key), Start: start, Duration: time.Since(start), Err: err}
	for _, o := range r.m.tree.options.observers {
		o.Observe(ctx, e)
	}
}

func send[R any](ctx context.Context, r Ref, c command[R]) (R, error) {
	if c.err != nil {
		var zero R
		return zero, r.fail(c.op.name, c.err)
	}
	answer, err := r.m.tree.client.Do(ctx, c.cmd).ToMessage()
	if err != nil && !rueidis.IsRedisNil(err) {
		var zero R
		return zero, r.failed(ctx, c.op.name, err)
	}
	v, err := c.op.reply(r.m, answer)
	if err != nil {
		return v, r.fail(c.op.name, err)
	}
	return v, nil
}

// fail makes the error of an operation.
func (r Ref) fail(op string, err error) error {
	return &Error{Op: op, Template: r.m.template, Key: r.m.redact(r.key), Err: err}
}

// failed makes the error of an operation out of what the client or the server said. A wrong
// type is asked for, so that the error can tell what the key really holds.
func (r Ref) failed(ctx context.Context, op string, err error) error {
	err = serverError(err)
	if errors.Is(err, ErrWrongType) {
		client := r.m.tree.client
		if holds, typeErr := client.Do(ctx, client.B().Type().Key(r.key).Build()).ToString(); typeErr == nil {
			err = because(ErrWrongType, "holds "+typeNoun(holds))
		}
	}
	return r.fail(op, err)
}

// typeNoun names what the TYPE command answered.
func typeNoun(t string) string {
	switch t {
	case "zset":
		return "a sorted set"
	case "none":
		return "nothing any more"
	}
	return article(t)
}

// serverError gives the sentinel for an answer of the server that has one. Other answers are
// wrapped, without the arguments that some of them repeat.
func serverError(err error) error {
	answer, ok := rueidis.IsRedisErr(err)
	if !ok {
		return err
	}
	text := answer.Error()
	switch {
	case strings.HasPrefix(text, "WRONGTYPE"):
		return ErrWrongType
	case strings.HasPrefix(text, "BUSYKEY"):
		return ErrExists
	case strings.HasPrefix(text, "ERR unknown command"), strings.HasPrefix(text, "ERR unknown subcommand"):
		name, _, _ := strings.Cut(text, ", with args")
		return because(ErrUnsupported, strings.TrimPrefix(name, "ERR "))
	}
	return err
}
