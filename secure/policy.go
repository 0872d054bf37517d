package secure

import (
	"cmp"
	"fmt"
)

// Policy is how new passwords are hashed with argon2id (RFC 9106): the memory in KiB, the passes
// over it, and the threads that share the work. The salt has 16 bytes and the hash 32.
type Policy struct {
	Memory  uint32 // KiB
	Time    uint32 // passes
	Threads uint8
}

// Recommended returns 64 MiB, 3 passes and 4 threads. It is the second recommendation of RFC 9106,
// section 4, for where the first, with 2 GiB, is too much.
func Recommended() Policy { return Policy{Memory: 64 << 10, Time: 3, Threads: 4} }

// Minimum returns 19 MiB, 2 passes and one thread, the least that OWASP's Password Storage Cheat
// Sheet advises.
func Minimum() Policy { return Policy{Memory: 19 << 10, Time: 2, Threads: 1} }

const (
	saltSize = 16
	hashSize = 32
)

func (p Policy) String() string {
	return fmt.Sprintf("argon2id m=%d,t=%d,p=%d", p.Memory, p.Time, p.Threads)
}

func (p Policy) params() params {
	return params{algorithm: argon2id, memory: uint64(p.Memory), time: uint64(p.Time), threads: uint64(p.Threads), salt: saltSize, hash: hashSize}
}

// params are the parameters of a hash, which determine its cost and its strength.
type params struct {
	algorithm algorithm
	// argon2: KiB, passes, threads. scrypt: log2 N, r, p, in this order. bcrypt: time is the cost.
	memory, time, threads uint64
	salt, hash            int // bytes
}

// How the algorithms compare in time on one core. x/crypto fills a KiB with argon2 in about 1 µs.
// Two of scrypt's blocks of 128 bytes take as long, and each of the 2^cost rounds of bcrypt takes
// 64 times as long. Scrypt with r=1 jumps about in memory so much that it is hardly quicker than
// with r=2.
const (
	scryptPerWork = 2
	leastR        = 2
	bcryptWork    = 64
)

// work returns how long computing takes on one core. The unit is the time in which argon2 fills a
// KiB. Memory says little about it: scrypt's p, argon2's passes and bcrypt's cost take time alone.
// Each number must be within its limits.
func (p params) work() uint64 {
	switch p.algorithm {
	case bcryptHash:
		return bcryptWork << p.time
	case scryptHash:
		return max(p.time, leastR) * p.threads << p.memory / scryptPerWork
	default:
		return p.memory * p.time
	}
}

// dear reports whether computing takes more than twice the memory or the time of q.
func (p params) dear(q params) bool {
	kib, _ := p.cost()
	return kib > 2*q.memory || p.work() > 2*q.work()
}

// weaker reports whether a hash with these parameters should be replaced by one with q. For
// argon2id it compares the work, which is memory times passes, then the memory, and then the
// lengths. This is a total order, so two services whose policies differ can only ever strengthen a
// hash. The threads divide the work and add nothing to it.
func (p params) weaker(q params) bool {
	if p.algorithm != q.algorithm {
		return true
	}
	return cmp.Or(
		cmp.Compare(p.memory*p.time, q.memory*q.time),
		cmp.Compare(p.memory, q.memory),
		cmp.Compare(p.hash, q.hash),
		cmp.Compare(p.salt, q.salt),
	) < 0
}

// check refuses what Verify would refuse to compute and, unless weak is set, what is below
// [Minimum].
func (p Policy) check(weak bool) error {
	if _, err := p.params().cost(); err != nil {
		return fmt.Errorf("%w: %v: %w", ErrPolicy, p, err)
	}
	least := Minimum()
	if !weak && (p.Memory < least.Memory || p.params().weaker(least.params())) {
		return fmt.Errorf("%w: %v is weaker than the minimum, %v", ErrPolicy, p, least)
	}
	return nil
}
