package main

import (
	"context"
	"sync"
	"time"
)

const (
	tidyLook  = time.Minute // how often each process looks whether there is anything to tidy
	tidyEvery = time.Hour   // how often one of them does it
)

// work starts what runs beside the requests. All of it ends with the context.
func (s *service) work(ctx context.Context, jobs *sync.WaitGroup) {
	for _, t := range s.shops {
		jobs.Go(func() {
			s.keepOn(ctx, "fulfil "+t.name, func(ctx context.Context) error { return t.orders.Fulfil(ctx, s.conf.process) })
		})
		jobs.Go(func() { s.repeat(ctx, "tidy "+t.name, tidyLook, t.tidy) })
	}
	jobs.Go(func() { s.keepOn(ctx, "keyring", s.watchKeyring) })
}

func (t shop) tidy(ctx context.Context) error {
	_, err := t.orders.Tidy(ctx, tidyEvery)
	return err
}

// keepOn runs a job that should not end, and begins it again a second after it has failed.
func (s *service) keepOn(ctx context.Context, name string, job func(context.Context) error) {
	for ctx.Err() == nil {
		if err := job(ctx); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "a job has failed", "job", name, "error", err)
		}
		rest(ctx, time.Second)
	}
}

// repeat runs a job now and then.
func (s *service) repeat(ctx context.Context, name string, every time.Duration, job func(context.Context) error) {
	for ctx.Err() == nil {
		if err := job(ctx); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "a job has failed", "job", name, "error", err)
		}
		rest(ctx, every)
	}
}

// rest waits, unless the context ends.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
