package suite_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/secure"
)

// card is a record with two secret fields, one of which has a former name.
type card struct {
	Owner string  `nest:"owner"`
	PIN   int     `nest:"pin,secret"`
	Code  *string `nest:"code,was=old_code,secret"`
	Note  string  `nest:"note,secret,omitzero"`
	Uses  int64   `nest:"uses"`
}

var (
	wallet  = nest.Hash[string]("wallet:<n>", nest.SecretFields(), nest.TTL(time.Hour))
	mixed   = nest.Hash[int]("mixed:<n>", nest.SecretFields("hidden", "other"), nest.Default(7))
	inClear = nest.Hash[int]("open:<n>")
	cards   = nest.Record[card]("card:<n>", nest.TTL(declaredTTL))
	fielded = nest.Cluster("fielded:<f>", nest.HashTag(), nest.Sub(wallet, mixed, inClear, cards))
)

func openFielded(t *testing.T, opts ...nest.OpenOption) (nest.Scope, redis) {
	t.Helper()
	opts = append([]nest.OpenOption{nest.WithKeyring(newRing(t, secure.GenerateKey()))}, opts...)
	return fielded.At(nesttest.Open(t, fielded, opts...), "a"), redis{t, nesttest.Client(t)}
}

func (r redis) hset(key string, pairs ...string) {
	r.t.Helper()
	require.NoError(r.t, r.do(append([]string{"HSET", key}, pairs...)...).Error())
}

func (r redis) typeOf(key string) string {
	r.t.Helper()
	name, err := r.do("TYPE", key).ToString()
	require.NoError(r.t, err)
	return name
}

// Every way to read and write a hash has the same result with and without secret fields.
func TestSecretFieldsOfHashes(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := openFielded(t)
	ref := wallet.At(s, 1)

	want := map[string]string{"a": sentinel, "b": "", "c": "$2b$12$looks-like-bcrypt", "": "no name"}
	require.NoError(t, ref.SetMany(ctx, want))
	about(t, time.Hour, db.ttl(ref.Key()))
	for name, text := range db.fields(ref.Key()) {
		require.True(t, strings.HasPrefix(text, "\xfa\x5e"), name)
		require.Len(t, text, len(want[name])+secure.Overhead)
	}
	all, err := ref.All(ctx)
	require.NoError(t, err)
	require.Equal(t, want, all)
	require.Equal(t, want, iterated(t, ref))
	some, err := ref.Random(ctx, 10)
	require.NoError(t, err)
	require.Equal(t, want, some)
	values, err := ref.Values(ctx)
	require.NoError(t, err)
	require.ElementsMatch(t, slices.Collect(maps.Values(want)), values)
	many, err := ref.GetMany(ctx, "c", "none", "a")
	require.NoError(t, err)
	require.Equal(t, []nest.Optional[string]{{Value: want["c"], Found: true}, {}, {Value: sentinel, Found: true}}, many)
	got, err := ref.Get(ctx, "a")
	require.NoError(t, err)
	require.Equal(t, sentinel, got)
	_, err = ref.Get(ctx, "none")
	require.ErrorIs(t, err, nest.ErrNotFound)
	_, found, err := ref.Lookup(ctx, "none")
	require.NoError(t, err)
	require.False(t, found)
	done, err := ref.SetIfAbsent(ctx, "a", "other")
	require.NoError(t, err)
	require.False(t, done)
	done, err = ref.SetIfAbsent(ctx, "d", "fourth")
	require.NoError(t, err)
	require.True(t, done)
	got, found, err = ref.Take(ctx, "d")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, "fourth", got)
	many, err = ref.TakeMany(ctx, "b", "none", "c")
	require.NoError(t, err)
	require.Equal(t, []nest.Optional[string]{{Found: true}, {}, {Value: want["c"], Found: true}}, many)
	n, err := ref.StrLen(ctx, "a")
	require.NoError(t, err)
	require.EqualValues(t, len(sentinel)+secure.Overhead, n)
}

