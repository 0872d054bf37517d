// Package catalog knows what is for sale, at which price, and what sells best.
package catalog

import (
	"time"

	"github.com/redisimnest/redisimnest/examples/shop/tenant"
	"github.com/redisimnest/redisimnest/nest"
)

// Day is a day of the calendar, in UTC.
var Day = nest.Param[time.Time]("day", nest.Layout(time.DateOnly))

var (
	// Listed is a product as the supplier described it a while ago.
	Listed = nest.Key[Product]("product:<id>",
		nest.Cached(time.Minute, nest.LocalFor(time.Second)),
		nest.ReadThrough(nest.RefreshBefore(time.Minute), nest.StaleFor(time.Hour), nest.NegativeTTL(30*time.Second), nest.LoadWhenDown(32)),
		nest.Doc("a product, as the supplier describes it"))
	// Prices is emptied in one step when the supplier has a new list.
	Prices = nest.Cluster("prices:<tenant>:<gen>", nest.Params(tenant.ID), nest.Generation("gen"),
		nest.TTL(10*time.Minute), nest.Jitter(0.1), nest.Sub(Listed))

	// Bestsellers has the number of pieces that were sold as scores.
	Bestsellers = nest.SortedSet[string]("bestsellers", nest.Doc("products by the number of pieces sold"))
	// Sold counts the pieces of one day.
	Sold = nest.Counter[int64]("sold:<day>", nest.TTL(90*24*time.Hour), nest.Params(Day), nest.Doc("pieces sold on a day"))
	// Counted remembers for a while which orders have been counted, so that none counts twice.
	Counted = nest.Key[time.Time]("counted:<order>", nest.TTL(7*24*time.Hour), nest.Doc("when an order was counted"))
	// Sales of a tenant are in one slot, because an order is counted in one step.
	Sales = nest.Cluster("sales:<tenant>", nest.Params(tenant.ID), nest.HashTag(), nest.Sub(Bestsellers, Sold, Counted))

	// Cluster is what this package stores.
	Cluster = nest.Cluster("catalog", nest.Sub(Prices, Sales))
)
