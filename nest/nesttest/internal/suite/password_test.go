package suite_test

import (
	"context"
	"encoding/json"
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
	passwd   = nest.Password("password:<n>")
	pin      = nest.Password("pin:<n>", nest.TTL(declaredTTL), nest.AutoRenew())
	token    = nest.Secret[string]("token:<n>")
	accounts = nest.Cluster("account:<account>", nest.HashTag(), nest.Sub(passwd, pin, token))
)

// newPasswords returns a hasher that is fast, and weaker than any that a service may have.
func newPasswords(t *testing.T, kib uint32) *secure.Passwords {
	t.Helper()
	p, err := secure.NewPasswords(secure.Policy{Memory: kib, Time: 1, Threads: 1}, secure.AllowWeak(t))
	require.NoError(t, err)
	return p
}

// openAccount opens the tree of passwords with a fast hasher and without a keyring.
func openAccount(t *testing.T, opts ...nest.OpenOption) (nest.Scope, redis) {
	t.Helper()
	// Only the secret beside the passwords needs a keyring. Without a keyring the secret is left
	// out.
	tree := nest.Cluster("account:<account>", nest.HashTag(), nest.Sub(passwd, pin))
	opts = append([]nest.OpenOption{nest.WithPasswords(newPasswords(t, 16))}, opts...)
	return tree.At(nesttest.Open(t, tree, opts...), "a"), redis{t, nesttest.Client(t)}
}

// openSealedAccount is like openAccount, with a keyring.
func openSealedAccount(t *testing.T, opts ...nest.OpenOption) (nest.Scope, redis) {
	t.Helper()
	opts = append([]nest.OpenOption{nest.WithPasswords(newPasswords(t, 16)), nest.WithKeyring(newRing(t, secure.GenerateKey()))}, opts...)
	return accounts.At(nesttest.Open(t, accounts, opts...), "a"), redis{t, nesttest.Client(t)}
}

// counted counts the computations that a hasher is asked for.
type counted struct {
	nest.Hasher
	hashes, verifies atomic.Int64
	// before is called before a hash is made, and can fail in its place.
	before func() error
}

func (c *counted) Hash(ctx context.Context, password string) (string, error) {
	c.hashes.Add(1)
	if c.before != nil {
		if err := c.before(); err != nil {
			return "", err
		}
	}
	return c.Hasher.Hash(ctx, password)
}

func (c *counted) Verify(ctx context.Context, encoded, password string) (ok, rehash bool, err error) {
	c.verifies.Add(1)
	return c.Hasher.Verify(ctx, encoded, password)
}

func (c *counted) VerifyMissing(ctx context.Context, password string) error {
	c.verifies.Add(1)
	return c.Hasher.VerifyMissing(ctx, password)
}

func requireVerify(t *testing.T, want bool, ref nest.PasswordRef, candidate string) {
	t.Helper()
	ok, err := ref.Verify(t.Context(), candidate)
	require.NoError(t, err)
	require.Equal(t, want, ok)
}

