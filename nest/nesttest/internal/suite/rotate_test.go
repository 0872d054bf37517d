package suite_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/secure"
)

var (
	ownerID    = nest.Param[string]("owner", nest.Sensitive())
	rotKey     = nest.Secret[string]("key:<n>")
	rotCount   = nest.Secret[int]("count:<n>", nest.TTL(time.Hour))
	rotPass    = nest.Password("password:<n>")
	rotPlain   = nest.Key[string]("plain:<n>")
	rotOwner   = nest.Cluster("owner:<owner>", nest.Params(ownerID), nest.Sub(rotKey, rotCount, rotPass, rotPlain))
	rotBeyond  = nest.Secret[string]("beyond")
	rotOutside = nest.Cluster("outside", nest.Sub(rotBeyond))
	rotTree    = nest.Cluster("rotation", nest.Sub(rotOwner, rotOutside))
)

// rotation is a tree before and after its keyring was replaced.
type rotation struct {
	db       redis
	old, now nest.Scope
	oldKey   secure.Key
	nowKey   secure.Key
}

func newRotation(t *testing.T) rotation {
	t.Helper()
	r := rotation{db: redis{t, nesttest.Client(t)}, oldKey: secure.GenerateKey(), nowKey: secure.GenerateKey()}
	r.old = nesttest.Open(t, rotTree, nest.WithPasswords(newPasswords(t, 16)), nest.WithKeyring(newRing(t, r.oldKey)))
	r.now = r.open(t, newRing(t, r.nowKey, secure.AcceptOnly(r.oldKey)))
	return r
}

// open opens the tree again, under another keyring.
func (r rotation) open(t *testing.T, ring nest.Sealer, opts ...nest.OpenOption) nest.Scope {
	t.Helper()
	opts = append([]nest.OpenOption{
		nest.WithPrefix(strings.TrimSuffix(r.old.Prefix(), ":rotation")), nest.WithPasswords(newPasswords(t, 16)), nest.WithKeyring(ring),
	}, opts...)
	return nesttest.Open(t, rotTree, opts...)
}

func rotate(t *testing.T, s nest.Scope, opts ...nest.RotateOption) nest.RotateReport {
	t.Helper()
	report, err := nest.Rotate(t.Context(), s, opts...)
	require.NoError(t, err)
	require.Equal(t, report.Scanned, report.Current+report.Resealed+report.Conflicts+report.Failed)
	require.Empty(t, report.Cursor)
	return report
}

func TestRotate(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := newRotation(t)
	const n = 300
	a := rotOwner.At(r.old, "a")
	b := a.Batch()
	for i := range n {
		rotKey.At(a, i).In(b).Set(fmt.Sprint("value ", i), nest.ExpireIn(time.Duration(100+i)*time.Second))
		rotCount.At(a, i).In(b).Set(i)
		rotPlain.At(a, i).In(b).Set("plain")
	}
	require.NoError(t, b.Exec(ctx))
	require.NoError(t, rotPass.At(a, 1).Set(ctx, "right", nest.ExpireIn(time.Minute)))
	require.NoError(t, rotBeyond.At(r.old).Set(ctx, "beyond"))
	require.NoError(t, rotKey.At(r.now, "a", "current").Set(ctx, "current"))
	undeclared := a.Prefix() + ":other:1"
	r.db.set(undeclared, "other")

	names, err := r.old.Subkeys(ctx)
	require.NoError(t, err)
	before := make(map[string]string)
	for _, name := range names {
		before[name] = r.db.text(name)
	}
	dry := rotate(t, rotOwner.At(r.now, "a"), nest.DryRun())
	require.True(t, dry.DryRun)
	for name, text := range before {
		require.Equal(t, text, r.db.text(name), "a dry run writes nothing")
	}

	done := rotate(t, rotOwner.At(r.now, "a"))
	require.EqualValues(t, 2*n+2, done.Scanned)
	require.EqualValues(t, 2*n+1, done.Resealed)
	require.EqualValues(t, 1, done.Current)
	require.Equal(t, map[string]int64{r.oldKey.ID(): 2*n + 1, r.nowKey.ID(): 1}, done.ByKeyID)
	require.Empty(t, done.Failures)
	require.False(t, done.Clean(), "the first pass found something")
	dry.DryRun, dry.Elapsed = false, done.Elapsed
	require.Equal(t, done, dry, "a dry run reports what the pass does")
	require.Positive(t, done.Elapsed)

	for _, name := range []string{undeclared, rotBeyond.At(r.old).Key(), rotPlain.At(a, 7).Key()} {
		require.Equal(t, before[name], r.db.text(name), "what is no secret or not below the scope is left alone")
	}
	only := r.open(t, newRing(t, r.nowKey))
	for i := range n {
		v, err := rotKey.At(only, "a", i).Get(ctx)
		require.NoError(t, err, "without the old key")
		require.Equal(t, fmt.Sprint("value ", i), v)
		about(t, time.Duration(100+i)*time.Second, r.db.ttl(rotKey.At(a, i).Key()))
		c, err := rotCount.At(only, "a", i).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, i, c)
	}
	requireVerify(t, true, rotPass.At(only, "a", 1), "right")
	about(t, time.Minute, r.db.ttl(rotPass.At(a, 1).Key()))
	_, err = rotBeyond.At(only).Get(ctx)
	require.ErrorIs(t, err, secure.ErrUnknownKey)

	again := rotate(t, rotOwner.At(r.now, "a"))
	require.True(t, again.Clean())
	require.EqualValues(t, 2*n+2, again.Current)
	require.False(t, rotate(t, r.now).Clean(), "there is one beyond the scope")
	require.True(t, rotate(t, r.now).Clean())
}

