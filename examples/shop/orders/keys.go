// Package orders has carts, turns them into orders, and sees to it that each order is paid.
package orders

import (
	"time"

	"github.com/redisimnest/redisimnest/examples/shop/tenant"
	"github.com/redisimnest/redisimnest/nest"
)

var (
	// Cart has the number of pieces by product.
	Cart = nest.Hash[int64]("cart", nest.TTL(7*24*time.Hour), nest.AutoRenew(), nest.Doc("pieces by product"))
	// Receipt is the order that was placed with an idempotency key.
	Receipt = nest.Key[string]("receipt:<key>", nest.TTL(24*time.Hour), nest.Doc("the order that an idempotency key stands for"))
	// Changes tells a customer how orders are getting on.
	Changes = nest.Channel[Order]("changes", nest.Doc("orders of a customer whose status has changed"))
	// Customer is all that belongs to one customer.
	Customer = nest.Cluster("customer:<customer>", nest.Sub(Cart, Receipt, Changes))

	// Stored is an order.
	Stored = nest.Key[Order]("order:<order>", nest.TTL(90*24*time.Hour), nest.Doc("an order"))
	// Placed is what has to be paid.
	Placed = nest.Stream[Placement]("placed", nest.KeepLast(100_000), nest.Doc("orders that were placed, for those who fulfil them"))
	// Dead has what could not be handled, for people to look at.
	Dead = nest.Stream[Placement]("dead", nest.KeepLast(10_000), nest.Doc("entries of placed that could not be handled"))

	// PaymentKey is what the payment provider knows the shop by.
	PaymentKey = nest.Secret[string]("payment_key", nest.Doc("the key of the payment provider's API"))

	// Tidying is held by the process that tidies up.
	Tidying = nest.Lock("tidying", nest.TTL(30*time.Second))
	// Tidied is when that was done last.
	Tidied = nest.Key[time.Time]("tidied", nest.Doc("when old entries were last removed"))

	// Cluster is what this package stores for a tenant. That is in one slot, because an order is
	// placed in one step.
	Cluster = nest.Cluster("orders:<tenant>", nest.Params(tenant.ID), nest.HashTag(),
		nest.Sub(Customer, Stored, Placed, Dead, PaymentKey, Tidying, Tidied))
)
