package secure

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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
		{Memory: 47104, Time: 1, Threads: 1}, // OWASP's alternative
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
	require.ErrorIs(t, err, ErrPolicy)
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
	// A hash that another library made of the password as typed.
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

// stored returns a hash with these parameters, whatever a policy says.
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
		{Policy{256, 3, 1}, false}, // threads add no strength
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
	// A shorter hash or salt is weaker; a longer one is not.
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
	// Other algorithms rank below every policy.
	for _, encoded := range []string{
		"$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8",
		"$scrypt$ln=4,r=8,p=1$c29tZXNhbHQ$" + strings.Split(stored(quick, "x"), "$")[5],
	} {
		h, err := parseHash(encoded)
		require.NoError(t, err)
		require.True(t, h.params.weaker(quick.params()), encoded)
	}
}

// The methods that nest needs of the two types, checked without importing nest.
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

// gate makes each computation wait for a value from open. It counts the computations that run at
// the same time, by the memory that they would take.
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

// waitFor yields until the other goroutines make a condition true. If they never do, the test's own
// time limit ends the wait.
func waitFor(condition func() bool) {
	for !condition() {
		runtime.Gosched()
	}
}

func waiting(p *Passwords) int {
	n := 0
	for _, queue := range []*semaphore{p.running, p.dear} {
		queue.mu.Lock()
		n += queue.waiting.Len()
		queue.mu.Unlock()
	}
	return n
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
	waitFor(func() bool { return waiting(passwords) > all-6 })
	close(g.open)
	wg.Wait()
	require.EqualValues(t, all, g.runs.Load())
	require.LessOrEqual(t, g.most.Load(), int64(3*64+1000), "of the heaviest there is one at a time")
	require.Zero(t, passwords.running.used)
	require.Zero(t, passwords.dear.used)
	require.Zero(t, waiting(passwords))
}

// Anyone who can write to the database can plant hashes of the highest accepted cost and try to log
// in with them. While those were computed, everyone else used to wait.
func TestPlantedHashesKeepNobodyWaiting(t *testing.T) {
	const tail = "$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for _, planted := range []string{
		"$argon2id$v=19$m=129,t=1,p=1" + tail, "$argon2id$v=19$m=64,t=3,p=1" + tail, "$argon2i$v=19$m=262144,t=4,p=16" + tail,
		"$scrypt$ln=18,r=8,p=1" + tail, "$scrypt$ln=20,r=1,p=1" + tail, "$scrypt$ln=4,r=8,p=16" + tail,
		"$2b$14$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
	} {
		t.Run(planted, func(t *testing.T) {
			passwords := newPasswords(t, MaxMemory(64), MaxWaiting(2))
			g := newGate(passwords)
			own := passwords.matches
			passwords.matches = func(h *passwordHash, candidate []byte) bool {
				if h.params == passwords.want {
					return false
				}
				return own(h, candidate)
			}
			var wg sync.WaitGroup
			for range 3 { // one runs, two wait
				wg.Go(func() {
					if _, _, err := passwords.Verify(t.Context(), planted, "q"); err != nil {
						t.Error(err)
					}
				})
			}
			waitFor(func() bool { return waiting(passwords) == 2 && g.now.Load() > 0 })
			_, _, err := passwords.Verify(t.Context(), planted, "q")
			require.ErrorIs(t, err, ErrBusy)

			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			for range 5 {
				encoded, err := passwords.Hash(ctx, "p")
				require.NoError(t, err)
				_, _, err = passwords.Verify(ctx, encoded, "p")
				require.NoError(t, err)
				require.NoError(t, passwords.VerifyMissing(ctx, "p"))
			}
			require.Zero(t, g.runs.Load())
			close(g.open)
			wg.Wait()
		})
	}
}

// A hash of the usual cost, or a weaker one, does not count as expensive.
func TestDear(t *testing.T) {
	for _, p := range []Policy{Minimum(), Recommended()} {
		require.False(t, p.params().dear(p.params()))
		require.False(t, Minimum().params().dear(p.params()))
	}
	require.True(t, Recommended().params().dear(Minimum().params()))
	for encoded, dear := range map[string]bool{
		"$2b$12$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui":                                false,
		"$2b$13$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui":                                true,
		"$scrypt$ln=16,r=8,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc":               false,
		"$scrypt$ln=17,r=8,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc":               true,
		"$scrypt$ln=14,r=8,p=5$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc":               false,
		"$argon2id$v=19$m=65536,t=4,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc":      false,
		"$argon2id$v=19$m=102400,t=2,p=8$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc":     false,
		"$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQAAAAA$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc": false,
	} {
		h, err := parseHash(encoded)
		require.NoError(t, err, encoded)
		require.Equal(t, dear, h.params.dear(Recommended().params()), encoded)
	}
}

// The costs that services are known to store are within the limits.
func TestUsualCostsAreTaken(t *testing.T) {
	const tail = "$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for _, s := range []string{
		"$scrypt$ln=17,r=8,p=1", "$scrypt$ln=16,r=8,p=2", "$scrypt$ln=15,r=8,p=3", "$scrypt$ln=14,r=8,p=5", "$scrypt$ln=13,r=8,p=10", // OWASP's
		"$scrypt$ln=14,r=8,p=1", "$scrypt$ln=15,r=8,p=1", "$scrypt$ln=16,r=8,p=1", "$scrypt$ln=14,r=8,p=16", "$scrypt$ln=14,r=16,p=1",
		"$argon2id$v=19$m=47104,t=1,p=1", "$argon2id$v=19$m=19456,t=2,p=1", "$argon2id$v=19$m=12288,t=3,p=1", // OWASP's
		"$argon2id$v=19$m=9216,t=4,p=1", "$argon2id$v=19$m=7168,t=5,p=1",
		"$argon2id$v=19$m=65536,t=3,p=4", "$argon2id$v=19$m=102400,t=2,p=8", "$argon2id$v=19$m=65536,t=4,p=1",
		"$argon2id$v=19$m=65536,t=2,p=1", "$argon2id$v=19$m=262144,t=3,p=1", // libsodium's interactive and moderate
	} {
		require.NoError(t, newPasswords(t).Validate(s+tail), s)
	}
}

// The two attempts for a candidate that NFC changes take two turns. They used to be one, which the
// context did not end and which held the memory twice as long.
func TestContextEndsBetweenAttempts(t *testing.T) {
	passwords := newPasswords(t, MaxMemory(64))
	ctx, cancel := context.WithCancel(t.Context())
	runs := 0
	passwords.matches = func(*passwordHash, []byte) bool {
		runs++
		cancel()
		return false
	}
	_, _, err := passwords.Verify(ctx, stored(quick, "p"), "pa\u0308ssword")
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, runs)
	require.Zero(t, passwords.running.used)
}

// Hashes that take time and no memory do not evade the bound.
func TestCheapHashesAreBoundedToo(t *testing.T) {
	policy := Policy{Memory: 64, Time: 8, Threads: 1} // about what bcrypt takes here
	passwords, err := NewPasswords(policy, AllowWeak(t), MaxMemory(2*64), MaxWaiting(1))
	require.NoError(t, err)
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

// A waiting computation that gives up lets the next one in, if that one fits.
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

// A grant that coincides with the end of the context is returned.
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

// Grants and cancellations race. No grant may be lost or made twice.
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
