package suite_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/secure"
)

// sentinel must appear in no error, in no log and in nothing that Redis sees.
const sentinel = "s3ntinel-9f2c4e"

var (
	apiKey   = nest.Secret[string]("api_key:<n>")
	quota    = nest.Secret[int]("quota:<n>", nest.Default(3), nest.TTL(declaredTTL))
	grant    = nest.Secret[login]("grant:<n>", nest.TTL(time.Hour), nest.AutoRenew())
	readable = nest.Key[string]("readable:<n>")
	packed   = nest.Secret[string]("packed:<n>", nest.Codec(codec.JSON))
	safeSum  = nest.Key[int]("tally")
	safe     = nest.Cluster("safe:<safe>", nest.HashTag(), nest.Sub(apiKey, quota, grant, readable, packed, safeSum))
)

func newRing(t *testing.T, primary secure.Key, opts ...secure.KeyringOption) *secure.Keyring {
	t.Helper()
	ring, err := secure.NewKeyring(primary, opts...)
	require.NoError(t, err)
	return ring
}

// openSafe opens the tree of secrets under the given keyring, or under a new one.
func openSafe(t *testing.T, opts ...nest.OpenOption) (nest.Scope, redis) {
	t.Helper()
	opts = append([]nest.OpenOption{nest.WithKeyring(newRing(t, secure.GenerateKey()))}, opts...)
	return safe.At(nesttest.Open(t, safe, opts...), "a"), redis{t, nesttest.Client(t)}
}

// meddling is a keyring that lets a test interfere in the middle of an operation: each time after a
// value was opened, which is before the result is written.
type meddling struct {
	nest.Sealer
	meddle func()
}

func (m meddling) Open(dst, sealed []byte, key, field, kind, codec string) ([]byte, error) {
	plaintext, err := m.Sealer.Open(dst, sealed, key, field, kind, codec)
	m.meddle()
	return plaintext, err
}

func TestSecretReadsAndWrites(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := openSafe(t)
	ref := apiKey.At(s, 1)

	_, err := ref.Get(ctx)
	require.ErrorIs(t, err, nest.ErrNotFound)
	require.NotErrorIs(t, err, nest.ErrOpen)
	_, found, err := ref.Lookup(ctx)
	require.NoError(t, err)
	require.False(t, found)
	_, err = ref.Raw(ctx)
	require.ErrorIs(t, err, nest.ErrNotFound)
	limit, err := quota.At(s, 1).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, 3, limit, "the default")
	_, found, err = quota.At(s, 1).Lookup(ctx)
	require.NoError(t, err)
	require.False(t, found)

	for _, text := range []string{
		sentinel, "", "gAAAAABlooks-like-fernet", "$2b$12$looks-like-bcrypt", `{"__type__": "str", "value": "x"}`,
		"\xfa\x5e\x01", strings.Repeat("long", 10_000),
	} {
		require.NoError(t, ref.Set(ctx, text))
		stored := db.text(ref.Key())
		require.True(t, strings.HasPrefix(stored, "\xfa\x5e"), "it is sealed whatever it looks like")
		require.Len(t, stored, len(text)+secure.Overhead)
		require.False(t, len(text) > 3 && strings.Contains(stored, text))
		got, err := ref.Get(ctx)
		require.NoError(t, err)
		require.Equal(t, text, got)
		raw, err := ref.Raw(ctx)
		require.NoError(t, err)
		require.Equal(t, stored, string(raw))

		require.NoError(t, ref.Set(ctx, text))
		require.NotEqual(t, stored, db.text(ref.Key()), "no two seals are alike")
	}

	at := time.Now().UTC()
	require.NoError(t, grant.At(s, 1).Set(ctx, login{"phone", at}))
	got, found, err := grant.At(s, 1).Lookup(ctx)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, login{"phone", at}, got)
}

