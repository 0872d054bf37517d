package secure

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
)

// quick is a policy for tests that hash often.
var quick = Policy{Memory: 64, Time: 1, Threads: 1}

func newPasswords(t testing.TB, opts ...PasswordOption) *Passwords {
	t.Helper()
	p, err := NewPasswords(quick, append([]PasswordOption{AllowWeak(t)}, opts...)...)
	require.NoError(t, err)
	return p
}

func TestPolicies(t *testing.T) {
	require.Equal(t, Policy{Memory: 19456, Time: 2, Threads: 1}, Minimum())
	require.Equal(t, Policy{Memory: 65536, Time: 3, Threads: 4}, Recommended())
	for _, p := range []Policy{
		Minimum(), Recommended(),
		{Memory: 47104, Time: 1, Threads: 1}, // OWASP's other advice
		{Memory: 19456, Time: 2, Threads: 16}, {Memory: 262144, Time: 4, Threads: 16}, {Memory: 65536, Time: 16, Threads: 4},
	} {
		_, err := NewPasswords(p)
		require.NoError(t, err, p)
	}
	for _, p := range []Policy{
		{}, quick, {Memory: 19455, Time: 2, Threads: 1}, {Memory: 19456, Time: 1, Threads: 1}, {Memory: 19455, Time: 16, Threads: 1},
		{Memory: 19456, Time: 2, Threads: 0}, {Memory: 19456, Time: 0, Threads: 1},
		{Memory: 262145, Time: 2, Threads: 1}, {Memory: 19456, Time: 17, Threads: 1}, {Memory: 19456, Time: 2, Threads: 17},
		{Memory: 262144, Time: 5, Threads: 1},
	} {
		_, err := NewPasswords(p)
		require.ErrorIs(t, err, ErrPolicy, p)
	}
	for _, p := range []Policy{{}, {Memory: 7, Time: 1, Threads: 1}, {Memory: 64, Time: 0, Threads: 1}, {Memory: 1 << 31, Time: 1, Threads: 1}} {
		_, err := NewPasswords(p, AllowWeak(t))
		require.ErrorIs(t, err, ErrPolicy, p)
	}
	for _, o := range []PasswordOption{MaxMemory(0), MaxMemory(63), MaxWaiting(-1)} {
		_, err := NewPasswords(quick, AllowWeak(t), o)
		require.ErrorIs(t, err, ErrPolicy)
	}
	_, err := NewPasswords(quick, AllowWeak(nil))
	require.ErrorIs(t, err, ErrPolicy)
	_, err = NewPasswords(Minimum(), nil)
	require.NoError(t, err)
}

func TestHashAndVerify(t *testing.T) {
	passwords := newPasswords(t)
	for _, password := range []string{"x", "hunter2", "pässwörd", "\u5bc6\u7801", "with space ", "a\x00b", "\xff\xfe", strings.Repeat("x", 1024)} {
		encoded, err := passwords.Hash(t.Context(), password)
		require.NoError(t, err)
		require.NoError(t, passwords.Validate(encoded))
		again, err := passwords.Hash(t.Context(), password)
		require.NoError(t, err)
		require.NotEqual(t, encoded, again, "the salt is new each time")

		ok, rehash, err := passwords.Verify(t.Context(), encoded, password)
		require.NoError(t, err)
		require.True(t, ok, "%q", password)
		require.False(t, rehash)
		for _, wrong := range []string{"y", password[:len(password)-1] + "~", strings.ToUpper(password) + " "} {
			if len(wrong) > MaxPassword {
				continue
			}
			ok, rehash, err = passwords.Verify(t.Context(), encoded, wrong)
			require.NoError(t, err)
			require.False(t, ok, "%q", wrong)
			require.False(t, rehash)
		}
	}
}