func TestPasswordSetAndVerify(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for what, c := range map[string]struct {
		open   func(t *testing.T, opts ...nest.OpenOption) (nest.Scope, redis)
		prefix string
	}{
		"hashed":            {openAccount, "$argon2id$v=19$m=16,t=1,p=1$"},
		"hashed and sealed": {openSealedAccount, "\xfa\x5e"},
	} {
		t.Run(what, func(t *testing.T) {
			s, db := c.open(t)
			ref := passwd.At(s, 1)
			_, err := ref.Reveal(ctx)
			require.ErrorIs(t, err, nest.ErrNotFound)

			// A password that looks like a hash is hashed like any other.
			for _, password := range []string{sentinel, "$2b$12$hello", strings.Repeat("x", 1024), "pässwörd☃"} {
				require.NoError(t, ref.Set(ctx, password))
				stored := db.text(ref.Key())
				require.True(t, strings.HasPrefix(stored, c.prefix))
				require.NotContains(t, stored, password)
				requireVerify(t, true, ref, password)
				requireVerify(t, false, ref, password[1:]+"y")
				require.Equal(t, stored, db.text(ref.Key()), "verifying does not write")
				hash, err := ref.Reveal(ctx)
				require.NoError(t, err)
				require.True(t, strings.HasPrefix(hash, "$argon2id$"))
			}

			done, err := ref.SetIfAbsent(ctx, "other")
			require.NoError(t, err)
			require.False(t, done)
			requireVerify(t, true, ref, "pässwörd☃")
			done, err = ref.SetIfPresent(ctx, "other")
			require.NoError(t, err)
			require.True(t, done)
			requireVerify(t, true, ref, "other")
			done, err = ref.Delete(ctx)
			require.NoError(t, err)
			require.True(t, done)
			requireVerify(t, false, ref, "other")
			done, err = ref.SetIfAbsent(ctx, "again")
			require.NoError(t, err)
			require.True(t, done)
			requireVerify(t, true, ref, "again")

			for _, bad := range []string{"", strings.Repeat("x", 1025)} {
				require.ErrorIs(t, ref.Set(ctx, bad), secure.ErrPasswordLength)
				_, err = ref.SetIfAbsent(ctx, bad)
				require.ErrorIs(t, err, secure.ErrPasswordLength)
				_, err = ref.Verify(ctx, bad)
				require.ErrorIs(t, err, secure.ErrPasswordLength)
				shaped(t, err)
			}
			requireVerify(t, true, ref, "again")
		})
	}
}

func TestPasswordVerifyDetail(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	hasher := &counted{Hasher: newPasswords(t, 16)}
	s, _ := openSealedAccount(t, nest.WithPasswords(hasher))
	require.NoError(t, passwd.At(s, 1).Set(ctx, "right"))

	for what, c := range map[string]struct {
		ref       nest.PasswordRef
		candidate string
		want      nest.Verification
	}{
		"right":   {passwd.At(s, 1), "right", nest.Verification{Matched: true}},
		"wrong":   {passwd.At(s, 1), "wrong", nest.Verification{}},
		"missing": {passwd.At(s, 2), "right", nest.Verification{Missing: true}},
	} {
		before := hasher.verifies.Load()
		got, err := c.ref.VerifyDetail(ctx, c.candidate)
		require.NoError(t, err)
		require.Equal(t, c.want, got, what)
		require.Equal(t, before+1, hasher.verifies.Load(), "%s: each costs one computation", what)
	}
	require.EqualValues(t, 1, hasher.hashes.Load(), "and no new hash is made")
}

func TestPasswordRehash(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for what, open := range map[string]func(t *testing.T, opts ...nest.OpenOption) (nest.Scope, redis){
		"hashed": openAccount, "hashed and sealed": openSealedAccount,
	} {
		t.Run(what, func(t *testing.T) {
			common := []nest.OpenOption{nest.WithPrefix(nesttest.Shared(t).Prefix(t))}
			if what != "hashed" {
				common = append(common, nest.WithKeyring(newRing(t, secure.GenerateKey())))
			}
			weak, db := open(t, append(common, nest.WithPasswords(newPasswords(t, 8)))...)
			hasher := &counted{Hasher: newPasswords(t, 32)}
			s, _ := open(t, append(common, nest.WithPasswords(hasher))...)
			old, ref := passwd.At(weak, 1), passwd.At(s, 1)
			require.NoError(t, old.Set(ctx, "right", nest.ExpireIn(time.Minute)))
			stored := db.text(ref.Key())

			requireVerify(t, false, ref, "wrong")
			require.Equal(t, stored, db.text(ref.Key()), "a wrong password changes nothing")

			got, err := ref.VerifyDetail(ctx, "right")
			require.NoError(t, err)
			require.Equal(t, nest.Verification{Matched: true, Rehashed: true}, got)
			hash, err := ref.Reveal(ctx)
			require.NoError(t, err)
			require.Contains(t, hash, "m=32,")
			about(t, time.Minute, db.ttl(ref.Key()))

			stored = db.text(ref.Key())
			for _, r := range []nest.PasswordRef{ref, old} {
				got, err = r.VerifyDetail(ctx, "right")
				require.NoError(t, err)
				require.Equal(t, nest.Verification{Matched: true}, got)
			}
			require.Equal(t, stored, db.text(ref.Key()), "neither twice nor downwards")

			// Another client sets another password between the read and the write.
			require.NoError(t, old.Set(ctx, "right"))
			hasher.before = func() error { return old.Set(ctx, "newer") }
			got, err = ref.VerifyDetail(ctx, "right")
			require.NoError(t, err)
			require.Equal(t, nest.Verification{Matched: true}, got)
			requireVerify(t, true, old, "newer")
			requireVerify(t, false, old, "right")

			// Another client deletes it.
			hasher.before = func() error { _, err := old.Delete(ctx); return err }
			requireVerify(t, true, ref, "newer")
			require.False(t, db.exists(ref.Key()), "it does not come back")

			// A new hash cannot be made.
			require.NoError(t, old.Set(ctx, "right"))
			hasher.before = func() error { return secure.ErrBusy }
			got, err = ref.VerifyDetail(ctx, "right")
			require.NoError(t, err)
			require.Equal(t, nest.Verification{Matched: true}, got)
		})
	}
}

