package suite_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/secure"
)

// Each test plays one attack of an adversary who reads and writes Redis. Attacks on the sealed form
// itself are in package secure's tests of the same names. Values of another context are in
// TestSecretsThatWereMovedDoNotOpen. Writes while keys rotate or passwords are rehashed are in
// TestRotateLeavesConcurrentWritesAlone, TestRotateLeavesConcurrentWritesOfFieldsAlone and
// TestPasswordRehash. Requests for users that do not exist are in TestPasswordVerifyDetail.

type badge struct {
	Name string `nest:"name,secret"`
	Code string `nest:"code,secret"`
}

var (
	lairSecret = nest.Secret[string]("secret:<n>")
	lairHash   = nest.Hash[string]("hash:<n>", nest.SecretFields())
	lairRecord = nest.Record[badge]("record:<n>")
	lairPass   = nest.Password("password:<n>")
	lairs      = nest.Cluster("lair:<l>", nest.HashTag(), nest.Sub(lairSecret, lairHash, lairRecord, lairPass))
)

// lair is a place where a sealed value is stored.
type lair struct {
	name  string
	db    redis
	key   string
	field string // "" for a string
	// read reads the value in every possible way and returns the error of each.
	read func() []error
	// move seals a password again, here and elsewhere.
	move func() []error
}

func (l lair) stored() string {
	if l.field == "" {
		return l.db.text(l.key)
	}
	return l.db.fields(l.key)[l.field]
}

func (l lair) plant(text string) {
	l.db.t.Helper()
	if l.field == "" {
		l.db.set(l.key, text)
		return
	}
	l.db.hset(l.key, l.field, text)
}

// refuses plants a text and requires that no read accepts it and that it stays.
func (l lair) refuses(t *testing.T, text, what string) {
	t.Helper()
	l.plant(text)
	for i, err := range l.read() {
		require.ErrorIs(t, err, nest.ErrOpen, "%s, %s, way %d", l.name, what, i)
		require.NotContains(t, err.Error(), sentinel)
		hidesAll(t, err.Error(), text[:min(len(text), 400)], l.name)
	}
	require.Equal(t, text, l.stored(), "%s: %s", l.name, what)
}

// sealedHead is the length of the head of a sealed value. The head names the key that sealed it,
// and an error may contain that name.
const sealedHead = 11

// hidesAll requires that a text contains no piece of the stored value, in any of its spellings.
func hidesAll(t *testing.T, text, stored, where string) {
	t.Helper()
	for i := sealedHead; i+8 <= len(stored); i += 8 {
		piece := stored[i : i+8]
		for _, spelling := range []string{
			piece, strings.Trim(strconv.Quote(piece), `"`), strings.Trim(strconv.QuoteToASCII(piece), `"`),
			hex.EncodeToString([]byte(piece)), strings.ToUpper(hex.EncodeToString([]byte(piece))),
			base64.StdEncoding.EncodeToString([]byte(piece[:6])), base64.StdEncoding.EncodeToString([]byte(piece[1:7])),
			base64.StdEncoding.EncodeToString([]byte(piece[2:8])), strings.Trim(fmt.Sprint([]byte(piece)), "[]"),
		} {
			if strings.Contains(text, spelling) {
				t.Fatalf("%s: a piece of the stored value shows as %q", where, spelling)
			}
		}
	}
}

