package suite_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/nest/nesttest/internal/primaries"
)

var (
	personID      = nest.Param[int64]("id")
	personName    = nest.Key[string]("name")
	personSession = nest.Key[string]("session:<token>")
	personJob     = nest.Lock("job", nest.TTL(60))
	folk          = nest.Cluster("person:<id>", nest.Params(personID), nest.Sub(personName, personSession, personJob))
	purchase      = nest.Key[string]("purchase:<id>")
	visit         = nest.Key[string]("visit:<day>:<id>", nest.Params(personID))
	folkLedger    = nest.Key[string]("ledger:<id>", nest.Params(personID), nest.Protected())
	people        = nest.Cluster("people", nest.Sub(folk, purchase, visit, folkLedger))
)

// walkedNames lists what a walk yields.
func walkedNames(t *testing.T, s nest.Scope, opts ...nest.ScanOption) []string {
	t.Helper()
	names, err := s.Subkeys(t.Context(), opts...)
	require.NoError(t, err)
	for i, name := range names {
		names[i] = strings.TrimPrefix(name, s.Prefix()+":")
	}
	return names
}

// fillPeople writes the keys of some people, and what nobody declares beside those of one.
func fillPeople(t *testing.T, s nest.Scope, ids ...int64) {
	t.Helper()
	ctx := t.Context()
	b := s.Batch()
	for _, id := range ids {
		personName.At(s, id).In(b).Set("x")
		for i := range 3 {
			personSession.At(s, id, strconv.Itoa(i)).In(b).Set("x")
		}
		visit.At(s, "monday", id).In(b).Set("x")
		folkLedger.At(s, id).In(b).Set("x")
		purchase.At(s, id).In(b).Set("x")
	}
	require.NoError(t, b.Exec(ctx))
	db := redis{t, nesttest.Client(t)}
	db.set(folk.At(s, ids[0]).Prefix()+":scratch", "x")
	db.set(folk.At(s, ids[0]).Prefix()+":old:1", "x")
}

func TestEverythingOfAPerson(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := nesttest.Open(t, people)
	fillPeople(t, s, 42, 421, 7)
	lease, err := personJob.At(s, 42).Acquire(ctx)
	require.NoError(t, err)
	of42 := nest.Where(personID.Of(42))

	everything := []string{
		"ledger:42", "person:42:job", "person:42:name", "person:42:session:0", "person:42:session:1", "person:42:session:2", "visit:monday:42",
	}
	require.Equal(t, everything, walkedNames(t, s, of42))
	n, err := s.Count(ctx, of42)
	require.NoError(t, err)
	require.EqualValues(t, 7, n)
	require.Equal(t, []string{"person:42:old:1", "person:42:scratch"}, walkedNames(t, s, of42, nest.Undeclared()))
	require.Len(t, walkedNames(t, s, of42, nest.Companions()), 8, "the token of the lock")
	require.Len(t, walkedNames(t, s, nest.Where(personID.Of(42), personID.Of(7)), nest.Only(folk)), 9)
	require.Equal(t, []string{"person:421:name", "person:42:name", "person:7:name"}, walkedNames(t, s, nest.Only(personName)))

	_, err = s.Clear(ctx, of42)
	require.ErrorIs(t, err, nest.ErrProtected)
	require.ErrorContains(t, err, "ledger:<id>")
	_, err = s.Clear(ctx, of42, nest.Only(folk))
	require.NoError(t, err, "what is protected is out of reach")
	fillPeople(t, s, 42)

	var last nest.WalkProgress
	progress := nest.Progress(func(p nest.WalkProgress) { last = p })
	dry, err := s.Clear(ctx, of42, nest.DryRun(), progress)
	require.NoError(t, err, "a dry run needs no Force")
	require.EqualValues(t, 6, dry)
	by := map[string]int64{}
	for template, n := range map[string]int64{"ledger:<id>": 1, "person:<id>:name": 1, "person:<id>:session:<token>": 3, "visit:<day>:<id>": 1} {
		by[s.Prefix()+":"+template] = n
	}
	require.Equal(t, by, last.By)
	require.EqualValues(t, 2, last.Undeclared)
	require.EqualValues(t, 6, last.Matched)
	require.Empty(t, last.Cursor)
	require.Len(t, walkedNames(t, s, of42), 6, "it deleted nothing")

	deleted, err := s.Clear(ctx, of42, nest.Force(), progress)
	require.NoError(t, err)
	require.EqualValues(t, 6, deleted)
	require.Equal(t, by, last.By)
	require.EqualValues(t, 6, last.Done)
	require.EqualValues(t, 2, last.Undeclared)
	require.Empty(t, walkedNames(t, s, of42, nest.Companions()))
	require.Equal(t, []string{"old:1", "scratch"}, walkedNames(t, folk.At(s, 42)), "what nobody declares stays")
	require.Len(t, walkedNames(t, s), 2*7+3, "others, and the purchase that only has the same name")
	lease.Release(ctx) //nolint:errcheck // it is gone
	deleted, err = folk.At(s, 42).Clear(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 2, deleted)
}