// failures collects the operations that failed.
type failures chan nest.Event

func (f failures) Observe(_ context.Context, e nest.Event) {
	if e.Err != nil {
		f <- e
	}
}

func TestPasswordRehashThatFailsIsObserved(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	prefix, observed := nest.WithPrefix(nesttest.Shared(t).Prefix(t)), make(failures, 8)
	weak, _ := openAccount(t, prefix, nest.WithPasswords(newPasswords(t, 8)))
	require.NoError(t, passwd.At(weak, 1).Set(ctx, "right"))
	s, _ := openAccount(t, prefix, nest.WithObserver(observed), nest.WithPasswords(&counted{
		Hasher: newPasswords(t, 32), before: func() error { return secure.ErrBusy },
	}))
	requireVerify(t, true, passwd.At(s, 1), "right")
	require.Len(t, observed, 1)
	e := <-observed
	require.Equal(t, "rehash", e.Op)
	require.ErrorIs(t, e.Err, secure.ErrBusy)
}

// A hash that a writer of Redis can plant, without a keyring, is an error and not a wrong password,
// and nothing is computed.
func TestPasswordPlantedHashes(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	const tail = "$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"
	s, db := openAccount(t)
	ref := passwd.At(s, 1)
	for planted, want := range map[string]error{
		"":                                      secure.ErrHashMalformed,
		sentinel:                                secure.ErrHashMalformed,
		`{"__type__": "none", "value": "None"}`: secure.ErrHashMalformed,
		"$argon2id$v=19$m=2147483648,t=1,p=1" + tail:                   secure.ErrHashCost,
		"$argon2id$v=19$m=65536,t=4294967295,p=1" + tail:               secure.ErrHashCost,
		"$argon2id$v=19$m=65536,t=0,p=1" + tail:                        secure.ErrHashMalformed,
		"$argon2id$v=19$m=65536,t=1,p=0" + tail:                        secure.ErrHashMalformed,
		"$argon2d$v=19$m=65536,t=1,p=1" + tail:                         secure.ErrHashUnsupported,
		"$2b$31$JZzJv2/gj5DyI1NfVGKozO/9YPvwOhA2u9T0zkiYpSDQwigQl4A0K": secure.ErrHashCost,
		"$argon2id$v=19$m=16,t=1,p=1" + tail + "\n":                    secure.ErrHashMalformed,
		"$argon2id$v=19$m=16,t=1,p=1" + strings.Repeat("a", 600):       secure.ErrHashMalformed,
	} {
		db.set(ref.Key(), planted)
		ok, err := ref.Verify(ctx, "right")
		require.False(t, ok)
		require.Error(t, err, "%q", planted)
		require.NotContains(t, err.Error(), sentinel)
		require.ErrorIs(t, err, want, "%q", planted)
		got, err := ref.VerifyDetail(ctx, "right")
		require.Error(t, err)
		require.Zero(t, got)
		require.Equal(t, planted, db.text(ref.Key()))
	}
	require.NoError(t, db.do("DEL", ref.Key()).Error())
	require.NoError(t, db.do("RPUSH", ref.Key(), "x").Error())
	_, err := ref.Verify(ctx, "right")
	require.ErrorIs(t, err, nest.ErrWrongType)
}

