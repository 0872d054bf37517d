package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/nest"
)

// The keyspace of the shop.
var (
	UserID = nest.Param[int64]("user_id")
	Token  = nest.Param[string]("token", nest.Sensitive())
	Day    = nest.Param[time.Time]("day", nest.Layout(time.DateOnly))

	Name     = nest.Key[string]("name", nest.Doc("what a user is called"))
	Nick     = nest.Key[string]("nick", nest.Was("nickname"))
	Session  = nest.Hash[string]("session:<token>", nest.Params(Token), nest.TTL(24*time.Hour), nest.Jitter(0.5), nest.Doc("one device that is logged in"))
	Cart     = nest.List[string]("cart", nest.TTL(7*24*time.Hour), nest.Doc("what a user is about to buy"))
	APIKey   = nest.Secret[string]("api_key")
	Password = nest.Password("password")
	User     = nest.Cluster("user:<user_id>", nest.HashTag(), nest.Params(UserID), nest.Sub(Name, Nick, Session, Cart, APIKey, Password))

	Price    = nest.Key[int]("price", nest.Codec(codec.Versioned(codec.JSON, codec.Retired)), nest.Doc("in cents"))
	Stock    = nest.Counter[int64]("stock")
	Similar  = nest.SortedSet[string]("similar", nest.TTL(time.Hour), nest.Doc("articles that were bought together with it"))
	Preview  = nest.Key[[]byte]("preview", nest.Codec(codec.Raw), nest.TTL(6*time.Hour), nest.Doc("a small picture"))
	Articles = nest.Cluster("article:<sku>", nest.Sub(Price, Stock, Similar, Preview))

	Listing = nest.Key[string]("listing:<n>", nest.Doc("a page of articles, as it is shown"))
	Catalog = nest.Cluster("catalog:<gen>", nest.Generation("gen"), nest.TTL(time.Hour), nest.Sub(Listing))

	Visitors = nest.Set[string]("visitors:<day>", nest.Params(Day))
	Orders   = nest.Stream[string]("orders")
	Import   = nest.Lock("import", nest.TTL(time.Minute))

	Shop = nest.Cluster("shop", nest.Sub(User, Articles, Catalog, Visitors, Orders, Import))
)

// crowd is of how many keys a batch is.
const crowd = 5000

// listings is how many listings the catalog has.
const listings = 25

// fill writes about so many keys, as the shop would.
func fill(ctx context.Context, shop nest.Scope, keys int) error {
	users, articles := keys*12/100, keys*185/1000
	b, n := shop.Batch(), 0
	next := func(more int) error {
		if n += more; n < crowd {
			return nil
		}
		err := b.Exec(ctx)
		b, n = shop.Batch(), 0
		return err
	}
	for id := range users {
		u := User.At(shop, id)
		Name.At(u).In(b).Set(fmt.Sprintf("User %d", id))
		Session.At(u, fmt.Sprintf("%016x", uint64(id+1)*0x9e3779b97f4a7c15)).In(b).SetMany(map[string]string{"device": "phone", "city": "Oslo"})
		if id%2 == 0 {
			Cart.At(u).In(b).PushRight("tea", "two cups")
		}
		if id%3 == 0 {
			Nick.At(u).In(b).Set(fmt.Sprintf("u%d", id))
		}
		if id%10 == 0 {
			APIKey.At(u).In(b).Set(fmt.Sprintf("key of %d", id))
		}
		if err := next(4); err != nil {
			return err
		}
	}
	for i := range articles {
		a := Articles.At(shop, fmt.Sprintf("A-%05d", i))
		Price.At(a).In(b).Set(100 + i%900)
		Stock.At(a).In(b).Add(int64(i % 50))
		if i%2 == 0 {
			Similar.At(a).In(b).Add(fmt.Sprintf("A-%05d", (i+1)%articles), float64(i%17))
		}
		Preview.At(a).In(b).Set([]byte(strings.Repeat("\x89PNG", 20+i%200)))
		if err := next(4); err != nil {
			return err
		}
	}
	for d := range 30 {
		Visitors.At(shop, time.Now().AddDate(0, 0, -d)).In(b).Add("a", "b", fmt.Sprint(d))
	}
	catalog, err := Catalog.Current(ctx, shop)
	if err != nil {
		return err
	}
	for n := range listings {
		Listing.At(catalog, n).In(b).Set("tea, two cups")
	}
	for i := range 20 {
		Orders.At(shop).In(b).Add(fmt.Sprintf("order %d", i))
	}
	if err := b.Exec(ctx); err != nil {
		return err
	}
	if err := Password.At(shop, 0).Set(ctx, "correct horse battery staple"); err != nil {
		return err
	}
	// What stays of a lock that was released is its last token.
	return Import.At(shop).Run(ctx, func(context.Context, *nest.Lease) error { return nil })
}
