package nest_test

import (
	"context"
	"fmt"
	"time"

	"github.com/redisimnest/redisimnest/nest"
)

func ExampleKey() {
	type profile struct {
		Name string
		Tags []string
	}
	key := nest.Key[profile]("profile:<user_id>", nest.TTL(24*time.Hour))
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(key)))
	check(err)

	ctx := context.Background()
	check(key.At(root, 42).Set(ctx, profile{"Ali", []string{"new"}}))
	fmt.Println(key.At(root, 42).Get(ctx))
	_, found, err := key.At(root, 43).Lookup(ctx)
	fmt.Println(found, err)
	// Output:
	// {Ali [new]} <nil>
	// false <nil>
}

func ExampleKeyRef_Update() {
	name := nest.Key[string]("name", nest.Default("nobody"))
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(name)))
	check(err)

	// The function runs again if another client was faster.
	fmt.Println(name.At(root).Update(context.Background(), func(now string, _ bool) (string, error) {
		return now + "!", nil
	}))
	// Output: nobody! <nil>
}

func ExampleCounter() {
	visits := nest.Counter[int64]("visits:<day>", nest.TTL(48*time.Hour))
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(visits)))
	check(err)

	ctx := context.Background()
	today := visits.At(root, "2026-11-29")
	fmt.Println(today.Incr(ctx))
	fmt.Println(today.Add(ctx, 10))
	fmt.Println(today.Reset(ctx))
	// Output:
	// 1 <nil>
	// 11 <nil>
	// 11 <nil>
}

func ExampleHash() {
	prices := nest.Hash[int]("prices:<shop>")
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(prices)))
	check(err)

	ctx := context.Background()
	shop := prices.At(root, "corner")
	check(shop.SetMany(ctx, map[string]int{"bread": 3, "milk": 2}))
	fmt.Println(shop.Incr(ctx, "milk", 1))
	fmt.Println(shop.All(ctx))
	// Output:
	// 3 <nil>
	// map[bread:3 milk:3] <nil>
}

func ExampleRecord() {
	type session struct {
		User   int64  `nest:"user"`
		Device string `nest:"device"`
		Hits   int64  `nest:"hits"`
	}
	sessions := nest.Record[session]("session:<token>", nest.TTL(time.Hour))
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(sessions)))
	check(err)

	ctx := context.Background()
	s := sessions.At(root, "t0k3n")
	check(s.Set(ctx, session{User: 42, Device: "phone"}))
	fmt.Println(s.Incr(ctx, "hits", 1))
	check(s.SetFields(ctx, session{Device: "desk"}, "device")) // the other fields stay as they are
	fmt.Println(s.Get(ctx))
	// Output:
	// 1 <nil>
	// {42 desk 1} <nil>
}

func ExampleList() {
	jobs := nest.List[string]("jobs")
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(jobs)))
	check(err)

	ctx := context.Background()
	fmt.Println(jobs.At(root).PushRight(ctx, "wash", "dry", "fold"))
	fmt.Println(jobs.At(root).PopLeft(ctx))
	fmt.Println(jobs.At(root).All(ctx))
	// Output:
	// 3 <nil>
	// wash true <nil>
	// [dry fold] <nil>
}

func ExampleSet() {
	follows := nest.Set[int64]("follows")
	user := nest.Cluster("user:<user_id>", nest.Sub(follows))
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(user)))
	check(err)

	ctx := context.Background()
	fmt.Println(follows.At(root, 42).Add(ctx, 7, 8, 7))
	fmt.Println(follows.At(root, 42).Has(ctx, 7))
	fmt.Println(follows.At(root, 42).HasMany(ctx, 8, 9))
	// Output:
	// 2 <nil>
	// true <nil>
	// [true false] <nil>
}

func ExampleSortedSet() {
	scores := nest.SortedSet[string]("scores")
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(scores)))
	check(err)

	ctx := context.Background()
	board := scores.At(root)
	_, err = board.AddMany(ctx, []nest.Scored[string]{{Member: "Ali", Score: 10}, {Member: "Bea", Score: 30}, {Member: "Cem", Score: 20}})
	check(err)
	fmt.Println(board.Incr(ctx, "Ali", 15))
	best, found, err := board.PopMax(ctx)
	fmt.Println(best.Member, best.Score, found, err)
	fmt.Println(board.RevRank(ctx, "Cem"))
	// Output:
	// 25 <nil>
	// Bea 30 true <nil>
	// 1 true <nil>
}