func TestSecretConditionalWrites(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := openSafe(t)
	ref := apiKey.At(s, 1)

	done, err := ref.SetIfPresent(ctx, "none")
	require.NoError(t, err)
	require.False(t, done)
	old, found, err := ref.Swap(ctx, "first")
	require.NoError(t, err)
	require.False(t, found)
	require.Empty(t, old)
	done, err = ref.SetIfAbsent(ctx, "second")
	require.NoError(t, err)
	require.False(t, done)
	done, err = ref.SetIfPresent(ctx, "third")
	require.NoError(t, err)
	require.True(t, done)
	old, found, err = ref.Swap(ctx, "fourth")
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, "third", old)
	got, found, err := ref.Take(ctx)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, "fourth", got)
	require.False(t, db.exists(ref.Key()))
	_, found, err = ref.Take(ctx)
	require.NoError(t, err)
	require.False(t, found)

	// A value that does not open is an error, and the write succeeds all the same.
	db.set(ref.Key(), "planted")
	_, found, err = ref.Swap(ctx, "fifth")
	require.ErrorIs(t, err, nest.ErrOpen)
	require.False(t, found)
	got, err = ref.Get(ctx)
	require.NoError(t, err)
	require.Equal(t, "fifth", got)
	db.set(ref.Key(), "planted")
	_, _, err = ref.Take(ctx)
	require.ErrorIs(t, err, nest.ErrOpen)
	require.False(t, db.exists(ref.Key()))
}

func TestSecretUpdate(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := openSafe(t)
	ref := quota.At(s, 1)

	got, err := ref.Update(ctx, func(n int, found bool) (int, error) {
		require.False(t, found)
		return n + 1, nil
	})
	require.NoError(t, err)
	require.Equal(t, 4, got, "from the default")
	together(8, func(int) {
		for range 10 {
			_, err := ref.Update(ctx, func(n int, _ bool) (int, error) { return n + 1, nil })
			if err != nil {
				t.Error(err)
			}
		}
	})
	got, err = ref.Get(ctx)
	require.NoError(t, err)
	require.Equal(t, 84, got)

	refused := errors.New("no")
	_, err = ref.Update(ctx, func(int, bool) (int, error) { return 0, refused })
	require.ErrorIs(t, err, refused)
	_, err = ref.Update(ctx, nil)
	require.ErrorIs(t, err, nest.ErrArgument)

	db.set(ref.Key(), "planted")
	_, err = ref.Update(ctx, func(int, bool) (int, error) { return 1, nil })
	require.ErrorIs(t, err, nest.ErrOpen, "what does not open is not overwritten")
	require.Equal(t, "planted", db.text(ref.Key()))
}

