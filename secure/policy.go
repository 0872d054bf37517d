package secure

import (
	"cmp"
	"fmt"
)

// Policy is how new passwords are hashed with argon2id (RFC 9106): the memory
// in KiB, the passes over it, and the threads that share the work. The salt has
// 16 bytes and the hash 32.
type Policy struct {
	Memory  uint32 // KiB
	Time    uint32 // passes
	Threads uint8
}

// Recommended is 64 MiB, 3 passes and 4 threads, the second recommendation of
// RFC 9106, section 4, for where the first, of 2 GiB, is too much.
func Recommended() Policy { return Policy{Memory: 64 << 10, Time: 3, Threads: 4} }

// Minimum is 19 MiB, 2 passes and one thread, the least that OWASP's Password
// Storage Cheat Sheet advises.
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

// params is what a hash costs and what it is worth.
type params struct {
	algorithm             algorithm
	memory, time, threads uint64 // argon2: KiB, passes, threads. scrypt: log2 N, r, p, in this order. bcrypt: time is the cost
	salt, hash            int    // bytes
}

// weaker tells whether a hash of these parameters should be replaced by one of
// q. For argon2id it orders by the work, memory times passes, then by the memory, and
// then by the lengths. One order, so that two services whose policies differ
// can only ever raise a hash. The threads divide the work and add nothing to it.
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

// check refuses what is below [Minimum] unless weak, and what Verify would
// refuse to compute.
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
