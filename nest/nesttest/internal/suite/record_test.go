package suite_test

import (
	"context"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec/gob"
	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

type stamped struct {
	Created time.Time `nest:"created,omitzero"`
}

type person struct {
	stamped
	Name    string         `nest:"name"`
	Plan    string         `nest:"plan,default=free"`
	Credit  int64          `nest:"credit"`
	Balance float64        `nest:"balance"`
	Level   level          `nest:"level"`
	Rank    int8           `nest:"rank"`
	Mail    *string        `nest:"mail,was=email,was=e_mail"`
	Home    netip.Addr     `nest:"home,omitzero"`
	Tags    []string       `nest:"tags"`
	At      map[string]int `nest:"at,omitzero"`
	Any     any            `nest:"any,omitzero"`
	Local   func()         `nest:"-"`
}

func someone() person {
	mail := "a@example.org"
	return person{
		stamped: stamped{time.Date(2024, 2, 29, 1, 2, 3, 4, time.UTC)},
		Name:    "Ali", Plan: "gold", Credit: 7, Balance: 1.5, Level: 3, Rank: -8,
		Mail: &mail, Home: netip.MustParseAddr("2001:db8::1"),
		Tags: []string{"x", "y"}, At: map[string]int{"n": 1}, Any: "text",
	}
}

func openRecord[S any](t *testing.T, opts ...nest.KeyOption) (nest.RecordRef[S], redis) {
	t.Helper()
	def := nest.Record[S]("record", opts...)
	return def.At(nesttest.Open(t, nest.Cluster("records", nest.Sub(def)))), redis{t, nesttest.Client(t)}
}

// A record in which every field is stored as no field creates no key, although SetIfAbsent reported
// every time that it did.
func TestRecordWithNothingToStore(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	type sparse struct {
		Mail *string `nest:"mail"`
		Size int     `nest:"size,omitzero"`
	}
	ref, db := openRecord[sparse](t, nest.TTL(declaredTTL))
	for range 2 {
		done, err := ref.SetIfAbsent(ctx, sparse{})
		require.NoError(t, err)
		require.False(t, done)
		require.False(t, db.exists(ref.Key()))
	}
	_, err := ref.SetIfAbsent(ctx, sparse{}, nest.ExpireIn(0))
	require.ErrorIs(t, err, nest.ErrArgument)
	done, err := ref.SetIfAbsent(ctx, sparse{Size: 1})
	require.NoError(t, err)
	require.True(t, done)
	done, err = ref.SetIfPresent(ctx, sparse{})
	require.NoError(t, err)
	require.True(t, done, "it was present")
	require.False(t, db.exists(ref.Key()))
}

// A hash with only foreign fields holds no record. All reads agree on that.
func TestRecordOfForeignFields(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]nest.KeyOption{
		"plain":    nil,
		"renewed":  {nest.TTL(declaredTTL), nest.AutoRenew()},
		"fallback": {nest.Default(person{Name: "Nobody", Credit: 3})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			ref, db := openRecord[person](t, opts...)
			require.NoError(t, db.do("HSET", ref.Key(), "foreign", "kept").Error())
			whole, err := ref.Get(ctx)
			some, someErr := ref.GetFields(ctx, "name", "mail")
			if name == "fallback" {
				require.NoError(t, err)
				require.NoError(t, someErr)
				require.Equal(t, "Nobody", whole.Name)
				require.Equal(t, person{Name: "Nobody"}, some)
			} else {
				require.ErrorIs(t, err, nest.ErrNotFound)
				require.ErrorIs(t, someErr, nest.ErrNotFound)
			}
			_, found, err := ref.Lookup(ctx)
			require.NoError(t, err)
			require.False(t, found)

			// One field under its former name is a record; the others are unset.
			require.NoError(t, db.do("HSET", ref.Key(), "e_mail", "a@example.org").Error())
			some, err = ref.GetFields(ctx, "name", "plan")
			require.NoError(t, err)
			require.Equal(t, person{Plan: "free"}, some)
			some, err = ref.GetFields(ctx, "mail", "name", "mail")
			require.NoError(t, err)
			require.Equal(t, "a@example.org", *some.Mail)
			require.Equal(t, "kept", db.fields(ref.Key())["foreign"])
			require.Equal(t, name == "renewed", db.ttl(ref.Key()) > 0, "a read renews")
		})
	}
}

