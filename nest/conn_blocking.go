package nest

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// How often, and for how long, a waiting command is asked to end before its connection is
// closed.
const (
	unblockPause   = 10 * time.Millisecond
	unblockTimeout = 2 * time.Second
)

// waiting runs a command that waits on the server for wait, or without an end when it is 0. It
// runs over a connection of its own: the ones that all operations share are not held up. It may
// change the keys of others too.
func waiting[R any](ctx context.Context, r address, op *operation[R], wait time.Duration, build func(b rueidis.Builder, seconds string) rueidis.Completed, others ...address) (R, error) {
	var zero R
	if err := r.ready(ctx, op.name); err != nil {
		return zero, err
	}
	if wait < 0 {
		return zero, r.fail(op.name, because(ErrArgument, "a wait is not negative"))
	}
	if wait > 0 {
		wait = max(wait, time.Millisecond)
	}
	seconds := strconv.FormatFloat(wait.Seconds(), 'f', -1, 64)
	start := time.Now()
	answer, err := r.block(ctx, func(b rueidis.Builder) rueidis.Completed { return build(b, seconds) })
	if err == nil {
		r.waited(ctx, others)
	}
	v, err := settle(ctx, r, &command[R]{op: op}, &answer, err)
	if len(r.m.tree.options.observers) > 0 {
		r.observe(ctx, op.name, start, err)
	}
	return v, err
}

// afterWait bounds what follows a command that waited, when its context has ended.
const afterWait = time.Second

// waited does what comes with a write, after one that a command has made once it had waited. That
// was over another connection than the one that caches, and possibly at the end of the context.
//
//nest:ttl renews
func (r address) waited(ctx context.Context, others []address) {
	var cmds, fences []rueidis.Completed
	if r.renews() {
		cmds = append(cmds, r.b().Pexpire().Key(r.key).Milliseconds(r.m.ttl()).Build())
	}
	for _, changed := range append([]address{r}, others...) {
		if changed.m.loads.Load() {
			cmds = append(cmds, changed.endLoad())
		}
		if changed.m.settings.cached > 0 {
			fences = append(fences, fence(changed))
		}
	}
	if cmds = append(cmds, fences...); len(cmds) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterWait)
	defer cancel()
	r.m.tree.client.DoMulti(ctx, cmds...)
}

// block sends a command that waits. When ctx ends first, the server is told to let go of it,
// and its answer is awaited all the same: what it took off the key just then would be lost else.
func (r address) block(ctx context.Context, build func(rueidis.Builder) rueidis.Completed) (rueidis.RedisMessage, error) {
	client := r.m.tree.client
	l := &line{client: client}
	if err := l.open(ctx); err != nil {
		return rueidis.RedisMessage{}, err
	}
	defer l.giveBackWithin(ctx)
	conn := l.conn
	// The first command picks the server: the one that holds the key.
	first := conn.DoMulti(ctx,
		conn.B().Exists().Key(r.key).Build(),
		conn.B().Arbitrary("CLIENT", "ID").Build())
	for _, answer := range first {
		if err := answer.Error(); err != nil {
			if _, answered := rueidis.IsRedisErr(err); answered {
				// The key is moving between servers, or the server does not number its
				// connections: the client follows the one and closes the other's. It does so
				// over one more connection, and this may be the only one.
				l.giveBackWithin(ctx)
				return client.Do(ctx, build(client.B())).ToMessage()
			}
			return rueidis.RedisMessage{}, ended(ctx, err)
		}
	}
	id, err := first[1].AsInt64()
	if err != nil {
		return rueidis.RedisMessage{}, errAnswer
	}
	done := make(chan rueidis.RedisResult, 1)
	go func() { done <- conn.Do(context.WithoutCancel(ctx), build(conn.B())) }()
	select {
	case result := <-done:
		return result.ToMessage()
	case <-ctx.Done():
	}
	unblocking, cancel := context.WithTimeout(context.WithoutCancel(ctx), unblockTimeout)
	defer cancel()
	for unblocking.Err() == nil {
		r.unblock(unblocking, id)
		select {
		case result := <-done:
			return letGo(ctx, result)
		case <-time.After(unblockPause):
		}
	}
	conn.Close()
	return letGo(ctx, <-done)
}

// letGo gives the answer of a command that was told to end: what it took, or why it ended.
func letGo(ctx context.Context, result rueidis.RedisResult) (rueidis.RedisMessage, error) {
	if answer, err := result.ToMessage(); err == nil {
		return answer, nil
	}
	return rueidis.RedisMessage{}, ctx.Err()
}

// unblock tells the server that holds the key to end the command of another connection, as if
// its time were up. It needs no connection of its own, of which there may be none left.
func (r address) unblock(ctx context.Context, id int64) {
	client := r.m.tree.client
	client.DoMulti(ctx,
		client.B().Exists().Key(r.key).Build(),
		client.B().Arbitrary("CLIENT", "UNBLOCK", strconv.FormatInt(id, 10)).Build())
}

// ended gives the context's error for one that came of its end: the client reports a deadline
// that passes while it connects as a time-out of the network.
func ended(ctx context.Context, err error) error {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
