//nest:ignore what wrong calls say is tested here

package suite_test

import (
	"context"
	"iter"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/secure"
)

// operations are all operations of a KeyRef[int], each with an argument that must appear in no
// error.
const telltale = 8675309

var operations = map[string]func(ctx context.Context, r nest.KeyRef[int]) error{
	"Get":         func(ctx context.Context, r nest.KeyRef[int]) error { _, err := r.Get(ctx); return err },
	"Lookup":      func(ctx context.Context, r nest.KeyRef[int]) error { _, _, err := r.Lookup(ctx); return err },
	"Raw":         func(ctx context.Context, r nest.KeyRef[int]) error { _, err := r.Raw(ctx); return err },
	"StoredType":  func(ctx context.Context, r nest.KeyRef[int]) error { _, err := r.StoredType(ctx); return err },
	"Swap":        func(ctx context.Context, r nest.KeyRef[int]) error { _, _, err := r.Swap(ctx, telltale); return err },
	"Take":        func(ctx context.Context, r nest.KeyRef[int]) error { _, _, err := r.Take(ctx); return err },
	"Set":         func(ctx context.Context, r nest.KeyRef[int]) error { return r.Set(ctx, telltale) },
	"Set KeepTTL": func(ctx context.Context, r nest.KeyRef[int]) error { return r.Set(ctx, telltale, nest.KeepTTL()) },
	"SetIfAbsent": func(ctx context.Context, r nest.KeyRef[int]) error {
		_, err := r.SetIfAbsent(ctx, telltale)
		return err
	},
	"SetIfPresent": func(ctx context.Context, r nest.KeyRef[int]) error {
		_, err := r.SetIfPresent(ctx, telltale)
		return err
	},
	"Update": func(ctx context.Context, r nest.KeyRef[int]) error {
		_, err := r.Update(ctx, func(int, bool) (int, error) { return telltale, nil })
		return err
	},
	"GetOrLoad": func(ctx context.Context, r nest.KeyRef[int]) error {
		_, err := r.GetOrLoad(ctx, func(context.Context) (int, error) { return telltale, nil })
		return err
	},
	"Exists": func(ctx context.Context, r nest.KeyRef[int]) error { _, err := r.Exists(ctx); return err },
	"Delete": func(ctx context.Context, r nest.KeyRef[int]) error { _, err := r.Delete(ctx); return err },
	"Touch":  func(ctx context.Context, r nest.KeyRef[int]) error { _, err := r.Touch(ctx); return err },
	"Expire": func(ctx context.Context, r nest.KeyRef[int]) error { _, err := r.Expire(ctx, time.Hour); return err },
	"ExpireIf": func(ctx context.Context, r nest.KeyRef[int]) error {
		_, err := r.ExpireIf(ctx, time.Hour, nest.IfNoExpiry)
		return err
	},
	"ExpireAt": func(ctx context.Context, r nest.KeyRef[int]) error {
		_, err := r.ExpireAt(ctx, time.Now().Add(time.Hour))
		return err
	},
	"ExpireTime":  func(ctx context.Context, r nest.KeyRef[int]) error { _, err := r.ExpireTime(ctx); return err },
	"Persist":     func(ctx context.Context, r nest.KeyRef[int]) error { _, err := r.Persist(ctx); return err },
	"TTL":         func(ctx context.Context, r nest.KeyRef[int]) error { _, err := r.TTL(ctx); return err },
	"Type":        func(ctx context.Context, r nest.KeyRef[int]) error { _, err := r.Type(ctx); return err },
	"MemoryUsage": func(ctx context.Context, r nest.KeyRef[int]) error { _, err := r.MemoryUsage(ctx); return err },
	"Dump":        func(ctx context.Context, r nest.KeyRef[int]) error { _, err := r.Dump(ctx); return err },
	"Restore":     func(ctx context.Context, r nest.KeyRef[int]) error { return r.Restore(ctx, []byte("8675309")) },
	"Rename":      func(ctx context.Context, r nest.KeyRef[int]) error { _, err := r.Rename(ctx, r); return err },
	"Copy":        func(ctx context.Context, r nest.KeyRef[int]) error { _, err := r.Copy(ctx, r); return err },
	"Do": func(ctx context.Context, r nest.KeyRef[int]) error {
		_, err := r.Do(ctx, "APPEND", "8675309")
		return err
	},
}