// With a keyring, a hash verifies only in the place where it was set.
func TestPasswordsThatWereMovedDoNotOpen(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := openSealedAccount(t)
	mallory, alice := passwd.At(s, "mallory"), passwd.At(s, "alice")
	require.NoError(t, mallory.Set(ctx, "mine"))
	require.NoError(t, alice.Set(ctx, "hers"))
	hash, err := mallory.Reveal(ctx)
	require.NoError(t, err)
	require.NoError(t, token.At(s, "t").Set(ctx, hash))

	for what, planted := range map[string]string{
		"another user's":          db.text(mallory.Key()),
		"another user's, plain":   hash,
		"in the Python library's": `{"__type__": "str", "value": "` + hash + `"}`,
		"sealed as a secret":      db.text(token.At(s, "t").Key()),
		"nothing":                 "",
		"altered at its end":      db.text(alice.Key())[:100] + "x",
		"sealed under another key": func() string {
			o, _ := openSealedAccount(t)
			r := passwd.At(o, 1)
			require.NoError(t, r.Set(ctx, "mine"))
			return db.text(r.Key())
		}(),
		"a bcrypt hash, not sealed": "$2b$04$JZzJv2/gj5DyI1NfVGKozO/9YPvwOhA2u9T0zkiYpSDQwigQl4A0K",
	} {
		db.set(alice.Key(), planted)
		for _, candidate := range []string{"mine", "hers", "hunter2"} {
			ok, err := alice.Verify(ctx, candidate)
			require.False(t, ok, what)
			require.ErrorIs(t, err, nest.ErrOpen, what)
		}
		_, err = alice.Reveal(ctx)
		require.ErrorIs(t, err, nest.ErrOpen, what)
	}
	db.set(token.At(s, "u").Key(), db.text(mallory.Key()))
	_, err = token.At(s, "u").Get(ctx)
	require.ErrorIs(t, err, nest.ErrOpen, "nor does a password open as a secret")
}

func TestPasswordSetHash(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	const bcrypt = "$2b$04$JZzJv2/gj5DyI1NfVGKozO/9YPvwOhA2u9T0zkiYpSDQwigQl4A0K"
	for what, open := range map[string]func(t *testing.T, opts ...nest.OpenOption) (nest.Scope, redis){
		"hashed": openAccount, "hashed and sealed": openSealedAccount,
	} {
		t.Run(what, func(t *testing.T) {
			s, db := open(t)
			ref := pin.At(s, 1)
			for planted, want := range map[string]error{
				"":           secure.ErrHashMalformed,
				sentinel:     secure.ErrHashMalformed,
				bcrypt + "x": secure.ErrHashMalformed,
				"$2b$31$JZzJv2/gj5DyI1NfVGKozO/9YPvwOhA2u9T0zkiYpSDQwigQl4A0K": secure.ErrHashCost,
				`{"__type__":"str","value":"` + bcrypt + `"}`:                  secure.ErrHashMalformed,
			} {
				err := ref.SetHash(ctx, planted)
				require.ErrorIs(t, err, nest.ErrArgument)
				require.ErrorIs(t, err, want, "%q", planted)
				require.NotContains(t, err.Error(), sentinel)
				require.False(t, db.exists(ref.Key()))
			}
			require.NoError(t, ref.SetHash(ctx, bcrypt))
			about(t, declaredTTL, db.ttl(ref.Key()))
			hash, err := ref.Reveal(ctx)
			require.NoError(t, err)
			require.Equal(t, bcrypt, hash)
			requireVerify(t, false, ref, "hunter3")
			got, err := ref.VerifyDetail(ctx, "hunter2")
			require.NoError(t, err)
			require.Equal(t, nest.Verification{Matched: true, Rehashed: true}, got)
			hash, err = ref.Reveal(ctx)
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(hash, "$argon2id$"))
			requireVerify(t, true, ref, "hunter2")
		})
	}
}

// A login, successful or not, does not prolong the life of a password.
func TestPasswordExpiry(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := openSealedAccount(t)
	ref := pin.At(s, 1)
	require.NoError(t, ref.Set(ctx, "1234"))
	about(t, declaredTTL, db.ttl(ref.Key()))
	require.NoError(t, ref.Set(ctx, "1234", nest.ExpireIn(40*time.Second)))
	for _, candidate := range []string{"1234", "4321"} {
		_, err := ref.Verify(ctx, candidate)
		require.NoError(t, err)
		about(t, 40*time.Second, db.ttl(ref.Key()))
	}
	require.NoError(t, ref.Set(ctx, "4321", nest.KeepTTL()))
	about(t, 40*time.Second, db.ttl(ref.Key()))
	require.ErrorIs(t, ref.Set(ctx, "4321", nest.ExpireIn(-1)), nest.ErrArgument)
}