// Another client writes each value between the sweep's read and its write.
func TestRotateLeavesConcurrentWritesAlone(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := newRotation(t)
	ref := rotCount.At(r.old, "a", 1)
	for what, c := range map[string]struct {
		write func()
		want  int
		ttl   time.Duration
	}{
		"Set":      {func() { require.NoError(t, ref.Set(ctx, 2)) }, 2, time.Hour},
		"Set soon": {func() { require.NoError(t, ref.Set(ctx, 2, nest.ExpireIn(time.Minute))) }, 2, time.Minute},
		"Update": {func() {
			_, err := ref.Update(ctx, func(n int, _ bool) (int, error) { return n + 1, nil })
			require.NoError(t, err)
		}, 2, time.Hour},
		"Set to the same":   {func() { require.NoError(t, ref.Set(ctx, 1)) }, 1, time.Hour},
		"Delete":            {func() { _, err := ref.Delete(ctx); require.NoError(t, err) }, 0, 0},
		"of another type":   {func() { r.db.do("DEL", ref.Key()); r.db.do("RPUSH", ref.Key(), "x") }, 0, 0},
		"of another writer": {func() { require.NoError(t, rotCount.At(r.now, "a", 1).Set(ctx, 3)) }, 3, time.Hour},
	} {
		t.Run(what, func(t *testing.T) {
			require.NoError(t, r.db.do("DEL", ref.Key()).Error())
			require.NoError(t, ref.Set(ctx, 1, nest.ExpireIn(2*time.Hour)))
			meddled := r.open(t, meddling{newRing(t, r.nowKey, secure.AcceptOnly(r.oldKey)), c.write})
			report := rotate(t, meddled)
			require.EqualValues(t, 1, report.Conflicts)
			require.False(t, report.Clean())
			if c.want == 0 {
				return
			}
			about(t, c.ttl, r.db.ttl(ref.Key()))
			rotate(t, r.now)
			got, err := rotCount.At(r.now, "a", 1).Get(ctx)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			about(t, c.ttl, r.db.ttl(ref.Key()))
		})
	}
}

