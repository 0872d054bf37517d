package catalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/redisimnest/redisimnest/nest"
)

// ErrNoProduct is the error for a product that the supplier does not have.
var ErrNoProduct = errors.New("there is no such product")

// Product is something for sale.
type Product struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Cents int64  `json:"cents"`
}

// Supplier is where products come from. It is slow, and sometimes away.
type Supplier interface {
	// Product returns a product, or ErrNoProduct.
	Product(ctx context.Context, id string) (Product, error)
}

// Catalog is the catalog of one tenant.
type Catalog struct {
	root     nest.Scope
	tenant   string
	sales    nest.Scope
	supplier Supplier
}

// New returns the catalog of a tenant.
func New(root nest.Scope, tenant string, supplier Supplier) *Catalog {
	return &Catalog{root, tenant, Sales.At(root, tenant), supplier}
}

// Product returns a product. It comes from memory, from Redis or from the supplier, whichever has
// it first, and from the supplier also while Redis is away.
func (c *Catalog) Product(ctx context.Context, id string) (Product, error) {
	prices, err := Prices.Current(ctx, c.root, c.tenant)
	if errors.Is(err, nest.ErrAway) {
		prices, err = Prices.At(c.root, c.tenant, 0), nil // nothing is stored while Redis is away, in no generation
	}
	if err != nil {
		return Product{}, fmt.Errorf("find the current prices: %w", err)
	}
	product, err := Listed.At(prices, id).GetOrLoad(ctx, func(ctx context.Context) (Product, error) {
		product, err := c.supplier.Product(ctx, id)
		if errors.Is(err, ErrNoProduct) {
			return product, errors.Join(err, nest.ErrNotFound) // which is remembered for a while
		}
		return product, err
	})
	switch {
	case errors.Is(err, nest.ErrNotFound):
		return Product{}, ErrNoProduct
	case err != nil:
		return Product{}, fmt.Errorf("read a product: %w", err)
	}
	return product, nil
}

// Renew forgets all prices at once, in all processes.
func (c *Catalog) Renew(ctx context.Context) error {
	if _, err := Prices.Renew(ctx, c.root, c.tenant); err != nil {
		return fmt.Errorf("begin a new list of prices: %w", err)
	}
	return nil
}