func TestNormalization(t *testing.T) {
	const composed, decomposed = "pässwörd", "pa\u0308sswo\u0308rd"
	require.NotEqual(t, composed, decomposed)
	passwords := newPasswords(t)
	for _, set := range []string{composed, decomposed} {
		encoded, err := passwords.Hash(t.Context(), set)
		require.NoError(t, err)
		for _, typed := range []string{composed, decomposed} {
			ok, _, err := passwords.Verify(t.Context(), encoded, typed)
			require.NoError(t, err)
			require.True(t, ok, "%q set, %q typed", set, typed)
		}
	}
	// What another library hashed as it was typed.
	raw, err := bcrypt.GenerateFromPassword([]byte(decomposed), bcrypt.MinCost)
	require.NoError(t, err)
	ok, rehash, err := passwords.Verify(t.Context(), string(raw), decomposed)
	require.NoError(t, err)
	require.True(t, ok)
	require.True(t, rehash)
	ok, err = Verify(string(raw), decomposed)
	require.NoError(t, err)
	require.True(t, ok)
	ok, _, err = passwords.Verify(t.Context(), string(raw), composed)
	require.NoError(t, err)
	require.False(t, ok)
}

// stored makes a hash with these parameters, whatever a policy says.
func stored(p Policy, password string) string {
	return newHash(p.params(), []byte(password), random(saltSize)).encoded
}

func TestRehashIsNeverDownwards(t *testing.T) {
	policy := Policy{Memory: 256, Time: 3, Threads: 2}
	passwords, err := NewPasswords(policy, AllowWeak(t))
	require.NoError(t, err)
	for _, tc := range []struct {
		stored Policy
		rehash bool
	}{
		{policy, false},
		{Policy{256, 2, 2}, true},
		{Policy{255, 3, 2}, true},
		{Policy{128, 6, 2}, true}, // the same work in half the memory
		{Policy{8, 16, 1}, true},
		{Policy{256, 3, 1}, false}, // threads are no strength
		{Policy{256, 3, 4}, false},
		{Policy{256, 4, 2}, false},
		{Policy{257, 3, 2}, false},
		{Policy{512, 3, 2}, false},
		{Policy{768, 1, 2}, false}, // the same work in more memory
	} {
		ok, rehash, err := passwords.Verify(t.Context(), stored(tc.stored, "p"), "p")
		require.NoError(t, err)
		require.True(t, ok, tc.stored)
		require.Equal(t, tc.rehash, rehash, tc.stored)
		ok, rehash, err = passwords.Verify(t.Context(), stored(tc.stored, "p"), "q")
		require.NoError(t, err)
		require.False(t, ok || rehash, tc.stored)
	}
	// A hash or a salt that is shorter is weaker, one that is longer is not.
	for _, tc := range []struct {
		salt, hash int
		rehash     bool
	}{{16, 16, true}, {8, 32, true}, {16, 32, false}, {16, 64, false}, {64, 32, false}} {
		p := policy.params()
		p.hash, p.salt = tc.hash, tc.salt
		ok, rehash, err := passwords.Verify(t.Context(), newHash(p, []byte("p"), random(tc.salt)).encoded, "p")
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, tc.rehash, rehash, "%+v", tc)
	}
	// Two services under different policies do not undo each other's hashes.
	policies := []Policy{{64, 1, 1}, {64, 2, 1}, {128, 1, 1}, {32, 4, 1}, {16, 8, 4}, {256, 1, 2}, {100, 3, 1}}
	for _, a := range policies {
		for _, b := range policies {
			require.False(t, a.params().weaker(b.params()) && b.params().weaker(a.params()), "%v %v", a, b)
		}
	}
	// Other algorithms are below every policy.
	for _, encoded := range []string{
		"$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8",
		"$scrypt$ln=4,r=8,p=1$c29tZXNhbHQ$" + strings.Split(stored(quick, "x"), "$")[5],
	} {
		h, err := parseHash(encoded)
		require.NoError(t, err)
		require.True(t, h.params.weaker(quick.params()), encoded)
	}
}

// What nest asks of the two types, without importing them.
var (
	_ interface {
		Hash(ctx context.Context, password string) (encoded string, err error)
		Verify(ctx context.Context, encoded, password string) (ok, rehash bool, err error)
		VerifyMissing(ctx context.Context, password string) error
		Validate(encoded string) error
	} = (*Passwords)(nil)
	_, _ interface {
		Seal(dst, plaintext []byte, key, field, kind, codec string) ([]byte, error)
		Open(dst, sealed []byte, key, field, kind, codec string) ([]byte, error)
		Current(sealed []byte) bool
		KeyID(sealed []byte) (id string, ok bool)
	} = (*Keyring)(nil), (*Holder)(nil)
)

