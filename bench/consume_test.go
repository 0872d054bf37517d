package bench

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest"
)

var (
	orders  = nest.Stream[string]("orders:<by>")
	ordered = nest.Cluster("root", nest.Sub(orders))
)

// handGroup is the consumer group of both contenders, and handPage how many entries they read at a
// time, which is what Consume does by itself.
const (
	handGroup = "workers"
	handPage  = 16
)

// queue is a stream, and one way to handle its entries.
type queue struct {
	client rueidis.Client
	ref    nest.StreamRef[string]
}

func newQueues(b *testing.B) (ours, theirs queue) {
	b.Helper()
	server := realServer(b)
	client := newClient(b, server)
	root, err := nest.Open(client, ordered, nest.WithPrefix(server.Prefix(b)), nest.WithOneConnection())
	if err != nil {
		b.Fatal(err)
	}
	ours, theirs = queue{client, orders.At(root, "nest")}, queue{client, orders.At(root, "hand")}
	for _, q := range []queue{ours, theirs} {
		if err := client.Do(b.Context(), client.B().XgroupCreate().Key(q.ref.Key()).Group(handGroup).Id("$").Mkstream().Build()).Error(); err != nil {
			b.Fatal(err)
		}
	}
	return ours, theirs
}

// fill replaces what the stream has by n new entries.
func (q queue) fill(b *testing.B, n int) {
	b.Helper()
	cmds := rueidis.Commands{q.client.B().Xtrim().Key(q.ref.Key()).Maxlen().Threshold("0").Build()}
	for range n {
		cmds = append(cmds, q.client.B().Xadd().Key(q.ref.Key()).Id("*").FieldValue().FieldValue("value", noteText).Build())
	}
	for _, result := range q.client.DoMulti(b.Context(), cmds...) {
		if err := result.Error(); err != nil {
			b.Fatal(err)
		}
	}
}

// consume handles n entries with Consume.
func (q queue) consume(ctx context.Context, n int) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	handled, wrong := 0, error(nil)
	err := q.ref.Consume(ctx, handGroup, "one", func(_ context.Context, d nest.Delivery[string]) error {
		wrong = errors.Join(wrong, same(d.Value, nil))
		if handled++; handled == n {
			stop()
		}
		return nil
	})
	if handled != n {
		wrong = errors.Join(wrong, fmt.Errorf("%d of %d entries", handled, n))
	}
	return errors.Join(err, wrong)
}

// loop handles n entries in pages, and acknowledges each page with one command.
func (q queue) loop(ctx context.Context, n int) error {
	reader, release := q.client.Dedicate()
	defer release()
	key := q.ref.Key()
	for handled := 0; handled < n; {
		pages, err := reader.Do(ctx, reader.B().Xreadgroup().Group(handGroup, "one").Count(handPage).Block(1000).Streams().Key(key).Id(">").Build()).AsXRead()
		if err != nil {
			return err
		}
		done := make([]string, 0, handPage)
		for _, e := range pages[key] {
			if err := same(e.FieldValues["value"], nil); err != nil {
				return err
			}
			done = append(done, e.ID)
		}
		acked, err := q.client.Do(ctx, q.client.B().Xack().Key(key).Group(handGroup).Id(done...).Build()).AsInt64()
		if err != nil {
			return err
		}
		handled += int(acked)
	}
	return nil
}

// BenchmarkRatioConsume compares Consume with a loop by hand that reads as many entries at a time.
// Their handlers do nothing.
func BenchmarkRatioConsume(b *testing.B) {
	ours, theirs := newQueues(b)
	const n = 2_000
	run := func(do func(ctx context.Context, n int) error) func(n int) {
		return func(n int) {
			ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
			defer cancel()
			if err := do(ctx, n); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("entry/a loop by hand", func(b *testing.B) {
		prepared(b, func(who int) { []queue{ours, theirs}[who].fill(b, n) }, run(ours.consume), run(theirs.loop), n)
	})
}
