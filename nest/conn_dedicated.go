package nest

import (
	"context"
	"time"

	"github.com/redis/rueidis"
)

// line is a connection that nobody else uses meanwhile. It is taken from the client when something
// is first sent.
type line struct {
	client  rueidis.Client
	conn    rueidis.DedicatedClient
	release func()
}

// unanswered tells whether an error is not what a server answered.
func unanswered(err error) bool {
	if err == nil || rueidis.IsRedisNil(err) {
		return false
	}
	_, answered := rueidis.IsRedisErr(err)
	return !answered
}

// open takes the connection. The client may have to wait for a free one, or to make one, without
// an eye on the context: then the wait goes on without the caller.
func (l *line) open(ctx context.Context) error {
	if l.conn != nil {
		return nil
	}
	if ctx.Done() == nil {
		l.conn, l.release = l.client.Dedicate()
		return nil
	}
	taken := make(chan *line, 1)
	go func() {
		conn, release := l.client.Dedicate()
		taken <- &line{l.client, conn, release}
	}()
	select {
	case got := <-taken:
		*l = *got
		return nil
	case <-ctx.Done():
		go func() { (<-taken).release() }()
		return ctx.Err()
	}
}

// send sends commands, [maxPipeline] at a time, and gives their answers.
func (l *line) send(ctx context.Context, cmds ...rueidis.Completed) []rueidis.RedisResult {
	if len(cmds) <= maxPipeline {
		return l.conn.DoMulti(ctx, cmds...)
	}
	return append(l.conn.DoMulti(ctx, cmds[:maxPipeline]...), l.send(ctx, cmds[maxPipeline:]...)...)
}

// unwatchTimeout bounds how long a connection is kept from others for the sake of an UNWATCH.
const unwatchTimeout = 5 * time.Second

// giveBack gives the connection back to the client, without a WATCH. Nobody waits for it: a
// connection that has served cancelable contexts takes a round trip to give back.
func (l *line) giveBack(watching bool) {
	if l.conn == nil {
		return
	}
	conn, release := l.conn, l.release
	l.conn, l.release = nil, nil
	go func() {
		if watching {
			ctx, cancel := context.WithTimeout(context.Background(), unwatchTimeout)
			defer cancel()
			if conn.Do(ctx, conn.B().Unwatch().Build()).Error() != nil {
				conn.Close()
				return
			}
		}
		release()
	}()
}

// giveBackWithin gives the connection back, and waits for that as long as ctx lives: whoever comes
// next finds it then.
func (l *line) giveBackWithin(ctx context.Context) {
	if l.conn == nil {
		return
	}
	release, released := l.release, make(chan struct{})
	l.conn, l.release = nil, nil
	go func() {
		defer close(released)
		release()
	}()
	select {
	case <-released:
	case <-ctx.Done():
	}
}

// drop closes the connection.
func (l *line) drop() {
	if l.conn == nil {
		return
	}
	// Closing waits for a server that may be silent.
	go l.conn.Close()
	l.conn, l.release = nil, nil
}