// What each write does to the expiry of a key that is missing, that has 40 seconds left, or that
// has no expiry.
func TestSecretExpiryAfterWrites(t *testing.T) {
	t.Parallel()
	const absent = time.Duration(0)
	key := secure.GenerateKey()
	for what, c := range map[string]struct {
		write                  func(ctx context.Context, r nest.SecretRef[int]) error
		missing, left, endless time.Duration
	}{
		"Set": {
			func(ctx context.Context, r nest.SecretRef[int]) error { return r.Set(ctx, 1) },
			declaredTTL, declaredTTL, declaredTTL,
		},
		"Set KeepTTL": {
			func(ctx context.Context, r nest.SecretRef[int]) error { return r.Set(ctx, 1, nest.KeepTTL()) },
			declaredTTL, 40 * time.Second, nest.Forever,
		},
		"Set NoExpiry": {
			func(ctx context.Context, r nest.SecretRef[int]) error { return r.Set(ctx, 1, nest.NoExpiry()) },
			nest.Forever, nest.Forever, nest.Forever,
		},
		"SetIfAbsent": {
			func(ctx context.Context, r nest.SecretRef[int]) error { _, err := r.SetIfAbsent(ctx, 1); return err },
			declaredTTL, 40 * time.Second, nest.Forever,
		},
		"SetIfPresent": {
			func(ctx context.Context, r nest.SecretRef[int]) error { _, err := r.SetIfPresent(ctx, 1); return err },
			absent, declaredTTL, declaredTTL,
		},
		"Swap": {
			func(ctx context.Context, r nest.SecretRef[int]) error { _, _, err := r.Swap(ctx, 1); return err },
			declaredTTL, declaredTTL, declaredTTL,
		},
		"Take": {
			func(ctx context.Context, r nest.SecretRef[int]) error { _, _, err := r.Take(ctx); return err },
			absent, absent, absent,
		},
		"Update": {
			func(ctx context.Context, r nest.SecretRef[int]) error {
				_, err := r.Update(ctx, func(int, bool) (int, error) { return 1, nil })
				return err
			},
			declaredTTL, declaredTTL, declaredTTL,
		},
		"Rotate": {
			func(ctx context.Context, r nest.SecretRef[int]) error {
				if _, err := r.Rotate(ctx); !errors.Is(err, nest.ErrNotFound) {
					return err
				}
				return nil
			},
			absent, 40 * time.Second, nest.Forever,
		},
	} {
		for before, want := range map[string]time.Duration{"missing": c.missing, "running": c.left, "endless": c.endless} {
			t.Run(what+"/"+before, func(t *testing.T) {
				prefix := nest.WithPrefix(nesttest.Shared(t).Prefix(t))
				old, db := openSafe(t, prefix, nest.WithKeyring(newRing(t, key)))
				s, _ := openSafe(t, prefix, nest.WithKeyring(newRing(t, secure.GenerateKey(), secure.AcceptOnly(key))))
				r := quota.At(s, 1)
				switch before {
				case "running":
					require.NoError(t, quota.At(old, 1).Set(t.Context(), 7, nest.ExpireIn(40*time.Second)))
				case "endless":
					require.NoError(t, quota.At(old, 1).Set(t.Context(), 7, nest.NoExpiry()))
				}
				require.NoError(t, c.write(t.Context(), r))
				if want == absent {
					require.False(t, db.exists(r.Key()))
					return
				}
				about(t, want, db.ttl(r.Key()))
			})
		}
	}
}

func TestSecretAutoRenew(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := openSafe(t)
	ref := grant.At(s, 1)
	for what, read := range map[string]func() error{
		"Get":    func() error { _, err := ref.Get(ctx); return err },
		"Lookup": func() error { _, _, err := ref.Lookup(ctx); return err },
	} {
		require.NoError(t, ref.Set(ctx, login{}, nest.ExpireIn(time.Minute)))
		require.NoError(t, read(), what)
		about(t, time.Hour, db.ttl(ref.Key()))
	}
}

