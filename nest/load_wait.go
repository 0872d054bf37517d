package nest

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/redis/rueidis"
)

// Who waits for the load of another process has the lock in the client's cache: the server tells
// when it changes, and until then waiting costs it nothing. What the cache says is looked at each
// shortestLook, and not believed for longer than longestTrust, so that a message that was lost
// delays nobody by more.
//
// Where the client caches nothing, as with RESP2, or only what is below prefixes ([WithBroadcast]),
// the lock itself is looked at: after a quarter of the time that was waited already, between
// shortestLook and longestLook, of which up to half is left out at random. The end of a load is
// noticed late by a tenth of its time on average then, and a process looks at a lock some thirty
// times a second in the long run.
const (
	shortestLook = time.Millisecond
	longestLook  = 50 * time.Millisecond
	longestTrust = time.Second
)

// await waits until the lock, which somebody holds, is to be tried again, for a waiter since began.
func (l *loadLock) await(ctx context.Context, began time.Time) error {
	t := l.ref.m.tree
	if !t.options.broadcast && !t.flights.untold.Load() && l.watch(ctx) {
		return ctx.Err()
	}
	return await(ctx, began)
}

// watch waits until the lock is in other hands, or in none. It is false when the client does not
// hear of that.
func (l *loadLock) watch(ctx context.Context) bool {
	holder, _, ok := l.holder(ctx)
	if !ok {
		return false
	}
	ticker := time.NewTicker(shortestLook)
	defer ticker.Stop()
	for missed := 0; holder != "" && holder != noted && holder != notedEmpty; {
		select {
		case <-ctx.Done():
			return true
		case <-ticker.C:
		}
		now, hit, ok := l.holder(ctx)
		switch {
		case !ok:
			return false
		case now != holder:
			return true
		case hit:
			missed = 0
		default: // once a second, and when the lease was extended; or nothing is cached
			if missed++; missed == 3 {
				l.ref.m.tree.flights.untold.Store(true)
				return false
			}
		}
	}
	return true
}

// holder gives what the lock holds, "" when nothing, and whether the client's cache said so.
func (l *loadLock) holder(ctx context.Context) (token string, hit, ok bool) {
	client := l.ref.m.tree.client
	answer := client.DoCache(ctx, client.B().Get().Key(l.keys[1]).Cache(), longestTrust)
	token, err := answer.ToString()
	if rueidis.IsRedisNil(err) {
		err = nil
	}
	return token, answer.IsCacheHit(), err == nil
}

// await waits for a part of the time that has passed since began.
func await(ctx context.Context, began time.Time) error {
	d := min(max(time.Since(began)/4, shortestLook), longestLook)
	timer := time.NewTimer(d - rand.N(d/2))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