func TestRecordWhole(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	ref, db := openRecord[person](t)

	_, err := ref.Get(ctx)
	require.ErrorIs(t, err, nest.ErrNotFound)
	_, found, err := ref.Lookup(ctx)
	require.NoError(t, err)
	require.False(t, found)

	require.NoError(t, ref.Set(ctx, someone()))
	require.Equal(t, map[string]string{
		"created": "2024-02-29T01:02:03.000000004Z", "name": "Ali", "plan": "gold", "credit": "7", "balance": "1.5",
		"level": "3", "rank": "-8", "mail": "a@example.org", "home": "2001:db8::1", "tags": `["x","y"]`, "at": `{"n":1}`, "any": `"text"`,
	}, db.fields(ref.Key()))
	got, err := ref.Get(ctx)
	require.NoError(t, err)
	require.Equal(t, someone(), got)

	// Fields that the record stores as none are removed. Fields that the struct does not have stay.
	require.NoError(t, db.do("HSET", ref.Key(), "foreign", "kept").Error())
	require.NoError(t, ref.Set(ctx, person{Name: "B"}))
	require.Equal(t, map[string]string{
		"name": "B", "plan": "", "credit": "0", "balance": "0", "level": "0", "rank": "0", "tags": "null", "foreign": "kept",
	}, db.fields(ref.Key()))
	got, found, err = ref.Lookup(ctx)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, person{Name: "B"}, got)
}

func TestRecordConditionalWrites(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	ref, db := openRecord[point](t)
	done, err := ref.SetIfPresent(ctx, point{1, 1})
	require.NoError(t, err)
	require.False(t, done)
	require.False(t, db.exists(ref.Key()))
	done, err = ref.SetIfAbsent(ctx, point{1, 1})
	require.NoError(t, err)
	require.True(t, done)
	done, err = ref.SetIfAbsent(ctx, point{2, 2})
	require.NoError(t, err)
	require.False(t, done)
	done, err = ref.SetIfPresent(ctx, point{3, 3})
	require.NoError(t, err)
	require.True(t, done)
	require.Equal(t, map[string]string{"X": "3", "Y": "3"}, db.fields(ref.Key()))
}

func TestRecordFields(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	ref, db := openRecord[person](t)

	_, err := ref.GetFields(ctx, "name")
	require.ErrorIs(t, err, nest.ErrNotFound)
	require.NoError(t, ref.SetFields(ctx, someone(), "name", "credit"))
	require.Equal(t, map[string]string{"name": "Ali", "credit": "7"}, db.fields(ref.Key()))
	got, err := ref.GetFields(ctx, "name", "plan")
	require.NoError(t, err)
	require.Equal(t, person{Name: "Ali", Plan: "free"}, got, "an existing record's missing field has its default")
	got, err = ref.GetFields(ctx, "mail")
	require.NoError(t, err)
	require.Equal(t, person{}, got)

	changed := someone()
	changed.Mail, changed.Name = nil, "C"
	require.NoError(t, ref.SetFields(ctx, someone(), "mail"))
	require.NoError(t, ref.SetFields(ctx, changed, "mail", "name"))
	require.Equal(t, map[string]string{"name": "C", "credit": "7"}, db.fields(ref.Key()))

	had, err := ref.DeleteFields(ctx, "name", "plan")
	require.NoError(t, err)
	require.True(t, had)
	had, err = ref.DeleteFields(ctx, "name")
	require.NoError(t, err)
	require.False(t, had)

	// Nothing is sent when no field is named. A name that no field has is refused.
	require.NoError(t, ref.SetFields(ctx, someone()))
	got, err = ref.GetFields(ctx)
	require.NoError(t, err)
	require.Equal(t, person{}, got)
	_, err = ref.GetFields(ctx, "name", "credits")
	require.ErrorIs(t, err, nest.ErrArgument)
	require.ErrorContains(t, err, "did you mean credit?")
	require.ErrorIs(t, ref.SetFields(ctx, someone(), "email"), nest.ErrArgument, "a former name is no name")
	_, err = ref.DeleteFields(ctx, "none of these at all")
	require.ErrorContains(t, err, "there are created, name")
	_, err = ref.ExpireFields(ctx, time.Second, "nowhere")
	require.ErrorIs(t, err, nest.ErrArgument)
	_, err = ref.FieldTTL(ctx, "nowhere")
	require.ErrorIs(t, err, nest.ErrArgument)
	require.Equal(t, map[string]string{"credit": "7"}, db.fields(ref.Key()))
}