func TestPasswordRenameCopyAndRotate(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for what, open := range map[string]func(t *testing.T, opts ...nest.OpenOption) (nest.Scope, redis){
		"hashed": openAccount, "hashed and sealed": openSealedAccount,
	} {
		t.Run(what, func(t *testing.T) {
			key := secure.GenerateKey()
			holder := secure.NewHolder(newRing(t, key))
			var opts []nest.OpenOption
			if what != "hashed" {
				opts = append(opts, nest.WithKeyring(holder))
			}
			s, db := open(t, opts...)
			a, b, c := pin.At(s, "a"), pin.At(s, "b"), pin.At(s, "c")
			require.NoError(t, a.Set(ctx, "1234", nest.ExpireIn(40*time.Second)))
			done, err := a.Rename(ctx, b)
			require.NoError(t, err)
			require.True(t, done)
			done, err = b.Copy(ctx, c)
			require.NoError(t, err)
			require.True(t, done)
			requireVerify(t, false, a, "1234")
			for _, r := range []nest.PasswordRef{b, c} {
				requireVerify(t, true, r, "1234")
				about(t, 40*time.Second, db.ttl(r.Key()))
			}

			holder.Store(newRing(t, secure.GenerateKey(), secure.AcceptOnly(key)))
			done, err = b.Rotate(ctx)
			require.NoError(t, err)
			require.Equal(t, what != "hashed", done)
			requireVerify(t, true, b, "1234")
			about(t, 40*time.Second, db.ttl(b.Key()))
		})
	}
}

func TestPasswordsInBatches(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := openSealedAccount(t)
	for what, b := range map[string]*nest.Batch{"batch": s.Batch(), "atomic": s.Atomic()} {
		t.Run(what, func(t *testing.T) {
			ref, planted := passwd.At(s, what), passwd.At(s, what+" planted")
			db.set(planted.Key(), sentinel)
			ref.In(b).Set("right")
			right, wrong := ref.In(b).Verify("right"), ref.In(b).VerifyDetail("wrong")
			hash := ref.In(b).Reveal()
			missing := passwd.At(s, "nobody").In(b).VerifyDetail("right")
			bad := planted.In(b).Verify("right")
			absent := ref.In(b).SetIfAbsent("other")
			require.ErrorIs(t, b.Exec(ctx), nest.ErrOpen)
			ok, err := right.Value()
			require.NoError(t, err)
			require.True(t, ok)
			detail, err := wrong.Value()
			require.NoError(t, err)
			require.Zero(t, detail)
			text, err := hash.Value()
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(text, "$argon2id$"))
			detail, err = missing.Value()
			require.NoError(t, err)
			require.Equal(t, nest.Verification{Missing: true}, detail)
			require.ErrorIs(t, bad.Err(), nest.ErrOpen)
			ok, err = absent.Value()
			require.NoError(t, err)
			require.False(t, ok)
		})
	}
	b := s.Atomic()
	passwd.At(s, 1).In(b).Set("")
	other := passwd.At(s, 2).In(b).Set("right")
	require.ErrorIs(t, b.Exec(ctx), secure.ErrPasswordLength)
	require.ErrorIs(t, other.Err(), nest.ErrUnsent)
}