func ExampleStream() {
	events := nest.Stream[string]("events")
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(events)))
	check(err)

	ctx, stop := context.WithCancel(context.Background())
	for _, event := range []string{"signed up", "bought"} {
		_, err := events.At(root).Add(ctx, event)
		check(err)
	}
	// Each entry goes to one consumer of the group, and is delivered again if its handler fails.
	left := 2
	err = events.At(root).Consume(ctx, "mailer", "host-1", func(_ context.Context, e nest.Delivery[string]) error {
		fmt.Println(e.Value)
		if left--; left == 0 {
			stop()
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// signed up
	// bought
	// <nil>
}

func ExampleBitmap() {
	seen := nest.Bitmap("seen:<user_id>")
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(seen)))
	check(err)

	ctx := context.Background()
	days := seen.At(root, 42)
	fmt.Println(days.SetBit(ctx, 28, true))
	fmt.Println(days.Bit(ctx, 28))
	fmt.Println(days.Count(ctx))
	// Output:
	// false <nil>
	// true <nil>
	// 1 <nil>
}

func ExampleHyperLogLog() {
	visitors := nest.HyperLogLog[string]("visitors:<day>")
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(visitors)))
	check(err)

	ctx := context.Background()
	today := visitors.At(root, "2026-11-29")
	_, err = today.Add(ctx, "Ali", "Bea", "Ali")
	check(err)
	fmt.Println(today.Count(ctx)) // an estimate, in 12 KiB at most
	// Output: 2 <nil>
}

func ExampleGeo() {
	shops := nest.Geo[string]("shops")
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(shops)))
	check(err)

	ctx := context.Background()
	_, err = shops.At(root).AddMany(ctx, []nest.Place[string]{
		{Member: "Palermo", Point: nest.Point{Longitude: 13.361389, Latitude: 38.115556}},
		{Member: "Catania", Point: nest.Point{Longitude: 15.087269, Latitude: 37.502669}},
	})
	check(err)
	near, err := shops.At(root).Search(ctx, nest.Point{Longitude: 13.4, Latitude: 38.1}, nest.Circle(100, nest.Kilometers))
	check(err)
	for _, n := range near {
		fmt.Println(n.Member)
	}
	// Output: Palermo
}

func ExampleChannel() {
	news := nest.Channel[string]("news:<topic>")
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(news)))
	check(err)

	ctx := context.Background()
	sports := news.At(root, "sports")
	go func() {
		for n := int64(0); n == 0; { // until the subscription is established
			n, err = sports.Publish(ctx, "kick-off")
			check(err)
		}
	}()
	for message, err := range sports.Subscribe(ctx) {
		fmt.Println(message, err)
		break
	}
	// Output: kick-off <nil>
}

func ExampleLock() {
	job := nest.Lock("job:<name>", nest.TTL(30*time.Second))
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(job)))
	check(err)

	err = job.At(root, "billing").Run(context.Background(), func(ctx context.Context, lease *nest.Lease) error {
		fmt.Println(lease.Token() > 0) // it grows with each holder, so writes can be fenced with it
		_, taken, err := job.At(root, "billing").TryAcquire(ctx)
		fmt.Println("taken again:", taken)
		return err
	})
	fmt.Println(err)
	// Output:
	// true
	// taken again: false
	// <nil>
}

func ExampleLimiter() {
	login := nest.Limiter("login:<ip>", nest.Rate(2, time.Minute))
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(login)))
	check(err)

	ctx := context.Background()
	for range 3 {
		d, err := login.At(root, "203.0.113.7").Allow(ctx)
		check(err)
		fmt.Println(d.Allowed, d.Remaining)
	}
	// Output:
	// true 1
	// true 0
	// false 0
}

func ExampleSecret() {
	apiKey := nest.Secret[string]("api_key")
	user := nest.Cluster("user:<user_id>", nest.Sub(apiKey))
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(user)), nest.WithKeyring(keyring()))
	check(err)

	ctx := context.Background()
	check(apiKey.At(root, 42).Set(ctx, "sk-12345"))
	fmt.Println(apiKey.At(root, 42).Get(ctx))
	sealed, err := apiKey.At(root, 42).Raw(ctx) // the stored form
	fmt.Println(len(sealed), err)
	// Output:
	// sk-12345 <nil>
	// 91 <nil>
}

func ExamplePassword() {
	password := nest.Password("password")
	user := nest.Cluster("user:<user_id>", nest.Sub(password))
	root, err := nest.Open(connect(), nest.Cluster("root", nest.Sub(user)), nest.WithPasswords(hasher()))
	check(err)

	ctx := context.Background()
	check(password.At(root, 42).Set(ctx, "correct horse"))
	fmt.Println(password.At(root, 42).Verify(ctx, "correct horse"))
	fmt.Println(password.At(root, 42).Verify(ctx, "battery staple"))
	// Output:
	// true <nil>
	// false <nil>
}
