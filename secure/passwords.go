package secure

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"runtime"

	"golang.org/x/text/unicode/norm"
)

// MaxPassword is the length in bytes of the longest password.
const MaxPassword = 1024

// DefaultMaxWaiting is how many computations may wait for memory unless [MaxWaiting] sets another
// number.
const DefaultMaxWaiting = 128

// Passwords hashes and verifies passwords under one [Policy]. It is safe for concurrent use. A
// service should have only one, so that its bound on memory holds.
//
// Passwords are 1 to 1024 bytes long. They are first normalized to NFC, so that a character that
// one keyboard enters as two code points and another as one is the same in a password. If that
// changes a candidate and it does not match, it is tried once more unchanged.
type Passwords struct {
	policy   Policy
	want     params
	dummy    passwordHash // never matches; costs what the policy costs
	running  *semaphore   // for hashes that cost as much as the policy, or less
	dear     *semaphore   // for hashes that cost more
	garbage  *garbage
	python   bool
	truncate bool

	// matches computes a candidate's hash; tests count its calls.
	matches func(h *passwordHash, candidate []byte) bool
}

// PasswordOption is an option for [NewPasswords].
type PasswordOption interface{ applyPasswords(*passwordSettings) }

type passwordSettings struct {
	budget   uint64 // KiB
	hasLimit bool
	waiting  int
	python   bool
	truncate bool
	weak     bool
}

type passwordOption func(*passwordSettings)

func (o passwordOption) applyPasswords(s *passwordSettings) { o(s) }

// MaxMemory bounds, in KiB, the memory of all computations that run at the same time; the others
// wait. The default is the memory of the policy times GOMAXPROCS, which keeps all processors busy.
//
// A stored hash that takes more than twice the memory or the time of the policy waits in a separate
// queue, so that whoever can write such hashes cannot keep others from logging in. That queue has a
// bound of its own in addition: half of this one, or what a single such hash takes, which is 256
// MiB at most.
//
// A computation's memory is freed some time after it, so that under load the process takes about
// twice these bounds.
func MaxMemory(kib uint64) PasswordOption {
	return passwordOption(func(s *passwordSettings) { s.budget, s.hasLimit = kib, true })
}

// MaxWaiting bounds how many computations wait for memory in each of the two queues that
// [MaxMemory] describes. Beyond that, calls return [ErrBusy] at once. The default is
// [DefaultMaxWaiting]; with 0, none waits.
func MaxWaiting(n int) PasswordOption {
	return passwordOption(func(s *passwordSettings) { s.waiting = n })
}

// AcceptPython lets Verify read a hash in the JSON wrapper that the Python library puts around
// every string it stores. It is off by default. Such a hash is always bcrypt, so a match reports
// rehash, and the new hash has no wrapper.
func AcceptPython() PasswordOption {
	return passwordOption(func(s *passwordSettings) { s.python = true })
}

// TruncateBcrypt verifies bcrypt hashes with the first 72 bytes of a longer candidate, as old
// versions of Python's bcrypt stored them. By default such a candidate does not match. A match says
// nothing about the bytes after the first 72, and a new hash would make them part of the password.
// While this is on, therefore, rehash is never true for a bcrypt hash.
func TruncateBcrypt() PasswordOption {
	return passwordOption(func(s *passwordSettings) { s.truncate = true })
}

// AllowWeak allows a policy below [Minimum], which is quicker, in tests. It takes the test's
// *testing.T or *testing.B, which only a test has.
func AllowWeak(testing interface {
	Helper()
	TempDir() string
	Cleanup(func())
}) PasswordOption {
	return passwordOption(func(s *passwordSettings) { s.weak = testing != nil })
}

// NewPasswords returns a hasher for a policy, such as [Recommended]. The following are [ErrPolicy]:
// a policy below [Minimum], one that asks for more than Verify computes (256 MiB, 16 passes, 16
// threads, 1 GiB for memory times passes), options out of their range, and nil options.
func NewPasswords(policy Policy, opts ...PasswordOption) (*Passwords, error) {
	s := passwordSettings{waiting: DefaultMaxWaiting}
	for _, o := range opts {
		if o == nil {
			return nil, fmt.Errorf("%w: a nil option", ErrPolicy)
		}
		o.applyPasswords(&s)
	}
	if err := policy.check(s.weak); err != nil {
		return nil, err
	}
	if !s.hasLimit {
		s.budget = uint64(runtime.GOMAXPROCS(0)) * uint64(policy.Memory)
	}
	if s.budget < uint64(policy.Memory) {
		return nil, fmt.Errorf("%w: %d KiB for all computations, one takes %d", ErrPolicy, s.budget, policy.Memory)
	}
	if s.waiting < 0 {
		return nil, fmt.Errorf("%w: %d computations waiting", ErrPolicy, s.waiting)
	}
	p := &Passwords{
		policy:   policy,
		want:     policy.params(),
		running:  &semaphore{size: s.budget, queue: s.waiting},
		dear:     &semaphore{size: max(1, s.budget/2), queue: s.waiting},
		garbage:  &garbage{limit: s.budget / 2},
		python:   s.python,
		truncate: s.truncate,
	}
	p.matches = func(h *passwordHash, candidate []byte) bool { return h.matches(candidate, p.truncate) }
	// A random sum is as hard to match as a computed one, and costs nothing.
	p.dummy = passwordHash{params: p.want, salt: random(saltSize), sum: random(hashSize)}
	return p, nil
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, see GenerateKey
	return b
}

// Policy returns the policy for new hashes.
func (p *Passwords) Policy() Policy { return p.policy }

