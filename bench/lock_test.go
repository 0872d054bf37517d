package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/go-redsync/redsync/v4"
	"github.com/go-redsync/redsync/v4/redis/goredis/v9"
	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
)

const (
	leaseTime = 30 * time.Second
	eventRate = 1 << 30 // an hour: nothing is ever refused
)

var (
	jobLock  = nest.Lock("lock:<name>", nest.TTL(leaseTime))
	requests = nest.Limiter("limit:<name>", nest.Rate(eventRate, time.Hour))
	guards   = nest.Cluster("root", nest.Sub(jobLock, requests))
)

var errRefused = errors.New("refused")

func acquire(ctx context.Context, s nest.Scope) error {
	l, ok, err := jobLock.At(s, "job").TryAcquire(ctx)
	if err != nil || !ok {
		return fmt.Errorf("not acquired: %w", errors.Join(err, errRefused))
	}
	return l.Release(ctx)
}

func allow(ctx context.Context, s nest.Scope) error {
	d, err := requests.At(s, "192.0.2.1").Allow(ctx)
	if err == nil && !d.Allowed {
		return errRefused
	}
	return err
}

// sent records the commands that a client is given, so that they can be sent again without the
// library.
type sent struct {
	rueidis.Client
	commands *[][]string
}

func (s sent) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	*s.commands = append(*s.commands, append([]string(nil), cmd.Commands()...))
	return s.Client.Do(ctx, cmd)
}

// guarding returns what uses a lock or a limiter: by nest, and by rueidis with the same commands,
// which do as much.
func guarding(b *testing.B, do func(ctx context.Context, s nest.Scope) error) []task {
	b.Helper()
	server := realServer(b)
	client := newClient(b, server)
	prefix := nest.WithPrefix(server.Prefix(b))
	var commands [][]string
	watched, err := nest.Open(sent{client, &commands}, guards, prefix)
	if err != nil {
		b.Fatal(err)
	}
	for range 2 { // the first time, the server may not know the scripts yet
		commands = nil
		if err := do(b.Context(), watched); err != nil {
			b.Fatal(err)
		}
	}
	root, err := nest.Open(client, guards, prefix, nest.WithOneConnection())
	if err != nil {
		b.Fatal(err)
	}
	return []task{
		{"nest", func(ctx context.Context) error { return do(ctx, root) }},
		{"the same commands", func(ctx context.Context) error {
			for _, words := range commands {
				if _, err := client.Do(ctx, client.B().Arbitrary(words...).Build()).ToAny(); err != nil {
					return err
				}
			}
			return nil
		}},
	}
}

// locks returns a lock that is taken and released, also as one writes it by hand, without a token
// and without anybody who waits, and by redsync.
func locks(b *testing.B) []task {
	b.Helper()
	server := realServer(b)
	client := newClient(b, server)
	key := server.Prefix(b) + ":bare:lock"
	release := rueidis.NewLuaScript(`if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`)
	sync := redsync.New(goredis.NewPool(newGoRedis(b, server, nil)))
	return append(guarding(b, acquire), task{"SET NX and a script", func(ctx context.Context) error {
		owner := rand.Text()
		if err := client.Do(ctx, client.B().Set().Key(key).Value(owner).Nx().Px(leaseTime).Build()).Error(); err != nil {
			return err
		}
		n, err := release.Exec(ctx, client, []string{key}, []string{owner}).AsInt64()
		if err == nil && n != 1 {
			err = errRefused
		}
		return err
	}}, task{"redsync", func(ctx context.Context) error {
		m := sync.NewMutex(key+":redsync", redsync.WithExpiry(leaseTime), redsync.WithTries(1))
		if err := m.LockContext(ctx); err != nil {
			return err
		}
		ok, err := m.UnlockContext(ctx)
		if err == nil && !ok {
			err = errRefused
		}
		return err
	}})
}

// limiters returns a limiter that is asked, also redis_rate's.
func limiters(b *testing.B) []task {
	b.Helper()
	server := realServer(b)
	limiter := redis_rate.NewLimiter(newGoRedis(b, server, nil))
	key := server.Prefix(b) + ":bare:limit"
	limit := redis_rate.Limit{Rate: eventRate, Burst: eventRate, Period: time.Hour}
	return append(guarding(b, allow), task{"redis_rate", func(ctx context.Context) error {
		r, err := limiter.Allow(ctx, key, limit)
		if err == nil && r.Allowed != 1 {
			err = errRefused
		}
		return err
	}})
}

// BenchmarkRatioLock takes an uncontended lock and releases it, and BenchmarkRatioLimiter asks a
// limiter that allows.
func BenchmarkRatioLock(b *testing.B) { compareTasks(b, "TryAcquire, Release", locks(b), 300) }

// BenchmarkRatioLimiter is described at [BenchmarkRatioLock].
func BenchmarkRatioLimiter(b *testing.B) { compareTasks(b, "Allow", limiters(b), 500) }

// BenchmarkLock and BenchmarkLimiter measure each contender by itself.
func BenchmarkLock(b *testing.B) { measureTasks(b, locks(b)) }

// BenchmarkLimiter is described at [BenchmarkLock].
func BenchmarkLimiter(b *testing.B) { measureTasks(b, limiters(b)) }
