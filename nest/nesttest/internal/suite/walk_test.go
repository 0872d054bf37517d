package suite_test

import (
	"context"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/nest/nesttest/internal/primaries"
	"github.com/redisimnest/redisimnest/secure"
)

var (
	walkName   = nest.Key[int]("name:<n>")
	walkSecret = nest.Secret[string]("secret:<n>")
	walkHash   = nest.Hash[int]("hash")
	walkSet    = nest.Set[int]("set")
	walkSorted = nest.SortedSet[int]("sorted")
	walkSlot   = nest.Cluster("slot:<s>", nest.HashTag(), nest.Sub(walkName, walkSecret, walkHash, walkSet))
	walkPlain  = nest.Cluster("plain", nest.Sub(walkName, walkSecret, walkHash, walkSet, walkSorted))
	walkTree   = nest.Cluster("walk", nest.Sub(walkSlot, walkPlain))
)

// walked is a tree under the old keyring and under the new one.
type walked struct {
	before, now nest.Scope
}

func openWalked(t *testing.T, client rueidis.Client) walked {
	t.Helper()
	old, key := secure.GenerateKey(), secure.GenerateKey()
	open := func(primary secure.Key, opts ...secure.KeyringOption) nest.Scope {
		ring, err := secure.NewKeyring(primary, opts...)
		require.NoError(t, err)
		top, err := nest.Open(client, walkTree, nest.WithKeyring(ring))
		require.NoError(t, err)
		return top
	}
	return walked{open(old), open(key, secure.AcceptOnly(old))}
}

