package nest

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/redis/rueidis"
)

// Who waits for the load of another process has the lock in the client's cache, and the server tells
// of its change. What the cache says is looked at after an eighth of the time that was waited
// already, between shortestLook and longestGlance; after longestTrust the lock itself is tried, so
// that a message which was lost, or a server, does not keep anybody waiting for longer.
//
// Where the client caches nothing, as with RESP2, or only what is below prefixes ([WithBroadcast]),
// the lock itself is looked at: after a quarter of the time that was waited already, between
// shortestLook and longestLook, of which up to half is left out at random. The end of a load is
// noticed late by a tenth of its time on average then, and a process looks at a lock some thirty
// times a second in the long run.
const (
	shortestLook  = time.Millisecond
	longestGlance = 10 * time.Millisecond
	longestLook   = 50 * time.Millisecond
	longestTrust  = time.Second
)

// deafness is for how long a client that was not told of changes is not relied on.
const deafness = time.Minute

// await waits until the lock, which somebody holds, is to be tried again, for a waiter since began.
func (l *loadLock) await(ctx context.Context, began time.Time) error {
	t := l.ref.m.tree
	if !t.options.broadcast && time.Now().UnixNano() >= t.flights.deaf.Load() && l.watch(ctx, began) {
		return ctx.Err()
	}
	return await(ctx, began)
}

// watch waits until the lock is in other hands, or in none, for longestTrust at most. It is false
// when that cannot be seen: when the client does not hear of changes, or what it reads comes from a
// server that lags behind and knows of no lock.
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
		default: // when the lease was extended; or nothing is cached
			if missed++; missed == 3 {
				l.ref.m.tree.flights.deaf.Store(time.Now().Add(deafness).UnixNano())
				return false
			}
		}
		timer.Reset(min(max(time.Since(began)/8, shortestLook), longestGlance))
	}
}

// holder gives what the lock holds, "" when nothing, and whether the client's cache said so.
func (l *loadLock) holder(ctx context.Context) (token string, hit bool, err error) {
	client := l.ref.m.tree.client
	answer := client.DoCache(ctx, client.B().Get().Key(l.keys[1]).Cache(), longestTrust)
	token, err = answer.ToString()
	if rueidis.IsRedisNil(err) {
		err = nil
	}
	return token, answer.IsCacheHit(), err
}

// await waits for a part of the time that has passed since began.
func await(ctx context.Context, began time.Time) error {
	d := min(max(time.Since(began)/4, shortestLook), longestLook)
	return sleep(ctx, d-rand.N(d/2))
}
