package orders_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/examples/shop/orders"
	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/secure"
)

// partners are what the orders need, and what they made of it.
type partners struct {
	mu      sync.Mutex
	refuse  bool
	charged map[string]int // by ID
	counted map[string]int
}

func (p *partners) all() orders.Partners {
	return orders.Partners{
		Price: func(_ context.Context, product string) (int64, error) {
			if product != "tea" {
				return 0, orders.ErrNoProduct
			}
			return 450, nil
		},
		Charge: func(_ context.Context, key string, order orders.Order) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.refuse || key != "sk-1" {
				return errors.New("refused")
			}
			p.charged[order.ID]++
			return nil
		},
		Count: func(_ context.Context, order string, _ time.Time, pieces map[string]int64) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.counted[order] += int(pieces["tea"])
			return nil
		},
		RetryAfter: 20 * time.Millisecond,
	}
}

func (p *partners) chargedTimes(order string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.charged[order]
}

// opened returns orders of its own.
func opened(t *testing.T) (*orders.Orders, *partners, nest.Scope) {
	t.Helper()
	ring, err := secure.NewKeyring(secure.GenerateKey())
	require.NoError(t, err)
	root := nesttest.Open(t, orders.Cluster, nest.WithKeyring(ring))
	with := &partners{charged: make(map[string]int), counted: make(map[string]int)}
	o := orders.New(root, "acme", with.all())
	require.NoError(t, o.SetPaymentKey(t.Context(), "sk-1"))
	return o, with, orders.Cluster.At(root, "acme")
}

// fulfil runs a consumer until the test ends.
func fulfil(t *testing.T, o *orders.Orders) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- o.Fulfil(ctx, "test") }()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-done)
	})
}

const patience = 20 * time.Second // with a busy machine

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, patience, 5*time.Millisecond)
}

func TestKeyspace(t *testing.T) {
	t.Parallel()
	nesttest.Golden(t, orders.Cluster, "testdata/keyspace.json")
}

func TestCart(t *testing.T) {
	t.Parallel()
	o, _, scope := opened(t)
	ctx := t.Context()
	require.ErrorIs(t, o.SetPieces(ctx, "ali", "gold", 1), orders.ErrNoProduct)
	require.ErrorIs(t, o.SetPieces(ctx, "ali", "tea", 0), orders.ErrQuantity)
	require.NoError(t, o.SetPieces(ctx, "ali", "tea", 2))
	require.NoError(t, o.SetPieces(ctx, "ali", "tea", 3))
	cart, err := o.Cart(ctx, "ali")
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"tea": 3}, cart)
	cart, err = o.Cart(ctx, "bea")
	require.NoError(t, err)
	require.Empty(t, cart)
	nesttest.NoKeyWithoutTTL(t, scope)
	require.NoError(t, o.Remove(ctx, "ali", "tea"))
	_, err = o.Place(ctx, "ali", "1")
	require.ErrorIs(t, err, orders.ErrEmpty)
}

func TestAnIdempotencyKeyStandsForOneOrder(t *testing.T) {
	t.Parallel()
	o, _, scope := opened(t)
	ctx := t.Context()
	require.NoError(t, o.SetPieces(ctx, "ali", "tea", 2))
	placed := make([]orders.Order, 6)
	var all sync.WaitGroup
	for i := range placed {
		all.Go(func() {
			var err error
			placed[i], err = o.Place(ctx, "ali", "once")
			assert.NoError(t, err)
		})
	}
	all.Wait()
	for _, order := range placed {
		require.Equal(t, placed[0], order)
	}
	require.Equal(t, int64(900), placed[0].Cents)
	n, err := orders.Placed.At(scope).Len(ctx)
	require.NoError(t, err)
	require.Equal(t, int64(1), n)

	require.NoError(t, o.SetPieces(ctx, "bea", "tea", 1))
	other, err := o.Place(ctx, "bea", "once")
	require.NoError(t, err)
	require.NotEqual(t, placed[0].ID, other.ID, "keys are each customer's own")
	_, err = o.Order(ctx, "bea", placed[0].ID)
	require.ErrorIs(t, err, orders.ErrNoOrder, "and so are orders")
	nesttest.NoKeyWithoutTTL(t, scope)
}

func TestAnOrderIsPaidAndItsCustomerIsTold(t *testing.T) {
	t.Parallel()
	o, with, scope := opened(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	subscribed, told := make(chan struct{}), make(chan orders.Order, 1)
	go func() {
		for order, err := range orders.Changes.At(scope, "ali").Subscribe(ctx, nest.OnSubscribed(func() { close(subscribed) })) {
			if assert.NoError(t, err) {
				told <- order
			}
		}
	}()
	<-subscribed
	fulfil(t, o)
	require.NoError(t, o.SetPieces(ctx, "ali", "tea", 2))
	placed, err := o.Place(ctx, "ali", "1")
	require.NoError(t, err)
	changed := <-told
	require.Equal(t, placed.ID, changed.ID)
	require.Equal(t, orders.Paid, changed.Status)
	stored, err := o.Order(ctx, "ali", placed.ID)
	require.NoError(t, err)
	require.Equal(t, changed, stored)
	require.Equal(t, 1, with.chargedTimes(placed.ID))
	require.Equal(t, 2, with.counted[placed.ID])
	eventually(t, func() bool {
		pending, err := orders.Placed.At(scope).PendingSummary(ctx, "fulfilment")
		require.NoError(t, err)
		return pending.Count == 0
	})
}

// What cannot be handled is set aside, whether the payment fails or the entry makes no sense.
func TestDeadLetters(t *testing.T) {
	t.Parallel()
	o, with, scope := opened(t)
	ctx := t.Context()
	with.refuse = true
	require.NoError(t, o.SetPieces(ctx, "ali", "tea", 1))
	placed, err := o.Place(ctx, "ali", "1")
	require.NoError(t, err)
	_, err = orders.Placed.At(scope).Do(ctx, "XADD", "*", "value", "no JSON")
	require.NoError(t, err)
	fulfil(t, o)
	dead := orders.Dead.At(scope)
	eventually(t, func() bool {
		n, err := dead.Len(ctx)
		require.NoError(t, err)
		return n == 2
	})
	reply, err := dead.Do(ctx, "XRANGE", "-", "+")
	require.NoError(t, err)
	entries, err := reply.AsXRange()
	require.NoError(t, err)
	require.ElementsMatch(t, []string{`{"order":"` + placed.ID + `"}`, "no JSON"},
		[]string{entries[0].FieldValues["value"], entries[1].FieldValues["value"]})
	require.Zero(t, with.chargedTimes(placed.ID))
}

func TestOneProcessTidiesUp(t *testing.T) {
	t.Parallel()
	o, _, scope := opened(t)
	ctx := t.Context()
	dead := orders.Dead.At(scope)
	for _, id := range []string{"1-1", nest.IDAt(time.Now())} {
		_, err := dead.Add(ctx, orders.Placement{Order: "x"}, nest.WithID(id))
		require.NoError(t, err)
	}
	var mu sync.Mutex
	var times int
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			done, err := o.Tidy(ctx, time.Hour)
			assert.NoError(t, err)
			mu.Lock()
			defer mu.Unlock()
			if done {
				times++
			}
		})
	}
	all.Wait()
	require.Equal(t, 1, times)
	n, err := dead.Len(ctx)
	require.NoError(t, err)
	require.Equal(t, int64(1), n)
}