// A root without a prefix needs no Force when there is a filter.
func TestClearWithAFilterUnderNoPrefix(t *testing.T) {
	t.Parallel()
	id := nest.Param[string]("id")
	mine := nest.Key[string]("mine:<id>:<n>", nest.Params(id))
	client := nesttest.Start(t).Client(t)
	s, err := nest.Open(client, nest.Cluster("", nest.Sub(mine)))
	require.NoError(t, err)
	for i := range 4 {
		require.NoError(t, mine.At(s, "a", i).Set(t.Context(), "x"))
		require.NoError(t, mine.At(s, "b", i).Set(t.Context(), "x"))
	}
	db := redis{t, client}
	db.set("mine:a", "x")
	db.set("mine:a:1:x", "x")
	_, err = s.Clear(t.Context())
	require.ErrorIs(t, err, nest.ErrProtected)
	n, err := s.Clear(t.Context(), nest.Where(id.Of("a")))
	require.NoError(t, err)
	require.EqualValues(t, 4, n)
	require.Len(t, walkedNames(t, s), 6)
}

// What a filter determines is not scanned for.
func TestDeterminedKeysAreNotScannedFor(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	if server.Kind() == nesttest.KindEmbedded {
		t.Skip("nesttest: SKIPPED, not passed: the embedded server does not count commands")
	}
	client := server.Client(t)
	s, err := nest.Open(client, people)
	require.NoError(t, err)
	require.NoError(t, personName.At(s, 1).Set(t.Context(), "x"))
	scans := func() bool {
		text, err := client.Do(t.Context(), client.B().Info().Section("commandstats").Build()).ToString()
		require.NoError(t, err)
		return strings.Contains(text, "cmdstat_scan:")
	}
	only := nest.Only(personName, folkLedger)
	n, err := s.Count(t.Context(), nest.Where(personID.Of(1), personID.Of(2)), only)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	n, err = s.Clear(t.Context(), nest.Where(personID.Of(1)), only, nest.Force())
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	require.False(t, scans())
	_, err = s.Count(t.Context(), nest.Where(personID.Of(1)))
	require.NoError(t, err)
	require.True(t, scans(), "the names of sessions are not determined")
}