// A value opens only in its own place.
func TestSecretsThatWereMovedDoNotOpen(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	key, prefix := secure.GenerateKey(), nest.WithPrefix(nesttest.Shared(t).Prefix(t))
	s, db := openSafe(t, prefix, nest.WithKeyring(newRing(t, key, secure.InContext("db 0"))))
	from := apiKey.At(s, 1)
	require.NoError(t, from.Set(ctx, sentinel))
	stored := db.text(from.Key())

	other, _ := openSafe(t, prefix, nest.WithKeyring(newRing(t, key, secure.InContext("db 1"))))
	stranger, _ := openSafe(t, prefix, nest.WithKeyring(newRing(t, secure.GenerateKey())))
	revoked, _ := openSafe(t, prefix, nest.WithKeyring(newRing(t, secure.GenerateKey(), secure.AcceptOnly(key), secure.Disable(key.ID()))))
	emptied, _ := openSafe(t, prefix, nest.WithKeyring(new(secure.Holder)))
	elsewhere := safe.At(nesttest.Open(t, safe, prefix, nest.WithKeyring(newRing(t, key, secure.InContext("db 0")))), "b")

	get := func(r nest.SecretRef[string]) error {
		v, err := r.Get(ctx)
		require.Empty(t, v)
		_, found, lookupErr := r.Lookup(ctx)
		require.False(t, found)
		require.Equal(t, errors.Is(err, nest.ErrOpen), errors.Is(lookupErr, nest.ErrOpen))
		return err
	}
	move := func(to nest.SecretRef[string]) error {
		db.set(to.Key(), stored)
		return get(to)
	}
	change := func(text string) error {
		db.set(from.Key(), text)
		defer db.set(from.Key(), stored)
		return get(from)
	}
	flipped := []byte(stored)
	flipped[len(flipped)-1] ^= 1

	for what, c := range map[string]struct {
		err  error
		want error
	}{
		"to another parameter":             {move(apiKey.At(s, 2)), secure.ErrOpen},
		"to another key":                   {move(packed.At(s, 1)), secure.ErrOpen},
		"to another scope":                 {move(apiKey.At(elsewhere, 1)), secure.ErrOpen},
		"to another database or tenant":    {get(apiKey.At(other, 1)), secure.ErrOpen},
		"under another key":                {get(apiKey.At(stranger, 1)), secure.ErrUnknownKey},
		"under a key that leaked":          {get(apiKey.At(revoked, 1)), secure.ErrDisabledKey},
		"without any key":                  {get(apiKey.At(emptied, 1)), secure.ErrNoKeyring},
		"with a bit flipped":               {change(string(flipped)), secure.ErrOpen},
		"cut":                              {change(stored[:len(stored)-1]), secure.ErrOpen},
		"longer":                           {change(stored + "x"), secure.ErrOpen},
		"of another suite":                 {change(stored[:2] + "\x02" + stored[3:]), secure.ErrUnknownSuite},
		"replaced by nothing":              {change(""), secure.ErrNotSealed},
		"replaced by a text":               {change(sentinel), secure.ErrNotSealed},
		"replaced by the Python library's": {change(`{"__type__": "str", "value": "gAAAAAB` + sentinel + `"}`), secure.ErrNotSealed},
	} {
		t.Run(what, func(t *testing.T) {
			require.ErrorIs(t, c.err, nest.ErrOpen)
			require.ErrorIs(t, c.err, c.want)
			require.NotContains(t, c.err.Error(), sentinel)
			shaped(t, c.err)
		})
	}
	got, err := from.Get(ctx)
	require.NoError(t, err)
	require.Equal(t, sentinel, got, "where it belongs it opens")

	// The value is read as another kind under the same name, and as a plain value, which sees the
	// sealed bytes.
	plain := nest.Key[string]("api_key:<n>")
	p := nesttest.Open(t, nest.Cluster("safe:<safe>", nest.HashTag(), nest.Sub(plain)), prefix)
	text, err := plain.At(p, "a", 1).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, stored, text)
}

func TestSecretTooLarge(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := openSafe(t, nest.WithKeyring(newRing(t, secure.GenerateKey(), secure.MaxPlaintext(8))))
	ref := apiKey.At(s, 1)
	require.NoError(t, ref.Set(ctx, "12345678"))
	for _, err := range []error{
		ref.Set(ctx, "123456789"),
		func() error { _, err := ref.SetIfPresent(ctx, "123456789"); return err }(),
		func() error { _, _, err := ref.Swap(ctx, "123456789"); return err }(),
		func() error {
			_, err := ref.Update(ctx, func(string, bool) (string, error) { return "123456789", nil })
			return err
		}(),
	} {
		require.ErrorIs(t, err, nest.ErrEncode)
		require.ErrorIs(t, err, secure.ErrTooLarge)
	}
	db.set(ref.Key(), "\xfa\x5e\x01"+strings.Repeat("x", 1<<20))
	_, err := ref.Get(ctx)
	require.ErrorIs(t, err, nest.ErrOpen)
	require.ErrorIs(t, err, secure.ErrTooLarge)
}

