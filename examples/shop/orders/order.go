package orders

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redisimnest/redisimnest/nest"
)

// The errors of this package that a client can do something about.
var (
	ErrNoOrder   = errors.New("there is no such order")
	ErrNoProduct = errors.New("there is no such product")
	ErrEmpty     = errors.New("the cart is empty")
	ErrChanged   = errors.New("the cart has changed meanwhile")
	ErrQuantity  = errors.New("a quantity is between 1 and 1000")
)

// Status says how far an order is.
type Status string

// The statuses of an order.
const (
	Open Status = "open"
	Paid Status = "paid"
)

// Order is what a customer has bought.
type Order struct {
	ID       string    `json:"id"`
	Customer string    `json:"customer"`
	Items    []Item    `json:"items"`
	Cents    int64     `json:"cents"` // of all items
	Status   Status    `json:"status"`
	Placed   time.Time `json:"placed"`
}

// Item is a product of an order, at the price that it had.
type Item struct {
	Product string `json:"product"`
	Pieces  int64  `json:"pieces"`
	Cents   int64  `json:"cents"` // of one piece
}

// Pieces returns the number of pieces by product.
func (o Order) Pieces() map[string]int64 {
	pieces := make(map[string]int64, len(o.Items))
	for _, item := range o.Items {
		pieces[item.Product] += item.Pieces
	}
	return pieces
}

// Orders are the orders of one tenant.
type Orders struct {
	scope nest.Scope
	with  Partners
}

// Partners are what this package needs of others.
type Partners struct {
	// Price returns the price of a product in cents, or ErrNoProduct.
	Price func(ctx context.Context, product string) (int64, error)
	// Charge charges an order to its customer, once for each ID of an order.
	Charge func(ctx context.Context, key string, order Order) error
	// Count counts what was sold, once for each ID of an order.
	Count func(ctx context.Context, order string, at time.Time, pieces map[string]int64) error
	// RetryAfter is how long an order whose payment has failed rests.
	RetryAfter time.Duration
}

// New returns the orders of a tenant.
func New(root nest.Scope, tenant string, with Partners) *Orders {
	return &Orders{Cluster.At(root, tenant), with}
}

// Order returns an order of a customer.
func (o *Orders) Order(ctx context.Context, customer, id string) (Order, error) {
	order, found, err := Stored.At(o.scope, id).Lookup(ctx)
	switch {
	case err != nil:
		return Order{}, fmt.Errorf("read an order: %w", err)
	case !found || order.Customer != customer:
		return Order{}, ErrNoOrder
	}
	return order, nil
}

// SetPaymentKey stores the key of the payment provider's API.
func (o *Orders) SetPaymentKey(ctx context.Context, key string) error {
	if err := PaymentKey.At(o.scope).Set(ctx, key); err != nil {
		return fmt.Errorf("store the payment key: %w", err)
	}
	return nil
}
