package nest

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/redis/rueidis"
)

// A caller that waits for the load of another process keeps the lock in the client's cache, and the
// server announces its change. The cache is checked after an eighth of the time waited so far,
// within shortestLook and longestGlance. After longestTrust the lock itself is tried, so that
// neither a lost message nor a lost server keeps a caller waiting for longer.
//
// If the client caches nothing, as with RESP2, or only what is below prefixes ([WithBroadcast]),
// the lock itself is checked: after a quarter of the time waited so far, within shortestLook and
// longestLook, less up to half of it at random. The end of a load is then noticed late by a tenth
// of its time on average, and in the long run a process checks a lock some thirty times a second.
const (
	shortestLook  = time.Millisecond
	longestGlance = 10 * time.Millisecond
	longestLook   = 50 * time.Millisecond
	longestTrust  = time.Second
)

// deafness is how long a client is not relied on after it missed a notification of a change.
const deafness = time.Minute

// await waits until a lock that another client holds should be tried again. began is when the
// caller began to wait.
func (l *loadLock) await(ctx context.Context, began time.Time) error {
	t := l.ref.m.tree
	if !t.options.broadcast && time.Now().UnixNano() >= t.deaf.Load() && l.watch(ctx, began) {
		return ctx.Err()
	}
	return await(ctx, began)
}

// watch waits until the lock is in other hands, or in none, for longestTrust at most. It returns
// false when it cannot see that: when the client gets no notifications, or reads from a server
// that lags behind and knows of no lock.
func (l *loadLock) watch(ctx context.Context, began time.Time) bool {
	looking, cancel := context.WithTimeout(ctx, longestTrust)
	defer cancel()
	holder, _, err := l.holder(looking)
	if err != nil || holder == "" || holder == noted || holder == notedEmpty {
		return false
	}
	timer := time.NewTimer(shortestLook)
	defer timer.Stop()
	for missed := 0; ; {
		select {
		case <-looking.Done():
			return true
		case <-timer.C:
		}
		now, hit, err := l.holder(looking)
		switch {
		case err != nil:
			return looking.Err() != nil && ctx.Err() == nil
		case now != holder:
			return true
		case hit:
			missed = 0
		default: // the lease was extended, or nothing is cached
			if missed++; missed == 3 {
				l.ref.m.tree.deaf.Store(time.Now().Add(deafness).UnixNano())
				return false
			}
		}
		timer.Reset(min(max(time.Since(began)/8, shortestLook), longestGlance))
	}
}

// holder returns what the lock holds, "" for nothing, and whether the client's cache supplied it.
func (l *loadLock) holder(ctx context.Context) (token string, hit bool, err error) {
	client := l.ref.m.tree.client
	answer := client.DoCache(ctx, client.B().Get().Key(l.keys[1]).Cache(), longestTrust)
	token, err = answer.ToString()
	if rueidis.IsRedisNil(err) {
		err = nil
	}
	return token, answer.IsCacheHit(), err
}

// await waits for a fraction of the time that has passed since began.
func await(ctx context.Context, began time.Time) error {
	d := min(max(time.Since(began)/4, shortestLook), longestLook)
	return sleep(ctx, d-rand.N(d/2))
}
