package main

import (
	"time"

	"github.com/redisimnest/redisimnest/examples/shop/accounts"
	"github.com/redisimnest/redisimnest/examples/shop/catalog"
	"github.com/redisimnest/redisimnest/examples/shop/orders"
	"github.com/redisimnest/redisimnest/nest"
)

var (
	// Resealing is held by the process that seals all secrets again.
	Resealing = nest.Lock("resealing", nest.TTL(30*time.Second))

	// Root is the keyspace of the service: what each package stores, for all tenants.
	Root = nest.Cluster("shop", nest.Sub(accounts.Cluster, catalog.Cluster, orders.Cluster, Resealing))
)
