package suite_test

import (
	"context"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/secure"
)

// ending returns the error that a stream ends with.
func ending[T any](values iter.Seq2[T, error]) (last error) {
	for _, err := range values {
		last = err
	}
	return last
}

// Some operations refused a nil option and others ignored it, even for the same kind of option.
func TestNilOptionsAreRefused(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	hash := nest.Hash[int]("hash")
	jobs, news, job := nest.Stream[int]("jobs"), nest.Channel[int]("news"), nest.Lock("job", nest.TTL(60))
	s := nesttest.Open(t, nest.Cluster("optional", nest.Sub(hash, jobs, news, job)), nest.WithKeyring(newRing(t, secure.GenerateKey())))
	for what, do := range map[string]func() error{
		"keys":       func() error { return ending(s.Keys(ctx, nil)) },
		"count":      func() error { return second(s.Count(ctx, nil)) },
		"filter":     func() error { return second(s.Filter(nil)) },
		"subkeys":    func() error { return second(s.Subkeys(ctx, nil)) },
		"clear":      func() error { return second(s.Clear(ctx, nil)) },
		"rotate":     func() error { return second(nest.Rotate(ctx, s, nil)) },
		"field":      func() error { return hash.At(s).Set(ctx, "f", 1, nil) },
		"fields":     func() error { return hash.At(s).SetMany(ctx, map[string]int{"f": 1}, nil) },
		"add":        func() error { return second(jobs.At(s).Add(ctx, 1, nil)) },
		"read":       func() error { return second(jobs.At(s).Read(ctx, "", nil)) },
		"read group": func() error { return second(jobs.At(s).ReadGroup(ctx, "g", "c", nil)) },
		"follow":     func() error { return ending(jobs.At(s).Follow(ctx, "", nil)) },
		"consume": func() error {
			return jobs.At(s).Consume(ctx, "g", "c", func(context.Context, nest.Delivery[int]) error { return nil }, nil)
		},
		"subscribe":   func() error { return ending(news.At(s).Subscribe(ctx, nil)) },
		"try acquire": func() error { _, _, err := job.At(s).TryAcquire(ctx, nil); return err },
		"acquire":     func() error { return second(job.At(s).Acquire(ctx, nil)) },
		"run":         func() error { return job.At(s).Run(ctx, func(context.Context, *nest.Lease) error { return nil }, nil) },
	} {
		err := do()
		require.ErrorIs(t, err, nest.ErrArgument, what)
		require.ErrorContains(t, err, "a nil option", what)
	}
}
