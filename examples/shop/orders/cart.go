package orders

import (
	"context"
	"fmt"
)

// maxPieces is how many pieces of one product a cart can have.
const maxPieces = 1000

// SetPieces sets how many pieces of a product are in the cart.
func (o *Orders) SetPieces(ctx context.Context, customer, product string, n int64) error {
	if n < 1 || n > maxPieces {
		return ErrQuantity
	}
	if _, err := o.with.Price(ctx, product); err != nil {
		return fmt.Errorf("ask for a price: %w", err) // nobody can order what there is not
	}
	if err := Cart.At(o.scope, customer).Set(ctx, product, n); err != nil {
		return fmt.Errorf("write a cart: %w", err)
	}
	return nil
}

// Remove takes a product out of the cart.
func (o *Orders) Remove(ctx context.Context, customer, product string) error {
	if _, err := Cart.At(o.scope, customer).DeleteFields(ctx, product); err != nil {
		return fmt.Errorf("write a cart: %w", err)
	}
	return nil
}

// Cart returns the number of pieces by product.
func (o *Orders) Cart(ctx context.Context, customer string) (map[string]int64, error) {
	pieces, err := Cart.At(o.scope, customer).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read a cart: %w", err)
	}
	return pieces, nil
}
