package nest

import (
	"context"
	"time"

	"github.com/redis/rueidis"
)

// meteredClient is a client that counts the bytes of the operations that are observed. A tree
// without observers uses the client itself.
type meteredClient struct{ rueidis.Client }

// metered returns the client with a meter if anyone is told what it counts.
func metered(client rueidis.Client, o *openOptions) rueidis.Client {
	if len(o.observers) == 0 {
		return client
	}
	return meteredClient{client}
}

// observationOf returns the observation that a context belongs to, or nil.
func observationOf(ctx context.Context) *observation {
	if e, ok := ctx.(*exchangeContext); ok {
		ctx = e.parent
	}
	o, _ := ctx.Value(observationKey{}).(*observation)
	return o
}

func (c meteredClient) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	return meteredDo(ctx, c.Client, cmd)
}

func (c meteredClient) DoMulti(ctx context.Context, multi ...rueidis.Completed) []rueidis.RedisResult {
	return meteredMulti(ctx, c.Client, multi)
}

func (c meteredClient) DoCache(ctx context.Context, cmd rueidis.Cacheable, ttl time.Duration) rueidis.RedisResult {
	o := observationOf(ctx)
	if o == nil {
		return c.Client.DoCache(ctx, cmd, ttl)
	}
	out := sizeOfWords(cmd.Commands()) // the client uses the words again
	result := c.Client.DoCache(ctx, cmd, ttl)
	o.read(out, &result)
	return result
}

func (c meteredClient) DoMultiCache(ctx context.Context, multi ...rueidis.CacheableTTL) []rueidis.RedisResult {
	o := observationOf(ctx)
	if o == nil {
		return c.Client.DoMultiCache(ctx, multi...)
	}
	out := make([]int64, len(multi))
	for i := range multi {
		out[i] = sizeOfWords(multi[i].Cmd.Commands())
	}
	results := c.Client.DoMultiCache(ctx, multi...)
	for i := range results {
		o.read(out[i], &results[i])
	}
	return results
}

// Nodes returns the clients of the nodes, each with a meter.
func (c meteredClient) Nodes() map[string]rueidis.Client {
	nodes := c.Client.Nodes()
	for addr, node := range nodes {
		nodes[addr] = meteredClient{node}
	}
	return nodes
}

// Dedicate returns a connection of its own, with a meter.
func (c meteredClient) Dedicate() (rueidis.DedicatedClient, func()) {
	conn, release := c.Client.Dedicate()
	return meteredLine{conn}, release
}

// Dedicated is Dedicate for the time of a function.
func (c meteredClient) Dedicated(do func(rueidis.DedicatedClient) error) error {
	return c.Client.Dedicated(func(conn rueidis.DedicatedClient) error { return do(meteredLine{conn}) })
}

type meteredLine struct{ rueidis.DedicatedClient }

func (l meteredLine) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	return meteredDo(ctx, l.DedicatedClient, cmd)
}

func (l meteredLine) DoMulti(ctx context.Context, multi ...rueidis.Completed) []rueidis.RedisResult {
	return meteredMulti(ctx, l.DedicatedClient, multi)
}

func meteredDo(ctx context.Context, to commander, cmd rueidis.Completed) rueidis.RedisResult {
	o := observationOf(ctx)
	if o == nil {
		return to.Do(ctx, cmd)
	}
	o.out.Add(sizeOfWords(cmd.Commands()))
	result := to.Do(ctx, cmd)
	o.read(0, &result)
	return result
}

func meteredMulti(ctx context.Context, to commander, multi []rueidis.Completed) []rueidis.RedisResult {
	o := observationOf(ctx)
	if o == nil {
		return to.DoMulti(ctx, multi...)
	}
	for i := range multi {
		o.out.Add(sizeOfWords(multi[i].Commands()))
	}
	results := to.DoMulti(ctx, multi...)
	for i := range results {
		o.read(0, &results[i])
	}
	return results
}

// read counts an answer, and the words that it took to ask for it, unless it came from memory.
func (o *observation) read(out int64, result *rueidis.RedisResult) {
	if result.IsCacheHit() {
		return
	}
	o.out.Add(out)
	if answer, err := result.ToMessage(); err == nil {
		o.in.Add(sizeOfAnswer(&answer))
	}
}

// sizeOfWords returns the length of a command's words.
func sizeOfWords(words []string) (n int64) {
	for _, word := range words {
		n += int64(len(word))
	}
	return n
}

// sizeOfAnswer returns the length of the texts in an answer. A number counts as its digits do in
// the protocol's second version.
func sizeOfAnswer(m *rueidis.RedisMessage) (n int64) {
	switch {
	case m.IsString() || m.IsFloat64():
		text, _ := m.ToString()
		return int64(len(text))
	case m.IsInt64():
		i, _ := m.ToInt64()
		return sizeOfInt(i)
	case m.IsBool():
		return 1
	case m.IsArray():
		parts, _ := m.ToArray()
		for i := range parts {
			n += sizeOfAnswer(&parts[i])
		}
	case m.IsMap():
		pairs, _ := m.ToMap()
		for key, part := range pairs {
			n += int64(len(key)) + sizeOfAnswer(&part)
		}
	}
	return n
}

func sizeOfInt(i int64) (n int64) {
	if i <= 0 {
		n++
	}
	for ; i != 0; i /= 10 {
		n++
	}
	return n
}
