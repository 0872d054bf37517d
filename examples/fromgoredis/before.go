package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-redis/cache/v9"
	"github.com/redis/go-redis/v9"
)

//nest:raw this is what a program without declarations does

// before is the program with go-redis: its names are made where they are needed.
type before struct{ rdb *redis.Client }

// account is how it stores an account: a hash with the fields that the tags name.
type account struct {
	Name   string    `redis:"name"`
	Active bool      `redis:"active"`
	Credit float64   `redis:"credit"`
	Logins int       `redis:"logins"`
	Seen   time.Time `redis:"seen"`
}

// article is what it caches.
type article struct {
	Title string `msgpack:"title"`
	Body  string `msgpack:"body"`
}

// someday is when everything here happened.
var someday = time.Date(2024, time.February, 29, 12, 30, 0, 0, time.UTC)

func (b before) fill(ctx context.Context) error {
	profile, err := json.Marshal(Profile{Name: "Ali", Languages: []string{"de", "en"}})
	if err != nil {
		return err
	}
	_, err = b.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for id := range 3 {
			p.Set(ctx, fmt.Sprintf("fromgoredis:user:%d:name", id), "Ali", 0)
			p.Set(ctx, fmt.Sprintf("fromgoredis:user:%d:active", id), true, 0)
			p.Set(ctx, fmt.Sprintf("fromgoredis:user:%d:score", id), 0.5, 0)
			p.Set(ctx, fmt.Sprintf("fromgoredis:user:%d:seen", id), someday, time.Hour)
			p.Set(ctx, fmt.Sprintf("fromgoredis:user:%d:profile", id), profile, 0)
			p.HSet(ctx, fmt.Sprintf("fromgoredis:account-%d", id), account{"Ali", true, 12.5, 3, someday})
			p.RPush(ctx, fmt.Sprintf("fromgoredis:cart:{%d}", id), "apple", "pear")
		}
		p.IncrBy(ctx, "fromgoredis:hits:"+someday.Format("2006-01-02"), 41)
		p.ZAdd(ctx, "fromgoredis:board", redis.Z{Score: 3, Member: "Ali"}, redis.Z{Score: 5, Member: "Bea"})
		p.SAdd(ctx, "fromgoredis:online", 1, 2)
		return nil
	})
	if err != nil {
		return err
	}
	cached := cache.New(&cache.Options{Redis: b.rdb})
	return cached.Set(&cache.Item{
		Ctx: ctx, Key: "fromgoredis:page:/news/1", TTL: time.Hour,
		Value: article{"News", "It is said that there is some, and that it is as good as any other that one could have."},
	})
}
