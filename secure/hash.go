package secure

import (
	"bytes"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"
)

// Limits on what a stored string may ask for. The string comes from the database, so anyone who can
// write there chooses it: argon2 with m=2^31 alone would end the process, and with t=0 it panics.
const (
	maxEncoded = 512       // bytes
	maxMemory  = 256 << 10 // KiB; for scrypt 128·N·r, for argon2 m
	maxWork    = 1 << 20   // see params.work; one to two seconds on one core
	maxTime    = 16        // argon2
	maxThreads = 16        // argon2; scrypt's p
	maxR       = 1 << 10   // scrypt; its buffers of 128·r·p bytes are counted nowhere else
	maxCost    = 14        // bcrypt; 10 is usual
	minCost    = 4         // bcrypt

	minSaltSize, maxSaltSize = 8, 64
	minHashSize, maxHashSize = 16, 64
)

type algorithm string

const (
	argon2id     algorithm = "argon2id"
	argon2i      algorithm = "argon2i"
	scryptHash   algorithm = "scrypt"
	bcryptHash   algorithm = "bcrypt"
	bcryptLength           = 60
	bcryptMax              = 72 // bytes of a password that bcrypt uses
)

// passwordHash is a parsed password hash.
type passwordHash struct {
	params
	encoded   string // the canonical form, which is the only one accepted
	salt, sum []byte // unused for bcrypt, which is computed from encoded
}

// parseHash parses a stored string and computes nothing. It encodes the result again and requires
// the same string, so that each hash has exactly one string, however lenient the parsers below are.
func parseHash(encoded string) (passwordHash, error) {
	if len(encoded) > maxEncoded {
		return passwordHash{}, fmt.Errorf("%w: it is longer than %d bytes", ErrHashMalformed, maxEncoded)
	}
	name, rest, ok := cutField(encoded)
	if !ok {
		return passwordHash{}, fmt.Errorf("%w: it does not start with an algorithm between two $", ErrHashMalformed)
	}
	var h passwordHash
	var err error
	switch name {
	case string(argon2id), string(argon2i):
		h, err = parseArgon2(algorithm(name), rest)
	case string(scryptHash):
		h, err = parseScrypt(rest)
	case "2a", "2b", "2y":
		h, err = parseBcrypt(name, rest)
	default:
		// The name is not quoted: a text that starts with $ can be anything.
		return passwordHash{}, fmt.Errorf("%w: want argon2id, argon2i, scrypt, 2a, 2b or 2y", ErrHashUnsupported)
	}
	if err != nil {
		return passwordHash{}, err
	}
	if h.encoded != encoded {
		return passwordHash{}, fmt.Errorf("%w: not in canonical form", ErrHashMalformed)
	}
	if _, err := h.params.cost(); err != nil {
		return passwordHash{}, err
	}
	return h, nil
}

// cutField cuts "$name$" off the front.
func cutField(s string) (name, rest string, ok bool) {
	s, ok = strings.CutPrefix(s, "$")
	if !ok {
		return "", "", false
	}
	return strings.Cut(s, "$")
}

// parseArgon2 parses v=19$m=…,t=…,p=…$salt$hash, the form of the reference implementation. Without
// a version it means version 16, which x/crypto does not compute.
func parseArgon2(name algorithm, s string) (h passwordHash, err error) {
	if version, rest, ok := strings.Cut(s, "$"); ok && version == "v=19" {
		s = rest
	} else {
		return passwordHash{}, fmt.Errorf("%w: of argon2 only version 19", ErrHashUnsupported)
	}
	h.algorithm = name
	if !h.parsePHC(s, "m", "t", "p") {
		return passwordHash{}, errMalformedPHC
	}
	h.encoded = fmt.Sprintf("$%s$v=19$m=%d,t=%d,p=%d$%s", name, h.memory, h.time, h.threads, h.phcTail())
	return h, nil
}

