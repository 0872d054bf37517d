package raw

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
)

const prefix = "user:"

type named struct{ key string }

func rueidisKeys(b rueidis.Builder, id, key string, ref fmt.Stringer) {
	b.Get().Key(key).Build()
	b.Get().Key(ref.String()).Build()
	b.Get().Key("user:1")                   // want `a literal is given to a Redis command as its key: nothing says what it holds, for how long, and that nobody else has it; declare it with package nest`
	b.Get().Key("user:" + id)               // want `a concatenation is given to a Redis command as its key`
	b.Get().Key(fmt.Sprintf("user:%s", id)) // want `a Sprintf is given`
	b.Get().Key(prefix)                     // want `a constant is given`
	b.Mget().Key(key, "user:1")             // want `a literal`
	b.Set().Key(key).Value("user:" + id)
	b.Arbitrary("GET").Keys("k").Args("a" + id) // want `a literal`
	b.Arbitrary("PING", "k").Args("a")
	made := fmt.Sprintf("user:%s", id)
	b.Get().Key(made) // want `a Sprintf`
	twice := "a"
	twice = ref.String()
	b.Get().Key(twice)
	b.Get().Key("user:1") //nest:ignore it is on purpose
}

func goRedis(ctx context.Context, c *redis.Client, i redis.Cmdable, id, key string) {
	c.Get(ctx, key)
	c.Get(ctx, "user:1")                     // want `a literal`
	i.Get(ctx, "user:"+id)                   // want `a concatenation`
	c.Del(ctx, key, fmt.Sprint("user:", id)) // want `a Sprintf`
	c.Set(ctx, key, "user:"+id, 0)
	c.HGet(ctx, key, "field")
	c.HGet(ctx, "h:"+id, "field") // want `a concatenation`
	c.Publish(ctx, "news", "text")
	c.Eval(ctx, "return 1", []string{"a", key}, "b") // want `a literal`
}

func fallback(b rueidis.Builder, key string, ref fmt.Stringer) {
	if key == "" {
		key = "default"
	}
	b.Get().Key(key)
}
