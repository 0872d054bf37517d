package orders

import (
	"context"
	"fmt"
	"time"

	"github.com/redisimnest/redisimnest/nest"
)

// keepDead is how long dead entries wait for someone to look at them.
const keepDead = 30 * 24 * time.Hour

// Tidy removes what is old, if that was not done for a while, and if no other process is at it. It
// reports whether it did. All processes call it, every minute say.
func (o *Orders) Tidy(ctx context.Context, every time.Duration) (done bool, err error) {
	_, err = Tidying.At(o.scope).TryRun(ctx, func(ctx context.Context, lease *nest.Lease) error {
		last, found, err := Tidied.At(o.scope).Lookup(ctx)
		if err != nil || found && time.Since(last) < every {
			return err
		}
		b := lease.Guard(o.scope.Atomic()) // nothing is written unless the lock is still held
		Dead.At(o.scope).In(b).Trim(nest.KeepFrom(nest.IDAt(time.Now().Add(-keepDead))))
		Tidied.At(o.scope).In(b).Set(time.Now())
		done = true
		return b.Exec(ctx)
	})
	if err != nil {
		return false, fmt.Errorf("tidy up: %w", err)
	}
	return done, nil
}
