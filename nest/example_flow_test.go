package nest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/secure"
)

func ExampleBatch() {
	age, name := nest.Key[int]("age", nest.Default(0)), nest.Key[string]("name")
	user := nest.Cluster("user:<user_id>", nest.TTL(120), nest.Sub(age, name))
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(user)))
	check(err)

	ctx := context.Background()
	b := root.Batch()
	years := age.At(root, 42).In(b).Get()
	name.At(root, 42).In(b).Set("Ali")
	called := name.At(root, 42).In(b).Get()
	check(b.Exec(ctx)) // one round trip
	fmt.Println(years.Value())
	fmt.Println(called.Value())
	// Output:
	// 0 <nil>
	// Ali <nil>
}

func ExampleScope_Atomic() {
	balance, log := nest.Counter[int64]("balance"), nest.List[string]("log")
	account := nest.Cluster("account:<account_id>", nest.HashTag(), nest.Sub(balance, log))
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(account)))
	check(err)

	a := account.At(root, 7)
	b := root.Atomic() // MULTI, EXEC: both or none
	sum := balance.At(a).In(b).Add(100)
	log.At(a).In(b).PushRight("deposit 100")
	check(b.Exec(context.Background()))
	fmt.Println(sum.Value())
	// Output: 100 <nil>
}

func ExampleTransact() {
	balance := nest.Counter[int64]("balance:<account>")
	bank := nest.Cluster("bank", nest.HashTag(), nest.Sub(balance))
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(bank)))
	check(err)
	ctx := context.Background()
	check(balance.At(root, "Ali").Set(ctx, 100))

	// If a value that was read changes before the writes are applied, the function runs again.
	err = nest.Transact(ctx, root, func(tx *nest.Tx) error {
		reads := tx.Reads()
		now := balance.At(root, "Ali").In(reads).Get()
		if err := reads.Exec(ctx); err != nil {
			return err
		}
		if n, err := now.Value(); err != nil || n < 30 {
			return errors.Join(errors.New("not enough"), err)
		}
		balance.At(root, "Ali").In(tx.Writes()).Sub(30)
		balance.At(root, "Bea").In(tx.Writes()).Add(30)
		return nil
	})
	check(err)
	fmt.Println(balance.At(root, "Ali").Get(ctx))
	fmt.Println(balance.At(root, "Bea").Get(ctx))
	// Output:
	// 70 <nil>
	// 30 <nil>
}

func ExampleKeyRef_GetOrLoad() {
	price := nest.Key[int]("price:<item>", nest.TTL(time.Hour))
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(price)))
	check(err)

	ctx := context.Background()
	load := func(context.Context) (int, error) { // in one process at a time
		fmt.Println("loading")
		return 3, nil
	}
	fmt.Println(price.At(root, "bread").GetOrLoad(ctx, load))
	fmt.Println(price.At(root, "bread").GetOrLoad(ctx, load))
	// Output:
	// loading
	// 3 <nil>
	// 3 <nil>
}

func ExampleLoadMany() {
	price := nest.Key[int]("price:<item>", nest.TTL(time.Hour))
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(price)))
	check(err)
	ctx := context.Background()
	check(price.At(root, "bread").Set(ctx, 3))

	at := func(item string) nest.KeyRef[int] { return price.At(root, item) }
	prices, err := nest.LoadMany(ctx, []string{"bread", "milk"}, at, func(_ context.Context, missing []string) (map[string]int, error) {
		fmt.Println("loading", missing)
		return map[string]int{"milk": 2}, nil
	})
	check(err)
	for _, p := range prices { // in the order of the items
		fmt.Println(p.Value, p.Found)
	}
	// Output:
	// loading [milk]
	// 3 true
	// 2 true
}

func ExampleRotate() {
	token := nest.Secret[string]("token:<n>")
	tree := nest.Cluster("root", nest.Sub(token))
	client, ctx := connect(), context.Background()
	before, err := nest.Open(client, tree, nest.WithKeyring(keyring()))
	check(err)
	for n := range 3 {
		check(token.At(before, n).Set(ctx, "secret"))
	}

	old, err := secure.ParseKey(oldKey)
	check(err)
	ring, err := secure.NewKeyring(secure.GenerateKey(), secure.AcceptOnly(old)) // old still opens
	check(err)
	now, err := nest.Open(client, tree, nest.WithKeyring(ring))
	check(err)
	report, err := nest.Rotate(ctx, now)
	check(err)
	fmt.Println(report.Scanned, report.Resealed, report.Failed)
	report, err = nest.Rotate(ctx, now)
	check(err)
	fmt.Println(report.Clean()) // the old key can go
	// Output:
	// 3 3 0
	// true
}

func ExampleClusterDef_Renew() {
	item := nest.Key[string]("item:<id>")
	catalog := nest.Cluster("catalog:<gen>", nest.Generation("gen"), nest.TTL(time.Hour), nest.Sub(item))
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(catalog)))
	check(err)

	ctx := context.Background()
	now, err := catalog.Current(ctx, root)
	check(err)
	check(item.At(now, 7).Set(ctx, "a lamp"))
	fmt.Println(item.At(now, 7).Get(ctx))

	_, err = catalog.Renew(ctx, root) // all items are gone, however many they are
	check(err)
	now, err = catalog.Current(ctx, root)
	check(err)
	_, err = item.At(now, 7).Get(ctx)
	fmt.Println(errors.Is(err, nest.ErrNotFound))
	// Output:
	// a lamp <nil>
	// true
}
