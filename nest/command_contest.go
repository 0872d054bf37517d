package nest

import (
	"context"
	"math/rand/v2"
	"time"
)

// contest counts the tries of an optimistic write, which succeeds only if no other client has
// written since the value was read. If the context has a deadline, the tries continue until then.
// If not, they end when both bounds below are reached: the number alone could be used up in a
// moment beside a busy writer, and the time alone by a few slow tries.
type contest struct {
	tries int
	began time.Time // when the first try was lost
}

const (
	contestTries = 256
	contestTime  = 15 * time.Second
)

// longestPause is the maximum time that a loser waits. It is long enough for 128 writers of one key
// to win a third of their tries.
const longestPause = 20 * time.Millisecond

// lost records a lost try. It returns an error if there should be no further one: why and, if the
// context has ended, the context's error.
func (c *contest) lost(ctx context.Context, why error) error {
	if c.tries++; c.began.IsZero() {
		c.began = time.Now()
	}
	if err := ctx.Err(); err != nil {
		return &declined{why, err}
	}
	if _, ok := ctx.Deadline(); !ok && c.tries >= contestTries && time.Since(c.began) >= contestTime {
		return why
	}
	return nil
}

// pause calls lost, and waits before the next try. What was read before is stale afterwards: other
// writers had the whole pause to replace it.
func (c *contest) pause(ctx context.Context, why error) error {
	if err := c.lost(ctx, why); err != nil {
		return err
	}
	if err := rest(ctx, min(100*time.Microsecond<<min(c.tries, 10), longestPause)); err != nil {
		return &declined{why, err}
	}
	return nil
}

// pause waits a random time before the next try: up to 2^try × 100 µs, and at most 50 ms. It is
// random so that clients that collided once do not collide again (exponential backoff with full
// jitter).
func pause(ctx context.Context, try int) error {
	return rest(ctx, min(100*time.Microsecond<<min(try, 10), 50*time.Millisecond))
}

// rest waits for a random time of up to longest.
func rest(ctx context.Context, longest time.Duration) error { return sleep(ctx, rand.N(longest)) }

// sleep waits for d, or until the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