func TestSecretRotate(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	old, next := secure.GenerateKey(), secure.GenerateKey()
	holder := secure.NewHolder(newRing(t, old))
	s, db := openSafe(t, nest.WithKeyring(holder))
	ref := apiKey.At(s, 1)

	_, err := ref.Rotate(ctx)
	require.ErrorIs(t, err, nest.ErrNotFound)
	require.NoError(t, ref.Set(ctx, sentinel, nest.ExpireIn(time.Minute)))
	stored := db.text(ref.Key())
	done, err := ref.Rotate(ctx)
	require.NoError(t, err)
	require.False(t, done, "it is sealed by the primary key")
	require.Equal(t, stored, db.text(ref.Key()))

	holder.Store(newRing(t, next, secure.AcceptOnly(old)))
	done, err = ref.Rotate(ctx)
	require.NoError(t, err)
	require.True(t, done)
	about(t, time.Minute, db.ttl(ref.Key()))
	holder.Store(newRing(t, next))
	got, err := ref.Get(ctx)
	require.NoError(t, err)
	require.Equal(t, sentinel, got, "without the old key")

	for _, planted := range []string{"", "planted", stored} {
		db.set(ref.Key(), planted)
		_, err = ref.Rotate(ctx)
		require.ErrorIs(t, err, nest.ErrOpen)
		require.Equal(t, planted, db.text(ref.Key()), "what does not open is not overwritten")
	}
	require.NoError(t, db.do("DEL", ref.Key()).Error())
	require.NoError(t, db.do("RPUSH", ref.Key(), "x").Error())
	_, err = ref.Rotate(ctx)
	require.ErrorIs(t, err, nest.ErrWrongType)
}

// Other clients write between the read of the old value and the write of the new one.
func TestSecretRotateLosesNoWrite(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	old, next := secure.GenerateKey(), secure.GenerateKey()
	prefix := nest.WithPrefix(nesttest.Shared(t).Prefix(t))
	writer, db := openSafe(t, prefix, nest.WithKeyring(newRing(t, old)))
	ref := apiKey.At(writer, 1)
	require.NoError(t, ref.Set(ctx, "old"))

	writes := 0
	s, _ := openSafe(t, prefix, nest.WithKeyring(meddling{newRing(t, next, secure.AcceptOnly(old)), func() {
		if writes++; writes <= 3 {
			require.NoError(t, ref.Set(ctx, fmt.Sprint("new ", writes), nest.ExpireIn(time.Minute)))
		}
	}}))
	done, err := apiKey.At(s, 1).Rotate(ctx)
	require.NoError(t, err)
	require.True(t, done)
	got, err := apiKey.At(s, 1).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, "new 3", got)
	about(t, time.Minute, db.ttl(ref.Key()))

	writes = -1000
	s, _ = openSafe(t, prefix, nest.WithKeyring(meddling{newRing(t, secure.GenerateKey(), secure.AcceptOnly(old, next)), func() {
		writes++
		require.NoError(t, ref.Set(ctx, fmt.Sprint("newer ", writes)))
	}}))
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	_, err = apiKey.At(s, 1).Rotate(short)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	short, cancel = context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	_, err = apiKey.At(s, 1).Rename(short, apiKey.At(s, 2))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.False(t, db.exists(apiKey.At(s, 2).Key()))

	// The key is deleted in between.
	s, _ = openSafe(t, prefix, nest.WithKeyring(meddling{newRing(t, secure.GenerateKey(), secure.AcceptOnly(old, next)), func() {
		_, err := ref.Delete(ctx)
		require.NoError(t, err)
	}}))
	_, err = apiKey.At(s, 1).Rotate(ctx)
	require.ErrorIs(t, err, nest.ErrNotFound)
	require.False(t, db.exists(ref.Key()), "it does not come back")
}