func TestSomeSecretFieldsOfAHash(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := openFielded(t)
	ref := mixed.At(s, 1)
	v, err := ref.Get(ctx, "hidden")
	require.NoError(t, err)
	require.Equal(t, 7, v, "the default")
	require.NoError(t, ref.SetMany(ctx, map[string]int{"hidden": 41, "plain": 1}))
	require.NoError(t, ref.Set(ctx, "other", 42))
	stored := db.fields(ref.Key())
	require.Equal(t, "1", stored["plain"])
	require.True(t, strings.HasPrefix(stored["hidden"], "\xfa\x5e"))
	require.True(t, strings.HasPrefix(stored["other"], "\xfa\x5e"))
	all, err := ref.All(ctx)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"hidden": 41, "other": 42, "plain": 1}, all)

	v, err = ref.Incr(ctx, "plain", 2)
	require.NoError(t, err)
	require.Equal(t, 3, v)
	for _, add := range []func(context.Context, string, int, ...nest.FieldOption) (int, error){ref.Incr, ref.Decr} {
		_, err = add(ctx, "hidden", 2)
		require.ErrorIs(t, err, nest.ErrArgument)
		require.ErrorContains(t, err, "secret")
	}
	db.hset(ref.Key(), "plain", stored["hidden"])
	_, err = ref.Get(ctx, "plain")
	require.ErrorIs(t, err, nest.ErrDecode, "what is not secret is not opened")
}

func TestSecretFieldsOfRecords(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := openFielded(t)
	ref := cards.At(s, 1)
	code := sentinel
	want := card{Owner: "Ali", PIN: 1234, Code: &code, Uses: 2}
	require.NoError(t, ref.Set(ctx, want))
	stored := db.fields(ref.Key())
	require.Equal(t, "Ali", stored["owner"])
	require.Equal(t, "2", stored["uses"])
	require.NotContains(t, stored, "note")
	require.Len(t, stored["pin"], 4+secure.Overhead)
	require.Len(t, stored["code"], len(code)+secure.Overhead)
	got, err := ref.Get(ctx)
	require.NoError(t, err)
	require.Equal(t, want, got)
	got, found, err := ref.Lookup(ctx)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, want, got)
	got, err = ref.GetFields(ctx, "code", "owner")
	require.NoError(t, err)
	require.Equal(t, card{Owner: "Ali", Code: &code}, got)
	require.NoError(t, ref.SetFields(ctx, card{Note: "n", PIN: 9}, "note", "pin"))
	got, err = ref.GetFields(ctx, "pin", "note")
	require.NoError(t, err)
	require.Equal(t, card{PIN: 9, Note: "n"}, got)
	n, err := ref.Incr(ctx, "uses", 1)
	require.NoError(t, err)
	require.EqualValues(t, 3, n)
	_, err = ref.Incr(ctx, "pin", 1)
	require.ErrorIs(t, err, nest.ErrArgument)
	require.ErrorContains(t, err, "secret")
}

// A renamed field stays sealed for its former name until it is written again.
func TestSecretFieldThatWasRenamed(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	type before struct {
		Code string `nest:"old_code,secret"`
	}
	old := nest.Record[before]("card:<n>")
	key, prefix := secure.GenerateKey(), nest.WithPrefix(nesttest.Shared(t).Prefix(t))
	o := nesttest.Open(t, nest.Cluster("fielded:<f>", nest.HashTag(), nest.Sub(old)), prefix, nest.WithKeyring(newRing(t, key)))
	require.NoError(t, old.At(o, "a", 1).Set(ctx, before{sentinel}))

	s, db := openFielded(t, prefix, nest.WithKeyring(newRing(t, key)))
	ref := cards.At(s, 1)
	for range 2 {
		got, err := ref.Get(ctx)
		require.NoError(t, err)
		require.Equal(t, sentinel, *got.Code)
		got, err = ref.GetFields(ctx, "code")
		require.NoError(t, err)
		require.Equal(t, sentinel, *got.Code)

		// The sweep finds it under its former name, too.
		next := secure.GenerateKey()
		now, _ := openFielded(t, prefix, nest.WithKeyring(newRing(t, next, secure.AcceptOnly(key))))
		require.EqualValues(t, 1, rotate(t, now).Resealed)
		key = next
		s, _ = openFielded(t, prefix, nest.WithKeyring(newRing(t, key)))
		ref = cards.At(s, 1)
	}
	code := "new"
	require.NoError(t, ref.SetFields(ctx, card{Code: &code}, "code"))
	require.NotContains(t, db.fields(ref.Key()), "old_code")
}

