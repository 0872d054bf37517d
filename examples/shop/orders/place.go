package orders

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/redisimnest/redisimnest/nest"
)

// Placement is an entry of the stream of orders.
type Placement struct {
	Order string `json:"order"`
}

// Place turns the cart of a customer into an order. With the same idempotency key it returns the
// same order again, so whoever got no answer can ask again.
func (o *Orders) Place(ctx context.Context, customer, key string) (Order, error) {
	pieces, err := o.Cart(ctx, customer)
	if err != nil {
		return Order{}, err
	}
	draft, err := o.draft(ctx, customer, pieces)
	if err != nil {
		return Order{}, err
	}
	id := draft.ID
	if err := nest.Transact(ctx, o.scope, func(tx *nest.Tx) (err error) {
		id, err = o.place(ctx, tx, key, draft, pieces)
		return err
	}); err != nil {
		return Order{}, fmt.Errorf("place an order: %w", err)
	}
	if id == draft.ID {
		return draft, nil
	}
	return o.Order(ctx, customer, id)
}

// place writes an order, unless there is one for the key. It returns the ID of the one that is
// there. The order, the receipt, the entry of the stream and the empty cart are one step.
func (o *Orders) place(ctx context.Context, tx *nest.Tx, key string, draft Order, pieces map[string]int64) (string, error) {
	customer := Customer.At(o.scope, draft.Customer)
	receipt, cart := Receipt.At(customer, key), Cart.At(customer)

	reads := tx.Reads()
	before, now := receipt.In(reads).Lookup(), cart.In(reads).All()
	if err := reads.Exec(ctx); err != nil {
		return "", err
	}
	if id, found, err := before.Value(); found || err != nil {
		return id, err
	}
	switch current, err := now.Value(); {
	case err != nil:
		return "", err
	case !maps.Equal(current, pieces):
		return "", ErrChanged
	case len(current) == 0:
		return "", ErrEmpty
	}

	writes := tx.Writes()
	Stored.At(o.scope, draft.ID).In(writes).Set(draft)
	receipt.In(writes).Set(draft.ID)
	Placed.At(o.scope).In(writes).Add(Placement{draft.ID})
	cart.In(writes).Delete()
	return draft.ID, nil
}

// draft returns the order that a cart would be now.
func (o *Orders) draft(ctx context.Context, customer string, pieces map[string]int64) (Order, error) {
	order := Order{ID: rand.Text(), Customer: customer, Status: Open, Placed: time.Now().UTC().Truncate(time.Millisecond)}
	for _, product := range slices.Sorted(maps.Keys(pieces)) {
		cents, err := o.with.Price(ctx, product)
		if err != nil {
			return Order{}, fmt.Errorf("ask for a price: %w", err)
		}
		order.Items = append(order.Items, Item{product, pieces[product], cents})
		order.Cents += cents * pieces[product]
	}
	return order, nil
}