func TestSecretRenameAndCopy(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	type transfer = func(from, to nest.SecretRef[int], opts ...nest.WriteOption) (bool, error)
	for op, c := range map[string]struct {
		do    transfer
		moves bool
	}{
		"Rename": {func(from, to nest.SecretRef[int], opts ...nest.WriteOption) (bool, error) {
			return from.Rename(ctx, to, opts...)
		}, true},
		"Copy": {func(from, to nest.SecretRef[int], opts ...nest.WriteOption) (bool, error) {
			return from.Copy(ctx, to, opts...)
		}, false},
	} {
		t.Run(op, func(t *testing.T) {
			s, db := openSafe(t)
			from, to := quota.At(s, 1), quota.At(s, 2)
			requireValue := func(r nest.SecretRef[int], want int) {
				t.Helper()
				got, found, err := r.Lookup(ctx)
				require.NoError(t, err)
				require.True(t, found)
				require.Equal(t, want, got)
			}

			_, err := c.do(from, to)
			require.ErrorIs(t, err, nest.ErrNotFound)
			require.False(t, db.exists(to.Key()))

			require.NoError(t, from.Set(ctx, 10, nest.NoExpiry()))
			done, err := c.do(from, to)
			require.NoError(t, err)
			require.True(t, done)
			requireValue(to, 10)
			require.Equal(t, !c.moves, db.exists(from.Key()))
			about(t, declaredTTL, db.ttl(to.Key()))

			require.NoError(t, from.Set(ctx, 20, nest.ExpireIn(time.Hour)))
			done, err = c.do(from, to)
			require.NoError(t, err)
			require.False(t, done, "a target that is there stays")
			requireValue(to, 10)
			requireValue(from, 20)

			done, err = c.do(from, to, nest.Replace())
			require.NoError(t, err)
			require.True(t, done)
			requireValue(to, 20)
			about(t, time.Hour, db.ttl(to.Key()))

			_, err = c.do(to, to, nest.Replace())
			require.ErrorIs(t, err, nest.ErrArgument)
			_, err = c.do(to, quota.At(s)) //nest:ignore the error is what is tested
			require.ErrorIs(t, err, nest.ErrMissingParam, "the target's own error")
			_, err = c.do(to, nest.SecretRef[int]{})
			require.ErrorIs(t, err, nest.ErrNoClient)
			_, err = c.do(nest.SecretRef[int]{}, to)
			require.ErrorIs(t, err, nest.ErrNoClient)
			requireValue(to, 20)

			db.set(from.Key(), "planted")
			_, err = c.do(from, to, nest.Replace())
			require.ErrorIs(t, err, nest.ErrOpen)
			requireValue(to, 20)
			require.Equal(t, "planted", db.text(from.Key()))
		})
	}
}

// A value is copied to a tree with another keyring. It is opened with one keyring and sealed with
// the other.
func TestSecretCopyToAnotherTree(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	client := nesttest.Client(t)
	openWith := func(name string) nest.Scope {
		s, err := nest.Open(client, safe, nest.WithPrefix(nesttest.Shared(t).Prefix(t)), nest.WithKeyring(newRing(t, secure.GenerateKey(), secure.InContext(name))))
		require.NoError(t, err)
		return safe.At(s, "a")
	}
	from, to := apiKey.At(openWith("here"), 1), apiKey.At(openWith("there"), 1)
	require.NoError(t, from.Set(ctx, sentinel))
	done, err := from.Copy(ctx, to)
	require.NoError(t, err)
	require.True(t, done)
	got, err := to.Get(ctx)
	require.NoError(t, err)
	require.Equal(t, sentinel, got)
}