func TestSecretFieldsRenameAndCopy(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := openFielded(t)
	code := sentinel
	want := card{Owner: "Ali", PIN: 1234, Code: &code}
	a, b, c := cards.At(s, "a"), cards.At(s, "b"), cards.At(s, "c")
	_, err := a.Rename(ctx, b)
	require.ErrorIs(t, err, nest.ErrNotFound)
	require.NoError(t, a.Set(ctx, want, nest.ExpireIn(40*time.Second)))
	for _, move := range []func() (bool, error){
		func() (bool, error) { return a.Rename(ctx, b) },
		func() (bool, error) { return b.Copy(ctx, c) },
		func() (bool, error) { return b.Copy(ctx, c, nest.Replace()) },
	} {
		done, err := move()
		require.NoError(t, err)
		require.True(t, done)
	}
	require.False(t, db.exists(a.Key()))
	for _, r := range []nest.RecordRef[card]{b, c} {
		got, err := r.Get(ctx)
		require.NoError(t, err)
		require.Equal(t, want, got)
		about(t, 40*time.Second, db.ttl(r.Key()))
	}
	done, err := b.Rename(ctx, c)
	require.NoError(t, err)
	require.False(t, done, "a target that is there stays")
	_, err = b.Rename(ctx, b)
	require.ErrorIs(t, err, nest.ErrArgument)
	_, err = b.Rename(ctx, cards.At(s)) //nest:ignore the error is what is tested
	require.ErrorIs(t, err, nest.ErrMissingParam)
	db.hset(b.Key(), "pin", sentinel)
	_, err = b.Rename(ctx, a)
	require.ErrorIs(t, err, nest.ErrOpen)
	require.ErrorContains(t, err, "pin")
	require.False(t, db.exists(a.Key()))

	from, to := wallet.At(s, "a"), wallet.At(s, "b")
	all := map[string]string{"x": "1", "y": sentinel}
	require.NoError(t, from.SetMany(ctx, all))
	done, err = from.Copy(ctx, to)
	require.NoError(t, err)
	require.True(t, done)
	got, err := to.All(ctx)
	require.NoError(t, err)
	require.Equal(t, all, got)
	for _, batch := range []*nest.Batch{s.Batch(), s.Atomic()} {
		moved := from.In(batch).Rename(wallet.At(s, "c"))
		require.ErrorIs(t, batch.Exec(ctx), nest.ErrArgument)
		require.ErrorIs(t, moved.Err(), nest.ErrArgument)
	}

	// Fields move between hashes whose secret fields differ. A value in the clear is sealed, and no
	// sealed value is stored in the clear.
	require.NoError(t, inClear.At(s, 1).SetMany(ctx, map[string]int{"hidden": 1, "plain": 2}))
	done, err = inClear.At(s, 1).Rename(ctx, mixed.At(s, 1))
	require.NoError(t, err)
	require.True(t, done)
	v, err := mixed.At(s, 1).All(ctx)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"hidden": 1, "plain": 2}, v)
	require.True(t, strings.HasPrefix(db.fields(mixed.At(s, 1).Key())["hidden"], "\xfa\x5e"))
	_, err = mixed.At(s, 1).Copy(ctx, inClear.At(s, 2))
	require.ErrorIs(t, err, nest.ErrArgument)
	require.False(t, db.exists(inClear.At(s, 2).Key()))
}

