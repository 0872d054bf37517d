package main

import (
	"time"

	"github.com/redisimnest/redisimnest/codec/gorediscache"
	"github.com/redisimnest/redisimnest/nest"
)

// Profile is stored as JSON, Account as a hash, Article as go-redis/cache does.
type (
	Profile struct {
		Name      string   `json:"name"`
		Languages []string `json:"languages"`
	}
	Account struct {
		Name   string    `nest:"name"`
		Active bool      `nest:"active"`
		Credit float64   `nest:"credit"`
		Logins int       `nest:"logins"`
		Seen   time.Time `nest:"seen"`
	}
	Article struct {
		Title string `msgpack:"title"`
		Body  string `msgpack:"body"`
	}
)

// The keyspace as it is, each name once.
var (
	ID  = nest.Param[int64]("id")
	Day = nest.Param[time.Time]("day", nest.Layout(time.DateOnly))

	Name    = nest.Key[string]("name")
	Active  = nest.Key[bool]("active")
	Score   = nest.Key[float64]("score")
	Seen    = nest.Key[time.Time]("seen", nest.TTL(time.Hour))
	Details = nest.Key[Profile]("profile")
	User    = nest.Cluster("user:<id>", nest.Params(ID), nest.Sub(Name, Active, Score, Seen, Details))

	Accounts = nest.Record[Account]("account-<id>", nest.Params(ID))
	Cart     = nest.List[string]("cart:{<id>}", nest.Params(ID))
	Hits     = nest.Counter[int64]("hits:<day>", nest.Params(Day))
	Board    = nest.SortedSet[string]("board")
	Online   = nest.Set[int64]("online")
	Page     = nest.Key[Article]("page:<path...>", nest.Codec(gorediscache.Codec), nest.TTL(time.Hour))

	Root = nest.Cluster("fromgoredis", nest.Sub(User, Accounts, Cart, Hits, Board, Online, Page))
)
