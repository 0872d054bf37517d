package bench

import (
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
)

var (
	genNumber  = nest.Counter[int64]("number", nest.Cached(time.Minute))
	genItem    = nest.Key[string]("item:<id>", nest.TTL(time.Hour))
	genCatalog = nest.Cluster("catalog:<gen>", nest.Generation("gen"), nest.Sub(genItem))
	genTenant  = nest.Cluster("tenant:<tenant>", nest.Sub(genCatalog, genNumber))
	genTree    = nest.Cluster("root", nest.Sub(genTenant))

	genOwn = nest.Cluster("root", nest.Sub(genCatalog, genNumber))
)

// BenchmarkRatioCurrent compares Current with what it consists of: a read of a number that the
// client's cache answers, and the scope that the number makes.
func BenchmarkRatioCurrent(b *testing.B) {
	for _, c := range currents(b) {
		b.Run(c.name+"/"+c.by[1].name, func(b *testing.B) { ratio(b, c.by[0].do, c.by[1].do, 20_000) })
	}
}

// BenchmarkCurrent measures each of the two by itself, with what it allocates.
func BenchmarkCurrent(b *testing.B) {
	for _, c := range currents(b) {
		for _, by := range c.by {
			b.Run(c.name+"/"+by.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					by.do(1)
				}
			})
		}
	}
}

type currenting struct {
	name string
	by   [2]contender[func(n int)]
}

func currents(b *testing.B) []currenting {
	b.Helper()
	ctx, server := b.Context(), realServer(b)
	option := server.ClientOption()
	option.DisableCache = false
	client, err := rueidis.NewClient(option)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	var all []currenting
	for _, at := range []struct {
		name string
		tree *nest.ClusterDef
		args []any
	}{{"one for all", genOwn, nil}, {"one for each tenant", genTree, []any{"acme"}}} {
		root, err := nest.Open(client, at.tree, nest.WithPrefix(server.Prefix(b)))
		if err != nil {
			b.Fatal(err)
		}
		number := genNumber.At(root, at.args...)
		if err := number.Set(ctx, 1_764_000_000_000); err != nil {
			b.Fatal(err)
		}
		current := func(n int) {
			for range n {
				s, err := genCatalog.Current(ctx, root, at.args...)
				if err != nil {
					b.Fatal(err)
				}
				sink = s.Prefix()
			}
		}
		parts := func(n int) {
			for range n {
				gen, err := number.Get(ctx)
				if err != nil {
					b.Fatal(err)
				}
				if len(at.args) == 0 {
					sink = genCatalog.At(root, gen).Prefix()
				} else {
					sink = genCatalog.At(root, "acme", gen).Prefix()
				}
			}
		}
		named := func(n int) {
			for range n {
				gen, err := genNumber.At(root, "acme").Get(ctx)
				if err != nil {
					b.Fatal(err)
				}
				sink = genCatalog.At(root, "acme", gen).Prefix()
			}
		}
		all = append(all, currenting{at.name, [2]contender[func(n int)]{{"Current", current}, {"Get and At", parts}}})
		if len(at.args) > 0 {
			all = append(all, currenting{at.name + ", with the name of its key", [2]contender[func(n int)]{{"Current", current}, {"At, Get and At", named}}})
		}
	}
	return all
}
