// Package generations asks for the generations of clusters.
package main

import (
	"context"

	"github.com/redisimnest/redisimnest/nest"
)

var (
	Shop = nest.Param[int64]("shop")

	Item    = nest.Key[string]("item:<id>")
	Catalog = nest.Cluster("catalog:<gen>", nest.Generation("gen"), nest.TTL(60), nest.Sub(Item))
	Market  = nest.Cluster("market:<shop>", nest.Params(Shop), nest.Sub(Catalog))

	Page  = nest.Key[string]("page")
	Cache = nest.Cluster("cache:<lang>:<gen>", nest.Generation("gen"), nest.TTL(60), nest.Sub(Page))
	Root  = nest.Cluster("root", nest.Sub(Market, Cache))
)

// Here only the last arguments are known.
func certain(ctx context.Context, s nest.Scope, anything any) {
	_, _ = Catalog.Current(ctx, s)
	_, _ = Catalog.Current(ctx, s, 7)
	_, _ = Catalog.Current(ctx, s, anything)
	_, _ = Catalog.Current(ctx, s, "seven")    // want `current "root:market:<shop>:catalog:<gen>": wrong parameter type: parameter <shop> \(argument 1 of 1\) takes an int64 or another value of integer kind, not a string`
	_, _ = Catalog.Renew(ctx, s, 7, 8)         // want `renew "root:market:<shop>:catalog:<gen>": unexpected parameter: argument 2 of 2 has no parameter left to fill: open below the scope is <shop>`
	_, _ = Catalog.Current(ctx, s, Shop.Of(7)) // by its name
	_, _ = Catalog.Current(ctx, s, Gen.Of(7))  // want `unexpected parameter: <gen> \(argument 1 of 1\): no parameter of the template has this name`
	_, _ = Cache.Renew(ctx, s)                 // want `renew "root:cache:<lang>:<gen>": missing parameter: <lang>`
	_, _ = Cache.Renew(ctx, s, "en")
	_, _ = Cache.Renew(ctx, s, "") // want `parameter <lang> \(argument 1 of 1\) is empty`
	_, _ = Cache.Renew(ctx, s, []any{"en"}...)
}

var Gen = nest.Param[int64]("gen")

func main() {
	ctx := context.Background()
	root, err := nest.Open(nil, Root)
	if err != nil {
		return
	}
	catalog, err := Catalog.Current(ctx, root, 7)
	if err != nil {
		return
	}
	Item.At(catalog, 1)
	Item.At(catalog)                  // want `at "root:market:<shop>:catalog:<gen>:item:<id>": missing parameter: <id>: open below the scope is <id>; got 0 arguments`
	Item.At(catalog, 7, 1)            // want `unexpected parameter`
	Page.At(catalog)                  // want `not mounted: "page" is not mounted below "catalog:<gen>"`
	_, _ = Catalog.Current(ctx, root) // want `current "root:market:<shop>:catalog:<gen>": missing parameter: <shop>: open below the scope is <shop>; got 0 arguments`
	_, _ = Catalog.Renew(ctx, root, 7)
	_, _ = Catalog.Renew(ctx, root, 7, 1) // want `unexpected parameter`
	market := Market.At(root, 7)
	_, _ = Catalog.Renew(ctx, market)
	_, _ = Catalog.Renew(ctx, market, 7) // want `unexpected parameter`
	Catalog.At(root, 7, 1764439200000)
	Catalog.At(root, 7) // want `missing parameter: <gen>`
}