func TestSecretsInBatches(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := openSafe(t)
	for what, b := range map[string]*nest.Batch{"batch": s.Batch(), "atomic": s.Atomic()} {
		t.Run(what, func(t *testing.T) {
			ref, planted := apiKey.At(s, what), apiKey.At(s, what+" planted")
			db.set(planted.Key(), sentinel)
			ref.In(b).Set("first")
			first := ref.In(b).Get()
			old := ref.In(b).Swap("second")
			raw := ref.In(b).Raw()
			second := ref.In(b).Take()
			absent := ref.In(b).Lookup()
			limit := quota.At(s, what).In(b).Get()
			bad := planted.In(b).Get()
			err := b.Exec(ctx)
			require.ErrorIs(t, err, nest.ErrOpen)
			require.NotContains(t, err.Error(), sentinel)
			require.ErrorIs(t, bad.Err(), nest.ErrOpen)
			for _, f := range []func() (string, bool, error){
				func() (string, bool, error) { v, err := first.Value(); return v, true, err }, old.Value,
			} {
				v, found, err := f()
				require.NoError(t, err)
				require.True(t, found)
				require.Equal(t, "first", v)
			}
			sealed, err := raw.Value()
			require.NoError(t, err)
			require.True(t, bytes.HasPrefix(sealed, []byte("\xfa\x5e")))
			v, found, err := second.Value()
			require.NoError(t, err)
			require.True(t, found)
			require.Equal(t, "second", v)
			_, found, err = absent.Value()
			require.NoError(t, err)
			require.False(t, found)
			n, err := limit.Value()
			require.NoError(t, err)
			require.Equal(t, 3, n)
		})
	}
}

// The Python library's secrets are texts, whatever codec a key has today.
func TestSecretsOfThePythonLibrary(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	file, err := os.ReadFile("../../../../secure/testdata/interop/python_fernet.json")
	require.NoError(t, err)
	var vectors struct {
		Tests []struct {
			Key        string
			Plaintext  string
			RedisValue string `json:"redis_value"`
		}
	}
	require.NoError(t, json.Unmarshal(file, &vectors))
	require.NotEmpty(t, vectors.Tests)
	for i, v := range vectors.Tests {
		fernet, err := secure.ParseKey(v.Key)
		require.NoError(t, err)
		ring := newRing(t, secure.GenerateKey(), secure.AcceptFernet(fernet))
		s, db := openSafe(t, nest.WithKeyring(ring))
		tagged := nest.Secret[string]("tagged", nest.Codec(codec.Tagged))
		whatever := nest.Secret[any]("any", nest.Codec(codec.JSON))
		other := nesttest.Open(t, nest.Cluster("other", nest.Sub(tagged, whatever)), nest.WithKeyring(ring))

		for name, ref := range map[string]nest.SecretRef[string]{
			"auto": apiKey.At(s, i), "json": packed.At(s, i), "tagged": tagged.At(other),
		} {
			db.set(ref.Key(), v.RedisValue)
			for range 2 { // as it was stored, and resealed
				got, err := ref.Get(ctx)
				require.NoError(t, err, name)
				require.Equal(t, v.Plaintext, got, name)
				_, err = ref.Rotate(ctx)
				require.NoError(t, err)
				require.True(t, ring.Current([]byte(db.text(ref.Key()))))
			}
		}
		db.set(whatever.At(other).Key(), v.RedisValue)
		got, err := whatever.At(other).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, v.Plaintext, got)
	}
}

func TestSecretsWithTwoKeyringsAtOnce(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	a, b := secure.GenerateKey(), secure.GenerateKey()
	holder := secure.NewHolder(newRing(t, a, secure.AcceptOnly(b)))
	s, _ := openSafe(t, nest.WithKeyring(holder))
	ref := apiKey.At(s, 1)
	require.NoError(t, ref.Set(ctx, "0"))
	var done atomic.Bool
	together(4, func(i int) {
		if i == 0 {
			for range 200 {
				holder.Store(newRing(t, b, secure.AcceptOnly(a)))
				holder.Store(newRing(t, a, secure.AcceptOnly(b)))
			}
			done.Store(true)
			return
		}
		for !done.Load() {
			if err := ref.Set(ctx, "x"); err != nil {
				t.Error(err)
			}
			if _, err := ref.Get(ctx); err != nil {
				t.Error(err)
			}
			if _, err := ref.Rotate(ctx); err != nil {
				t.Error(err)
			}
		}
	})
}