// parseScrypt parses ln=…,r=…,p=…$salt$hash, the form of passlib.
func parseScrypt(s string) (h passwordHash, err error) {
	h.algorithm = scryptHash
	if !h.parsePHC(s, "ln", "r", "p") {
		return passwordHash{}, errMalformedPHC
	}
	h.encoded = fmt.Sprintf("$%s$ln=%d,r=%d,p=%d$%s", scryptHash, h.memory, h.time, h.threads, h.phcTail())
	return h, nil
}

var errMalformedPHC = fmt.Errorf("%w: want parameters, salt and hash", ErrHashMalformed)

// parsePHC parses three numbers with these names, then the salt and the sum.
func (h *passwordHash) parsePHC(s string, names ...string) bool {
	numbers, s, ok1 := strings.Cut(s, "$")
	salt, sum, ok2 := strings.Cut(s, "$")
	if !ok1 || !ok2 {
		return false
	}
	for i, to := range []*uint64{&h.memory, &h.time, &h.threads} {
		text, rest, _ := strings.Cut(numbers, ",")
		text, ok := strings.CutPrefix(text, names[i]+"=")
		if !ok {
			return false
		}
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return false
		}
		*to, numbers = n, rest
	}
	var err1, err2 error
	h.salt, err1 = base64.RawStdEncoding.DecodeString(salt)
	h.sum, err2 = base64.RawStdEncoding.DecodeString(sum)
	h.params.salt, h.params.hash = len(h.salt), len(h.sum)
	return err1 == nil && err2 == nil
}

func (h *passwordHash) phcTail() string {
	return base64.RawStdEncoding.EncodeToString(h.salt) + "$" + base64.RawStdEncoding.EncodeToString(h.sum)
}

// bcryptEncoding is base64 in bcrypt's own alphabet, which has no padding.
var bcryptEncoding = base64.NewEncoding("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789").WithPadding(base64.NoPadding)

// parseBcrypt parses cost$salt-and-hash: two digits, then 22 characters for 16 bytes and 31 for 23.
// Some characters have unused bits. No bcrypt sets them, so a string with any of them set is
// refused.
func parseBcrypt(version, s string) (passwordHash, error) {
	bad := fmt.Errorf("%w: want a bcrypt hash of %d characters", ErrHashMalformed, bcryptLength)
	text, sum, ok := strings.Cut(s, "$")
	cost, err := strconv.ParseUint(text, 10, 64)
	if !ok || err != nil || len(sum) != 53 {
		return passwordHash{}, bad
	}
	salt, err1 := bcryptEncoding.DecodeString(sum[:22])
	digest, err2 := bcryptEncoding.DecodeString(sum[22:])
	if err1 != nil || err2 != nil {
		return passwordHash{}, bad
	}
	return passwordHash{
		params: params{algorithm: bcryptHash, time: cost, salt: len(salt), hash: len(digest)},
		encoded: fmt.Sprintf("$%s$%02d$%s%s", version, cost,
			bcryptEncoding.EncodeToString(salt), bcryptEncoding.EncodeToString(digest)),
	}, nil
}

// cost returns the memory in KiB that computing the hash takes. It refuses parameters that the
// algorithm does not allow or that ask for too much.
func (p params) cost() (kib uint64, err error) {
	switch p.algorithm {
	case bcryptHash:
		return 4, p.checkBcrypt()
	case scryptHash:
		kib, err = p.checkScrypt()
	default:
		kib, err = p.memory, p.checkArgon2()
	}
	if err != nil {
		return 0, err
	}
	if p.salt < minSaltSize || p.salt > maxSaltSize || p.hash < minHashSize || p.hash > maxHashSize {
		return 0, fmt.Errorf("%w: the salt must be %d to %d bytes, the hash %d to %d",
			ErrHashMalformed, minSaltSize, maxSaltSize, minHashSize, maxHashSize)
	}
	return kib, nil
}

