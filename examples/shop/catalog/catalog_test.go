package catalog_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/examples/shop/catalog"
	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// supplier has one product, and counts how often it is asked.
type supplier struct {
	asked atomic.Int64
	cents atomic.Int64
}

func (s *supplier) Product(_ context.Context, id string) (catalog.Product, error) {
	s.asked.Add(1)
	if id != "tea" {
		return catalog.Product{}, catalog.ErrNoProduct
	}
	return catalog.Product{ID: id, Name: "Tea", Cents: s.cents.Load()}, nil
}

func TestKeyspace(t *testing.T) {
	t.Parallel()
	nesttest.Golden(t, catalog.Cluster, "testdata/keyspace.json")
}

func TestTheSupplierIsAskedOnceForAListOfPrices(t *testing.T) {
	t.Parallel()
	source := &supplier{}
	source.cents.Store(450)
	scope := nesttest.Open(t, catalog.Cluster)
	here, there := catalog.New(scope, "acme", source), catalog.New(scope, "acme", source)
	ctx := t.Context()
	var all sync.WaitGroup
	for range 20 {
		for _, c := range []*catalog.Catalog{here, there} {
			all.Go(func() {
				product, err := c.Product(ctx, "tea")
				assert.NoError(t, err)
				assert.Equal(t, int64(450), product.Cents)
			})
		}
	}
	all.Wait()
	require.Equal(t, int64(1), source.asked.Load())

	source.cents.Store(500)
	product, err := here.Product(ctx, "tea")
	require.NoError(t, err)
	require.Equal(t, int64(450), product.Cents, "of the list before")
	require.NoError(t, here.Renew(ctx))
	product, err = here.Product(ctx, "tea")
	require.NoError(t, err)
	require.Equal(t, int64(500), product.Cents)
	nesttest.NoKeyWithoutTTL(t, scope)
}

func TestWhatTheSupplierDoesNotHaveIsRemembered(t *testing.T) {
	t.Parallel()
	source := &supplier{}
	c := catalog.New(nesttest.Open(t, catalog.Cluster), "acme", source)
	for range 3 {
		_, err := c.Product(t.Context(), "gold")
		require.ErrorIs(t, err, catalog.ErrNoProduct)
	}
	require.Equal(t, int64(1), source.asked.Load())
}

// While Redis is away, prices come from the supplier. The catalog knows no generation then.
func TestPricesWithoutRedis(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	source := &supplier{}
	source.cents.Store(450)
	c := catalog.New(server.Open(t, catalog.Cluster, nest.WithTimeout(time.Second), nest.WithBreaker(2, time.Minute)), "acme", source)
	server.Kill(t)
	for range 3 {
		product, err := c.Product(t.Context(), "tea")
		require.NoError(t, err)
		require.Equal(t, int64(450), product.Cents)
	}
	require.ErrorIs(t, c.Renew(t.Context()), nest.ErrAway)
	server.Restart(t)
}

func TestAnOrderCountsOnce(t *testing.T) {
	t.Parallel()
	scope := nesttest.Open(t, catalog.Cluster)
	c := catalog.New(scope, "acme", &supplier{})
	ctx, day := t.Context(), time.Date(2026, 2, 3, 23, 59, 0, 0, time.UTC)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			assert.NoError(t, c.Count(ctx, "first", day, map[string]int64{"tea": 2, "pot": 1}))
		})
	}
	all.Wait()
	require.NoError(t, c.Count(ctx, "second", day, map[string]int64{"pot": 3}))
	best, err := c.Best(ctx, 10)
	require.NoError(t, err)
	require.Equal(t, []catalog.Seller{{Product: "pot", Sold: 4}, {Product: "tea", Sold: 2}}, best)
	n, err := c.SoldOn(ctx, day)
	require.NoError(t, err)
	require.Equal(t, int64(6), n)
	n, err = c.SoldOn(ctx, day.AddDate(0, 0, 1))
	require.NoError(t, err)
	require.Zero(t, n)
	nesttest.NoKeyWithoutTTL(t, scope)
	nesttest.NothingUndeclared(t, scope)
}
