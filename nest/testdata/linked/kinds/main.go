// Command kinds uses nine kinds of keys, each with ten types. BenchmarkBinary of package
// bench links it.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
)

type point struct{ X, Y int }

type user struct {
	Name   string `json:"name"`
	Joined time.Time
}

type order struct {
	Lines  []point
	Totals map[string]float64
}

type usage func(ctx context.Context, s nest.Scope) error

// kinds declares a key of each kind for the type T, and returns a cluster with them and what uses
// them.
func kinds[T any](name string, v T) (*nest.ClusterDef, usage) {
	value, hash, list := nest.Key[T]("value"), nest.Hash[T]("hash"), nest.List[T]("list")
	set, sorted, stream := nest.Set[T]("set"), nest.SortedSet[T]("sorted"), nest.Stream[T]("stream")
	unique, places, channel := nest.HyperLogLog[T]("unique"), nest.Geo[T]("places"), nest.Channel[T]("channel")
	return nest.Cluster(name, nest.Sub(value, hash, list, set, sorted, stream, unique, places, channel)), func(ctx context.Context, s nest.Scope) error {
		if err := value.At(s).Set(ctx, v); err != nil {
			return err
		}
		fmt.Println(value.At(s).Get(ctx))
		if err := hash.At(s).Set(ctx, "field", v); err != nil {
			return err
		}
		fmt.Println(hash.At(s).All(ctx))
		fmt.Println(list.At(s).PushRight(ctx, v))
		fmt.Println(list.At(s).PopLeft(ctx))
		fmt.Println(set.At(s).Add(ctx, v))
		fmt.Println(set.At(s).Members(ctx))
		fmt.Println(sorted.At(s).Add(ctx, v, 1))
		fmt.Println(sorted.At(s).All(ctx))
		fmt.Println(stream.At(s).Add(ctx, v))
		fmt.Println(stream.At(s).Read(ctx, "0"))
		fmt.Println(unique.At(s).Add(ctx, v))
		fmt.Println(unique.At(s).Count(ctx))
		fmt.Println(places.At(s).Add(ctx, v, nest.Point{Longitude: 1, Latitude: 2}))
		fmt.Println(places.At(s).Position(ctx, v))
		fmt.Println(channel.At(s).Publish(ctx, v))
		return nil
	}
}

func main() {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: os.Args[1:]})
	if err != nil {
		panic(err)
	}
	defer client.Close()
	var clusters []nest.Node
	var usages []usage
	add := func(c *nest.ClusterDef, u usage) { clusters, usages = append(clusters, c), append(usages, u) }
	add(kinds("int", 1))
	add(kinds("text", "text"))
	add(kinds("float", 1.5))
	add(kinds("bytes", []byte("bytes")))
	add(kinds("time", time.Unix(0, 0)))
	add(kinds("duration", time.Second))
	add(kinds("point", point{1, 2}))
	add(kinds("user", user{"Ann", time.Unix(0, 0)}))
	add(kinds("order", order{[]point{{1, 2}}, map[string]float64{"a": 1}}))
	add(kinds("names", []string{"a", "b"}))
	root := nest.Cluster("root", nest.Sub(clusters...))
	scope, err := nest.Open(client, root)
	if err != nil {
		panic(err)
	}
	for i, use := range usages {
		if err := use(context.Background(), clusters[i].(*nest.ClusterDef).At(scope)); err != nil {
			panic(err)
		}
	}
}