var (
	errArgon2Cost = fmt.Errorf("%w: the limits of argon2 are m=%d,t=%d,p=%d and m·t=%d",
		ErrHashCost, maxMemory, maxTime, maxThreads, maxWork)
	errScryptCost = fmt.Errorf("%w: the limits of scrypt are r=%d,p=%d and N·r·p=%d, where r counts as %d at least",
		ErrHashCost, maxR, maxThreads, scryptPerWork*maxWork, leastR)
)

func (p params) checkArgon2() error {
	if p.memory > maxMemory || p.time > maxTime || p.threads > maxThreads || p.work() > maxWork {
		return errArgon2Cost
	}
	if p.time < 1 || p.threads < 1 || p.memory < 8*p.threads {
		return fmt.Errorf("%w: argon2 needs t and p of 1 and m of 8·p at least", ErrHashMalformed)
	}
	return nil
}

func (p params) checkScrypt() (kib uint64, err error) {
	ln, r, threads := p.memory, p.time, p.threads
	if ln < 1 || r < 1 || threads < 1 {
		return 0, fmt.Errorf("%w: scrypt needs ln, r and p of 1 at least", ErrHashMalformed)
	}
	// Each number is bounded first, so that nothing below overflows. The bound on the work also
	// bounds the memory, which is 128·2^ln·r bytes, or 2^ln·r/8 KiB.
	if ln > 31 || r > maxR || threads > maxThreads || p.work() > maxWork {
		return 0, errScryptCost
	}
	return (r<<ln + 2*r*threads + 7) / 8, nil
}

func (p params) checkBcrypt() error {
	switch {
	case p.time > maxCost:
		return fmt.Errorf("%w: the limit of bcrypt is cost %d", ErrHashCost, maxCost)
	case p.time < minCost:
		return fmt.Errorf("%w: bcrypt needs cost %d at least", ErrHashMalformed, minCost)
	}
	return nil
}

// newHash computes a hash with argon2id.
func newHash(p params, password, salt []byte) passwordHash {
	h := passwordHash{params: p, salt: salt}
	h.sum = argon2.IDKey(password, salt, uint32(p.time), uint32(p.memory), uint8(p.threads), uint32(p.hash))
	h.encoded = fmt.Sprintf("$%s$v=19$m=%d,t=%d,p=%d$%s", p.algorithm, h.memory, h.time, h.threads, h.phcTail())
	return h
}

// matches computes the hash of a candidate, exactly once for every candidate, and compares in
// constant time. The parameters must have passed cost.
func (h *passwordHash) matches(candidate []byte, truncate bool) bool {
	var sum []byte
	switch h.algorithm {
	case bcryptHash:
		return h.matchesBcrypt(candidate, truncate)
	case scryptHash:
		var err error
		sum, err = scrypt.Key(candidate, h.salt, 1<<h.memory, int(h.time), int(h.threads), h.params.hash)
		if err != nil {
			return false
		}
	case argon2i:
		sum = argon2.Key(candidate, h.salt, uint32(h.time), uint32(h.memory), uint8(h.threads), uint32(h.params.hash))
	default:
		sum = argon2.IDKey(candidate, h.salt, uint32(h.time), uint32(h.memory), uint8(h.threads), uint32(h.params.hash))
	}
	return subtle.ConstantTimeCompare(sum, h.sum) == 1
}

// matchesBcrypt keeps bcrypt from taking one password for another. bcrypt uses only 72 bytes, and
// it repeats the password with a NUL in between, so a NUL inside a password can make no difference.
// The hash of such a candidate is computed all the same: answering at once would reveal that the
// stored hash is bcrypt.
func (h *passwordHash) matchesBcrypt(candidate []byte, truncate bool) bool {
	possible := bytes.IndexByte(candidate, 0) < 0
	if len(candidate) > bcryptMax {
		candidate, possible = candidate[:bcryptMax], possible && truncate
	}
	return bcrypt.CompareHashAndPassword([]byte(h.encoded), candidate) == nil && possible
}
