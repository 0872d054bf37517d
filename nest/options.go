package nest

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// ClusterOption is an option of [Cluster].
type ClusterOption interface {
	applyCluster(c *config) error
}

// KeyOption is an option of [Key] and of the other kinds of keys.
type KeyOption interface {
	applyKey(c *config) error
}

// Option is an option of clusters and of keys. Everything below a cluster inherits the cluster's
// option, until something nearer overrides it.
type Option interface {
	ClusterOption
	KeyOption
}

type (
	option        func(c *config) error
	clusterOption func(c *config) error
	keyOption     func(c *config) error
)

func (o option) applyCluster(c *config) error        { return o(c) }
func (o option) applyKey(c *config) error            { return o(c) }
func (o clusterOption) applyCluster(c *config) error { return o(c) }
func (o keyOption) applyKey(c *config) error         { return o(c) }

// TTL sets how long a key lives after it was written. An int is a number of seconds; a
// time.Duration is taken as it is, down to a millisecond. The default is the TTL of the nearest
// cluster above, or no expiry. Which writes restart the TTL depends on the kind; [KeyRef.Set] does.
func TTL[D int | time.Duration](d D) Option {
	return option(func(c *config) error {
		ttl := time.Duration(d)
		if _, seconds := any(d).(int); seconds {
			if int64(d) <= 0 || int64(d) > math.MaxInt64/int64(time.Second) {
				ttl = -1
			} else {
				ttl = time.Duration(int64(d) * int64(time.Second))
			}
		}
		if err := checkTTL(ttl); err != nil {
			return fmt.Errorf("TTL(%v): %w (NoTTL switches an inherited TTL off)%s", d, err, nanoseconds(ttl))
		}
		return c.setTTL(ttl, "TTL")
	})
}

// setTTL records what TTL or, with 0, NoTTL declares.
func (c *config) setTTL(ttl time.Duration, option string) error {
	if c.set&hasTTL != 0 && (c.ttl == 0) != (ttl == 0) {
		return errors.New("TTL and NoTTL exclude each other: keep one of them")
	}
	c.ttl = ttl
	return c.mark(hasTTL, option)
}

var errTTL = errors.New("a TTL is a positive number of seconds or a duration of whole milliseconds")

// checkTTL returns an error unless Redis can keep d as it is.
func checkTTL(d time.Duration) error {
	if d <= 0 || d%time.Millisecond != 0 {
		return errTTL
	}
	return nil
}

// NoTTL switches an inherited TTL off: the keys live until they are deleted.
func NoTTL() Option {
	return option(func(c *config) error {
		return c.setTTL(0, "NoTTL")
	})
}

// AutoRenew restarts the declared TTL on every read of the value and, for kinds whose writes keep a
// running TTL, on every write. It does so whatever expiry the key has: a read also overrides
// ExpireIn, NoExpiry and Persist. Without a TTL it has no effect. The default is false;
// AutoRenew(false) switches an inherited one off. Reads are sent as GETEX, which needs Redis 6.2.
func AutoRenew(on ...bool) Option {
	return option(func(c *config) error {
		v, err := onOff("AutoRenew", on)
		c.autoRenew = v
		return errors.Join(err, c.mark(hasAutoRenew, "AutoRenew"))
	})
}

// Protected makes [Scope.Clear] refuse to delete what is declared with it, and anything above that
// contains it, unless [Force] is given. The default is false; Protected(false) switches an
// inherited one off.
func Protected(on ...bool) Option {
	return option(func(c *config) error {
		v, err := onOff("Protected", on)
		c.protected = v
		return errors.Join(err, c.mark(hasProtected, "Protected"))
	})
}

func onOff(name string, on []bool) (bool, error) {
	switch len(on) {
	case 0:
		return true, nil
	case 1:
		return on[0], nil
	}
	return false, fmt.Errorf("%s takes one argument at most", name)
}

// Jitter shortens every TTL by a random part of up to fraction, so that keys that are written
// together do not expire together. fraction is at least 0, the default, and less than 1. A key
// never lives longer than its TTL.
func Jitter(fraction float64) Option {
	return option(func(c *config) error {
		if !(fraction >= 0 && fraction < 1) {
			return fmt.Errorf("Jitter(%v): the fraction is at least 0 and less than 1", fraction)
		}
		c.jitter = fraction
		return c.mark(hasJitter, "Jitter")
	})
}

// Codec sets how values are encoded. The default is [codec.Auto].
func Codec(c codec.Codec) Option {
	return option(func(conf *config) error {
		if c == nil {
			return errors.New("Codec: a nil codec")
		}
		conf.codec = c
		return conf.mark(hasCodec, "Codec")
	})
}

// DocOption is the result of [Doc]: an [Option] and a [ParamOption].
type DocOption string

// Doc says what a cluster, key or parameter is for. The text appears in [Scope.Describe].
func Doc(text string) DocOption { return DocOption(text) }

func (o DocOption) applyCluster(c *config) error { return o.applyKey(c) }
func (o DocOption) applyKey(c *config) error {
	c.doc = string(o)
	return nil
}
func (o DocOption) applyParam(s *names.Spec) error {
	s.Doc = string(o)
	return nil
}

// Params declares the types of the parameters with these names, in this template and in everything
// below it.
func Params(params ...AnyParam) Option {
	return option(func(c *config) error {
		for _, p := range params {
			if isNil(p) || p.param() == nil {
				return errors.New("Params: a nil or zero parameter: make it with Param")
			}
			for _, earlier := range c.params {
				if earlier.Name == p.Name() {
					return fmt.Errorf("Params: <%s> is given twice", p.Name())
				}
			}
			c.params = append(c.params, p.param())
		}
		return nil
	})
}

// Sub puts keys and clusters below a cluster. One declaration can be in several clusters.
func Sub(nodes ...Node) ClusterOption {
	return clusterOption(func(c *config) error {
		for i, n := range nodes {
			if isNil(n) || n.declared().id == 0 {
				return fmt.Errorf("Sub: argument %d is nil or a zero value: is its variable initialised later?", i+1)
			}
		}
		c.subs = append(c.subs, nodes...)
		return nil
	})
}

// HashTag puts the cluster's resolved prefix in braces, root:{user:42}:age, so that everything
// below it lives in one slot of a Redis Cluster. An operation on several keys needs them in one
// slot, on a single server too, unless [SingleServer] says that slots do not matter.
//
// A template makes a hash tag too, with braces around a part that has a parameter: in
// "cart:{<id>}", and in "{user:<id>}:cart". A path can have only one hash tag.
func HashTag() ClusterOption {
	return clusterOption(func(c *config) error {
		c.hashTag = true
		return nil
	})
}

// isNil reports whether v is nil or holds a nil pointer or function, as a variable does that is
// used before it is initialised.
func isNil(v any) bool {
	r := reflect.ValueOf(v)
	return v == nil || (r.Kind() == reflect.Pointer || r.Kind() == reflect.Func) && r.IsNil()
}

// Default sets what [KeyRef.Get] returns if the key does not exist. It is never written to Redis. v
// must be of the key's type, or a number that the type can represent, or of the same string or
// boolean kind. Each caller gets its own copy, as if v had been stored and read.
func Default(v any) KeyOption {
	return keyOption(func(c *config) error {
		if c.hasDefault {
			return errors.New("Default is given twice")
		}
		c.def, c.hasDefault = func() any { return v }, true
		return nil
	})
}
