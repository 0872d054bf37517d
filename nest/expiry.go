package nest

import (
	"fmt"
	"time"
)

// SetOption says how long a written value lives, in place of the declared TTL.
type SetOption struct {
	mode expiryMode
	d    time.Duration
	at   time.Time
}

type expiryMode uint8

const (
	expireDeclared expiryMode = iota
	expireKeep
	expireUntil
	expireIn
	expireNever
)

// KeepTTL lets the running TTL go on, also when there is none. A new key gets the declared one.
func KeepTTL() SetOption { return SetOption{mode: expireKeep} }

// nanoseconds is a hint for who gave a duration that Redis cannot tell from none: most likely it is
// a bare number, which was meant as seconds.
func nanoseconds(d time.Duration) string {
	if d <= 0 || d >= time.Millisecond {
		return ""
	}
	return fmt.Sprintf("; a time.Duration counts nanoseconds: for seconds write %d*time.Second", int64(d))
}

// tooShort tells what is wrong with a duration that is less than a millisecond.
func tooShort(option string, d time.Duration) error {
	return fmt.Errorf("%s(%v): at least a millisecond%s", option, d, nanoseconds(d))
}

// ExpireIn lets the value live for d, at least a millisecond.
func ExpireIn(d time.Duration) SetOption { return SetOption{mode: expireIn, d: d} }

// ExpireUntil lets the value live until t, which must not have passed.
func ExpireUntil(t time.Time) SetOption { return SetOption{mode: expireUntil, at: t} }

// NoExpiry lets the value live until it is deleted, whatever the declared TTL.
func NoExpiry() SetOption { return SetOption{mode: expireNever} }

// expiry is what the options of a write come to: a mode other than expireDeclared, and
// milliseconds from now or since 1970.
type expiry struct {
	mode expiryMode
	ms   int64
}

func (r address) declared() expiry {
	if ms := r.m.ttl(); ms > 0 {
		return expiry{expireIn, ms}
	}
	return expiry{mode: expireNever}
}

func (r address) expiry(opts []SetOption) (expiry, error) {
	switch len(opts) {
	case 0:
		return r.declared(), nil
	case 1:
	default:
		return expiry{}, because(ErrArgument, "one expiry option at most")
	}
	switch o := opts[0]; o.mode {
	case expireKeep:
		return expiry{mode: expireKeep}, nil
	case expireNever:
		return expiry{mode: expireNever}, nil
	case expireIn:
		if o.d < time.Millisecond {
			return expiry{}, because(ErrArgument, tooShort("ExpireIn", o.d).Error())
		}
		return expiry{expireIn, o.d.Milliseconds()}, nil
	case expireUntil:
		if !o.at.After(time.Now()) || o.at.Year() > 9999 {
			return expiry{}, because(ErrArgument, "ExpireUntil takes a time from now on, up to the year 9999")
		}
		return expiry{expireUntil, o.at.UnixMilli()}, nil
	}
	return r.declared(), nil
}
