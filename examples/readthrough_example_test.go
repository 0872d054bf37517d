package examples_test

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
)

// Price is read far more often than it changes.
var Price = nest.Key[float64]("price:<product>", nest.TTL(time.Hour), nest.Cached(time.Minute),
	nest.ReadThrough(nest.RefreshBefore(5*time.Minute), nest.StaleFor(time.Hour), nest.NegativeTTL(time.Minute)))

// source stands for a database.
type source struct{}

func (source) price(context.Context) (float64, error) { return 9.5, nil }

func (source) pricesOf(_ context.Context, products []int) (map[int]float64, error) {
	fmt.Println("loading", products)
	prices := make(map[int]float64)
	for _, p := range products {
		prices[p], _ = strconv.ParseFloat(fmt.Sprint(p)+".5", 64)
	}
	return prices, nil
}

//nolint:ineffassign,wastedassign // the README leaves out error handling
func Example_readThrough() {
	embedded(func(client rueidis.Client) {
		ctx, db := context.Background(), source{}
		root, err := nest.Open(client, nest.Cluster("shop", nest.Sub(Price)))

		price, err := Price.At(root, 7).GetOrLoad(ctx, db.price) // one load, however many ask, in all processes

		prices, err := nest.LoadMany(ctx, []int{7, 8, 9}, // one call of the loader, with what is missing
			func(product int) nest.KeyRef[float64] { return Price.At(root, product) }, db.pricesOf)

		fmt.Println(price, prices, err)
	})
	// Output:
	// loading [8 9]
	// 9.5 [{9.5 true} {8.5 true} {9.5 true}] <nil>
}