// openLairs fills two places of each kind with the same text.
func openLairs(t *testing.T) (nest.Scope, []lair) {
	t.Helper()
	ctx := t.Context()
	s := nesttest.Open(t, lairs, nest.WithKeyring(newRing(t, secure.GenerateKey())), nest.WithPasswords(newPasswords(t, 8)))
	db := redis{t, nesttest.Client(t)}
	var all []lair
	for i := range 2 {
		at := lairs.At(s, "l")
		secret, hash, record, pass := lairSecret.At(at, i), lairHash.At(at, i), lairRecord.At(at, i), lairPass.At(at, i)
		require.NoError(t, secret.Set(ctx, sentinel))
		require.NoError(t, hash.SetMany(ctx, map[string]string{"name": sentinel, "code": sentinel}))
		require.NoError(t, record.Set(ctx, badge{sentinel, sentinel}))
		require.NoError(t, pass.Set(ctx, sentinel))
		all = append(all, lair{fmt.Sprint("secret ", i), db, secret.Key(), "", func() []error {
			_, err1 := secret.Get(ctx)
			_, _, err2 := secret.Lookup(ctx)
			_, err3 := secret.GetOrLoad(ctx, func(context.Context) (string, error) { return "", nil })
			return []error{err1, err2, err3}
		}, nil}, lair{fmt.Sprint("password ", i), db, pass.Key(), "", func() []error {
			ok, err1 := pass.Verify(ctx, sentinel)
			require.Equal(t, err1 == nil, ok)
			detail, err2 := pass.VerifyDetail(ctx, sentinel)
			require.Equal(t, nest.Verification{Matched: err2 == nil}, detail)
			_, err3 := pass.Reveal(ctx)
			return []error{err1, err2, err3}
		}, func() []error {
			_, err1 := pass.Rotate(ctx)
			_, err2 := pass.Rename(ctx, lairPass.At(at, "to"))
			_, err3 := pass.Copy(ctx, lairPass.At(at, "to"))
			return []error{err1, err2, err3}
		}})
		for _, field := range []string{"name", "code"} {
			all = append(all, lair{fmt.Sprintf("hash %d, %s", i, field), db, hash.Key(), field, func() []error {
				_, err1 := hash.Get(ctx, field)
				_, err2 := hash.All(ctx)
				_, err3 := hash.GetMany(ctx, field)
				return []error{err1, err2, err3}
			}, nil}, lair{fmt.Sprintf("record %d, %s", i, field), db, record.Key(), field, func() []error {
				_, err1 := record.Get(ctx)
				_, err2 := record.GetFields(ctx, field)
				return []error{err1, err2}
			}, nil})
		}
	}
	for _, l := range all {
		for _, err := range l.read() {
			require.NotErrorIs(t, err, nest.ErrOpen, "%s reads what it wrote", l.name)
		}
	}
	return s, all
}

func TestAttackEveryBitInRedis(t *testing.T) {
	t.Parallel()
	_, all := openLairs(t)
	for n, l := range all[:4] {
		good := l.stored()
		for i := range len(good) * 8 {
			if n > 0 && i%8 != i/8%8 {
				continue // one bit of each byte is enough here: package secure flips them all
			}
			forged := []byte(good)
			forged[i/8] ^= 1 << (i % 8)
			l.refuses(t, string(forged), fmt.Sprint("bit ", i))
		}
		l.plant(good)
	}
}

func TestAttackEveryLengthInRedis(t *testing.T) {
	t.Parallel()
	_, all := openLairs(t)
	for _, l := range all[:4] {
		good := l.stored()
		for n := range len(good) {
			l.refuses(t, good[:n], fmt.Sprint("cut to ", n))
			l.refuses(t, good+good[:n+1], fmt.Sprint("longer by ", n+1))
		}
		l.plant(good)
	}
}

// Every value is put into every other place: another key, another field, another kind.
func TestAttackEveryOtherPlaceInRedis(t *testing.T) {
	t.Parallel()
	_, all := openLairs(t)
	values := make([]string, len(all))
	for i, l := range all {
		values[i] = l.stored()
	}
	for i, l := range all {
		for j, other := range all {
			if i != j {
				l.refuses(t, values[j], "from "+other.name)
			}
		}
		l.plant(values[i])
		for _, err := range l.read() {
			require.NotErrorIs(t, err, nest.ErrOpen, "%s: it must open in its own place", l.name)
		}
		values[i] = l.stored()
	}
}