func TestPasswordsMustBeMade(t *testing.T) {
	for _, p := range []*Passwords{nil, {}} {
		_, err := p.Hash(t.Context(), "p")
		require.ErrorIs(t, err, ErrPolicy)
		_, _, err = p.Verify(t.Context(), "$", "p")
		require.ErrorIs(t, err, ErrPolicy)
		require.ErrorIs(t, p.VerifyMissing(t.Context(), "p"), ErrPolicy)
		require.ErrorIs(t, p.Validate("p"), ErrHashMalformed)
	}
}

// gate makes each computation wait for a value of open, and counts those that
// run at the same time, by the memory they would take.
type gate struct {
	open            chan struct{}
	now, most, runs atomic.Int64
}

func newGate(p *Passwords) *gate {
	g := &gate{open: make(chan struct{})}
	p.matches = func(h *passwordHash, _ []byte) bool {
		kib, _ := h.params.cost()
		now := g.now.Add(int64(kib))
		for most := g.most.Load(); now > most && !g.most.CompareAndSwap(most, now); most = g.most.Load() {
		}
		<-g.open
		g.now.Add(-int64(kib))
		g.runs.Add(1)
		return false
	}
	return g
}

// waitFor yields until a condition of the other goroutines holds; the test's
// own time limit ends it if it never does.
func waitFor(condition func() bool) {
	for !condition() {
		runtime.Gosched()
	}
}

func waiting(p *Passwords) int {
	p.running.mu.Lock()
	defer p.running.mu.Unlock()
	return p.running.waiting.Len()
}

func TestMemoryIsBounded(t *testing.T) {
	passwords := newPasswords(t, MaxMemory(3*64), MaxWaiting(1000))
	g := newGate(passwords)
	const all = 200
	var wg sync.WaitGroup
	for i := range all {
		s := stored(Policy{Memory: []uint32{8, 64, 128, 1000}[i%4], Time: 1, Threads: 1}, "p")
		wg.Go(func() {
			if _, _, err := passwords.Verify(t.Context(), s, "q"); err != nil {
				t.Error(err)
			}
		})
	}
	waitFor(func() bool { return waiting(passwords) > all-4 })
	close(g.open)
	wg.Wait()
	require.EqualValues(t, all, g.runs.Load())
	require.EqualValues(t, 1000, g.most.Load(), "the heaviest runs alone")
	require.Zero(t, passwords.running.used)
	require.Zero(t, waiting(passwords))
}

// Hashes that take time and no memory do not get past the bound.
func TestCheapHashesAreBoundedToo(t *testing.T) {
	passwords := newPasswords(t, MaxMemory(2*64), MaxWaiting(1))
	g := newGate(passwords)
	raw, err := bcrypt.GenerateFromPassword([]byte("p"), bcrypt.MinCost)
	require.NoError(t, err)
	verify := func() error {
		_, _, err := passwords.Verify(t.Context(), string(raw), "q")
		return err
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := verify(); err != nil {
				t.Error(err)
			}
		})
	}
	waitFor(func() bool { return waiting(passwords) == 1 && g.now.Load() == 8 })
	require.Equal(t, ErrBusy, verify())
	close(g.open)
	wg.Wait()
	require.NoError(t, verify())
}

func TestBusy(t *testing.T) {
	passwords := newPasswords(t, MaxMemory(64), MaxWaiting(2))
	g := newGate(passwords)
	encoded := stored(quick, "p")
	var wg sync.WaitGroup
	for range 3 { // one runs, two wait
		wg.Go(func() {
			if _, _, err := passwords.Verify(t.Context(), encoded, "q"); err != nil {
				t.Error(err)
			}
		})
	}
	waitFor(func() bool { return waiting(passwords) == 2 })
	_, _, err := passwords.Verify(t.Context(), encoded, "q")
	require.ErrorIs(t, err, ErrBusy)
	_, err = passwords.Hash(t.Context(), "p")
	require.ErrorIs(t, err, ErrBusy)
	require.ErrorIs(t, passwords.VerifyMissing(t.Context(), "p"), ErrBusy)
	require.NoError(t, passwords.Validate(encoded), "computes nothing and waits for nothing")
	close(g.open)
	wg.Wait()
	require.EqualValues(t, 3, g.runs.Load())
	_, err = passwords.Hash(t.Context(), "p")
	require.NoError(t, err)
}

