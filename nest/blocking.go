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
	unblockPause = 10 * time.Millisecond
	unblockTries = 200
)

// waiting runs a command that waits on the server for wait, or without an end when it is 0. It
// runs over a connection of its own: the ones that all operations share are not held up.
func waiting[R any](ctx context.Context, r Ref, op *operation[R], wait time.Duration, build func(b rueidis.Builder, seconds string) rueidis.Completed) (R, error) {
	var zero R
	if err := r.ready(ctx); err != nil {
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
	v, err := settle(ctx, r, &command[R]{op: op}, &answer, err)
	if r.m.settings.cached > 0 {
		// What was taken was taken over another connection than the one that caches.
		r.m.tree.client.Do(ctx, fence(r))
	}
	if err == nil && r.renews() {
		client := r.m.tree.client
		client.Do(ctx, client.B().Pexpire().Key(r.key).Milliseconds(r.m.ttl()).Build())
	}
	if len(r.m.tree.options.observers) > 0 {
		r.observe(ctx, op.name, start, err)
	}
	return v, err
}

// block sends a command that waits. When ctx ends first, the server is told to let go of it,
// and its answer is awaited all the same: what it took off the key just then would be lost else.
func (r Ref) block(ctx context.Context, build func(rueidis.Builder) rueidis.Completed) (rueidis.RedisMessage, error) {
	client := r.m.tree.client
	conn, release := client.Dedicate()
	defer release()
	// The first command picks the server: the one that holds the key.
	first := conn.DoMulti(ctx,
		conn.B().Exists().Key(r.key).Build(),
		conn.B().Arbitrary("CLIENT", "ID").Build())
	for _, answer := range first {
		if err := answer.Error(); err != nil {
			if _, answered := rueidis.IsRedisErr(err); answered {
				// The key is moving between servers, or the server does not number its
				// connections: the client follows the one and closes the other's.
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
	for range unblockTries {
		r.unblock(id)
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
func (r Ref) unblock(id int64) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
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
