package orders

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redisimnest/redisimnest/nest"
)

const (
	group    = "fulfilment"
	attempts = 3                // until an entry is dead
	patience = 10 * time.Second // with one entry
)

// Fulfil has orders paid until the context ends. Each process calls it with a name of its own.
func (o *Orders) Fulfil(ctx context.Context, process string) error {
	err := Placed.At(o.scope).Consume(ctx, group, process, o.fulfil,
		nest.Workers(4), nest.ClaimAfter(o.with.RetryAfter),
		nest.DeadLetter(attempts, nest.Forward(Dead.At(o.scope))))
	if err != nil {
		return fmt.Errorf("fulfil orders: %w", err)
	}
	return nil
}

// fulfil has one order paid. It may be called twice for one entry, or by two processes at a time,
// so each step may be done again.
func (o *Orders) fulfil(ctx context.Context, d nest.Delivery[Placement]) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	stored := Stored.At(o.scope, d.Value.Order)
	order, err := stored.Get(ctx)
	if errors.Is(err, nest.ErrNotFound) {
		return nil // it has expired, or was cleared
	}
	if err != nil {
		return fmt.Errorf("read the order: %w", err)
	}
	key, err := PaymentKey.At(o.scope).Get(ctx)
	if err != nil {
		return fmt.Errorf("read the payment key: %w", err)
	}
	if err := o.with.Charge(ctx, key, order); err != nil {
		return fmt.Errorf("charge: %w", err)
	}
	order, err = stored.Update(ctx, func(order Order, found bool) (Order, error) {
		if !found {
			return order, nest.ErrNotFound
		}
		order.Status = Paid
		return order, nil
	})
	if err != nil {
		return fmt.Errorf("write the order: %w", err)
	}
	if err := o.with.Count(ctx, order.ID, order.Placed, order.Pieces()); err != nil {
		return fmt.Errorf("count the order: %w", err)
	}
	if _, err := Changes.At(o.scope, order.Customer).Publish(ctx, order); err != nil {
		return fmt.Errorf("tell the customer: %w", err)
	}
	return nil
}