// Processes with the old key and with the new key increment counters while passes run. Every
// increment counts, and every key keeps an expiry.
func TestRotateWhileOthersWrite(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := newRotation(t)
	both := r.open(t, newRing(t, r.oldKey, secure.AcceptOnly(r.nowKey)))
	const keys, writers, additions = 40, 4, 300
	var writing atomic.Int64
	writing.Store(writers)
	together(writers+1, func(i int) {
		if i == writers {
			for writing.Load() > 0 {
				if _, err := nest.Rotate(ctx, r.now); err != nil {
					t.Error(err)
				}
			}
			return
		}
		defer writing.Add(-1)
		from := []nest.Scope{both, r.now}[i%2]
		for j := range additions {
			if _, err := rotCount.At(from, "a", j%keys).Update(ctx, func(n int, _ bool) (int, error) { return n + 1, nil }); err != nil {
				t.Error(err)
			}
		}
	})
	rotate(t, r.now)
	require.True(t, rotate(t, r.now).Clean())
	sum := 0
	for j := range keys {
		n, err := rotCount.At(r.now, "a", j).Get(ctx)
		require.NoError(t, err)
		sum += n
		about(t, time.Hour, r.db.ttl(rotCount.At(r.now, "a", j).Key()))
	}
	require.Equal(t, writers*additions, sum)
}

func TestRotateTellsWhatFails(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := newRotation(t)
	at := rotOwner.At(r.now, sentinel)
	stranger := r.open(t, newRing(t, secure.GenerateKey()))

	require.NoError(t, rotKey.At(r.old, sentinel, "good").Set(ctx, "good"))
	require.NoError(t, rotKey.At(stranger, sentinel, "stranger").Set(ctx, sentinel))
	r.db.set(rotKey.At(at, "moved").Key(), r.db.text(rotKey.At(r.old, sentinel, "good").Key()))
	r.db.set(rotKey.At(at, "empty").Key(), "")
	require.NoError(t, r.db.do("RPUSH", rotCount.At(at, "list").Key(), sentinel).Error())
	for i := range 150 {
		r.db.set(rotPass.At(at, i).Key(), sentinel)
	}

	report := rotate(t, r.now)
	require.EqualValues(t, 155, report.Scanned)
	require.EqualValues(t, 1, report.Resealed)
	require.EqualValues(t, 154, report.Failed)
	require.Equal(t, map[string]int64{
		secure.ErrUnknownKey.Error(): 1,
		secure.ErrOpen.Error():       1,
		secure.ErrNotSealed.Error():  151,
		nest.ErrWrongType.Error():    1,
	}, report.FailuresByKind)
	require.EqualValues(t, 152, report.ByKeyID[""])
	require.Len(t, report.Failures, nest.MaxRotateFailures)
	for _, f := range report.Failures {
		require.Contains(t, f.Key, ":owner:<owner>:", "a sensitive parameter is in no report")
		require.Error(t, f.Err)
	}
	text := report.String()
	require.NotContains(t, text, sentinel)
	require.Contains(t, text, "scanned 155: current 0, resealed 1, conflicts 0, failed 154")
	require.Contains(t, text, "and 54 more")
	require.Contains(t, text, "sealed by "+r.oldKey.ID()+": 2")

	require.Equal(t, sentinel, r.db.text(rotPass.At(at, 7).Key()), "what does not open is not overwritten")
	v, err := rotKey.At(r.now, sentinel, "good").Get(ctx)
	require.NoError(t, err)
	require.Equal(t, "good", v)
	require.False(t, rotate(t, r.now).Clean())
}

// Made-up key IDs do not fill the memory.
func TestRotateOfManyMadeUpKeys(t *testing.T) {
	t.Parallel()
	r := newRotation(t)
	at := rotOwner.At(r.now, "a")
	const n = nest.MaxRotateKeyIDs + 50
	for i := range n {
		r.db.set(rotKey.At(at, i).Key(), fmt.Sprintf("\xfa\x5e\x01%08d%s", i, strings.Repeat("x", secure.Overhead)))
	}
	report := rotate(t, r.now)
	require.EqualValues(t, n, report.Failed)
	require.Len(t, report.ByKeyID, nest.MaxRotateKeyIDs+1)
	require.EqualValues(t, n-nest.MaxRotateKeyIDs, report.ByKeyID[nest.OtherKeyIDs])
	require.Contains(t, report.String(), "sealed by others: 50")
}