// Long values are not read where many can ask for them.
func TestAttackLongPasswordInRedis(t *testing.T) {
	t.Parallel()
	s, all := openLairs(t)
	for _, l := range all {
		if strings.HasPrefix(l.name, "password") {
			l.refuses(t, strings.Repeat("x", 16<<10+1), "long")
			l.refuses(t, strings.Repeat("x", 4<<20), "very long")
			for _, err := range l.read() {
				require.ErrorContains(t, err, "4194304 bytes")
			}
			for _, err := range l.move() {
				require.ErrorIs(t, err, nest.ErrOpen)
				require.ErrorContains(t, err, "4194304 bytes")
			}
		}
	}
	report, err := nest.Rotate(t.Context(), s)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{nest.ErrOpen.Error(): 2}, report.FailuresByKind, "their text is not read")
}

// wire collects what its own connection receives after a command.
type wire struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func overhear(t *testing.T, addr, command string) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = conn.Write([]byte(command + "\r\n"))
	require.NoError(t, err)
	w := new(wire)
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := conn.Read(buf)
			w.mu.Lock()
			w.text.Write(buf[:n])
			w.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return w
}

func (w *wire) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// chronicle records everything that observers receive, as it is printed.
type chronicle struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *chronicle) Observe(_ context.Context, e nest.Event) { r.note(e, e.Err) }

func (r *chronicle) note(vs ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range vs {
		fmt.Fprintf(&r.text, "%v\n%+v\n%#v\n", v, v, v)
	}
}

func (r *chronicle) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