// errorOf returns err as an *nest.Error, the one shape of all errors.
func errorOf(t *testing.T, err error) *nest.Error {
	t.Helper()
	var e *nest.Error
	require.ErrorAs(t, err, &e)
	return e
}

// shaped requires the one shape of errors, without any of the values.
func shaped(t *testing.T, err error) {
	t.Helper()
	var e *nest.Error
	require.ErrorAs(t, err, &e)
	require.NotEmpty(t, e.Op)
	require.NotContains(t, err.Error(), "8675309")
}

// Every operation of a reference with an error returns that error, and nothing is sent.
func TestBadReferences(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	stranger := nest.Key[int]("age")
	for what, c := range map[string]struct {
		ref  nest.KeyRef[int]
		want error
	}{
		"missing parameter": {age.At(s), nest.ErrMissingParam},
		"extra parameter":   {age.At(s, 1, 2), nest.ErrExtraParam},
		"unknown parameter": {age.At(s, nest.Param[int]("usr_id").Of(1)), nest.ErrExtraParam},
		"wrong type":        {age.At(s, "8675309"), nest.ErrParamType},
		"not mounted":       {stranger.At(s, 1), nest.ErrNotMounted},
		"zero scope":        {age.At(nest.Scope{}, 1), nest.ErrNoClient},
		"zero reference":    {nest.KeyRef[int]{}, nest.ErrNoClient},
	} {
		t.Run(what, func(t *testing.T) {
			require.ErrorIs(t, c.ref.Err(), c.want)
			for op, do := range operations {
				err := do(t.Context(), c.ref)
				require.ErrorIs(t, err, c.want, op)
				shaped(t, err)
			}
			require.Empty(t, c.ref.Key())
		})
	}
	names, err := s.Subkeys(t.Context())
	require.NoError(t, err)
	require.Empty(t, names)
	require.False(t, db.exists("root:user:1:age"))
}

// All operations that read or compare the value report a key of another Redis type, and leave it.
func TestWrongType(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	ref := age.At(s, 1)
	for _, op := range []string{"Get", "Lookup", "Raw", "StoredType", "Swap", "Take", "Update", "GetOrLoad", "Do"} {
		require.NoError(t, db.do("DEL", ref.Key()).Error())
		require.NoError(t, db.do("RPUSH", ref.Key(), "8675309").Error())
		err := operations[op](t.Context(), ref)
		require.ErrorIs(t, err, nest.ErrWrongType, op)
		require.Contains(t, err.Error(), "holds a list", op)
		shaped(t, err)
		n, err := db.do("LLEN", ref.Key()).ToInt64()
		require.NoError(t, err, op)
		require.Equal(t, int64(1), n, op)
	}

	// Operations that do not look at the value accept the key like any other. Operations that
	// replace the value do so.
	require.NoError(t, ref.Set(t.Context(), 3))
	require.Equal(t, "3", db.text(ref.Key()))
}

// A value that is not of the declared type is reported. It is never read as zero and never quoted.
func TestUndecodable(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	ref := age.At(s, 1)
	for what, stored := range map[string]string{
		"text":         "8675309 times",
		"empty":        "",
		"float":        "8675309.5",
		"out of range": "867530986753098675309",
		"with space":   " 8675309",
		"JSON":         `{"n":8675309}`,
		"binary":       "\x00\xff8675309",
		"hexadecimal":  "0x8675309",
		"underscores":  "867_5309",
	} {
		for _, op := range []string{"Get", "Lookup", "StoredType", "Swap", "Take", "Update", "GetOrLoad"} {
			db.set(ref.Key(), stored)
			err := operations[op](t.Context(), ref)
			require.ErrorIs(t, err, nest.ErrDecode, "%s of %s", op, what)
			shaped(t, err)
			if op != "Swap" && op != "Take" { // these say that they write all the same
				require.Equal(t, stored, db.text(ref.Key()), "%s of %s", op, what)
			}
		}
	}

	device := session.At(s, 1, "token")
	for _, stored := range []string{`{"Device":8675309}`, `{"At":"8675309"}`, `{`, `null 8675309`, `[8675309]`} {
		db.set(device.Key(), stored)
		_, err := device.Get(t.Context())
		require.ErrorIs(t, err, nest.ErrDecode, "%s", stored)
		shaped(t, err)
	}
}

