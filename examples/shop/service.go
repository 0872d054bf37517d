package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redisimnest/redisimnest/examples/shop/accounts"
	"github.com/redisimnest/redisimnest/examples/shop/catalog"
	"github.com/redisimnest/redisimnest/examples/shop/orders"
)

const (
	requestTime  = 5 * time.Second  // of one request
	shutdownTime = 20 * time.Second // of a shutdown, after the drain
)

// service is the whole of it.
type service struct {
	conf  config
	keys  keys
	told  telemetry
	log   *slog.Logger
	shops []shop

	leaving atomic.Bool // it is shutting down
}

// shop is what one tenant has of each package.
type shop struct {
	name     string
	accounts *accounts.Accounts
	catalog  *catalog.Catalog
	orders   *orders.Orders
}

func newService(conf config, k keys, told telemetry, log *slog.Logger) *service {
	s := &service{conf: conf, keys: k, told: told, log: log}
	for _, name := range conf.tenants {
		s.shops = append(s.shops, s.shop(name))
	}
	return s
}

// shop puts the packages together. They know nothing of each other.
func (s *service) shop(name string) shop {
	root := s.keys.root
	t := shop{
		name:     name,
		accounts: accounts.New(root, name, accounts.Cookie{Path: "/shops/" + name, Secure: s.conf.cookies}),
		catalog:  catalog.New(root, name, supplier{delay: 200 * time.Millisecond}),
	}
	t.orders = orders.New(root, name, orders.Partners{
		Price:      t.price,
		Charge:     provider{s.log}.charge,
		Count:      t.catalog.Count,
		RetryAfter: s.conf.retry,
	})
	return t
}

// price is how the orders ask the catalog.
func (t shop) price(ctx context.Context, product string) (int64, error) {
	p, err := t.catalog.Product(ctx, product)
	if errors.Is(err, catalog.ErrNoProduct) {
		return 0, orders.ErrNoProduct
	}
	return p.Cents, err
}

// prepare stores what the tenants need.
func (s *service) prepare(ctx context.Context) error {
	for _, t := range s.shops {
		if err := t.orders.SetPaymentKey(ctx, s.conf.payment.Reveal()); err != nil {
			return fmt.Errorf("tenant %s: %w", t.name, err)
		}
	}
	return nil
}

// serve serves until the context ends. Then it stops in this order: it says that it is not ready;
// no more requests; no more jobs; what Redis is still owed; the spans and metrics; the client.
func (s *service) serve(ctx context.Context, listener net.Listener) error {
	defer s.keys.close()
	closing, closeStreams := context.WithCancel(context.WithoutCancel(ctx))
	defer closeStreams()
	working, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()

	var jobs sync.WaitGroup
	s.work(working, &jobs)
	server := &http.Server{
		Handler:           s.handler(closing),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      2 * requestTime,
		IdleTimeout:       time.Minute,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()

	var err error
	select {
	case err = <-failed: // it cannot serve
	case <-ctx.Done():
		s.leaving.Store(true)
		time.Sleep(s.conf.drain)
	}
	s.log.InfoContext(ctx, "shutting down")
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	closeStreams()
	err = errors.Join(err, server.Shutdown(end))
	stopWork()
	jobs.Wait()
	err = errors.Join(err, s.keys.root.Close(end))
	if lost := s.told.shutdown(end); lost != nil {
		s.log.WarnContext(end, "telemetry is lost", "error", lost) // the shutdown is in order without
	}
	if err != nil {
		return fmt.Errorf("shut down: %w", err)
	}
	return nil
}
