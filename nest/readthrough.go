package nest

import (
	"errors"
	"fmt"
	"time"
)

// DefaultLoadLease is how long a load may take where no [LoadLease] says otherwise.
const DefaultLoadLease = 10 * time.Second

// loadableKinds are the kinds that have GetOrLoad.
var loadableKinds = []Kind{KindValue, KindCounter, KindSecret, KindHash, KindRecord, KindList, KindSet, KindSortedSet, KindGeo, KindBitmap}

// readThrough is how a key is loaded: the options of [ReadThrough].
type readThrough struct {
	declared bool
	refresh  time.Duration // before the end of the TTL
	stale    time.Duration // after it
	negative time.Duration
	lease    time.Duration // 0: the default
}

// ReadThroughOption is an option of [ReadThrough].
type ReadThroughOption func(*readThrough) error

// ReadThrough says how GetOrLoad and [LoadMany] load the key. Without it they work too, with the
// defaults of its options; what the declaration adds is that every process which shares it and
// writes the key ends the loads that run for it, in whichever process: what was loaded before a
// write or Delete is then never stored after it, also when the write left no trace, as Delete of
// a key that does not exist. (A process that has called GetOrLoad for the declared key does so in
// any case.) Such a write sends one command more (UNLINK of the load's lock), in the same round
// trip.
//
// It is an option of keys, and not inherited: how costly a load is, and how old its result may
// be, is a matter of the one key.
func ReadThrough(opts ...ReadThroughOption) KeyOption {
	return keyOption(func(c *config) error {
		c.onlyFor("ReadThrough", loadableKinds...)
		if c.load.declared {
			return errors.New("ReadThrough is given twice")
		}
		c.load.declared = true
		for _, o := range opts {
			if o == nil {
				return errNilOption
			}
			if err := o(&c.load); err != nil {
				return err
			}
		}
		return nil
	})
}

// RefreshBefore loads a value anew in the background when it is read by GetOrLoad in the last d
// of its TTL, so that a key which is read all the time never expires under its readers: they get
// the present value meanwhile. One of all processes loads. The default, 0, is not to. d must be
// less than the TTL, and reads ask for what is left of the TTL too (PTTL, in the same round
// trip).
func RefreshBefore(d time.Duration) ReadThroughOption {
	return func(o *readThrough) error { return positive(&o.refresh, "RefreshBefore", d) }
}

// StaleFor lets the key live d longer than its TTL says. In that time a value is stale:
// GetOrLoad still gives it at once, and loads it anew in the background; so a source that is slow
// or down for a while costs nobody a wait ("stale-while-revalidate" and "stale-if-error" of RFC
// 5861). Other reads, such as Get, find the stale value as well, and every write of the key
// gives it the longer life. The default, 0, is that a value ends with its TTL.
func StaleFor(d time.Duration) ReadThroughOption {
	return func(o *readThrough) error { return positive(&o.stale, "StaleFor", d) }
}

// NegativeTTL remembers for d that there is nothing to load: that the loader's error wrapped
// [ErrNotFound], or that a collection came out empty, which Redis cannot store. Until then
// GetOrLoad returns ErrNotFound, or the empty collection, without loading. Any write of the key
// through a declaration with ReadThrough ends it early. It is noted beside the key, never in it:
// Get and Exists do not see it. [Jitter] shortens d too. The default, 0, is to ask again each
// time.
func NegativeTTL(d time.Duration) ReadThroughOption {
	return func(o *readThrough) error { return positive(&o.negative, "NegativeTTL", d) }
}

// LoadLease is how long a load may take; its context ends then. It is also how long others wait
// at most for the load of a process that was killed. What comes after the lease is not stored.
// The default is [DefaultLoadLease].
func LoadLease(d time.Duration) ReadThroughOption {
	return func(o *readThrough) error { return positive(&o.lease, "LoadLease", d) }
}

func positive(to *time.Duration, option string, d time.Duration) error {
	if d < time.Millisecond {
		return tooShort(option, d)
	}
	*to = d
	return nil
}

// window is how long before the end of a key's life it is due to be loaded anew.
func (o *readThrough) window() time.Duration { return o.refresh + o.stale }

func (o *readThrough) leased() time.Duration {
	if o.lease == 0 {
		return DefaultLoadLease
	}
	return o.lease
}

// check tells what of the options does not go with the other settings of a key.
func (o *readThrough) check(m *mounted) error {
	ttl := m.settings.ttl
	switch {
	case o.window() == 0:
		return nil
	case ttl == 0:
		return errors.New("RefreshBefore and StaleFor need a TTL: without one nothing gets old")
	case m.settings.autoRenew:
		return errors.New("RefreshBefore and StaleFor do not go with AutoRenew: a value that is read never gets old")
	case o.refresh >= ttl:
		return fmt.Errorf("RefreshBefore(%v) must be less than the TTL, which is %v", o.refresh, ttl)
	}
	return nil
}