// A secret is used in every way. It must not show in anything that Redis or an operator sees:
// commands (MONITOR, SLOWLOG), the snapshot and the stream that replicas get (SYNC), logs,
// observers' events, errors, reports and printed references.
func TestAttackReadEverything(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := nesttest.Start(t, nesttest.Args("--rdbcompression", "no", "--repl-diskless-sync", "no",
		"--slowlog-log-slower-than", "0", "--slowlog-max-len", "100000"))
	server.Need(t, nesttest.Snapshots, nesttest.Configurable)
	client := server.Client(t)
	db := redis{t, client}
	const control, ended = "c0ntrol-11aa22", "m4rker-99ff"
	var seen chronicle
	monitor := overhear(t, server.Addr(), "MONITOR")
	require.Eventually(t, func() bool { return strings.Contains(monitor.String(), "+OK") }, 5*time.Second, time.Millisecond)

	oldKey, nowKey := secure.GenerateKey(), secure.GenerateKey()
	holder := secure.NewHolder(newRing(t, oldKey))
	plain := nest.Key[string]("plain")
	tree := nest.Cluster("all", nest.Sub(lairs, plain))
	root, err := nest.Open(client, tree, nest.WithKeyring(holder), nest.WithPasswords(newPasswords(t, 8)), nest.ResealOnRead(),
		nest.WithObserver(&seen), nest.WithLogger(slog.New(slog.NewJSONHandler(&seen, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	require.NoError(t, err)
	s := lairs.At(root, "l")
	require.NoError(t, plain.At(root).Set(ctx, control))

	secret, hash, record, pass := lairSecret.At(s, 1), lairHash.At(s, 1), lairRecord.At(s, 1), lairPass.At(s, 1)
	use := func(n int, b *nest.Batch) {
		again := func(string, bool) (string, error) { return sentinel, nil }
		secret, hash, record, pass := lairSecret.At(s, n), lairHash.At(s, n), lairRecord.At(s, n), lairPass.At(s, n)
		seen.note(secret.Set(ctx, sentinel))
		_, err1 := secret.SetIfAbsent(ctx, sentinel)
		_, err2 := secret.Update(ctx, again)
		_, _, err3 := secret.Swap(ctx, sentinel)
		_, err4 := secret.Copy(ctx, lairSecret.At(s, n+100), nest.Replace())
		_, err5 := lairSecret.At(s, n+200).GetOrLoad(ctx, func(context.Context) (string, error) { return sentinel, nil })
		seen.note(err1, err2, err3, err4, err5)
		seen.note(hash.Set(ctx, "name", sentinel), hash.SetMany(ctx, map[string]string{"code": sentinel}))
		_, err1 = hash.SetIfAbsent(ctx, "third", sentinel)
		_, err2 = hash.Copy(ctx, lairHash.At(s, n+100), nest.Replace())
		_, err3 = hash.All(ctx)
		seen.note(err1, err2, err3, record.Set(ctx, badge{sentinel, sentinel}), record.SetFields(ctx, badge{Name: sentinel}, "name"))
		_, err1 = record.Get(ctx)
		seen.note(err1, pass.Set(ctx, sentinel))
		_, err1 = pass.Verify(ctx, sentinel)
		_, err2 = pass.VerifyDetail(ctx, sentinel+"!")
		seen.note(err1, err2)
		secret.In(b).Set(sentinel)
		secret.In(b).Get()
		hash.In(b).Set("name", sentinel)
		record.In(b).Set(badge{sentinel, sentinel})
		pass.In(b).Set(sentinel)
		pass.In(b).Verify(sentinel)
		seen.note(b.Exec(ctx), b)
	}
	var stored []string
	keep := func() {
		for n := range 3 {
			for _, key := range []string{lairSecret.At(s, n).Key(), lairSecret.At(s, n+100).Key(), lairPass.At(s, n).Key()} {
				if db.exists(key) {
					stored = append(stored, db.text(key))
				}
			}
			for _, key := range []string{lairHash.At(s, n).Key(), lairHash.At(s, n+100).Key(), lairRecord.At(s, n).Key()} {
				stored = slices.AppendSeq(stored, maps.Values(db.fields(key)))
			}
		}
	}
	use(1, s.Batch())
	keep()
	holder.Store(newRing(t, nowKey, secure.AcceptOnly(oldKey)))
	_, err = secret.Get(ctx) // sealed again
	seen.note(err)
	report, err := nest.Rotate(ctx, root)
	require.NoError(t, err)
	require.Positive(t, report.Resealed)
	seen.note(report, report.String())
	keep()
	use(2, s.Atomic())
	keep()
	holder.Store(newRing(t, secure.GenerateKey())) // nothing opens after this
	seen.note(secret, hash, record, pass, s, root.Describe(), root.Describe().Markdown(), holder)
	_, err1 := secret.Get(ctx)
	_, err2 := hash.All(ctx)
	_, err3 := record.Get(ctx)
	_, err4 := pass.Verify(ctx, sentinel)
	seen.note(err1, err2, err3, err4)
	for _, err := range []error{err1, err2, err3, err4} {
		require.ErrorIs(t, err, nest.ErrOpen)
	}
	seen.note(secret.Set(ctx, strings.Repeat(sentinel, 100_000)), pass.Set(ctx, strings.Repeat(sentinel, 100)), pass.SetHash(ctx, sentinel))

	require.Greater(t, len(stored), 20)
	for _, sealed := range stored {
		require.True(t, strings.HasPrefix(sealed, "\xfa\x5e"))
		hidesAll(t, seen.text.String(), sealed, "logs, events and errors")
	}

	slow, err := db.do("SLOWLOG", "GET", "100000").ToAny()
	require.NoError(t, err)
	replica := overhear(t, server.Addr(), "SYNC")
	require.Eventually(t, func() bool { return strings.Contains(replica.String(), control) }, 20*time.Second, 5*time.Millisecond)
	require.Eventually(t, func() bool {
		db.set("ended", ended)
		return strings.Contains(replica.String(), ended)
	}, 20*time.Second, 20*time.Millisecond)

	for where, text := range map[string]string{
		"MONITOR": monitor.String(), "SLOWLOG": fmt.Sprint(slow), "SYNC": replica.String(), "logs, events and errors": seen.text.String(),
	} {
		if where != "logs, events and errors" {
			require.Contains(t, text, control, "%s must show what is not secret", where)
		}
		for _, spelling := range []string{
			sentinel, sentinel[:9], hex.EncodeToString([]byte(sentinel)), base64.StdEncoding.EncodeToString([]byte(sentinel))[:18],
			strings.Trim(fmt.Sprint([]byte(sentinel)), "[]"), "$argon2id$",
		} {
			require.NotContains(t, text, spelling, where)
		}
	}
	require.Contains(t, seen.text.String(), `"op":"verify"`, "there is a log")
	require.Contains(t, seen.text.String(), "all:{lair:l}:secret:1")
}
