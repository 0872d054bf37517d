package main

import (
	"context"
	"errors"
	"log"

	"github.com/redis/go-redis/v9"

	"github.com/redisimnest/redisimnest/nest"
)

// names is the first step: the declarations make the names, go-redis makes the calls.
func names(ctx context.Context, out *log.Logger, rdb *redis.Client, _ nest.Scope) error {
	root, err := nest.Open(nil, Root, nest.NamesOnly())
	if err != nil {
		return err
	}
	name, err := rdb.Get(ctx, Name.At(root, 1).Key()).Result()
	if err != nil {
		return err
	}
	out.Printf("1. names: %s is %q", Name.At(root, 1).Key(), name)

	// Which of the names that exist does nothing declare?
	undeclared := 0
	for scan := rdb.Scan(ctx, 0, "fromgoredis:*", 100).Iterator(); scan.Next(ctx); {
		if _, err := root.Match(scan.Val()); errors.Is(err, nest.ErrNoMatch) {
			undeclared++
		}
	}
	out.Printf("   %d names are not declared", undeclared)
	return nil
}

// values is the second step: what go-redis wrote is read as what it was.
func values(ctx context.Context, out *log.Logger, _ *redis.Client, root nest.Scope) error {
	u := User.At(root, 1)
	active, err := Active.At(u).Get(ctx)
	if err != nil {
		return err
	}
	score, err := Score.At(u).Get(ctx)
	if err != nil {
		return err
	}
	seen, err := Seen.At(u).Get(ctx)
	if err != nil {
		return err
	}
	details, err := Details.At(u).Get(ctx)
	if err != nil {
		return err
	}
	account, err := Accounts.At(root, 1).Get(ctx)
	if err != nil {
		return err
	}
	hits, err := Hits.At(root, someday).Get(ctx)
	if err != nil {
		return err
	}
	page, err := Page.At(root, "/news/1").Get(ctx)
	if err != nil {
		return err
	}
	out.Printf("2. values: %t, %g, %s", active, score, seen.Format("15:04"))
	out.Printf("   %+v", details)
	out.Printf("   %s has %g and was seen %s", account.Name, account.Credit, account.Seen.UTC().Format("15:04"))
	out.Printf("   %d hits, and a page %q", hits, page.Title)
	return nil
}

// both shows that go-redis reads what is written now: the two can be used side by side.
func both(ctx context.Context, out *log.Logger, rdb *redis.Client, root nest.Scope) error {
	if err := Active.At(root, 1).Set(ctx, false); err != nil {
		return err
	}
	active, err := rdb.Get(ctx, "fromgoredis:user:1:active").Bool()
	if err != nil {
		return err
	}
	now := Account{Name: "Ali", Active: true, Credit: 20.25, Logins: 4, Seen: someday}
	if err := Accounts.At(root, 1).Set(ctx, now); err != nil {
		return err
	}
	var was account
	if err := rdb.HGetAll(ctx, "fromgoredis:account-1").Scan(&was); err != nil {
		return err
	}
	out.Printf("3. both: go-redis reads %t, and an account with %g, seen %s", active, was.Credit, was.Seen.UTC().Format("15:04"))
	return nil
}

// calls is the third step: each call becomes one of the declaration's.
func calls(ctx context.Context, out *log.Logger, _ *redis.Client, root nest.Scope) error {
	if _, err := Hits.At(root, someday).Incr(ctx); err != nil { // rdb.Incr
		return err
	}
	if _, err := Cart.At(root, 1).PushRight(ctx, "plum"); err != nil { // rdb.RPush
		return err
	}
	b := root.Batch() // rdb.Pipelined
	hits := Hits.At(root, someday).In(b).Get()
	cart := Cart.At(root, 1).In(b).All()                                  // LRange 0 -1
	best := Board.At(root).In(b).RangeScored(nest.ByRank(0, 0).Reverse()) // ZRevRangeWithScores
	online := Online.At(root).In(b).Has(2)                                // SIsMember
	_, err := Name.At(root, 99).Get(ctx)                                  // redis.Nil is nest.ErrNotFound
	if missing := errors.Is(err, nest.ErrNotFound); !missing {
		return err
	}
	if err := b.Exec(ctx); err != nil {
		return err
	}
	n, err := hits.Value()
	if err != nil {
		return err
	}
	things, err := cart.Value()
	if err != nil {
		return err
	}
	first, err := best.Value()
	if err != nil {
		return err
	}
	there, err := online.Value()
	if err != nil {
		return err
	}
	out.Printf("4. calls: %d hits, a cart of %d, %v first, online: %t", n, len(things), first[0].Member, there)
	return nil
}
