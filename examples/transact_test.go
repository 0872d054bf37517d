package examples_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
)

// The accounts of a bank are in one slot of a Redis Cluster, so that a transaction can span them.
var (
	Balance = nest.Key[int]("balance:<account>", nest.Default(0))
	Bank    = nest.Cluster("bank:<id>", nest.HashTag(), nest.Sub(Balance))
)

func Example_transaction() {
	embedded(func(client rueidis.Client) {
		ctx := context.Background()
		top, err := nest.Open(client, Bank)
		if err != nil {
			panic(err)
		}
		bank := Bank.At(top, "first")
		ali, bea := Balance.At(bank, "ali"), Balance.At(bank, "bea")
		if err := ali.Set(ctx, 100); err != nil {
			panic(err)
		}
		errPoor := errors.New("not enough money")

		err = nest.Transact(ctx, bank, func(tx *nest.Tx) error {
			reads := tx.Reads() // one round trip; nothing read may change until the end
			from, to := ali.In(reads).Get(), bea.In(reads).Get()
			if err := reads.Exec(ctx); err != nil {
				return err
			}
			a, _ := from.Value()
			b, _ := to.Value()
			if a < 30 {
				return errPoor // writes nothing
			}
			ali.In(tx.Writes()).Set(a - 30) // sent when the function has returned nil
			bea.In(tx.Writes()).Set(b + 30)
			return nil
		})

		a, _ := ali.Get(ctx)
		b, _ := bea.Get(ctx)
		fmt.Println(a, b, err)
	})
	// Output:
	// 70 30 <nil>
}
