package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/redisimnest/redisimnest/examples/shop/catalog"
	"github.com/redisimnest/redisimnest/examples/shop/orders"
)

// supplier stands in for the slow system that knows the products.
type supplier struct{ delay time.Duration }

func (s supplier) Product(ctx context.Context, id string) (catalog.Product, error) {
	timer := time.NewTimer(s.delay)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return catalog.Product{}, fmt.Errorf("ask the supplier: %w", ctx.Err())
	case <-timer.C:
	}
	for _, p := range []catalog.Product{
		{ID: "tea", Name: "Green tea", Cents: 450},
		{ID: "pot", Name: "A pot for two", Cents: 2900},
		{ID: "cup", Name: "A cup", Cents: 800},
	} {
		if p.ID == id {
			return p, nil
		}
	}
	return catalog.Product{}, catalog.ErrNoProduct
}

// provider stands in for a payment provider, which takes the ID of an order as its idempotency key.
type provider struct{ log *slog.Logger }

func (p provider) charge(ctx context.Context, _ string, order orders.Order) error {
	p.log.InfoContext(ctx, "charged", "order", order.ID, "cents", order.Cents)
	return nil
}