func connect(t *testing.T, option rueidis.ClientOption) rueidis.Client {
	t.Helper()
	client, err := rueidis.NewClient(option)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// names returns the distinct names that a walk yields, and the error that it ended with.
func names(seq func(yield func(nest.Match, error) bool), each func(seen int)) (map[string]bool, error) {
	seen := make(map[string]bool)
	for m, err := range seq {
		if err != nil {
			return seen, err
		}
		seen[m.Key()] = true
		each(len(seen))
	}
	return seen, nil
}

// Each page of a scan went to a replica of its own choice, where the cursor of another server means
// something else. Three quarters of the names were found, without an error.
func TestWalksReadFromThePrimary(t *testing.T) {
	t.Parallel()
	if nesttest.Shared(t).Kind() == nesttest.KindEmbedded {
		t.Skip("nesttest: SKIPPED, not passed: the embedded server has no replicas")
	}
	primary := nesttest.Replicas(t, 2)
	option := primary.ClientOption()
	for _, replica := range primary.Nodes()[1:] {
		option.Standalone.ReplicaAddress = append(option.Standalone.ReplicaAddress, replica.Addr())
	}
	option.SendToReplicas = func(cmd rueidis.Completed) bool { return cmd.IsReadOnly() }
	w := openWalked(t, connect(t, option))
	ctx, plain := t.Context(), walkPlain.At(w.before)

	const n = 2000
	few := nest.ScanCount(50)
	b := plain.Batch()
	fields, members, scored := make(map[string]int), make([]int, n), make([]nest.Scored[int], n)
	for i := range n {
		walkName.At(plain, i).In(b).Set(i)
		walkSecret.At(plain, i).In(b).Set("x")
		fields[strconv.Itoa(i)], members[i], scored[i] = i, i, nest.Scored[int]{Member: i, Score: float64(i)}
	}
	require.NoError(t, b.Exec(ctx))
	require.NoError(t, walkHash.At(plain).SetMany(ctx, fields))
	_, err := walkSet.At(plain).Add(ctx, members...)
	require.NoError(t, err)
	_, err = walkSorted.At(plain).AddMany(ctx, scored)
	require.NoError(t, err)
	db := primary.Nodes()[0].Client(t)
	acked, err := db.Do(ctx, db.B().Wait().Numreplicas(2).Timeout(10_000).Build()).AsInt64()
	require.NoError(t, err)
	require.EqualValues(t, 2, acked)

	all, err := w.before.Subkeys(ctx, few)
	require.NoError(t, err)
	require.Len(t, all, 2*n+3)

	seen := make(map[string]int)
	for f, err := range walkHash.At(plain).Iterate(ctx, few) {
		require.NoError(t, err)
		seen["field "+f.Name]++
	}
	for m, err := range walkSet.At(plain).Iterate(ctx, few) {
		require.NoError(t, err)
		seen["member "+strconv.Itoa(m)]++
	}
	for m, err := range walkSorted.At(plain).Iterate(ctx, few) {
		require.NoError(t, err)
		seen["scored "+strconv.Itoa(m.Member)]++
	}
	require.Len(t, seen, 3*n)

	report, err := nest.Rotate(ctx, w.now, few)
	require.NoError(t, err)
	require.EqualValues(t, n, report.Resealed)
	report, err = nest.Rotate(ctx, w.now, few)
	require.NoError(t, err)
	require.True(t, report.Clean())
	require.EqualValues(t, n, report.Current)

	deleted, err := w.before.Clear(ctx, few)
	require.NoError(t, err)
	require.EqualValues(t, 2*n+3, deleted)
	all, err = w.before.Subkeys(ctx)
	require.NoError(t, err)
	require.Empty(t, all)
}

// fillSlots writes keys into slots of the first node: perSlot values and secrets in each of them.
func fillSlots(t *testing.T, client rueidis.Client, top nest.Scope, slots, perSlot int) (numbers []uint16) {
	t.Helper()
	b := top.Batch()
	for s := 0; len(numbers) < slots; s++ {
		at := walkSlot.At(top, s)
		get := client.B().Get().Key(at.Prefix()).Build()
		if get.Slot() >= 5461 {
			continue
		}
		numbers = append(numbers, get.Slot())
		for i := range perSlot {
			walkName.At(at, i).In(b).Set(i)
			walkSecret.At(at, i).In(b).Set("x")
		}
	}
	require.NoError(t, b.Exec(t.Context()))
	return numbers
}

// The client learns of a new node only when it is redirected there. Keys that had moved earlier
// were not walked, without an error.
func TestWalksAskWhoHasWhat(t *testing.T) {
	t.Parallel()
	server := nesttest.Cluster(t)
	n := primaries.Of(t, server)
	w := openWalked(t, server.Client(t))
	slots := fillSlots(t, server.Client(t), w.before, 12, 5)

	joins := server.Join(t)
	n.Add(joins.Client(t), joins.Addr())
	for _, slot := range slots[:4] {
		n.Move(slot, 0, 3)
	}
	ctx := t.Context()
	report, err := nest.Rotate(ctx, w.now)
	require.NoError(t, err)
	require.EqualValues(t, 60, report.Resealed)
	report, err = nest.Rotate(ctx, w.now)
	require.NoError(t, err)
	require.True(t, report.Clean())
	require.EqualValues(t, 60, report.Scanned)

	fresh := openWalked(t, server.Client(t))
	for _, slot := range slots[4:6] {
		n.Move(slot, 0, 3)
	}
	for _, top := range []nest.Scope{w.before, fresh.before} {
		all, err := top.Subkeys(ctx)
		require.NoError(t, err)
		require.Len(t, all, 120)
	}
	deleted, err := fresh.before.Clear(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 120, deleted)
}

// A key that moved from a node still to be scanned to one already scanned was not seen.
func TestWalksFollowSlots(t *testing.T) {
	t.Parallel()
	server := nesttest.Cluster(t)
	n := primaries.Of(t, server)
	client := server.Client(t)
	w := openWalked(t, client)
	slots := fillSlots(t, client, w.before, 10, 15)
	const values, all = 150, 300
	few := nest.ScanCount(10)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	meanwhile := func(do func()) func(int) {
		return func(seen int) {
			if seen == 1 {
				time.Sleep(100 * time.Millisecond) // the other nodes, without keys, are done then
				do()
			}
		}
	}

	t.Run("away", func(t *testing.T) {
		seen, err := names(w.before.Keys(ctx, few), meanwhile(func() {
			for _, slot := range slots {
				n.Move(slot, 0, 1)
			}
		}))
		require.NoError(t, err)
		require.Len(t, seen, all)
	})
	t.Run("back", func(t *testing.T) {
		report, err := nest.Rotate(ctx, w.now, few, nest.DryRun(), nest.Progress(func() func(nest.WalkProgress) {
			steps := 0
			return func(nest.WalkProgress) {
				if steps++; steps == 1 {
					for _, slot := range slots {
						n.Move(slot, 1, 0)
					}
				}
			}
		}()))
		require.NoError(t, err)
		require.EqualValues(t, values, report.Resealed)
		require.EqualValues(t, values, report.Scanned)
		require.True(t, report.Whole)
	})
	t.Run("away and back", func(t *testing.T) {
		seen, err := names(w.before.Keys(ctx, few), func(seen int) {
			switch seen {
			case 1:
				time.Sleep(100 * time.Millisecond)
				for _, slot := range slots {
					n.Move(slot, 0, 1)
				}
			case 10:
				time.Sleep(100 * time.Millisecond)
				for _, slot := range slots {
					n.Move(slot, 1, 0)
				}
			}
		})
		require.NoError(t, err)
		require.Len(t, seen, all)
	})
	t.Run("rotated meanwhile", func(t *testing.T) {
		steps := 0
		report, err := nest.Rotate(ctx, w.now, few, nest.Progress(func(nest.WalkProgress) {
			if steps++; steps == 3 {
				for _, slot := range slots[:5] {
					n.Move(slot, 0, 1)
				}
			}
		}))
		require.NoError(t, err)
		require.EqualValues(t, values, report.Resealed, "each counts once")
		require.EqualValues(t, values, report.Scanned)
		report, err = nest.Rotate(ctx, w.now)
		require.NoError(t, err)
		require.True(t, report.Clean())
		require.EqualValues(t, values, report.Current)
		for _, slot := range slots[:5] {
			n.Move(slot, 1, 0)
		}
	})
	t.Run("half", func(t *testing.T) {
		n.Begin(slots[3], 0, 1, 15)
		some, stop := context.WithTimeout(ctx, 2*time.Second)
		defer stop()
		seen, err := names(w.before.Keys(some, few), func(int) {})
		require.ErrorContains(t, err, "slot "+strconv.Itoa(int(slots[3]))+" stayed on the way")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Len(t, seen, all, "it was tried on both nodes")

		var wg sync.WaitGroup
		wg.Go(func() {
			time.Sleep(300 * time.Millisecond)
			n.Begin(slots[3], 0, 1, 1000)
			n.End(slots[3], 0, 1)
		})
		seen, err = names(w.before.Keys(ctx, few), func(int) {})
		wg.Wait()
		require.NoError(t, err, "it waits until the slot has arrived")
		require.Len(t, seen, all)
		n.Move(slots[3], 1, 0)
	})
	t.Run("clear", func(t *testing.T) {
		var wg sync.WaitGroup
		wg.Go(func() {
			for _, slot := range slots {
				n.Move(slot, 0, 1)
			}
		})
		deleted, err := w.before.Clear(ctx, few)
		wg.Wait()
		require.NoError(t, err)
		require.EqualValues(t, all, deleted)
		seen, err := w.before.Subkeys(ctx)
		require.NoError(t, err)
		require.Empty(t, seen)
	})
}

// A cursor means nothing to a server that was restarted. A quarter of the names was missed, without
// an error.
func TestWalksOfARestartedServer(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t, nesttest.Persistent())
	if server.Kind() == nesttest.KindEmbedded {
		t.Skip("nesttest: SKIPPED, not passed: the embedded server cannot be killed")
	}
	w := openWalked(t, server.Client(t))
	ctx, plain := t.Context(), walkPlain.At(w.before)
	const n = 3000
	b := plain.Batch()
	fields := make(map[string]int)
	for i := range n {
		walkSecret.At(plain, i).In(b).Set("x")
		fields[strconv.Itoa(i)] = i
	}
	require.NoError(t, b.Exec(ctx))
	require.NoError(t, walkHash.At(plain).SetMany(ctx, fields))
	few := nest.ScanCount(50)
	restart := func() {
		server.Kill(t)
		server.Restart(t)
	}

	seen, err := names(plain.Keys(ctx, few), func(seen int) {
		if seen == n/2 {
			restart()
		}
	})
	if err == nil {
		require.Len(t, seen, n+1)
	}
	t.Logf("keys: %d, %v", len(seen), err)

	found := make(map[string]bool)
	for f, e := range walkHash.At(plain).Iterate(ctx, few) {
		if err = e; err != nil {
			break
		}
		if found[f.Name] = true; len(found) == n/2 {
			restart()
		}
	}
	if err == nil {
		require.Len(t, found, n)
	}
	t.Logf("fields: %d, %v", len(found), err)

	some, cancel := context.WithCancel(ctx)
	steps := 0
	report, err := nest.Rotate(some, w.now, few, nest.Progress(func(nest.WalkProgress) {
		if steps++; steps == 30 {
			cancel()
		}
	}))
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, report.Resealed, int64(n))
	restart()
	rest, err := nest.Rotate(ctx, w.now, few, nest.ResumeFrom(report.Cursor))
	require.NoError(t, err)
	require.True(t, rest.Whole, "it began again")
	require.EqualValues(t, n, rest.Scanned)
	require.EqualValues(t, n, rest.Resealed+report.Resealed)
}

