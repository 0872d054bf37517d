package nest

import (
	"errors"
	"fmt"
	"time"
)

// Cached serves reads from the client's memory, which the server keeps up to date (server-assisted
// client-side caching, Redis 6.0 with RESP3). A value is fetched once, and again after it was
// changed or d has passed. d is at least a millisecond; it bounds how old a value can get while the
// connection is dead and the client has not noticed. The default is not to cache; Cached(0)
// switches an inherited cache off. Cached and AutoRenew exclude each other, since a read that is
// served locally renews nothing.
//
// It covers every read whose answer depends only on what the one key holds: values, fields, ranges,
// lengths, scores, bits, places. That something does not exist is remembered too. Other reads ask
// the server: those of several keys, of random members, of expiries and existence, of a
// HyperLogLog, of hashes with a declared [FieldTTL], those that stream (Iterate), and all reads in
// a [Batch]. A read of several arguments is sent as a script (EVAL_RO, Redis 7.0). Secrets stay
// sealed in the cache. [Event] reports which reads were hits.
//
// Once a write of this process has returned, no read of this process returns the older value. That
// holds for a client with one connection to each server (rueidis' PipelineMultiplex of -1, as
// package env sets it) that does not read from replicas. Open cannot see whether there are several
// connections; with several, the server's message may arrive after the answer to the write, and a
// read in between returns the older value. Every write costs a second command in the same round
// trip. On a Redis Cluster it costs three (EXISTS in a transaction), which find out whether the
// slot has moved away from the node that the client still reads from. If it has, reads of the key
// ask the server until the client has learned of the move, for at least 3 seconds. If
// ExpireFields, or a write with FieldTTL, gave a field of a hash its own expiry, the field is read
// from memory until the server has really removed it: a moment after its end, or seconds if very
// many fields end at once. Only a hash that declares [FieldTTL] is not read from memory.
//
// Writes of other clients are seen when the server's message arrives. If the connection is dead and
// nothing reports that, reads return old values until the client notices, and for at most d.
// Noticing takes rueidis about the sum of its Dialer.KeepAlive and ConnWriteTimeout (11 s by
// default, 1.7 s as package env sets them).
//
// A client that cannot track, such as one for the embedded server, with RESP2, or for a server or a
// proxy that refuses CLIENT TRACKING, reads as if nothing were declared, unless [LocalFor] says
// otherwise. [Scope.Describe] and a warning of [WithLogger] say so.
func Cached(d time.Duration, opts ...CachedOption) Option {
	return option(func(c *config) error {
		if d < 0 || d > 0 && d < time.Millisecond {
			return fmt.Errorf("Cached(%v): at least a millisecond, or 0 for no cache%s", d, nanoseconds(d))
		}
		c.cached, c.local, c.localSize = d, 0, 0
		if err := eachOption(opts, func(o CachedOption) error { return o.applyCached(c) }); err != nil {
			return err
		}
		return c.mark(hasCached, "Cached")
	})
}

// CachedOption is an option of [Cached].
type CachedOption interface {
	applyCached(c *config) error
}

type cachedOption func(c *config) error

func (f cachedOption) applyCached(c *config) error { return f(c) }

// DefaultLocalSize is how many bytes a process remembers for [LocalFor], unless that says
// otherwise.
const DefaultLocalSize = 16 << 20

// minLocalSize leaves room for a few values.
const minLocalSize = 64 << 10

// LocalFor lets a client that cannot track remember by itself, in this process, what reads have
// found, and serve the same reads from memory for d. d is at least a millisecond, and at most what
// [Cached] says. Such a client is not told of changes: the writes of other processes, and the end
// of a TTL, are seen up to d late. Once a write of this process through the same [Open] has
// returned, no read of this process through it returns the older value. By default such a client
// asks the server each time.
//
// It covers the same reads as Cached, and has no effect if the client can track. Whether it can is
// known from [WithoutTracking], and otherwise found out by the first read: one that the client does
// not remember makes the process ask the server once (CLIENT TRACKINGINFO, Redis 6.2).
//
// All keys of a tree share the memory. size bounds it, in bytes, about; the values that have not
// been used for the longest time go first. The default is [DefaultLocalSize], 16 MiB, and at least
// 64 KiB are needed. If several sizes are declared in a tree, the largest one counts. A value that
// takes more than a sixteenth of the memory may not be remembered.
//
// While Redis is away, GetOrLoad and [LoadMany] prefer what is still in memory to a load without
// Redis ([LoadWhenDown]), if [StaleFor] is declared: for that much longer than d.
func LocalFor(d time.Duration, size ...int) CachedOption {
	return cachedOption(func(c *config) error {
		switch {
		case c.local != 0:
			return errors.New("LocalFor is given twice")
		case len(size) > 1:
			return errors.New("LocalFor takes two arguments at most: how long, and how many bytes")
		case d < time.Millisecond:
			return tooShort("LocalFor", d)
		case c.cached == 0:
			return fmt.Errorf("LocalFor(%v): Cached(0) switches the cache off: say how long the client may remember, or leave LocalFor out", d)
		case d > c.cached:
			return fmt.Errorf("LocalFor(%v): at most what Cached says, which is %v", d, c.cached)
		}
		c.local, c.localSize = d, DefaultLocalSize
		if len(size) == 1 {
			c.localSize = size[0]
		}
		if c.localSize < minLocalSize {
			return fmt.Errorf("LocalFor(%v, %d): at least %d bytes", d, c.localSize, minLocalSize)
		}
		return nil
	})
}
