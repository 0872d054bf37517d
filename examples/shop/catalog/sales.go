package catalog

import (
	"context"
	"fmt"
	"time"

	"github.com/redisimnest/redisimnest/nest"
)

// Seller is a product and how many pieces of it were sold.
type Seller struct {
	Product string `json:"product"`
	Sold    int64  `json:"sold"`
}

// Count counts the pieces of an order as sold. It may be called again for the same order.
func (c *Catalog) Count(ctx context.Context, order string, at time.Time, pieces map[string]int64) error {
	err := nest.Transact(ctx, c.sales, func(tx *nest.Tx) error {
		reads := tx.Reads()
		before := Counted.At(c.sales, order).In(reads).Lookup()
		if err := reads.Exec(ctx); err != nil {
			return err
		}
		if _, counted, err := before.Value(); counted || err != nil {
			return err
		}
		writes := tx.Writes()
		Counted.At(c.sales, order).In(writes).Set(time.Now())
		for product, n := range pieces {
			Bestsellers.At(c.sales).In(writes).Incr(product, float64(n))
			Sold.At(c.sales, at).In(writes).Add(n)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("count an order: %w", err)
	}
	return nil
}

// Best returns the products that sell best, the first one most.
func (c *Catalog) Best(ctx context.Context, n int64) ([]Seller, error) {
	scored, err := Bestsellers.At(c.sales).RangeScored(ctx, nest.ByRank(0, n-1).Reverse())
	if err != nil {
		return nil, fmt.Errorf("read the bestsellers: %w", err)
	}
	best := make([]Seller, len(scored))
	for i, s := range scored {
		best[i] = Seller{s.Member, int64(s.Score)}
	}
	return best, nil
}

// SoldOn returns how many pieces were sold on a day.
func (c *Catalog) SoldOn(ctx context.Context, day time.Time) (int64, error) {
	n, err := Sold.At(c.sales, day).Get(ctx)
	if err != nil {
		return 0, fmt.Errorf("read the sales of a day: %w", err)
	}
	return n, nil
}