func TestContextEndsTheWaiting(t *testing.T) {
	passwords := newPasswords(t, MaxMemory(64))
	g := newGate(passwords)
	encoded := stored(quick, "p")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := passwords.Verify(ended, encoded, "q")
	require.ErrorIs(t, err, context.Canceled)
	_, err = passwords.Hash(ended, "p")
	require.ErrorIs(t, err, context.Canceled)

	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := passwords.VerifyMissing(t.Context(), "q"); err != nil {
			t.Error(err)
		}
	})
	waitFor(func() bool { return g.now.Load() > 0 })
	for range 5 {
		wg.Go(func() {
			if _, _, err := passwords.Verify(ctx, encoded, "q"); err != context.Canceled { //nolint:errorlint // as it is
				t.Error(err)
			}
		})
	}
	waitFor(func() bool { return waiting(passwords) == 5 })
	cancel()
	waitFor(func() bool { return waiting(passwords) == 0 })
	close(g.open)
	wg.Wait()
	require.EqualValues(t, 1, g.runs.Load())
	require.Zero(t, passwords.running.used)
}

// A waiting computation that gives up lets the next one in if that fits.
func TestNilContext(t *testing.T) {
	p := newPasswords(t)
	encoded, err := p.Hash(t.Context(), "hunter2")
	require.NoError(t, err)
	_, err = p.Hash(nil, "hunter2") //nolint:staticcheck // a nil context is the point
	require.ErrorIs(t, err, errNilContext)
	_, _, err = p.Verify(nil, encoded, "hunter2") //nolint:staticcheck // a nil context is the point
	require.ErrorIs(t, err, errNilContext)
	require.ErrorIs(t, p.VerifyMissing(nil, "hunter2"), errNilContext) //nolint:staticcheck // a nil context is the point
}

func TestGivingUpLetsOthersIn(t *testing.T) {
	s := &semaphore{size: 10, queue: 10}
	_, err := s.acquire(t.Context(), 5)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	length := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.waiting.Len()
	}
	wg.Go(func() {
		if _, err := s.acquire(ctx, 10); err == nil {
			t.Error("granted")
		}
	})
	waitFor(func() bool { return length() == 1 })
	wg.Go(func() {
		if _, err := s.acquire(t.Context(), 5); err != nil {
			t.Error(err)
		}
	})
	waitFor(func() bool { return length() == 2 })
	cancel()
	wg.Wait()
	require.EqualValues(t, 10, s.used)
}

// A grant that comes together with the end of the context is given back.
func TestGrantedTooLate(t *testing.T) {
	s := &semaphore{size: 10, queue: 10}
	for range 200 {
		_, err := s.acquire(t.Context(), 10)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if weight, err := s.acquire(ctx, 3); err == nil {
				s.release(weight)
			}
		})
		waitFor(func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.waiting.Len() == 1
		})
		s.mu.Lock() // the waiter sees its context end and stops here
		cancel()
		for range 20 {
			runtime.Gosched()
		}
		s.used -= 10
		s.grant()
		s.mu.Unlock()
		wg.Wait()
		require.Zero(t, s.used)
	}
}

// Grants and cancellations race; nothing may be lost or given twice.
func TestSemaphoreUnderFire(t *testing.T) {
	s := &semaphore{size: 7, queue: 1000}
	var now atomic.Int64
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 200 {
				ctx, cancel := context.WithCancel(context.Background())
				if i%3 == 0 {
					go cancel()
				}
				if weight, err := s.acquire(ctx, uint64(1+(g+i)%9)); err == nil {
					if now.Add(int64(weight)) > 7 {
						t.Error("over its size")
					}
					runtime.Gosched()
					now.Add(-int64(weight))
					s.release(weight)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	require.Zero(t, s.used)
	require.Zero(t, s.waiting.Len())
}

func TestDefaultBudget(t *testing.T) {
	require.EqualValues(t, runtime.GOMAXPROCS(0)*64, newPasswords(t).running.size)
	require.Equal(t, DefaultMaxWaiting, newPasswords(t).running.queue)
}

func ExampleAllowWeak() {
	// In a test: secure.NewPasswords(policy, secure.AllowWeak(t))
	_, err := NewPasswords(Policy{Memory: 64, Time: 1, Threads: 1})
	fmt.Println(err)
	// Output: secure: bad password policy: argon2id m=64,t=1,p=1 is weaker than the minimum, argon2id m=19456,t=2,p=1
}