// Hash returns the string to store for a password, with a new salt. The errors are
// [ErrPasswordLength], [ErrBusy] and the context's. The context ends the wait; a computation that
// has started runs to its end.
func (p *Passwords) Hash(ctx context.Context, password string) (encoded string, err error) {
	if err := p.check(password); err != nil {
		return "", err
	}
	release, err := p.reserve(ctx, &p.dummy)
	if err != nil {
		return "", err
	}
	defer release()
	return newHash(p.want, []byte(norm.NFC.String(password)), random(saltSize)).encoded, nil
}

// Verify reports whether password matches a stored string of argon2id, argon2i, scrypt or bcrypt.
// After a match, rehash reports whether the string is weaker than the policy and should be replaced
// by a new Hash. rehash is never true for a string stronger than the policy.
//
// A wrong password is not an error. The errors are [ErrHashMalformed], [ErrHashUnsupported] and
// [ErrHashCost] for the stored string, [ErrPasswordLength], [ErrBusy], and the context's. A
// candidate that is not in NFC takes two attempts. The context ends the wait for the first and for
// the second; an attempt that has started runs to its end. On one core that takes one to two
// seconds for the most expensive hash that is not refused.
func (p *Passwords) Verify(ctx context.Context, encoded, password string) (ok, rehash bool, err error) {
	if err := p.check(password); err != nil {
		return false, false, err
	}
	if p.python && len(encoded) <= maxEncoded {
		if text, wrapped := unwrapPython([]byte(encoded)); wrapped {
			encoded = string(text)
		}
	}
	h, err := parseHash(encoded)
	if err != nil {
		return false, false, err
	}
	ok, err = p.try(ctx, &h, password)
	if err != nil || !ok {
		return false, false, err
	}
	if h.algorithm == bcryptHash && p.truncate {
		return true, false, nil
	}
	return true, h.params.weaker(p.want), nil
}

// VerifyMissing does the work that Verify does for a wrong password against a hash of the policy,
// and finds no match. Call it if there is no stored string, so that the response time does not
// reveal which users exist. (A user whose hash is of another policy still takes a different time,
// until the hash is replaced.)
func (p *Passwords) VerifyMissing(ctx context.Context, password string) error {
	if err := p.check(password); err != nil {
		return err
	}
	_, err := p.try(ctx, &p.dummy, password)
	return err
}

// Validate returns the error with which Verify would refuse a stored string that comes from
// elsewhere, or nil if Verify would compute it. It computes nothing. It does not accept the Python
// library's wrapper: store the string inside.
func (p *Passwords) Validate(encoded string) error {
	_, err := parseHash(encoded)
	return err
}

func (p *Passwords) check(password string) error {
	if p == nil || p.running == nil {
		return fmt.Errorf("%w: Passwords must be made by NewPasswords", ErrPolicy)
	}
	return checkLength(password)
}

func checkLength(password string) error {
	if len(password) < 1 || len(password) > MaxPassword {
		return ErrPasswordLength
	}
	return nil
}

// reserve waits for the memory of a hash. Each hash takes at least the share of one of the policy,
// since a hash that costs time but no memory must not crowd the processors. A hash that costs much
// more than the policy waits in a separate queue: the string comes from the database, and anyone
// who can write there could otherwise make all others wait for it.
func (p *Passwords) reserve(ctx context.Context, h *passwordHash) (release func(), err error) {
	kib, err := h.params.cost()
	if err != nil {
		return nil, err
	}
	queue := p.running
	if h.params.dear(p.want) {
		queue = p.dear
	}
	weight, err := queue.acquire(ctx, max(kib, p.want.memory))
	if err != nil {
		return nil, err
	}
	p.garbage.collect()
	return func() {
		p.garbage.add(kib)
		queue.release(weight)
	}, nil
}

func (p *Passwords) try(ctx context.Context, h *passwordHash, password string) (bool, error) {
	// A candidate that NFC changes takes two turns: the context can end it in between, and others
	// who wait go first.
	return tryForms(password, func(candidate []byte) (bool, error) {
		release, err := p.reserve(ctx, h)
		if err != nil {
			return false, err
		}
		defer release()
		return p.matches(h, candidate), nil
	})
}

// tryForms tries a candidate in NFC and then, only if that is a different text, unchanged. How
// often it computes a wrong candidate depends on the candidate alone.
func tryForms(password string, matches func([]byte) (bool, error)) (bool, error) {
	nfc := norm.NFC.String(password)
	ok, err := matches([]byte(nfc))
	if ok || err != nil || nfc == password {
		return ok, err
	}
	return matches([]byte(password))
}

// Verify reports whether password matches a stored string of argon2id, argon2i, scrypt or bcrypt.
// It accepts the strings that [Passwords.Verify] accepts and returns the same errors for the
// others, but needs only the string. It has no policy, so it does not report whether to replace the
// string, and it does not bound how many calls run at a time. One call can take 256 MiB and two
// seconds. A service should use [Passwords].
func Verify(encoded, password string) (bool, error) {
	if err := checkLength(password); err != nil {
		return false, err
	}
	h, err := parseHash(encoded)
	if err != nil {
		return false, err
	}
	return tryForms(password, func(candidate []byte) (bool, error) { return h.matches(candidate, false), nil })
}

// Format prints what String returns for every verb.
func (p Passwords) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, p.String()) }

// String returns a text that names the policy.
func (p Passwords) String() string { return "secure.Passwords(" + p.policy.String() + ")" }

// LogValue returns what String returns.
func (p Passwords) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MarshalText returns what String returns.
func (p Passwords) MarshalText() ([]byte, error) { return []byte(p.String()), nil }
