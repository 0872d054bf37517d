package suite_test

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// keyRef is what the references of all kinds have in common.
type keyRef interface {
	Key() string
	Exists(ctx context.Context) (bool, error)
	Expire(ctx context.Context, d time.Duration) (bool, error)
	TTL(ctx context.Context) (time.Duration, error)
}

// opener declares one key with these options and opens it under the test's own prefix.
type opener[R keyRef] func(t *testing.T, opts ...nest.KeyOption) R

// alone opens a tree that has only this key.
func alone(t *testing.T, key nest.Node) nest.Scope {
	t.Helper()
	return nesttest.Open(t, nest.Cluster("alone:<n>", nest.HashTag(), nest.Sub(key)))
}

// requireExpiry runs each write of a kind on a key that is declared with a TTL: on a missing key,
// on one with 40 seconds left, and on one with AutoRenew. Whenever the key exists afterwards, it
// has the expiry that its kind promises. The writes named in restarts restart the TTL; all others
// leave a running TTL alone.
func requireExpiry[R keyRef](t *testing.T, open opener[R], fill func(context.Context, R) error, writes map[string]func(context.Context, R) error, restarts ...string) {
	t.Helper()
	const running = 40 * time.Second
	for name, write := range writes {
		left := running
		if slices.Contains(restarts, name) {
			left = declaredTTL
		}
		for _, c := range []struct {
			state  string
			opts   []nest.KeyOption
			filled bool
			want   time.Duration
		}{
			{"missing", nil, false, declaredTTL},
			{"running", nil, true, left},
			{"renewed", []nest.KeyOption{nest.AutoRenew()}, true, declaredTTL},
		} {
			t.Run(name+"/"+c.state, func(t *testing.T) {
				t.Parallel()
				ctx := t.Context()
				r := open(t, append(c.opts, nest.TTL(declaredTTL))...)
				if c.filled {
					require.NoError(t, fill(ctx, r))
					ok, err := r.Expire(ctx, running)
					require.NoError(t, err)
					require.True(t, ok, "the key is filled")
				}
				if err := write(ctx, r); c.filled || err != nil {
					if c.filled {
						require.NoError(t, err)
					} else {
						require.ErrorIs(t, err, nest.ErrNotFound)
					}
				}
				if there, err := r.Exists(ctx); !there {
					require.NoError(t, err)
					return
				}
				ttl, err := r.TTL(ctx)
				require.NoError(t, err)
				about(t, c.want, ttl)
			})
		}
	}
}

// manyTexts returns more elements than a script can pass to a command at once: 100,000, or as many
// as the embedded server takes in a second.
func manyTexts(t *testing.T) []string {
	t.Helper()
	many := make([]string, 100_000)
	if nesttest.Shared(t).Kind() == nesttest.KindEmbedded {
		many = many[:10_000]
	}
	for i := range many {
		many[i] = strconv.Itoa(i)
	}
	return many
}