func TestWalksSayHowFarTheyAre(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	s, err := nest.Open(server.Client(t), people)
	require.NoError(t, err)
	const n = 600
	b := s.Batch()
	for i := range n {
		personSession.At(s, i, "x").In(b).Set("x")
	}
	require.NoError(t, b.Exec(t.Context()))
	few := nest.ScanCount(50)

	var told []nest.WalkProgress
	progress := nest.Progress(func(p nest.WalkProgress) { told = append(told, p) })
	template := "people:person:<id>:session:<token>"
	for what, walk := range map[string]func() (int64, error){
		"keys": func() (seen int64, err error) {
			for _, err := range s.Keys(t.Context(), few, progress) {
				require.NoError(t, err)
				seen++
			}
			return seen, nil
		},
		"count": func() (int64, error) { return s.Count(t.Context(), few, progress) },
		"clear": func() (int64, error) { return s.Clear(t.Context(), few, progress, nest.DryRun()) },
	} {
		told = nil
		seen, err := walk()
		require.NoError(t, err, what)
		require.GreaterOrEqual(t, seen, int64(n), what)
		require.NotEmpty(t, told, what)
		last := told[len(told)-1]
		require.Equal(t, seen, last.Matched, what)
		require.Equal(t, seen, last.Scanned, what)
		require.Equal(t, map[string]int64{template: seen}, last.By, what)
		require.Positive(t, last.Rate, what)
		require.Zero(t, last.Left, what)
		require.Empty(t, last.Cursor, what)
		for _, p := range told[:len(told)-1] {
			require.NotEmpty(t, p.Cursor, what)
			require.LessOrEqual(t, p.Matched, last.Matched, what)
		}
	}

	// At the end of a walk that fails, too.
	ctx, cancel := context.WithCancel(t.Context())
	told = nil
	_, err = s.Clear(ctx, few, nest.DryRun(), nest.Progress(func(p nest.WalkProgress) {
		told = append(told, p)
		cancel()
	}))
	require.ErrorIs(t, err, context.Canceled)
	require.GreaterOrEqual(t, len(told), 2)

	// A report that panics is the caller's panic.
	require.PanicsWithValue(t, "mine", func() {
		_, _ = s.Count(t.Context(), few, nest.Progress(func(nest.WalkProgress) { panic("mine") }))
	})
}

func TestWalksGoOnWhereTheyStopped(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	if server.Kind() == nesttest.KindEmbedded {
		t.Skip("nesttest: SKIPPED, not passed: the embedded server takes all names in one step")
	}
	s, err := nest.Open(server.Client(t), people)
	require.NoError(t, err)
	const n = 500
	b := s.Batch()
	for i := range n {
		personSession.At(s, i, "x").In(b).Set("x")
	}
	require.NoError(t, b.Exec(t.Context()))
	few := nest.ScanCount(40)

	seen := make(map[string]bool)
	cursor, passes := "", 0
	for ; passes == 0 || cursor != ""; passes++ {
		var last nest.WalkProgress
		steps := 0
		for m, err := range s.Keys(t.Context(), few, nest.ResumeFrom(cursor), nest.Progress(func(p nest.WalkProgress) { last, steps = p, steps+1 })) {
			require.NoError(t, err)
			if seen[m.Key()] = true; steps == 2 {
				break
			}
		}
		cursor = last.Cursor
		require.Less(t, passes, 100)
	}
	require.Len(t, seen, n)
	require.Greater(t, passes, 3)

	deleted := int64(0)
	for passes = 0; passes == 0 || cursor != ""; passes++ {
		ctx, cancel := context.WithCancel(t.Context())
		steps := 0
		gone, err := s.Clear(ctx, few, nest.Force(), nest.ResumeFrom(cursor), nest.Progress(func(p nest.WalkProgress) {
			cursor = p.Cursor
			if steps++; steps == 2 {
				cancel()
			}
		}))
		cancel()
		require.True(t, err == nil || errors.Is(err, context.Canceled), err)
		deleted += gone
		require.Less(t, passes, 100)
	}
	require.LessOrEqual(t, deleted, int64(n), "a pass that is cancelled may not hear what it has deleted")
	left, err := s.Count(t.Context())
	require.NoError(t, err)
	require.Zero(t, left)

	var other string
	_, err = s.Count(t.Context(), nest.Progress(func(p nest.WalkProgress) {
		if p.Cursor != "" {
			other = p.Cursor
		}
	}))
	require.NoError(t, err)
	require.NotEmpty(t, other)
	for what, opts := range map[string][]nest.ScanOption{
		"another filter": {nest.Only(personName)}, "companions": {nest.Companions()}, "undeclared": {nest.Undeclared()},
	} {
		_, err = s.Count(t.Context(), append(opts, nest.ResumeFrom(other))...)
		require.ErrorIs(t, err, nest.ErrArgument, what)
	}
	_, err = s.Subkeys(t.Context(), nest.ResumeFrom(other))
	require.ErrorIs(t, err, nest.ErrArgument, "another operation")
	_, err = folk.At(s, 1).Count(t.Context(), nest.ResumeFrom(other))
	require.ErrorIs(t, err, nest.ErrArgument, "another scope")
	_, err = s.Count(t.Context(), nest.ResumeFrom(other))
	require.NoError(t, err)
}

