package examples_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
)

// An account whose balance is computed and written by one holder of its lock at a time. The HashTag
// puts everything into one slot, so that writes can depend on the lock.
var (
	Funds   = nest.Key[int64]("balance", nest.Default(0))
	Booking = nest.Lock("booking", nest.TTL(30))
	Account = nest.Cluster("account:<account>", nest.HashTag(), nest.Sub(Funds, Booking))

	// At most ten requests at once from an address, and a hundred in a minute.
	Requests = nest.Limiter("requests:<ip>", nest.Rate(100, time.Minute), nest.Burst(10))

	Branch = nest.Cluster("branch", nest.Sub(Account, Requests))
)

func Example_lock() {
	embedded(func(client rueidis.Client) {
		ctx := context.Background()
		root, err := nest.Open(client, Branch)
		if err != nil {
			panic(err)
		}
		account := Account.At(root, "A-7")

		err = Booking.At(account).Run(ctx, func(ctx context.Context, lease *nest.Lease) error {
			balance, err := Funds.At(account).Get(ctx)
			if err != nil {
				return err
			}
			b := lease.Guard(account.Atomic()) // applied only while the lock is ours
			Funds.At(account).In(b).Set(balance + 5)
			return b.Exec(ctx)
		})
		fmt.Println(err)

		// A holder whose lock was taken away, but who does not know it yet.
		lease, err := Booking.At(account).Acquire(ctx)
		if err != nil {
			panic(err)
		}
		_, err = Booking.At(account).ForceRelease(ctx)
		if err != nil {
			panic(err)
		}
		b := lease.Guard(account.Atomic())
		Funds.At(account).In(b).Set(0)
		err = b.Exec(ctx)
		fmt.Println(errors.Is(err, nest.ErrLockLost), context.Cause(lease.Context()))

		balance, err := Funds.At(account).Get(ctx)
		fmt.Println(balance, err)
	})
	// Output:
	// <nil>
	// true nest: guard "branch:{account:A-7}:booking": the lock is lost: the server does not know the lease any more
	// 5 <nil>
}

func Example_limiter() {
	embedded(func(client rueidis.Client) {
		ctx := context.Background()
		root, err := nest.Open(client, Branch)
		if err != nil {
			panic(err)
		}
		requests := Requests.At(root, "192.0.2.1")
		for _, n := range []int64{1, 9, 1} {
			d, err := requests.AllowN(ctx, n)
			fmt.Println(d.Allowed, d.Limit, d.Remaining, d.RetryAfter > 0, err)
		}
	})
	// Output:
	// true 10 9 false <nil>
	// true 10 0 false <nil>
	// false 10 0 true <nil>
}