func TestPasswordsOfThePythonLibrary(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	file, err := os.ReadFile("../../../../secure/testdata/interop/python_bcrypt.json")
	require.NoError(t, err)
	var vectors struct {
		Tests []struct {
			Password   string
			RedisValue string `json:"redis_value"`
			Result     string
		}
	}
	require.NoError(t, json.Unmarshal(file, &vectors))

	seen := 0
	for i, v := range vectors.Tests {
		if v.Result != "valid" || len(v.Password) > 72 || v.Password == "" {
			continue // package secure's own tests cover all of them
		}
		seen++
		for what, open := range map[string]func(t *testing.T, opts ...nest.OpenOption) (nest.Scope, redis){
			"hashed": openAccount, "hashed and sealed": openSealedAccount,
		} {
			t.Run(what, func(t *testing.T) {
				strict, db := open(t)
				db.set(passwd.At(strict, i).Key(), v.RedisValue)
				_, err := passwd.At(strict, i).Verify(ctx, v.Password)
				require.Error(t, err, "by default it is not read")

				s, _ := open(t, nest.AcceptPlainHashes())
				ref := passwd.At(s, i)
				db.set(ref.Key(), v.RedisValue)
				hash, err := ref.Reveal(ctx)
				require.NoError(t, err)
				require.True(t, strings.HasPrefix(hash, "$2b$"))
				requireVerify(t, false, ref, v.Password+"x")
				got, err := ref.VerifyDetail(ctx, v.Password)
				require.NoError(t, err)
				require.Equal(t, nest.Verification{Matched: true, Rehashed: true}, got)
				require.NotContains(t, db.text(ref.Key()), "$2b$")
				requireVerify(t, true, ref, v.Password)

				for _, bad := range []string{`{"__type__": "none", "value": "None"}`, `{"__type__": "str", "value": 1}`, "{", sentinel, strings.Repeat("{", 4000)} {
					db.set(ref.Key(), bad)
					ok, err := ref.Verify(ctx, v.Password)
					require.False(t, ok)
					require.Error(t, err)
				}
			})
		}
	}
	require.GreaterOrEqual(t, seen, 3)
}

// dozing is a hasher that does nothing until its context ends.
type dozing struct {
	nest.Hasher
	asked atomic.Int64
}

func (d *dozing) Hash(ctx context.Context, _ string) (string, error) {
	d.asked.Add(1)
	<-ctx.Done()
	return "", ctx.Err()
}

// While a password in a batch was hashed, everyone else who filled the batch had to wait, and the
// hashing had no context.
func TestPasswordsOfBatchesHoldUpNobody(t *testing.T) {
	t.Parallel()
	for what, begin := range map[string]func(nest.Scope) *nest.Batch{"batch": nest.Scope.Batch, "atomic": nest.Scope.Atomic} {
		hasher := &dozing{}
		s, db := openSealedAccount(t, nest.WithPasswords(hasher))
		b := begin(s)
		filled := make(chan *nest.Done)
		go func() { filled <- passwd.At(s, 1).In(b).Set("secret") }()
		var set *nest.Done
		select {
		case set = <-filled:
		case <-time.After(10 * time.Second):
			t.Fatal("filling the batch waits for the hash")
		}
		other := token.At(s, 1).In(b).Set("plain")
		require.Zero(t, hasher.asked.Load())
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		start := time.Now()
		require.ErrorIs(t, b.Exec(ctx), context.DeadlineExceeded, what)
		cancel()
		require.Less(t, time.Since(start), 10*time.Second, what)
		require.EqualValues(t, 1, hasher.asked.Load(), what)
		require.ErrorIs(t, set.Err(), context.DeadlineExceeded, what)
		require.Error(t, other.Err(), what) // its turn came after the deadline
		require.False(t, db.exists(passwd.At(s, 1).Key()), what)
	}

	s, _ := openSealedAccount(t)
	b := s.Atomic()
	set, absent, present := passwd.At(s, 1).In(b).Set("one"), passwd.At(s, 2).In(b).SetIfAbsent("two"), passwd.At(s, 3).In(b).SetIfPresent("three")
	require.NoError(t, b.Exec(t.Context()))
	require.NoError(t, set.Err())
	wrote, err := absent.Value()
	require.NoError(t, err)
	require.True(t, wrote)
	wrote, err = present.Value()
	require.NoError(t, err)
	require.False(t, wrote)
	requireVerify(t, true, passwd.At(s, 1), "one")
	requireVerify(t, true, passwd.At(s, 2), "two")

	require.NoError(t, nest.Transact(t.Context(), s, func(tx *nest.Tx) error {
		passwd.At(s, 1).In(tx.Writes()).Set("new")
		return nil
	}, passwd.At(s, 2)))
	requireVerify(t, true, passwd.At(s, 1), "new")
}