// A walk that may not read the topology names the right that it lacks. On a single server it needs
// only the right to SCAN.
func TestWalksWithoutRights(t *testing.T) {
	t.Parallel()
	allow := func(t *testing.T, client rueidis.Client, rules ...string) {
		t.Helper()
		require.NoError(t, client.Do(t.Context(), client.B().Arbitrary("ACL", "SETUSER", "walker").Args(rules...).Build()).Error())
	}
	as := func(option rueidis.ClientOption) rueidis.ClientOption {
		option.Username, option.Password = "walker", "pw"
		return option
	}
	t.Run("server", func(t *testing.T) {
		t.Parallel()
		server := nesttest.Start(t)
		server.Need(t, nesttest.ACL)
		allow(t, server.Client(t), "on", ">pw", "~walk:*", "+@all", "-info", "-role")
		w := openWalked(t, connect(t, as(server.ClientOption())))
		b := w.before.Batch()
		for i := range 300 {
			walkName.At(walkPlain.At(w.before), i).In(b).Set(i)
		}
		require.NoError(t, b.Exec(t.Context()))
		all, err := w.before.Subkeys(t.Context(), nest.ScanCount(20))
		require.NoError(t, err)
		require.Len(t, all, 300)
	})
	t.Run("Redis Cluster", func(t *testing.T) {
		t.Parallel()
		server := nesttest.Cluster(t)
		for _, node := range server.Nodes() {
			allow(t, node.Client(t), "on", ">pw", "~walk:*", "+@all", "-cluster|nodes")
		}
		w := openWalked(t, connect(t, as(server.ClientOption())))
		_, err := w.before.Subkeys(t.Context())
		require.ErrorIs(t, err, nest.ErrUnsupported)
		require.ErrorContains(t, err, "may not call CLUSTER NODES")
		_, err = w.before.Clear(t.Context())
		require.ErrorIs(t, err, nest.ErrUnsupported)
		report, err := nest.Rotate(t.Context(), w.now)
		require.ErrorIs(t, err, nest.ErrUnsupported)
		require.False(t, report.Clean())

		for _, node := range server.Nodes() {
			allow(t, node.Client(t), "+cluster|nodes", "-info")
		}
		fillSlots(t, server.Client(t), w.before, 5, 5)
		all, err := w.before.Subkeys(t.Context())
		require.NoError(t, err)
		require.Len(t, all, 50)
	})
}