func TestWalksKeepToTheirRate(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	s, err := nest.Open(server.Client(t), people)
	require.NoError(t, err)
	for i := range 60 {
		require.NoError(t, personName.At(s, i).Set(t.Context(), "x"))
	}
	start := time.Now()
	n, err := s.Count(t.Context(), nest.KeysPerSecond(200), nest.Where(personID.Of(7)), nest.Only(personSession))
	require.NoError(t, err)
	require.Zero(t, n)
	if server.Kind() != nesttest.KindEmbedded { // which goes through all keys in one step
		require.GreaterOrEqual(t, time.Since(start), 250*time.Millisecond, "keys that are left out count")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = s.Count(ctx, nest.KeysPerSecond(1))
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestUndeclaredNames(t *testing.T) {
	t.Parallel()
	s := nesttest.Open(t, people)
	fillPeople(t, s, 1, 2)
	db := redis{t, nesttest.Client(t)}
	db.set(s.Prefix()+":stray:\xff\xfe", "x")
	db.set(s.Prefix()+":person:x:name", "x")
	require.Equal(t, []string{"person:1:old:1", "person:1:scratch", "person:x:name", "stray:\xff\xfe"}, walkedNames(t, s, nest.Undeclared()))
	require.Equal(t, []string{"person:1:old:1", "person:1:scratch"}, walkedNames(t, s, nest.Undeclared(), nest.Only(folk)), "x is no number")
	n, err := s.Count(t.Context(), nest.Undeclared())
	require.NoError(t, err)
	require.EqualValues(t, 4, n)
}

// Filters on a Redis Cluster whose slots move: every key is found, and counts once.
func TestFilteredWalksFollowSlots(t *testing.T) {
	t.Parallel()
	server := nesttest.Cluster(t)
	n := primaries.Patient(t, server)
	client := server.Client(t)
	id := nest.Param[int]("n")
	name, item := nest.Key[int]("name:<n>", nest.Params(id)), nest.Key[int]("item:<n>:<i>", nest.Params(id))
	group := nest.Cluster("slot:<s>", nest.HashTag(), nest.Sub(name, item))
	s, err := nest.Open(client, nest.Cluster("walk", nest.Sub(group)))
	require.NoError(t, err)
	var slots []uint16
	b := s.Batch()
	for i := 0; len(slots) < 10; i++ {
		at := group.At(s, i)
		slot := client.B().Get().Key(at.Prefix()).Build()
		if slot.Slot() >= 5461 {
			continue
		}
		slots = append(slots, slot.Slot())
		for j := range 10 {
			name.At(at, j).In(b).Set(j)
			item.At(at, j, 1).In(b).Set(j)
		}
	}
	require.NoError(t, b.Exec(t.Context()))
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	few, of3 := nest.ScanCount(10), nest.Where(id.Of(3))

	var last nest.WalkProgress
	move := func(at, from, to int) nest.WalkOption {
		steps := 0
		return nest.Progress(func(p nest.WalkProgress) {
			if last = p; steps == at {
				for _, slot := range slots {
					n.Move(slot, from, to)
				}
			}
			steps++
		})
	}
	count, err := s.Count(ctx, few, of3, move(1, 0, 1))
	require.NoError(t, err)
	require.EqualValues(t, 20, count)
	require.EqualValues(t, 20, last.Matched)
	require.Equal(t, map[string]int64{"walk:{slot:<s>}:name:<n>": 10, "walk:{slot:<s>}:item:<n>:<i>": 10}, last.By)
	count, err = s.Count(ctx, few, move(2, 1, 0))
	require.NoError(t, err)
	require.EqualValues(t, 200, count)
	require.EqualValues(t, 200, last.Scanned)

	// One slot, and keys that are looked up.
	var first nest.Scope
	for i := 0; ; i++ {
		first = group.At(s, i)
		if cmd := client.B().Get().Key(first.Prefix()).Build(); cmd.Slot() == slots[0] {
			break
		}
	}
	count, err = first.Count(ctx, of3, nest.Only(name))
	require.NoError(t, err)
	require.EqualValues(t, 1, count)
	n.Begin(slots[0], 0, 1, 5)
	var wg sync.WaitGroup
	wg.Go(func() {
		time.Sleep(100 * time.Millisecond)
		n.Begin(slots[0], 0, 1, 1000)
		n.End(slots[0], 0, 1)
	})
	var all []nest.Arg
	for j := range 10 {
		all = append(all, id.Of(j))
	}
	count, err = first.Count(ctx, nest.Where(all...), nest.Only(name))
	wg.Wait()
	require.NoError(t, err)
	require.EqualValues(t, 10, count)
	n.Move(slots[0], 1, 0)

	deleted, err := s.Clear(ctx, few, of3, move(1, 0, 1))
	require.NoError(t, err)
	require.EqualValues(t, 20, deleted)
	require.EqualValues(t, 20, last.Done)
	require.EqualValues(t, 20, last.Matched)
	rest, err := s.Count(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 180, rest)
}

// A filter reads the primary, whatever the client sends to replicas.
func TestFilteredWalksReadFromThePrimary(t *testing.T) {
	t.Parallel()
	if nesttest.Shared(t).Kind() == nesttest.KindEmbedded {
		t.Skip("nesttest: SKIPPED, not passed: the embedded server has no replicas")
	}
	primary := nesttest.Replicas(t, 1)
	option := primary.ClientOption()
	option.Standalone.ReplicaAddress = []string{primary.Nodes()[1].Addr()}
	option.SendToReplicas = func(cmd rueidis.Completed) bool { return cmd.IsReadOnly() }
	s, err := nest.Open(connect(t, option), people)
	require.NoError(t, err)
	for i := range 50 {
		require.NoError(t, personName.At(s, i).Set(t.Context(), "x"))
		require.NoError(t, personSession.At(s, i, "x").Set(t.Context(), "x"))
	}
	args := make([]nest.Arg, 50)
	for i := range args {
		args[i] = personID.Of(int64(i))
	}
	n, err := s.Count(t.Context(), nest.Where(args...))
	require.NoError(t, err)
	require.EqualValues(t, 100, n)
	db := primary.Nodes()[1].Client(t)
	asked, err := db.Do(t.Context(), db.B().Info().Section("commandstats").Build()).ToString()
	require.NoError(t, err)
	require.NotContains(t, asked, "cmdstat_exists:")
	require.NotContains(t, asked, "cmdstat_scan:")
	n, err = s.Clear(t.Context(), nest.Where(args...), nest.Only(folk))
	require.NoError(t, err)
	require.EqualValues(t, 100, n)
}

// Where sealed values are rotated for one parameter only, the rest is left alone.
func TestRotateWithAFilter(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := newRotation(t)
	for _, owner := range []string{"a", "b"} {
		for i := range 20 {
			require.NoError(t, rotKey.At(r.old, owner, i).Set(ctx, "x"))
		}
	}
	require.NoError(t, rotBeyond.At(r.old).Set(ctx, "x"))
	var last nest.WalkProgress
	report := rotate(t, r.now, nest.Where(ownerID.Of("a")), nest.Progress(func(p nest.WalkProgress) { last = p }))
	require.EqualValues(t, 20, report.Resealed)
	require.EqualValues(t, 20, last.Done)
	require.EqualValues(t, 20, last.Matched)
	require.Len(t, last.By, 1)
	report = rotate(t, r.now, nest.Only(rotBeyond))
	require.EqualValues(t, 1, report.Resealed, "it is looked up")
	report = rotate(t, r.now)
	require.EqualValues(t, 20, report.Resealed)
	require.EqualValues(t, 21, report.Current)
}