// The server's error about an unknown command repeats the command's arguments.
func TestUnknownCommand(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	_, err := age.At(s, 1).Do(t.Context(), "NOSUCHCOMMAND", "8675309")
	require.ErrorIs(t, err, nest.ErrUnsupported)
	shaped(t, err)
	_, err = age.At(s, 1).Do(t.Context(), "OBJECT NOSUCHWORD", "8675309")
	require.Error(t, err)
	shaped(t, err)
}

// Other refusals of the server are passed on without the values that they are about.
func TestRefusedByTheServer(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	ref := age.At(s, 1)
	db.set(ref.Key(), "1")
	_, err := ref.Do(t.Context(), "SETRANGE", "-8675309", "x")
	require.Error(t, err)
	shaped(t, err)
	_, err = ref.Do(t.Context(), "INCRBY", "8675309x")
	require.Error(t, err)
	shaped(t, err)
}

// A value that the codec cannot encode is refused before anything is sent.
func TestUnencodable(t *testing.T) {
	t.Parallel()
	key := nest.Key[float64Box]("key")
	s := nesttest.Open(t, nest.Cluster("values", nest.Sub(key)))
	ref := key.At(s)
	bad := float64Box{math.NaN()}
	require.ErrorIs(t, ref.Set(t.Context(), bad), nest.ErrEncode)
	_, err := ref.SetIfAbsent(t.Context(), bad)
	require.ErrorIs(t, err, nest.ErrEncode)
	_, _, err = ref.Swap(t.Context(), bad)
	require.ErrorIs(t, err, nest.ErrEncode)
	_, err = ref.Update(t.Context(), func(float64Box, bool) (float64Box, error) { return bad, nil })
	require.ErrorIs(t, err, nest.ErrEncode)
	_, err = ref.GetOrLoad(t.Context(), func(context.Context) (float64Box, error) { return bad, nil })
	require.ErrorIs(t, err, nest.ErrEncode)
	there, err := ref.Exists(t.Context())
	require.NoError(t, err)
	require.False(t, there)
}

// float64Box is encoded as JSON, which cannot represent NaN or infinity.
type float64Box struct{ F float64 }

func TestExpiryOptionsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	ref := age.At(s, 1)
	for what, opts := range map[string][]nest.SetOption{
		"two":              {nest.KeepTTL(), nest.NoExpiry()},
		"no time":          {nest.ExpireIn(0)},
		"negative":         {nest.ExpireIn(-time.Second)},
		"under a millisec": {nest.ExpireIn(time.Microsecond)},
		"zero time":        {nest.ExpireUntil(time.Time{})},
	} {
		require.ErrorIs(t, ref.Set(t.Context(), 1, opts...), nest.ErrArgument, what)
		_, err := ref.SetIfAbsent(t.Context(), 1, opts...)
		require.ErrorIs(t, err, nest.ErrArgument, what)
		require.False(t, db.exists(ref.Key()), what)
	}
}