// A caller that stops early leaves nothing behind.
func TestWalksThatAreLeft(t *testing.T) {
	client := nesttest.Client(t)
	top, err := nest.Open(client, walkTree, nest.WithPrefix(nesttest.Shared(t).Prefix(t)), nest.WithKeyring(walkRing(t)))
	require.NoError(t, err)
	plain := walkPlain.At(top)
	b := plain.Batch()
	for i := range 500 {
		walkName.At(plain, i).In(b).Set(i)
	}
	require.NoError(t, b.Exec(t.Context()))
	// What a walk runs, its own goroutines and what is waited for behind it, has this on its stack.
	const walking = "nest.(*keyWalk)"
	running := func() string {
		var stacks strings.Builder
		require.NoError(t, pprof.Lookup("goroutine").WriteTo(&stacks, 1))
		return stacks.String()
	}
	for range 50 {
		for _, err := range plain.Keys(t.Context(), nest.ScanCount(10)) {
			require.NoError(t, err)
			require.Contains(t, running(), walking)
			break
		}
	}
	// The step that was under way when the loop was left ends by itself.
	if !assert.Eventually(t, func() bool { return !strings.Contains(running(), walking) }, 10*time.Second, 10*time.Millisecond) {
		t.Log(running())
	}
}

func walkRing(t *testing.T) *secure.Keyring {
	t.Helper()
	ring, err := secure.NewKeyring(secure.GenerateKey())
	require.NoError(t, err)
	return ring
}
