package nest

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/behind"
)

// longestWait is how long a waiter relies on being woken before it checks for itself: the lock can
// be gone without a release, and a woken waiter can die before it takes the lock.
const longestWait = time.Second

// Acquire takes the lock, and waits for it until ctx ends (EVAL; while it waits, BLPOP on a
// connection of its own). The lease must be released. It is independent of ctx, which is for this
// call alone.
//
// Goroutines of this process get the lock in the order in which they came, and only the first of
// them asks the server. Processes are woken in the order in which they began to wait, but a caller
// that arrives at that moment may be quicker. A released lock is passed on at once, one whose
// holder died when its lease ends, and one that was deleted within a second.
//
// An error other than the context's, such as that of an unreachable server, ends the wait. When a
// reply is lost, the same holds as for [LockRef.TryAcquire]. A goroutine that holds the lock and
// acquires it again waits for itself.
func (r LockRef) Acquire(ctx context.Context, opts ...LockOption) (*Lease, error) {
	return r.await(ctx, opts, context.WithoutCancel)
}

// await is Acquire with a lease whose context has parent(ctx) as its parent.
func (r LockRef) await(ctx context.Context, opts []LockOption, parent func(context.Context) context.Context) (*Lease, error) {
	caller := ctx // the lease outlives the call
	return watched(ctx, r.at, "acquire", func(ctx context.Context) (*Lease, error) {
		if err := r.at.ready(ctx, "acquire"); err != nil {
			return nil, err
		}
		c, err := newClaimant(opts)
		if err != nil {
			return nil, r.at.fail("acquire", err)
		}
		leave, err := r.at.m.tree.turns.Take(ctx, r.at.key)
		if err != nil {
			return nil, r.at.fail("acquire", err)
		}
		defer leave()
		c.queued = true
		for {
			l, left, err := r.ask(ctx, parent(caller), &c)
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

// sleep waits until a release wakes it, the holder's lease has ended, or it is time to check. The
// error is the context's.
func (r LockRef) sleep(ctx context.Context, left time.Duration) error {
	wait := longestWait/2 + rand.N(longestWait/2)
	if left >= 0 {
		wait = min(wait, together(left, time.Millisecond))
	}
	wait = max(wait, time.Millisecond)
	_, err := r.at.block(ctx, wait, wait, func(b rueidis.Builder, seconds string) rueidis.Completed {
		return b.Arbitrary("BLPOP").Keys(r.wakeKey()).Args(seconds).Blocking()
	}, func(ctx context.Context, _ rueidis.RedisMessage) { r.passOn(ctx) })
	switch {
	case ctx.Err() != nil:
		if err == nil {
			r.passOn(ctx)
		}
		return ctx.Err()
	case err == nil || rueidis.IsRedisNil(err) || errors.Is(err, errBrief):
		return nil
	}
	// It cannot wait on the server: the connection is lost, there is none to wait on, or the server
	// refuses.
	return pause(ctx, 10)
}

// passOn wakes another waiter in place of one that was woken and no longer wants the lock.
//
//nest:ttl keeps
func (r LockRef) passOn(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestWait)
	r.at.m.tree.behind.Go(behind.Release, func() {
		defer cancel()
		r.at.m.tree.client.Do(ctx, waking.inFull(r.at.b(), []string{r.wakeKey()}, millis(2*longestWait.Milliseconds())))
	})
}

var waking = newScript(asking + `local denied = lacks('PEXPIRE', KEYS[1], ARGV[1])
if denied then return denied end
redis.call('RPUSH', KEYS[1], '')
return redis.call('PEXPIRE', KEYS[1], ARGV[1])`)