// Other clients write between the read of the old fields and the write of the new ones.
func TestSecretFieldsMoveNoStaleValue(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	key, prefix := secure.GenerateKey(), nest.WithPrefix(nesttest.Shared(t).Prefix(t))
	other, db := openFielded(t, prefix, nest.WithKeyring(newRing(t, key)))
	for what, write := range map[string]func(from nest.HashRef[string]) error{
		"a field is written": func(from nest.HashRef[string]) error { return from.Set(ctx, "x", "newer") },
		"a field appears":    func(from nest.HashRef[string]) error { return from.Set(ctx, "z", "newer") },
		"a field goes":       func(from nest.HashRef[string]) error { _, err := from.DeleteFields(ctx, "x"); return err },
	} {
		t.Run(what, func(t *testing.T) {
			from := wallet.At(other, what)
			require.NoError(t, from.SetMany(ctx, map[string]string{"x": "1", "y": "2"}))
			written := false
			s, _ := openFielded(t, prefix, nest.WithKeyring(meddling{newRing(t, key), func() {
				if !written {
					written = true
					require.NoError(t, write(from))
				}
			}}))
			done, err := wallet.At(s, what).Rename(ctx, wallet.At(s, what+" to"))
			require.NoError(t, err)
			require.True(t, done)
			want := map[string]string{"x": "1", "y": "2"}
			switch what {
			case "a field is written":
				want["x"] = "newer"
			case "a field appears":
				want["z"] = "newer"
			default:
				delete(want, "x")
			}
			got, err := wallet.At(other, what+" to").All(ctx)
			require.NoError(t, err)
			require.Equal(t, want, got)
			require.False(t, db.exists(from.Key()))
		})
	}
}

func TestSecretFieldsInBatches(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := openFielded(t)
	for what, b := range map[string]*nest.Batch{"batch": s.Batch(), "atomic": s.Atomic()} {
		t.Run(what, func(t *testing.T) {
			h, r, planted := wallet.At(s, what), cards.At(s, what), wallet.At(s, what+" planted")
			db.hset(planted.Key(), "x", sentinel)
			h.In(b).Set("x", "first")
			r.In(b).Set(card{PIN: 5})
			x, all, values, many := h.In(b).Get("x"), h.In(b).All(), h.In(b).Values(), h.In(b).GetMany("none", "x")
			taken := h.In(b).Take("x")
			rec, some := r.In(b).Get(), r.In(b).GetFields("pin")
			bad := planted.In(b).Get("x")
			err := b.Exec(ctx)
			require.ErrorIs(t, err, nest.ErrOpen)
			require.NotContains(t, err.Error(), sentinel)
			require.ErrorIs(t, bad.Err(), nest.ErrOpen)
			text, err := x.Value()
			require.NoError(t, err)
			require.Equal(t, "first", text)
			fields, err := all.Value()
			require.NoError(t, err)
			require.Equal(t, map[string]string{"x": "first"}, fields)
			list, err := values.Value()
			require.NoError(t, err)
			require.Equal(t, []string{"first"}, list)
			optional, err := many.Value()
			require.NoError(t, err)
			require.Equal(t, []nest.Optional[string]{{}, {Value: "first", Found: true}}, optional)
			text, found, err := taken.Value()
			require.NoError(t, err)
			require.True(t, found)
			require.Equal(t, "first", text)
			for _, f := range []*nest.Future[card]{rec, some} {
				v, err := f.Value()
				require.NoError(t, err)
				require.Equal(t, 5, v.PIN)
			}
		})
	}
}