// A bare number used as a duration counts nanoseconds. The error says so.
func TestDurationsInNanoseconds(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	value, hash, jobs := nest.Key[int]("value"), nest.Hash[int]("hash"), nest.Stream[int]("jobs")
	s := nesttest.Open(t, nest.Cluster("durations", nest.Sub(value, hash, jobs)))
	v, h, j := value.At(s), hash.At(s), jobs.At(s)
	require.NoError(t, v.Set(ctx, 1))
	require.NoError(t, h.Set(ctx, "f", 1))
	for what, do := range map[string]func(time.Duration) error{
		"set":              func(d time.Duration) error { return v.Set(ctx, 2, nest.ExpireIn(d)) },
		"expire":           func(d time.Duration) error { _, err := v.Expire(ctx, d); return err },
		"expire if":        func(d time.Duration) error { _, err := v.ExpireIf(ctx, d, nest.IfNoExpiry); return err },
		"get and expire":   func(d time.Duration) error { _, _, err := v.GetAndExpire(ctx, d); return err },
		"field":            func(d time.Duration) error { return h.Set(ctx, "f", 2, nest.FieldTTL(d)) },
		"expire fields":    func(d time.Duration) error { _, err := h.ExpireFields(ctx, d, "f"); return err },
		"expire fields if": func(d time.Duration) error { _, err := h.ExpireFieldsIf(ctx, d, nest.IfNoExpiry, "f"); return err },
		"get fields":       func(d time.Duration) error { _, err := h.GetAndExpire(ctx, d, "f"); return err },
		"block":            func(d time.Duration) error { _, err := j.Read(ctx, "0", nest.Block(d)); return err },
		"claim":            func(d time.Duration) error { _, err := j.Claim(ctx, "g", "c", d, "1-1"); return err },
		"auto claim":       func(d time.Duration) error { _, err := j.AutoClaim(ctx, "g", "c", d, "", 1); return err },
		"pending":          func(d time.Duration) error { _, err := j.Pending(ctx, "g", nest.PendingQuery{Idle: d}); return err },
		"claim after": func(d time.Duration) error {
			return j.Consume(ctx, "g", "c", func(context.Context, nest.Delivery[int]) error { return nil }, nest.ClaimAfter(d))
		},
	} {
		err := do(60)
		require.ErrorIs(t, err, nest.ErrArgument, what)
		require.ErrorContains(t, err, "a time.Duration counts nanoseconds: for seconds write 60*time.Second", what)
		err = do(-1)
		require.ErrorIs(t, err, nest.ErrArgument, what)
		require.NotContains(t, err.Error(), "nanoseconds", what)
	}
	left, err := v.TTL(ctx)
	require.NoError(t, err)
	require.Equal(t, nest.Forever, left, "nothing was sent")
	got, err := h.Get(ctx, "f")
	require.NoError(t, err)
	require.Equal(t, 1, got)
}

// The shortest wait is a millisecond. A remaining time that is shorter must not be refused.
func TestShortestWait(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	list, set := nest.List[int]("list"), nest.SortedSet[int]("set")
	s := nesttest.Open(t, nest.Cluster("waits", nest.HashTag(), nest.Sub(list, set)))
	for what, wait := range map[string]func() (bool, error){
		"left":  func() (bool, error) { _, ok, err := list.At(s).WaitPopLeft(ctx, 1); return ok, err },
		"right": func() (bool, error) { _, ok, err := list.At(s).WaitPopRight(ctx, 1); return ok, err },
		"min":   func() (bool, error) { _, ok, err := set.At(s).WaitPopMin(ctx, 1); return ok, err },
		"move": func() (bool, error) {
			_, ok, err := list.At(s).WaitMove(ctx, nest.Left, list.At(s), nest.Right, 1)
			return ok, err
		},
	} {
		start := time.Now()
		ok, err := wait()
		require.NoError(t, err, what)
		require.False(t, ok, what)
		require.GreaterOrEqual(t, time.Since(start), time.Millisecond, what)
	}
}