// A pass that was interrupted continues where it stopped.
func TestRotateResumes(t *testing.T) {
	t.Parallel()
	r := newRotation(t)
	const n = 500
	b := r.old.Batch()
	for i := range n {
		rotKey.At(r.old, "a", i).In(b).Set("x")
	}
	require.NoError(t, b.Exec(t.Context()))

	cursor, earlier, resealed, passes := "", "", int64(0), 0
	for done := false; !done; passes++ {
		ctx, cancel := context.WithCancel(t.Context())
		steps := 0
		report, err := nest.Rotate(ctx, r.now, nest.ScanCount(40), nest.ResumeFrom(cursor), nest.Progress(func(p nest.WalkProgress) {
			if steps++; steps == 2 {
				cancel()
			}
			require.GreaterOrEqual(t, p.Left, time.Duration(0))
		}))
		cancel()
		resealed += report.Resealed
		if done = report.Cursor == ""; !done {
			require.ErrorIs(t, err, context.Canceled)
			require.Contains(t, report.String(), "resume from "+report.Cursor)
			earlier = report.Cursor
		}
		require.False(t, report.Clean(), "no pass saw all keys")
		cursor = report.Cursor
		require.Less(t, passes, 10_000)
	}
	require.EqualValues(t, n, resealed)
	require.True(t, rotate(t, r.now).Clean())
	if earlier == "" {
		return // the server takes all keys in one step
	}
	walk, _, _ := strings.Cut(earlier, "-")
	require.True(t, rotate(t, r.now, nest.ResumeFrom(walk+"-other-3-77")).Clean(), "a cursor of other servers is the beginning")
	require.EqualValues(t, n, rotate(t, r.now, nest.ResumeFrom(walk+"-other-3-77")).Current)
	_, err := nest.Rotate(t.Context(), rotOwner.At(r.now, "a"), nest.ResumeFrom(earlier))
	require.ErrorIs(t, err, nest.ErrArgument, "a cursor of another walk would leave out keys")
}

func TestRotateKeepsToItsRate(t *testing.T) {
	t.Parallel()
	client := nesttest.Start(t).Client(t) // the rate is that of all keys
	old, key := secure.GenerateKey(), secure.GenerateKey()
	open := func(ring nest.Sealer) nest.Scope {
		s, err := nest.Open(client, rotTree, nest.WithPasswords(newPasswords(t, 16)), nest.WithKeyring(ring))
		require.NoError(t, err)
		return s
	}
	r := rotation{old: open(newRing(t, old)), now: open(newRing(t, key, secure.AcceptOnly(old)))}
	for i := range 50 {
		require.NoError(t, rotKey.At(r.old, "a", i).Set(t.Context(), "x"))
	}
	start := time.Now()
	report := rotate(t, r.now, nest.KeysPerSecond(200))
	require.EqualValues(t, 50, report.Resealed)
	require.GreaterOrEqual(t, time.Since(start), 250*time.Millisecond)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := nest.Rotate(ctx, r.now, nest.KeysPerSecond(1))
	require.ErrorIs(t, err, context.Canceled)
}