func TestRecordOfAnOlderProgram(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	ref, db := openRecord[person](t)
	old := func() {
		require.NoError(t, db.do("DEL", ref.Key()).Error())
		require.NoError(t, db.do("HSET", ref.Key(), "name", "Ali", "e_mail", "old@example.org").Error())
	}
	mail := "old@example.org"
	want := person{Name: "Ali", Plan: "free", Mail: &mail}

	old()
	got, err := ref.Get(ctx)
	require.NoError(t, err)
	require.Equal(t, want, got)
	got, err = ref.GetFields(ctx, "mail")
	require.NoError(t, err)
	require.Equal(t, person{Mail: &mail}, got)
	require.Equal(t, map[string]string{"name": "Ali", "e_mail": "old@example.org"}, db.fields(ref.Key()), "reading writes nothing")

	// The newest name wins.
	require.NoError(t, db.do("HSET", ref.Key(), "email", "newer@example.org").Error())
	got, err = ref.Get(ctx)
	require.NoError(t, err)
	require.Equal(t, "newer@example.org", *got.Mail)
	got, err = ref.GetFields(ctx, "mail")
	require.NoError(t, err)
	require.Equal(t, "newer@example.org", *got.Mail)

	// Writing moves the field to its new name. Deleting removes it under every name.
	old()
	require.NoError(t, ref.SetFields(ctx, want, "mail"))
	require.Equal(t, map[string]string{"name": "Ali", "mail": mail}, db.fields(ref.Key()))
	old()
	had, err := ref.DeleteFields(ctx, "mail")
	require.NoError(t, err)
	require.True(t, had)
	require.Equal(t, map[string]string{"name": "Ali"}, db.fields(ref.Key()))
}

func TestRecordDefault(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	ref, db := openRecord[person](t, nest.Default(someone()))
	got, err := ref.Get(ctx)
	require.NoError(t, err)
	require.Equal(t, someone(), got)
	got.Tags[0], *got.Mail, got.At["n"] = "changed", "changed", 9
	got, err = ref.Get(ctx)
	require.NoError(t, err)
	require.Equal(t, someone(), got, "each caller has a copy of its own")
	got, err = ref.GetFields(ctx, "name", "mail")
	require.NoError(t, err)
	require.Equal(t, person{Name: "Ali", Mail: someone().Mail}, got)
	_, found, err := ref.Lookup(ctx)
	require.NoError(t, err)
	require.False(t, found)
	require.False(t, db.exists(ref.Key()))
}

func TestRecordIncr(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	type counters struct {
		Big   int64   `nest:"big,was=huge"`
		Small int8    `nest:"small"`
		Float float64 `nest:"float"`
		Text  string  `nest:"text"`
	}
	for name, opts := range map[string][]nest.KeyOption{"plain": nil, "with a TTL": {nest.TTL(60)}} {
		t.Run(name, func(t *testing.T) {
			ref, db := openRecord[counters](t, opts...)
			// A number under its former name is moved and incremented.
			require.NoError(t, db.do("HSET", ref.Key(), "huge", "9007199254740993").Error())
			n, err := ref.Incr(ctx, "big", 2)
			require.NoError(t, err)
			require.EqualValues(t, 9007199254740995, n)
			require.Equal(t, map[string]string{"big": "9007199254740995"}, db.fields(ref.Key()))

			n, err = ref.Incr(ctx, "small", 127)
			require.NoError(t, err)
			require.EqualValues(t, 127, n)
			for _, by := range []int64{1, 300, math.MaxInt64, math.MinInt64} {
				_, err = ref.Incr(ctx, "small", by)
				require.ErrorIs(t, err, nest.ErrOverflow)
			}
			f, err := ref.IncrFloat(ctx, "float", -2.5)
			require.NoError(t, err)
			require.Equal(t, -2.5, f)
			_, err = ref.IncrFloat(ctx, "float", math.Inf(1))
			require.ErrorIs(t, err, nest.ErrArgument)
			got, err := ref.Get(ctx)
			require.NoError(t, err)
			require.Equal(t, counters{9007199254740995, 127, -2.5, ""}, got)

			for _, field := range []string{"text", "float", "none"} {
				_, err = ref.Incr(ctx, field, 1)
				require.ErrorIs(t, err, nest.ErrArgument)
			}
			_, err = ref.IncrFloat(ctx, "big", 1)
			require.ErrorIs(t, err, nest.ErrArgument)
		})
	}
	ref, _ := openRecord[counters](t, nest.Codec(gob.Codec))
	_, err := ref.Incr(ctx, "big", 1)
	require.ErrorIs(t, err, nest.ErrArgument, "the codec does not store decimals")
}