func TestRotateSecretFields(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	oldKey, nowKey := secure.GenerateKey(), secure.GenerateKey()
	prefix := nest.WithPrefix(nesttest.Shared(t).Prefix(t))
	old, db := openFielded(t, prefix, nest.WithKeyring(newRing(t, oldKey)))
	const n = 700 // more than one page of a hash
	many := make(map[string]string, n)
	for i := range n {
		many[fmt.Sprint("field ", i)] = fmt.Sprint("value ", i)
	}
	require.NoError(t, wallet.At(old, "many").SetMany(ctx, many))
	for i := range 30 {
		require.NoError(t, wallet.At(old, i).Set(ctx, "x", fmt.Sprint(i)))
		require.NoError(t, mixed.At(old, i).SetMany(ctx, map[string]int{"hidden": i, "plain": i}))
		require.NoError(t, cards.At(old, i).Set(ctx, card{PIN: i, Owner: "Ali"}, nest.ExpireIn(time.Duration(100+i)*time.Second)))
	}
	db.hset(wallet.At(old, "planted").Key(), "x", sentinel)
	require.NoError(t, db.do("SET", wallet.At(old, "string").Key(), sentinel).Error())
	require.NoError(t, db.do("SET", mixed.At(old, "string").Key(), sentinel).Error())
	plain := db.fields(mixed.At(old, 1).Key())["plain"]

	now, _ := openFielded(t, prefix, nest.WithKeyring(newRing(t, nowKey, secure.AcceptOnly(oldKey))))
	dry := rotate(t, now, nest.DryRun())
	report := rotate(t, now)
	require.EqualValues(t, n+90, report.Resealed)
	require.Equal(t, report.Resealed, dry.Resealed)
	require.Equal(t, map[string]int64{
		secure.ErrNotSealed.Error(): 1,
		nest.ErrWrongType.Error():   3, // one for the hash, two for the named fields
	}, report.FailuresByKind)
	for _, f := range report.Failures {
		if f.Key == wallet.At(old, "planted").Key() {
			require.Equal(t, "x", f.Field)
		}
	}
	require.Equal(t, sentinel, db.fields(wallet.At(old, "planted").Key())["x"])

	only, _ := openFielded(t, prefix, nest.WithKeyring(newRing(t, nowKey)))
	got, err := wallet.At(only, "many").All(ctx)
	require.NoError(t, err)
	require.Equal(t, many, got)
	about(t, time.Hour, db.ttl(wallet.At(only, "many").Key()))
	for i := range 30 {
		c, err := cards.At(only, i).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, card{PIN: i, Owner: "Ali"}, c)
		about(t, time.Duration(100+i)*time.Second, db.ttl(cards.At(only, i).Key()))
		v, err := mixed.At(only, i).Get(ctx, "hidden")
		require.NoError(t, err)
		require.Equal(t, i, v)
	}
	require.Equal(t, plain, db.fields(mixed.At(old, 1).Key())["plain"])
	require.NoError(t, db.do("DEL", wallet.At(old, "planted").Key()).Error())
	require.NoError(t, db.do("DEL", wallet.At(old, "string").Key()).Error())
	require.NoError(t, db.do("DEL", mixed.At(old, "string").Key()).Error())
	require.True(t, rotate(t, now).Clean())
}

