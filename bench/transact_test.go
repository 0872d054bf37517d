package bench

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
)

// Balances of one account: what is moved between them is moved in one step.
var (
	held     = nest.Key[int64]("held")
	free     = nest.Key[int64]("free")
	account  = nest.Cluster("account:{<id>}", nest.Sub(held, free))
	accounts = nest.Cluster("root", nest.Sub(account))
)

var errShown = errors.New("another answer than expected")

// ledger is what the rows of these benchmarks share.
type ledger struct {
	root       nest.Scope
	client     rueidis.Client
	other      *redis.Client
	heldAt     string
	freeAt     string
	compareSet *rueidis.Lua
}

func newLedger(b *testing.B) *ledger {
	b.Helper()
	server := realServer(b)
	l := &ledger{client: newClient(b, server), other: newGoRedis(b, server, nil)}
	prefix := server.Prefix(b)
	root, err := nest.Open(l.client, accounts, nest.WithPrefix(prefix), nest.WithOneConnection())
	if err != nil {
		b.Fatal(err)
	}
	l.root, l.heldAt, l.freeAt = root, held.At(root, 1).Key(), free.At(root, 1).Key()
	l.compareSet = rueidis.NewLuaScript(`if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2]) return 1 end return 0`)
	if err := errors.Join(held.At(root, 1).Set(b.Context(), 1_000_000), free.At(root, 1).Set(b.Context(), 1_000_000)); err != nil {
		b.Fatal(err)
	}
	return l
}

// atomics write two values in one step.
func (l *ledger) atomics() []task {
	return []task{
		{"nest", func(ctx context.Context) error {
			batch := l.root.Atomic()
			held.At(l.root, 1).In(batch).Set(7)
			free.At(l.root, 1).In(batch).Set(8)
			return batch.Exec(ctx)
		}},
		{"rueidis", func(ctx context.Context) error {
			results := l.client.DoMulti(ctx, l.client.B().Multi().Build(),
				l.client.B().Set().Key(l.heldAt).Value("7").Build(),
				l.client.B().Set().Key(l.freeAt).Value("8").Build(),
				l.client.B().Exec().Build())
			answers, err := results[len(results)-1].ToArray()
			if err != nil {
				return err
			}
			for _, a := range answers {
				if err := a.Error(); err != nil {
					return err
				}
			}
			return nil
		}},
		{"go-redis", func(ctx context.Context) error {
			_, err := l.other.TxPipelined(ctx, func(p redis.Pipeliner) error {
				p.Set(ctx, l.heldAt, 7, 0)
				p.Set(ctx, l.freeAt, 8, 0)
				return nil
			})
			return err
		}},
	}
}

// updates add to a value that is read, decoded, changed, encoded and written if it is still there.
func (l *ledger) updates() []task {
	return []task{
		{"nest", func(ctx context.Context) error {
			_, err := held.At(l.root, 1).Update(ctx, func(n int64, _ bool) (int64, error) { return n + 1, nil })
			return err
		}},
		{"rueidis", func(ctx context.Context) error {
			text, err := l.client.Do(ctx, l.client.B().Get().Key(l.heldAt).Build()).ToString()
			if err != nil {
				return err
			}
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return err
			}
			done, err := l.compareSet.Exec(ctx, l.client, []string{l.heldAt}, []string{text, strconv.FormatInt(n+1, 10)}).AsInt64()
			if err == nil && done != 1 {
				err = errShown
			}
			return err
		}},
		{"go-redis' Watch", func(ctx context.Context) error {
			return l.other.Watch(ctx, func(tx *redis.Tx) error {
				n, err := tx.Get(ctx, l.heldAt).Int64()
				if err != nil {
					return err
				}
				_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
					p.Set(ctx, l.heldAt, n+1, 0)
					return nil
				})
				return err
			}, l.heldAt)
		}},
	}
}

// transfers read two values under WATCH and write both in one step.
func (l *ledger) transfers() []task {
	return []task{
		{"nest", func(ctx context.Context) error {
			return nest.Transact(ctx, l.root, func(tx *nest.Tx) error {
				r := tx.Reads()
				from, to := held.At(l.root, 1).In(r).Get(), free.At(l.root, 1).In(r).Get()
				if err := r.Exec(ctx); err != nil {
					return err
				}
				a, err := from.Value()
				if err != nil {
					return err
				}
				z, err := to.Value()
				if err != nil {
					return err
				}
				w := tx.Writes()
				held.At(l.root, 1).In(w).Set(a - 1)
				free.At(l.root, 1).In(w).Set(z + 1)
				return nil
			})
		}},
		{"rueidis", func(ctx context.Context) error {
			return l.client.Dedicated(func(c rueidis.DedicatedClient) error {
				read := c.DoMulti(ctx, c.B().Watch().Key(l.heldAt, l.freeAt).Build(),
					c.B().Get().Key(l.heldAt).Build(), c.B().Get().Key(l.freeAt).Build())
				a, err := read[1].AsInt64()
				if err != nil {
					return err
				}
				z, err := read[2].AsInt64()
				if err != nil {
					return err
				}
				wrote := c.DoMulti(ctx, c.B().Multi().Build(),
					c.B().Set().Key(l.heldAt).Value(strconv.FormatInt(a-1, 10)).Build(),
					c.B().Set().Key(l.freeAt).Value(strconv.FormatInt(z+1, 10)).Build(),
					c.B().Exec().Build())
				answers, err := wrote[len(wrote)-1].ToArray()
				if err == nil && len(answers) != 2 {
					err = errShown
				}
				return err
			})
		}},
		{"go-redis' Watch", func(ctx context.Context) error {
			return l.other.Watch(ctx, func(tx *redis.Tx) error {
				var from, to *redis.StringCmd
				if _, err := tx.Pipelined(ctx, func(p redis.Pipeliner) error {
					from, to = p.Get(ctx, l.heldAt), p.Get(ctx, l.freeAt)
					return nil
				}); err != nil {
					return err
				}
				a, err := from.Int64()
				if err != nil {
					return err
				}
				z, err := to.Int64()
				if err != nil {
					return err
				}
				_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
					p.Set(ctx, l.heldAt, a-1, 0)
					p.Set(ctx, l.freeAt, z+1, 0)
					return nil
				})
				return err
			}, l.heldAt, l.freeAt)
		}},
	}
}

// BenchmarkRatioTransact compares writes of two keys in one step, Update of one key, and a
// transaction that reads two keys and writes both.
func BenchmarkRatioTransact(b *testing.B) {
	l := newLedger(b)
	compareTasks(b, "Atomic of two", l.atomics(), 500)
	compareTasks(b, "Update", l.updates(), 300)
	compareTasks(b, "Transact", l.transfers(), 300)
}

// BenchmarkTransact measures each contender by itself.
func BenchmarkTransact(b *testing.B) {
	l := newLedger(b)
	for _, work := range []struct {
		name string
		by   []task
	}{{"atomic", l.atomics()}, {"update", l.updates()}, {"transact", l.transfers()}} {
		b.Run(work.name, func(b *testing.B) { measureTasks(b, work.by) })
	}
}
