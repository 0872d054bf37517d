package nest

import (
	"errors"
	"fmt"
)

// Fallback is what an operation does while Redis is away, see [WhenDown].
type Fallback uint8

// The fallbacks of [WhenDown].
const (
	// AllowAll lets a [Limiter] allow everything, and count nothing.
	AllowAll Fallback = iota + 1
	// AllowLocal lets a [Limiter] count by itself, in this process: each process then allows what
	// the [Rate] says. What Redis has counted so far is not known to it. A process remembers up to
	// 65,536 limiters at a time; of more than that it forgets some.
	AllowLocal
	// GiveDefault lets Get of a [Key] return its [Default].
	GiveDefault
)

// WhenDown says what is done in place of the error while Redis is away ([ErrAway]): [AllowAll] or
// [AllowLocal] for a [Limiter], [GiveDefault] for a [Key] with a [Default]. By default the error is
// returned. [Event] reports such results as Degraded. Redis is waited for only half of the time
// that the context has left, and at most [WithTimeout]. In an atomic batch or a transaction the
// error stays.
//
// It is an option of single keys and is not inherited. For secrets, passwords, locks and counters
// there is nothing that would be right without Redis, so that they have no such option.
func WhenDown(f Fallback) KeyOption {
	return keyOption(func(c *config) error {
		switch f {
		case AllowAll, AllowLocal:
			c.onlyFor("WhenDown(AllowAll) and WhenDown(AllowLocal)", KindLimiter)
		case GiveDefault:
			c.onlyFor("WhenDown(GiveDefault)", KindValue)
		default:
			return fmt.Errorf("WhenDown(%d): AllowAll, AllowLocal or GiveDefault", f)
		}
		if c.whenDown != 0 {
			return errors.New("WhenDown is given twice")
		}
		c.whenDown = f
		return nil
	})
}