// Another client writes a field between the sweep's read and its write.
func TestRotateLeavesConcurrentWritesOfFieldsAlone(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	oldKey, nowKey := secure.GenerateKey(), secure.GenerateKey()
	prefix := nest.WithPrefix(nesttest.Shared(t).Prefix(t))
	old, db := openFielded(t, prefix, nest.WithKeyring(newRing(t, oldKey)))
	ref := wallet.At(old, 1)
	for what, c := range map[string]struct {
		write func()
		want  string
	}{
		"Set":             {func() { require.NoError(t, ref.Set(ctx, "x", "newer")) }, "newer"},
		"Set to the same": {func() { require.NoError(t, ref.Set(ctx, "x", "old")) }, "old"},
		"DeleteFields":    {func() { _, err := ref.DeleteFields(ctx, "x"); require.NoError(t, err) }, ""},
		"another type":    {func() { db.do("DEL", ref.Key()); db.do("SET", ref.Key(), "x") }, ""},
	} {
		t.Run(what, func(t *testing.T) {
			require.NoError(t, db.do("DEL", ref.Key()).Error())
			require.NoError(t, ref.Set(ctx, "x", "old"))
			s, _ := openFielded(t, prefix, nest.WithKeyring(meddling{newRing(t, nowKey, secure.AcceptOnly(oldKey)), c.write}))
			report := rotate(t, s)
			require.EqualValues(t, 1, report.Conflicts)
			require.False(t, report.Clean())
			if c.want == "" {
				require.NotContains(t, []string{"hash"}, db.typeOf(ref.Key()), "it does not come back")
				return
			}
			now, _ := openFielded(t, prefix, nest.WithKeyring(newRing(t, nowKey, secure.AcceptOnly(oldKey))))
			require.EqualValues(t, 1, rotate(t, now).Resealed)
			got, err := wallet.At(now, 1).Get(ctx, "x")
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

// A field with its own expiry keeps it when it is resealed or moved.
func TestSecretFieldsKeepTheirOwnExpiry(t *testing.T) {
	nesttest.Need(t, nesttest.HashFieldTTL)
	t.Parallel()
	ctx := t.Context()
	oldKey, nowKey := secure.GenerateKey(), secure.GenerateKey()
	prefix := nest.WithPrefix(nesttest.Shared(t).Prefix(t))
	old, _ := openFielded(t, prefix, nest.WithKeyring(newRing(t, oldKey)))
	require.NoError(t, wallet.At(old, 1).Set(ctx, "x", sentinel, nest.FieldTTL(time.Minute)))
	require.NoError(t, wallet.At(old, 1).Set(ctx, "endless", "y"))
	now, _ := openFielded(t, prefix, nest.WithKeyring(newRing(t, nowKey, secure.AcceptOnly(oldKey))))
	require.EqualValues(t, 2, rotate(t, now).Resealed)
	done, err := wallet.At(now, 1).Copy(ctx, wallet.At(now, 2))
	require.NoError(t, err)
	require.True(t, done)
	for i := range 2 {
		left, err := wallet.At(now, i+1).FieldTTL(ctx, "x")
		require.NoError(t, err)
		about(t, time.Minute, left)
		left, err = wallet.At(now, i+1).FieldTTL(ctx, "endless")
		require.NoError(t, err)
		about(t, nest.Forever, left)
		got, err := wallet.At(now, i+1).Get(ctx, "x")
		require.NoError(t, err)
		require.Equal(t, sentinel, got)
	}
}

// With the option, a read reseals the value. Without it, reads do not write.
func TestResealOnRead(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	oldKey, nowKey := secure.GenerateKey(), secure.GenerateKey()
	secret, passwd := nest.Secret[string]("secret:<n>"), nest.Password("password:<n>")
	tree := nest.Cluster("read:<r>", nest.HashTag(), nest.Sub(secret, passwd, wallet, cards))
	for what, c := range map[string]struct {
		write func(s nest.Scope) error
		read  func(s nest.Scope) error
		ref   func(s nest.Scope) nest.Ref
		field string
		stays bool
	}{
		"Secret.Get": {
			func(s nest.Scope) error { return secret.At(s, 1).Set(ctx, "x", nest.ExpireIn(time.Minute)) },
			func(s nest.Scope) error { _, err := secret.At(s, 1).Get(ctx); return err },
			func(s nest.Scope) nest.Ref { return secret.At(s, 1).Ref }, "", false,
		},
		"Secret.Lookup in a batch": {
			func(s nest.Scope) error { return secret.At(s, 2).Set(ctx, "x", nest.ExpireIn(time.Minute)) },
			func(s nest.Scope) error {
				b := s.Batch()
				secret.At(s, 2).In(b).Lookup()
				return b.Exec(ctx)
			},
			func(s nest.Scope) nest.Ref { return secret.At(s, 2).Ref }, "", false,
		},
		"Password.Verify": {
			func(s nest.Scope) error { return passwd.At(s, 1).Set(ctx, "right", nest.ExpireIn(time.Minute)) },
			func(s nest.Scope) error { _, err := passwd.At(s, 1).Verify(ctx, "right"); return err },
			func(s nest.Scope) nest.Ref { return passwd.At(s, 1).Ref }, "", false,
		},
		"Password.Verify of a wrong one": {
			func(s nest.Scope) error { return passwd.At(s, 2).Set(ctx, "right", nest.ExpireIn(time.Minute)) },
			func(s nest.Scope) error { _, err := passwd.At(s, 2).Verify(ctx, "wrong"); return err },
			func(s nest.Scope) nest.Ref { return passwd.At(s, 2).Ref }, "", true,
		},
		"Hash.All": {
			func(s nest.Scope) error {
				return errors.Join(wallet.At(s, 1).SetMany(ctx, map[string]string{"x": "1", "y": "2"}), expireSoon(ctx, wallet.At(s, 1).Ref))
			},
			func(s nest.Scope) error { _, err := wallet.At(s, 1).All(ctx); return err },
			func(s nest.Scope) nest.Ref { return wallet.At(s, 1).Ref }, "y", false,
		},
		"Hash.Iterate": {
			func(s nest.Scope) error {
				return errors.Join(wallet.At(s, 2).Set(ctx, "x", "1"), expireSoon(ctx, wallet.At(s, 2).Ref))
			},
			func(s nest.Scope) error {
				for _, err := range wallet.At(s, 2).Iterate(ctx) {
					return err
				}
				return nil
			},
			func(s nest.Scope) nest.Ref { return wallet.At(s, 2).Ref }, "x", false,
		},
		"Record.Get": {
			func(s nest.Scope) error { return cards.At(s, 1).Set(ctx, card{PIN: 1}, nest.ExpireIn(time.Minute)) },
			func(s nest.Scope) error { _, err := cards.At(s, 1).Get(ctx); return err },
			func(s nest.Scope) nest.Ref { return cards.At(s, 1).Ref }, "pin", false,
		},
	} {
		t.Run(what, func(t *testing.T) {
			prefix, db := nest.WithPrefix(nesttest.Shared(t).Prefix(t)), redis{t, nesttest.Client(t)}
			openWith := func(ring *secure.Keyring, opts ...nest.OpenOption) nest.Scope {
				opts = append(opts, prefix, nest.WithKeyring(ring), nest.WithPasswords(newPasswords(t, 16)))
				return tree.At(nesttest.Open(t, tree, opts...), "r")
			}
			old, now := openWith(newRing(t, oldKey)), newRing(t, nowKey, secure.AcceptOnly(oldKey))
			require.NoError(t, c.write(old))
			stored := func() string {
				key := c.ref(old).Key()
				if c.field != "" {
					return db.fields(key)[c.field]
				}
				return db.text(key)
			}
			before := stored()
			require.NoError(t, c.read(openWith(now)))
			require.Equal(t, before, stored(), "by default reads do not write")
			s := openWith(now, nest.ResealOnRead())
			require.NoError(t, c.read(s))
			require.Equal(t, !c.stays, now.Current([]byte(stored())))
			about(t, time.Minute, db.ttl(c.ref(old).Key()))
			after := stored()
			require.NoError(t, c.read(s))
			require.Equal(t, after, stored(), "once")
		})
	}
}

func expireSoon(ctx context.Context, r nest.Ref) error {
	_, err := r.Expire(ctx, time.Minute)
	return err
}

// A value that another client writes between the read and its reseal stays. A failed reseal does
// not fail the read.
func TestResealOnReadIsBestEffort(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	oldKey, nowKey := secure.GenerateKey(), secure.GenerateKey()
	prefix, observed := nest.WithPrefix(nesttest.Shared(t).Prefix(t)), make(failures, 8)
	old, db := openSafe(t, prefix, nest.WithKeyring(newRing(t, oldKey)))
	ref := apiKey.At(old, 1)
	ring := newRing(t, nowKey, secure.AcceptOnly(oldKey))
	for what, write := range map[string]func(){
		"written": func() { require.NoError(t, ref.Set(ctx, "newer")) },
		"deleted": func() { _, err := ref.Delete(ctx); require.NoError(t, err) },
		"retyped": func() { db.do("DEL", ref.Key()); db.do("RPUSH", ref.Key(), "x") },
	} {
		require.NoError(t, db.do("DEL", ref.Key()).Error())
		require.NoError(t, ref.Set(ctx, "read"))
		s, _ := openSafe(t, prefix, nest.ResealOnRead(), nest.WithObserver(observed), nest.WithKeyring(meddling{ring, write}))
		got, err := apiKey.At(s, 1).Get(ctx)
		require.NoError(t, err, what)
		require.Equal(t, "read", got)
		if what == "written" {
			got, err = ref.Get(ctx)
			require.NoError(t, err)
			require.Equal(t, "newer", got)
		}
	}
	require.Len(t, observed, 1, "the one of another type")
	e := <-observed
	require.Equal(t, "rotate", e.Op)
	require.ErrorIs(t, e.Err, nest.ErrWrongType)
}

func TestSecretGetOrLoad(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := openSafe(t)
	ref := apiKey.At(s, 1)
	loads := 0
	load := func(context.Context) (string, error) { loads++; return sentinel, nil }
	for range 2 {
		got, err := ref.GetOrLoad(ctx, load)
		require.NoError(t, err)
		require.Equal(t, sentinel, got)
	}
	require.Equal(t, 1, loads)
	require.True(t, strings.HasPrefix(db.text(ref.Key()), "\xfa\x5e"))
	db.set(ref.Key(), "planted")
	_, err := ref.GetOrLoad(ctx, load)
	require.ErrorIs(t, err, nest.ErrOpen)
	require.Equal(t, 1, loads)
	_, err = ref.GetOrLoad(ctx, nil)
	require.ErrorIs(t, err, nest.ErrArgument)
	_, err = nest.SecretRef[string]{}.GetOrLoad(ctx, load)
	require.ErrorIs(t, err, nest.ErrNoClient)
}

// commandCount is a client that counts its commands.
type commandCount struct {
	rueidis.Client
	sent *atomic.Int64
}

func (c commandCount) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	c.sent.Add(1)
	return c.Client.Do(ctx, cmd)
}

// The server counts expired fields until it removes them. A hash with such fields must not be
// mistaken for one that changes all the time.
func TestSecretFieldsMoveBesideFieldsThatHaveEnded(t *testing.T) {
	t.Parallel()
	nesttest.Need(t, nesttest.HashFieldTTL)
	ctx, sent := t.Context(), new(atomic.Int64)
	client := commandCount{nesttest.Client(t), sent}
	root, err := nest.Open(client, fielded, nest.WithPrefix(nesttest.Shared(t).Prefix(t)), nest.WithKeyring(newRing(t, secure.GenerateKey())))
	require.NoError(t, err)
	s, db := fielded.At(root, "a"), redis{t, nesttest.Client(t)}
	from, to, copied := wallet.At(s, 1), wallet.At(s, 2), wallet.At(s, 3)
	for op, move := range map[string]func() (bool, error){
		"rename": func() (bool, error) { return from.Rename(ctx, to, nest.Replace()) },
		"copy":   func() (bool, error) { return from.Copy(ctx, copied, nest.Replace()) },
	} {
		put := func() bool { // reports whether some fields have expired
			b := s.Batch()
			from.In(b).Set("stays", "here")
			for i := range 200 {
				from.In(b).Set(fmt.Sprint(i), "goes", nest.FieldTTL(time.Millisecond))
			}
			require.NoError(t, b.Exec(ctx))
			time.Sleep(3 * time.Millisecond)
			n, err := db.do("HLEN", from.Key()).AsInt64()
			require.NoError(t, err)
			return n > 1
		}
		for start := time.Now(); !put(); {
			require.Less(t, time.Since(start), 20*time.Second)
		}
		sent.Store(0)
		done, err := move()
		require.NoError(t, err)
		require.True(t, done)
		require.LessOrEqual(t, sent.Load(), int64(3), "%s: a read and a script, at most once by its hash before", op)
	}
	for _, r := range []nest.HashRef[string]{to, copied} {
		all, err := r.All(ctx)
		require.NoError(t, err)
		require.Equal(t, map[string]string{"stays": "here"}, all)
	}
}