func TestRecordBadContent(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	ref, db := openRecord[person](t)
	require.NoError(t, db.do("HSET", ref.Key(), "name", "Ali", "rank", "secret-content").Error())
	for op, read := range map[string]func() error{
		"get":        func() error { _, err := ref.Get(ctx); return err },
		"lookup":     func() error { _, _, err := ref.Lookup(ctx); return err },
		"get fields": func() error { _, err := ref.GetFields(ctx, "name", "rank"); return err },
	} {
		err := read()
		require.ErrorIs(t, err, nest.ErrDecode, op)
		require.ErrorContains(t, err, `field "rank"`)
		require.NotContains(t, err.Error(), "secret-content")
	}
	got, err := ref.GetFields(ctx, "name")
	require.NoError(t, err)
	require.Equal(t, "Ali", got.Name, "a field that was not asked for does not matter")

	list, db := openRecord[person](t, nest.TTL(60))
	require.NoError(t, db.do("RPUSH", list.Key(), "x").Error())
	_, err = list.Get(ctx)
	require.ErrorIs(t, err, nest.ErrWrongType)
	_, err = list.GetFields(ctx, "name")
	require.ErrorIs(t, err, nest.ErrWrongType)
	require.ErrorIs(t, list.Set(ctx, someone()), nest.ErrWrongType)
	require.ErrorIs(t, list.SetFields(ctx, someone(), "name"), nest.ErrWrongType)
}

