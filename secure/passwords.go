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

// DefaultMaxWaiting is how many computations wait for memory unless
// [MaxWaiting] says otherwise.
const DefaultMaxWaiting = 128

// Passwords hashes and verifies passwords under one [Policy]. It is safe for
// concurrent use; services have one, so that its bound on memory holds.
//
// Passwords are 1 to 1024 bytes long. They are brought into Unicode's form NFC
// first, so that what one keyboard writes in two code points and another in one
// is the same password; when that changes a candidate and it does not match, it
// is tried once more as it is.
type Passwords struct {
	policy   Policy
	want     params
	dummy    passwordHash // never matches; costs what the policy costs
	running  *semaphore
	garbage  *garbage
	python   bool
	truncate bool

	// matches computes a candidate's hash; tests count its calls.
	matches func(h *passwordHash, candidate []byte) bool
}

// PasswordOption is a setting of [NewPasswords].
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

// MaxMemory bounds, in KiB, the memory of all computations that run at the same
// time; the others wait. A single hash that takes more, because it was stored
// under another policy, runs alone. The default is the memory of the policy
// times GOMAXPROCS, which keeps all processors at work. A computation's memory
// is freed some time after it, so that under load the process takes about twice
// this bound.
func MaxMemory(kib uint64) PasswordOption {
	return passwordOption(func(s *passwordSettings) { s.budget, s.hasLimit = kib, true })
}

// MaxWaiting bounds how many computations wait for memory; what comes on top
// gets [ErrBusy] at once. The default is [DefaultMaxWaiting]; 0 lets none wait.
func MaxWaiting(n int) PasswordOption {
	return passwordOption(func(s *passwordSettings) { s.waiting = n })
}

// AcceptPython lets Verify read a hash in the JSON wrapper that the Python
// library puts round every string it stores. Such a hash is always bcrypt, so
// that a match asks for a new one, without the wrapper. By default it is off.
func AcceptPython() PasswordOption {
	return passwordOption(func(s *passwordSettings) { s.python = true })
}

// TruncateBcrypt verifies bcrypt hashes with the first 72 bytes of a longer
// candidate, as old versions of Python's bcrypt stored them. By default such a
// candidate does not match. A match tells nothing about what comes after the
// 72 bytes, and a new hash would make it part of the password; so as long as
// this is on, no bcrypt hash is asked to be replaced.
func TruncateBcrypt() PasswordOption {
	return passwordOption(func(s *passwordSettings) { s.truncate = true })
}

// AllowWeak lets a test have a policy below [Minimum], which is quicker. It
// takes the test's *testing.T or *testing.B, which only a test has.
func AllowWeak(testing interface {
	Helper()
	TempDir() string
	Cleanup(func())
}) PasswordOption {
	return passwordOption(func(s *passwordSettings) { s.weak = testing != nil })
}

// NewPasswords makes the hasher of a policy, such as [Recommended]. A policy
// below [Minimum], one that asks for more than Verify computes (256 MiB, 16
// passes, 16 threads, 1 GiB for memory times passes) and options out of their
// range are [ErrPolicy].
func NewPasswords(policy Policy, opts ...PasswordOption) (*Passwords, error) {
	s := passwordSettings{waiting: DefaultMaxWaiting}
	for _, o := range opts {
		if o != nil {
			o.applyPasswords(&s)
		}
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
		garbage:  &garbage{limit: s.budget / 2},
		python:   s.python,
		truncate: s.truncate,
	}
	p.matches = func(h *passwordHash, candidate []byte) bool { return h.matches(candidate, p.truncate) }
	// A random sum is as hard to match as a computed one, and free.
	p.dummy = passwordHash{params: p.want, salt: random(saltSize), sum: random(hashSize)}
	return p, nil
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, see GenerateKey
	return b
}

// Policy is the policy that new hashes are made under.
func (p *Passwords) Policy() Policy { return p.policy }

// Hash makes the string to store for a password, with a new salt. Its errors
// are [ErrPasswordLength], [ErrBusy] and the context's. The context ends the
// waiting; what runs already is computed to its end.
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

// Verify tells whether password matches a stored string of argon2id, argon2i,
// scrypt or bcrypt; and whether, after a match, the string is weaker than the
// policy and should be replaced by a new Hash. rehash is never true for what is
// stronger than the policy.
//
// A wrong password is not an error. Its errors are [ErrHashMalformed],
// [ErrHashUnsupported] and [ErrHashCost] for the stored string,
// [ErrPasswordLength], [ErrBusy], and the context's.
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

// VerifyMissing does the work that Verify does for a wrong password against a
// hash of the policy, and finds no match. Calling it where there is no stored
// string keeps the time of an answer from telling which users exist. (A user
// whose hash is of another policy still takes another time, until it is
// replaced.)
func (p *Passwords) VerifyMissing(ctx context.Context, password string) error {
	if err := p.check(password); err != nil {
		return err
	}
	_, err := p.try(ctx, &p.dummy, password)
	return err
}

// Validate tells whether Verify would compute a stored string that comes from
// elsewhere, and with which error it would not. It computes nothing. The Python
// library's wrapper is not taken here: store what is within it.
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

// reserve waits for the memory of a hash. Each takes the share of one of the
// policy at least: what costs time and no memory must not crowd the processors.
func (p *Passwords) reserve(ctx context.Context, h *passwordHash) (release func(), err error) {
	kib, err := h.params.cost()
	if err != nil {
		return nil, err
	}
	weight, err := p.running.acquire(ctx, max(kib, p.want.memory))
	if err != nil {
		return nil, err
	}
	p.garbage.collect()
	return func() {
		p.garbage.add(kib)
		p.running.release(weight)
	}, nil
}

func (p *Passwords) try(ctx context.Context, h *passwordHash, password string) (bool, error) {
	release, err := p.reserve(ctx, h)
	if err != nil {
		return false, err
	}
	defer release()
	return tryForms(password, func(candidate []byte) bool { return p.matches(h, candidate) }), nil
}

// tryForms tries a candidate in NFC and, only if that is another text, as it
// is. How often it computes depends on the candidate alone.
func tryForms(password string, matches func([]byte) bool) bool {
	nfc := norm.NFC.String(password)
	if matches([]byte(nfc)) {
		return true
	}
	return nfc != password && matches([]byte(password))
}

// Verify tells whether password matches a stored string of argon2id, argon2i,
// scrypt or bcrypt, for programs that have only the string. It takes what
// [Passwords.Verify] takes, and gives the same errors for it; but it has no
// policy, so that it does not tell about replacing the string, and does not bound
// how many run at a time: one can take 256 MiB. A service wants [Passwords].
func Verify(encoded, password string) (bool, error) {
	if err := checkLength(password); err != nil {
		return false, err
	}
	h, err := parseHash(encoded)
	if err != nil {
		return false, err
	}
	return tryForms(password, func(candidate []byte) bool { return h.matches(candidate, false) }), nil
}

// Format prints the policy whatever the verb.
func (p Passwords) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, p.String()) }

// String tells the policy.
func (p Passwords) String() string { return "secure.Passwords(" + p.policy.String() + ")" }

// LogValue tells the policy.
func (p Passwords) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MarshalText tells the policy.
func (p Passwords) MarshalText() ([]byte, error) { return []byte(p.String()), nil }