// Secrets and passwords of the Python library are sealed if the keyring and the tree read them.
func TestRotateConvertsWhatThePythonLibraryStored(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	file, err := os.ReadFile("../../../../secure/testdata/interop/python_fernet.json")
	require.NoError(t, err)
	var vectors struct {
		Tests []struct {
			Key, Plaintext string
			RedisValue     string `json:"redis_value"`
		}
	}
	require.NoError(t, json.Unmarshal(file, &vectors))
	fernet, err := secure.ParseKey(vectors.Tests[0].Key)
	require.NoError(t, err)
	ring := newRing(t, secure.GenerateKey(), secure.AcceptFernet(fernet))
	r := newRotation(t)
	s := r.open(t, ring, nest.AcceptPlainHashes())

	want := make(map[string]string)
	for i, v := range vectors.Tests {
		if v.Key != vectors.Tests[0].Key {
			continue
		}
		ref := rotKey.At(s, "a", i)
		require.NoError(t, r.db.do("SET", ref.Key(), v.RedisValue, "EX", "60").Error())
		want[ref.Key()] = v.Plaintext
	}
	const bcrypt = "$2b$04$JZzJv2/gj5DyI1NfVGKozO/9YPvwOhA2u9T0zkiYpSDQwigQl4A0K"
	r.db.set(rotPass.At(s, "a", 1).Key(), `{"__type__": "str", "value": "`+bcrypt+`"}`)
	r.db.set(rotPass.At(s, "a", 2).Key(), bcrypt)

	report := rotate(t, s)
	require.EqualValues(t, len(want)+2, report.Resealed)
	require.Equal(t, map[string]int64{secure.FernetKeyID: int64(len(want)), "": 2}, report.ByKeyID)
	opened := ring.FernetOpened()
	require.EqualValues(t, len(want), opened)
	for i, v := range vectors.Tests {
		ref := rotKey.At(s, "a", i)
		if _, ok := want[ref.Key()]; !ok {
			continue
		}
		got, err := ref.Get(ctx)
		require.NoError(t, err)
		require.Equal(t, v.Plaintext, got)
		about(t, time.Minute, r.db.ttl(ref.Key()))
	}
	for i := range 2 {
		require.True(t, strings.HasPrefix(r.db.text(rotPass.At(s, "a", i+1).Key()), "\xfa\x5e"))
		requireVerify(t, true, rotPass.At(s, "a", i+1), "hunter2")
	}
	require.Equal(t, opened, ring.FernetOpened(), "none is left")
	require.True(t, rotate(t, s).Clean())
}

func TestRotateRefuses(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := newRotation(t)
	for what, opt := range map[string]nest.RotateOption{
		"no rate":           nest.KeysPerSecond(0),
		"no function":       nest.Progress(nil),
		"no cursor":         nest.ResumeFrom(sentinel),
		"a place too many":  nest.ResumeFrom("w-a-b-c"),
		"a negative place":  nest.ResumeFrom("w-a--1-3"),
		"a cursor too long": nest.ResumeFrom("w-a-1-99999999999999999999"),
	} {
		_, err := nest.Rotate(ctx, r.now, opt)
		require.ErrorIs(t, err, nest.ErrArgument, what)
		require.NotContains(t, err.Error(), sentinel)
	}
	_, err := nest.Rotate(ctx, r.now, nil)
	require.ErrorIs(t, err, nest.ErrArgument)
	var none context.Context
	_, err = nest.Rotate(none, r.now)
	require.ErrorIs(t, err, nest.ErrArgument)
	_, err = nest.Rotate(ctx, nest.Scope{})
	require.ErrorIs(t, err, nest.ErrNoClient)
	_, err = nest.Rotate(ctx, rotOwner.At(r.now)) //nest:ignore the error is what is tested
	require.ErrorIs(t, err, nest.ErrMissingParam)
	plain, _ := openAccount(t)
	_, err = nest.Rotate(ctx, plain)
	require.ErrorIs(t, err, nest.ErrNoKeyring)

	canceled, cancel := context.WithCancel(ctx)
	cancel()
	report, err := nest.Rotate(canceled, r.now)
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, report.Clean(), "nothing was examined")
}

// Long values are read a few at a time, and values over the keyring's limit are left alone.
func TestRotateOfLongValues(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := newRotation(t)
	long := strings.Repeat("x", 9<<20)
	old := r.open(t, newRing(t, r.oldKey, secure.MaxPlaintext(16<<20)))
	for i := range 4 {
		require.NoError(t, rotKey.At(old, "a", i).Set(ctx, long))
	}
	require.NoError(t, rotKey.At(old, "a", "short").Set(ctx, "short"))

	report := rotate(t, r.now)
	require.EqualValues(t, 1, report.Resealed)
	require.Equal(t, map[string]int64{secure.ErrTooLarge.Error(): 4}, report.FailuresByKind)
	now := r.open(t, newRing(t, r.nowKey, secure.AcceptOnly(r.oldKey), secure.MaxPlaintext(16<<20)))
	require.EqualValues(t, 4, rotate(t, now).Resealed)
	got, err := rotKey.At(now, "a", 3).Get(ctx)
	require.NoError(t, err)
	require.Len(t, got, len(long))
	require.Empty(t, strings.Trim(got, "x"))
}