// TestRecordTTL checks that Set restarts the TTL and that writes of single fields leave a running
// one alone.
func TestRecordTTL(t *testing.T) {
	t.Parallel()
	type write = func(ctx context.Context, ref nest.RecordRef[person]) error
	const running = 20 * time.Second
	for name, row := range map[string]struct {
		run     write
		fresh   time.Duration // on a new key; 0 if the row does not create one
		kept    time.Duration
		renewed time.Duration // with AutoRenew
	}{
		"set":     {func(ctx context.Context, r nest.RecordRef[person]) error { return r.Set(ctx, someone()) }, declaredTTL, declaredTTL, declaredTTL},
		"set two": {func(ctx context.Context, r nest.RecordRef[person]) error { return r.Set(ctx, person{}) }, declaredTTL, declaredTTL, declaredTTL},
		"set keeping": {func(ctx context.Context, r nest.RecordRef[person]) error {
			return r.Set(ctx, someone(), nest.KeepTTL())
		},
			declaredTTL, running, running},
		"set for an hour": {func(ctx context.Context, r nest.RecordRef[person]) error {
			return r.Set(ctx, someone(), nest.ExpireIn(time.Hour))
		}, time.Hour, time.Hour, time.Hour},
		"set until": {func(ctx context.Context, r nest.RecordRef[person]) error {
			return r.Set(ctx, someone(), nest.ExpireUntil(time.Now().Add(time.Hour)))
		}, time.Hour, time.Hour, time.Hour},
		"set for ever": {func(ctx context.Context, r nest.RecordRef[person]) error {
			return r.Set(ctx, someone(), nest.NoExpiry())
		},
			nest.Forever, nest.Forever, nest.Forever},
		"set if absent": {func(ctx context.Context, r nest.RecordRef[person]) error {
			_, err := r.SetIfAbsent(ctx, someone())
			return err
		},
			declaredTTL, running, running},
		"set if present": {func(ctx context.Context, r nest.RecordRef[person]) error {
			_, err := r.SetIfPresent(ctx, someone())
			return err
		},
			0, declaredTTL, declaredTTL},
		"set fields": {func(ctx context.Context, r nest.RecordRef[person]) error { return r.SetFields(ctx, someone(), "name") },
			declaredTTL, running, declaredTTL},
		"set fields, one of none": {func(ctx context.Context, r nest.RecordRef[person]) error {
			return r.SetFields(ctx, person{}, "name", "mail")
		}, declaredTTL, running, declaredTTL},
		"incr": {func(ctx context.Context, r nest.RecordRef[person]) error {
			_, err := r.Incr(ctx, "credit", 1)
			return err
		},
			declaredTTL, running, declaredTTL},
		"incr float": {func(ctx context.Context, r nest.RecordRef[person]) error {
			_, err := r.IncrFloat(ctx, "balance", 1)
			return err
		},
			declaredTTL, running, declaredTTL},
		"delete fields": {func(ctx context.Context, r nest.RecordRef[person]) error {
			_, err := r.DeleteFields(ctx, "tags")
			return err
		},
			0, running, declaredTTL},
		"get": {func(ctx context.Context, r nest.RecordRef[person]) error { _, _, err := r.Lookup(ctx); return err }, 0, running, declaredTTL},
		"get fields": {func(ctx context.Context, r nest.RecordRef[person]) error {
			_, err := r.GetFields(ctx, "plan")
			return err
		}, 0, running, declaredTTL},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, renew := range []bool{false, true} {
				ref, db := openRecord[person](t, nest.TTL(declaredTTL), nest.AutoRenew(renew))
				if row.fresh != 0 {
					require.NoError(t, row.run(t.Context(), ref))
					about(t, row.fresh, db.ttl(ref.Key()))
				}
				require.NoError(t, db.do("HSET", ref.Key(), "name", "x", "tags", "null").Error())
				require.NoError(t, db.do("PEXPIRE", ref.Key(), "20000").Error())
				require.NoError(t, row.run(t.Context(), ref))
				want := row.kept
				if renew {
					want = row.renewed
				}
				if got := db.ttl(ref.Key()); want == nest.Forever {
					require.Equal(t, want, got)
				} else {
					require.LessOrEqual(t, got, want)
					require.Greater(t, got, want-10*time.Second)
				}
			}
		})
	}
}

func TestRecordFieldTTL(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.HashFieldTTL)
	ctx := t.Context()
	ref, db := openRecord[person](t)
	require.NoError(t, db.do("HSET", ref.Key(), "name", "Ali", "email", "x").Error())
	n, err := ref.ExpireFields(ctx, 30*time.Second, "name", "mail", "plan")
	require.NoError(t, err)
	require.EqualValues(t, 2, n, "the mail under its former name")
	left, err := ref.FieldTTL(ctx, "name")
	require.NoError(t, err)
	about(t, 30*time.Second, left)
	n, err = ref.PersistFields(ctx, "name")
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	left, err = ref.FieldTTL(ctx, "name")
	require.NoError(t, err)
	require.Equal(t, nest.Forever, left)
	_, err = ref.FieldTTL(ctx, "plan")
	require.ErrorIs(t, err, nest.ErrNotFound)
}

func TestRecordMoves(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	from, to := nest.Record[point]("from"), nest.Record[point]("to", nest.TTL(declaredTTL))
	s := nesttest.Open(t, nest.Cluster("pair", nest.HashTag(), nest.Sub(from, to)))
	require.NoError(t, from.At(s).Set(ctx, point{1, 2}))
	done, err := from.At(s).Copy(ctx, to.At(s))
	require.NoError(t, err)
	require.True(t, done)
	left, err := to.At(s).TTL(ctx)
	require.NoError(t, err)
	about(t, declaredTTL, left)
	done, err = from.At(s).Rename(ctx, to.At(s), nest.Replace())
	require.NoError(t, err)
	require.True(t, done)
	got, err := to.At(s).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, point{1, 2}, got)
}
