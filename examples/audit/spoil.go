package main

import (
	"context"
	"fmt"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
)

// spoil does to the shop what happens to a Redis over the years: scripts that do not know the
// declarations, releases that were rolled back, and hands on redis-cli.
func spoil(ctx context.Context, shop nest.Scope) error {
	var cmds rueidis.Commands
	do := func(command, key string, args ...string) {
		cmds = append(cmds, shop.Client().B().Arbitrary(command).Keys(key).Args(args...).Build())
	}
	below := func(name string) string { return shop.Prefix() + ":" + name }
	u := func(id int) nest.Scope { return User.At(shop, id) }
	article := func(i int) nest.Scope { return Articles.At(shop, fmt.Sprintf("A-%05d", i)) }

	for id := range 12 { // names that nothing declares
		do("RPUSH", below(fmt.Sprintf("cart:%d:items", 1000+id)), "tea")
		do("SET", below(fmt.Sprintf("tmp:%016x", uint64(id+1)*0x9e3779b97f4a7c15)), "x")
	}
	do("DEL", Cart.At(u(0)).Key()) // another Redis type
	do("SET", Cart.At(u(0)).Key(), "tea", "EX", "3600")
	for id := 2; id < 10; id += 2 { // a declared TTL is absent
		do("PERSIST", Cart.At(u(id)).Key())
	}
	for i := range 3 { // a TTL is longer than declared
		do("EXPIRE", Preview.At(article(i)).Key(), "864000")
	}
	do("RPUSH", Orders.At(shop).Key()+":failed", "x")
	do("SET", Stock.At(article(1)).Key(), "many") // a value that cannot be decoded
	do("SET", APIKey.At(u(10)).Key(), "in the clear")
	do("SET", Password.At(u(1)).Key(), "hunter2")
	do("SET", Price.At(article(2)).Key(), "\xC1V\x0112") // a retired version of the codec
	gone := below("export")                              // a lock that is no longer declared
	do("SET", gone+"%token{"+gone+"}", "1", "EX", "3600")
	former := Nick.At(u(1)).Key()
	do("SET", former+"name", "u1") // nickname
	for i, answer := range shop.Client().DoMulti(ctx, cmds...) {
		if err := answer.Error(); err != nil {
			return fmt.Errorf("command %d: %w", i, err)
		}
	}
	_, err := Catalog.Renew(ctx, shop) // what is there is of a former generation now
	return err
}
