package nest

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// longestWait is how long a waiter trusts that it will be woken before it looks for itself: the
// lock can be gone without a release, and a waiter that was woken can die before it takes it.
const longestWait = time.Second

// Acquire takes the lock, and waits for it as long as ctx lives (EVAL; while it waits, BLPOP on a
// connection of its own). The lease must be released; it is independent of ctx, which is for
// this call alone.
//
// Goroutines of this process get the lock in the order in which they came, and of them only the
// first asks the server. Processes are woken in the order in which they began to wait, but
// somebody who comes just then may be quicker. A released lock is passed on at once, one whose
// holder died when its lease ends, one that was deleted within a second.
//
// An error other than the context's, such as a server that is away, ends the wait. When an answer
// is lost, what [LockRef.TryAcquire] says holds here too. A goroutine that holds the lock and
// acquires it again waits for itself.
func (r LockRef) Acquire(ctx context.Context, opts ...LockOption) (*Lease, error) {
	return r.await(ctx, opts, context.WithoutCancel)
}

// await is Acquire with a lease whose context is made of what parent makes of ctx.
func (r LockRef) await(ctx context.Context, opts []LockOption, parent func(context.Context) context.Context) (*Lease, error) {
	return watched(ctx, r.at, "acquire", func() (*Lease, error) {
		if err := r.at.ready(ctx, "acquire"); err != nil {
			return nil, err
		}
		c, err := newClaimant(opts)
		if err != nil {
			return nil, r.at.fail("acquire", err)
		}
		leave, err := r.at.m.tree.turns.take(ctx, r.at.key)
		if err != nil {
			return nil, r.at.fail("acquire", err)
		}
		defer leave()
		c.queued = true
		for {
			l, left, err := r.ask(ctx, parent(ctx), c)
			if l != nil || err != nil {
				return l, err
			}
			if err := r.sleep(ctx, left); err != nil {
				return nil, r.at.fail("acquire", err)
			}
			c.crowded = true
		}
	})
}

// sleep waits until a release wakes it, the holder's lease has ended, or it is time to look. The
// error is the context's.
func (r LockRef) sleep(ctx context.Context, left time.Duration) error {
	wait := longestWait/2 + rand.N(longestWait/2)
	if left >= 0 {
		wait = min(wait, left+time.Millisecond)
	}
	seconds := strconv.FormatFloat(max(wait, time.Millisecond).Seconds(), 'f', 3, 64)
	_, err := r.at.block(ctx, func(b rueidis.Builder) rueidis.Completed {
		return b.Arbitrary("BLPOP").Keys(r.wakeKey()).Args(seconds).Blocking()
	})
	switch {
	case ctx.Err() != nil:
		if err == nil {
			r.passOn(ctx)
		}
		return ctx.Err()
	case err == nil || rueidis.IsRedisNil(err):
		return nil
	}
	// It cannot wait there: the connection is lost, or the server does not let it.
	return pause(ctx, 10)
}

// passOn wakes another waiter in the place of one who was woken and does not want the lock any
// more.
//
//nest:ttl keeps
func (r LockRef) passOn(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestWait)
	go func() {
		defer cancel()
		r.at.m.tree.client.Do(ctx, waking.inFull(r.at.b(), []string{r.wakeKey()}, millis(2*longestWait.Milliseconds())))
	}()
}

var waking = newScript(`redis.call('RPUSH', KEYS[1], '')
return redis.call('PEXPIRE', KEYS[1], ARGV[1])`)

// turns lets the goroutines of a process that wait for the same key wait one after the other, in
// the order in which they came.
type turns struct {
	mu  sync.Mutex
	now map[string]*turn
}

type turn struct {
	taken chan struct{} // holds one while somebody has the turn; senders are served in order
	users int
}

// take waits for the turn, and gives what ends it. The error is the context's.
func (t *turns) take(ctx context.Context, key string) (leave func(), err error) {
	t.mu.Lock()
	if t.now == nil {
		t.now = make(map[string]*turn)
	}
	mine := t.now[key]
	if mine == nil {
		mine = &turn{taken: make(chan struct{}, 1)}
		t.now[key] = mine
	}
	mine.users++
	t.mu.Unlock()

	select {
	case mine.taken <- struct{}{}:
		return func() {
			<-mine.taken
			t.drop(key, mine)
		}, nil
	case <-ctx.Done():
		t.drop(key, mine)
		return nil, ctx.Err()
	}
}

func (t *turns) drop(key string, mine *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if mine.users--; mine.users == 0 {
		delete(t.now, key)
	}
}
