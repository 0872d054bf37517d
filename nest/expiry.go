package nest

import (
	"fmt"
	"time"
)

// SetOption sets how long a written value lives, instead of the declared TTL.
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

// KeepTTL keeps the running TTL; a key without one stays without one. A new key gets the declared
// TTL.
func KeepTTL() SetOption { return SetOption{mode: expireKeep} }

// nanoseconds returns a hint for callers that pass a duration so short that Redis takes it for
// none: most likely it is a bare number that was meant as seconds.
func nanoseconds(d time.Duration) string {
	if d <= 0 || d >= time.Millisecond {
		return ""
	}
	return fmt.Sprintf("; a time.Duration counts nanoseconds: for seconds write %d*time.Second", int64(d))
}

// tooShort returns the error for a duration of less than a millisecond.
func tooShort(option string, d time.Duration) error {
	return fmt.Errorf("%s(%v): at least a millisecond%s", option, d, nanoseconds(d))
}

// ExpireIn lets the value live for d, which must be at least a millisecond.
func ExpireIn(d time.Duration) SetOption { return SetOption{mode: expireIn, d: d} }

// ExpireUntil lets the value live until t, which must not have passed.
func ExpireUntil(t time.Time) SetOption { return SetOption{mode: expireUntil, at: t} }

// NoExpiry lets the value live until it is deleted, whatever the declared TTL.
func NoExpiry() SetOption { return SetOption{mode: expireNever} }

// expiry is the result of the options of a write: a mode other than expireDeclared, and
// milliseconds from now or since 1970.
type expiry struct {
	mode expiryMode
	ms   int64
}