// A nil context is an error of the operation that gets it, and nothing is sent.
func TestNilContext(t *testing.T) {
	t.Parallel()
	var none context.Context
	list, set, jobs := nest.List[int]("list"), nest.SortedSet[int]("set"), nest.Stream[int]("jobs")
	job, calls, news := nest.Lock("job", nest.TTL(60)), nest.Limiter("calls", nest.Rate(1, time.Hour)), nest.Channel[int]("news")
	value, tags, key := nest.Key[int]("value", nest.Cached(time.Minute)), nest.Set[int]("tags"), nest.Secret[string]("key")
	s := nesttest.Open(t, nest.Cluster("nothing", nest.Sub(list, set, jobs, job, calls, news, value, tags, key)), nest.WithKeyring(newRing(t, secure.GenerateKey())))
	v, l, z, j := value.At(s), list.At(s), set.At(s), jobs.At(s)
	held := acquired(t, job.At(s))
	for op, do := range map[string]func() error{
		"get":    func() error { _, err := v.Get(none); return err },
		"set":    func() error { return v.Set(none, telltale) },
		"delete": func() error { _, err := v.Delete(none); return err },
		"update": func() error {
			_, err := v.Update(none, func(int, bool) (int, error) { return telltale, nil })
			return err
		},
		"get or load": func() error {
			_, err := v.GetOrLoad(none, func(context.Context) (int, error) { return telltale, nil })
			return err
		},
		"rename":          func() error { _, err := key.At(s).Rename(none, key.At(s)); return err },
		"push left":       func() error { _, err := l.PushLeft(none, telltale); return err },
		"wait pop left":   func() error { _, _, err := l.WaitPopLeft(none, 0); return err },
		"wait pop right":  func() error { _, _, err := l.WaitPopRight(none, 0); return err },
		"wait pop left n": func() error { _, err := l.WaitPopLeftN(none, 0, 0); return err },
		"move":            func() error { _, _, err := l.WaitMove(none, nest.Left, l, nest.Right, 0); return err },
		"range":           func() error { return firstError(l.Iterate(none)) },
		"iterate":         func() error { return firstError(tags.At(s).Iterate(none)) },
		"wait pop min":    func() error { _, _, err := z.WaitPopMin(none, 0); return err },
		"wait pop max n":  func() error { _, err := z.WaitPopMaxN(none, 1, 0); return err },
		"read":            func() error { _, err := j.Read(none, ""); return err },
		"read group":      func() error { _, err := j.ReadGroup(none, "g", "c"); return err },
		"read pending":    func() error { _, err := j.ReadPending(none, "g", "c", ""); return err },
		"entries":         func() error { return firstError(j.Range(none, "", "")) },
		"consume": func() error {
			return j.Consume(none, "g", "c", func(context.Context, nest.Delivery[int]) error { return nil })
		},
		"acquire":     func() error { _, err := job.At(s).Acquire(none); return err },
		"try acquire": func() error { _, _, err := job.At(s).TryAcquire(none); return err },
		"run":         func() error { return job.At(s).Run(none, nil) },
		"extend":      func() error { return held.Extend(none) },
		"release":     func() error { return held.Release(none) },
		"allow":       func() error { _, err := calls.At(s).Allow(none); return err },
		"wait n":      func() error { _, err := calls.At(s).WaitN(none, 1); return err },
		"subscribe":   func() error { return firstError(news.At(s).Subscribe(none)) },
	} {
		err := do()
		require.ErrorIs(t, err, nest.ErrArgument, op)
		require.ErrorContains(t, err, "the context is nil", op)
		require.Equal(t, op, errorOf(t, err).Op)
		require.NotEmpty(t, errorOf(t, err).Key, op)
		shaped(t, err)
	}
	require.ErrorIs(t, errorOf(t, nest.KeyRef[int]{}.Set(none, 1)), nest.ErrNoClient, "a bad reference comes first")
}

// firstError returns the error that a stream ends with.
func firstError[T any](seq iter.Seq2[T, error]) error {
	for _, err := range seq {
		if err != nil {
			return err
		}
	}
	return nil
}

// When the context has ended, the error names that as the reason, and nothing is written.
func TestContextIsOver(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	ref := age.At(s, 1)
	for op, do := range operations {
		if op == "Rename" || op == "Copy" { // refused earlier: both keys are the same
			continue
		}
		err := do(canceled, ref)
		require.ErrorIs(t, err, context.Canceled, op)
		shaped(t, err)
		err = do(late, ref)
		require.ErrorIs(t, err, context.DeadlineExceeded, op)
		shaped(t, err)
	}
	require.False(t, db.exists(ref.Key()))
	for op, do := range operations {
		require.NotPanics(t, func() {
			var none context.Context
			require.ErrorIs(t, do(none, ref), nest.ErrArgument, op)
		}, op)
	}
}
