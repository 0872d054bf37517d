package nest

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// DefaultLoadLease is how long a load may take unless [LoadLease] sets another limit.
const DefaultLoadLease = 10 * time.Second

// opLoad is the name of what the options are for.
const opLoad = "get or load"

// loadableKinds lists the kinds that have GetOrLoad.
var loadableKinds = []Kind{KindValue, KindCounter, KindSecret, KindHash, KindRecord, KindList, KindSet, KindSortedSet, KindGeo, KindBitmap}

// readThrough says how a key is loaded: the options of [ReadThrough].
type readThrough struct {
	declared bool
	refresh  time.Duration // before the end of the TTL
	stale    time.Duration // after it
	negative time.Duration
	lease    time.Duration // 0: the default
	down     int           // loads at a time without Redis, if downSet
	downSet  bool
}

// ReadThroughOption is an option of [ReadThrough].
type ReadThroughOption interface {
	applyReadThrough(o *readThrough) error
}

type readThroughOption func(o *readThrough) error

func (f readThroughOption) applyReadThrough(o *readThrough) error { return f(o) }

// ReadThrough says how GetOrLoad and [LoadMany] load the key. They work without it too, with the
// defaults of its options. The declaration adds one guarantee. Every process that shares it and
// writes the key ends the loads that are running for the key, in whichever process: a value that
// was loaded before a write or Delete is then never stored after it. That holds even if the write
// left no trace, such as Delete of a key that does not exist. (A process that has called GetOrLoad
// for the declared key does this in any case.) Such a write sends one more command (UNLINK of the
// load's lock), in the same round trip.
//
// It is an option of keys and is not inherited: how costly a load is and how old its result may be
// depend on the key.
func ReadThrough(opts ...ReadThroughOption) KeyOption {
	return keyOption(func(c *config) error {
		c.onlyFor("ReadThrough", loadableKinds...)
		if c.load.declared {
			return errors.New("ReadThrough is given twice")
		}
		c.load.declared = true
		err := eachOption(opts, func(o ReadThroughOption) error { return o.applyReadThrough(&c.load) })
		if c.load.down > 0 {
			c.onlyFor("LoadWhenDown", slices.DeleteFunc(slices.Clone(loadableKinds), func(k Kind) bool { return k == KindSecret })...)
		}
		return err
	})
}

// RefreshBefore loads a value again in the background when GetOrLoad reads it in the last d of its
// TTL. A key that is read all the time then never expires under its readers; meanwhile they get the
// present value. Only one of all processes loads. The default is 0: no refresh. d must be less than
// the TTL. Reads also ask for the remaining TTL (PTTL, in the same round trip).
func RefreshBefore(d time.Duration) ReadThroughOption {
	return readThroughOption(func(o *readThrough) error { return positive(&o.refresh, "RefreshBefore", d) })
}

// StaleFor lets the key live d longer than its TTL. During that time the value is stale: GetOrLoad
// still returns it at once, and loads it again in the background. A source that is slow or down for
// a while then makes no reader wait ("stale-while-revalidate" and "stale-if-error" of RFC 5861).
// Other reads, such as Get, return the stale value too, and every write of the key sets the longer
// life. The default is 0: a value ends with its TTL.
func StaleFor(d time.Duration) ReadThroughOption {
	return readThroughOption(func(o *readThrough) error { return positive(&o.stale, "StaleFor", d) })
}

// NegativeTTL remembers for d that there is nothing to load: that the loader's error wrapped
// [ErrNotFound], as an error of the domain's own may, or that a collection was empty, which Redis
// cannot store. Until then GetOrLoad returns an error that wraps ErrNotFound, or the empty
// collection, without loading. The loader's own error is not stored: the caller whose loader
// returned it gets it as it is, and so do those of the same process who were waiting for that load.
// Everybody else, in this process and in others, gets an [*Error] that wraps ErrNotFound, so test
// for that. Any write of the key through a
// declaration with ReadThrough ends it early. This is recorded beside the key, never in it: Get and
// Exists do not see it. [Jitter] shortens d too. The default is 0: every call loads again.
func NegativeTTL(d time.Duration) ReadThroughOption {
	return readThroughOption(func(o *readThrough) error { return positive(&o.negative, "NegativeTTL", d) })
}

// LoadLease sets how long a load may take; its context ends then. It is also the longest time that
// others wait for the load of a process that was killed. A result that arrives after the lease is
// not stored. The default is [DefaultLoadLease].
func LoadLease(d time.Duration) ReadThroughOption {
	return readThroughOption(func(o *readThrough) error { return positive(&o.lease, "LoadLease", d) })
}

// DefaultLoadWhenDown is how many loads of a declaration run at a time while Redis is away, unless
// [LoadWhenDown] sets another limit.
const DefaultLoadWhenDown = 64

// LoadWhenDown lets GetOrLoad and [LoadMany] call the loader without Redis while it is away: when
// it could not be asked, or could not store what was loaded ([ErrAway]). In a process each key is
// loaded once at a time, without the lock that keeps other processes from loading it too. At most n
// keys of the declaration are loaded at a time; the others wait within their contexts. Nothing is
// stored, so that nothing older is stored after a write when Redis is back. In the process the
// result also serves those who ask for the same key within a second, unless the process has written
// in between. [Event] reports such results as Degraded.
//
// Redis is waited for only half of the time that the context has left, and at most [WithTimeout]. A
// server that refuses connections is given up after about a tenth of a second. With a context that
// has no deadline, and without WithTimeout, a server that stands still is waited for as long as the
// client does.
//
// The default is [DefaultLoadWhenDown] for every kind that has GetOrLoad, but none for a [Secret],
// for which only 0 is allowed. With 0 GetOrLoad returns the error.
func LoadWhenDown(n int) ReadThroughOption {
	return readThroughOption(func(o *readThrough) error {
		if n < 0 {
			return fmt.Errorf("LoadWhenDown(%d): at least one load, or 0 for none", n)
		}
		o.down, o.downSet = n, true
		return nil
	})
}

func positive(to *time.Duration, option string, d time.Duration) error {
	if d < time.Millisecond {
		return tooShort(option, d)
	}
	*to = d
	return nil
}

// window returns how long before the end of a key's life it is due to be loaded again.
func (o *readThrough) window() time.Duration { return together(o.refresh, o.stale) }

func (o *readThrough) leased() time.Duration {
	if o.lease == 0 {
		return DefaultLoadLease
	}
	return o.lease
}
