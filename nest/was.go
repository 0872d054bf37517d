package nest

import (
	"errors"
	"fmt"

	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// former is what Was declares.
type former struct {
	text     string
	template names.Template
	across   bool // [AcrossSlots]
}

// WasOption is an option of [Was].
type WasOption interface{ applyWas(f *former) error }

type wasOption func(f *former)

func (o wasOption) applyWas(f *former) error {
	o(f)
	return nil
}

// AcrossSlots lets a former name be in another slot of a Redis Cluster than the present one, where
// no step covers both. A key is then carried: what it holds is copied to the present name if that
// does not exist (DUMP, RESTORE), and deleted under the former name if that still holds the same. A
// read of a missing key asks for the present name once more after that. Every command but a read of
// a key that is found asks first whether the key stands under a former name.
//
// It promises less than [Was] does. For a moment a key stands under both names, and two programs of
// which each has written it under its own name in that moment keep two keys. So a write can be lost
// if programs with different present names write a key at the same time. A process that is killed
// on the way leaves both keys, which hold the same. The present name counts then, and [Migrate]
// deletes the other one as long as both hold the same. Between programs that have one present name
// no write is lost, but a key that one of them deletes while another one carries it can come back.
// On a server that is no Redis Cluster the option changes nothing.
func AcrossSlots() WasOption { return wasOption(func(f *former) { f.across = true }) }

// wasKinds lists what can be renamed. Two releases that use a lock, a limiter or a channel under
// two names would not exclude, count or hear each other.
var wasKinds = []Kind{
	KindBitmap, KindCluster, KindCounter, KindCustom, KindGeo, KindHash, KindHyperLogLog, KindList, KindPassword, KindRecord,
	KindSecret, KindSet, KindSortedSet, KindStream, KindValue,
}

// Was declares the former template of a key or a cluster, relative to the cluster it stands in,
// with the same parameters: Key("profile", Was("prof")). A key that stands under its old name is
// moved to the new one before it is used, in one atomic step with the operation (RENAME in a
// script, which keeps the value, the TTL, groups, and the TTLs of fields). A read asks for the new
// name first, and moves the key only if that seems to be missing, so a key that was moved is read
// as fast as any other one. SET writes the new name and removes the old one. Secrets, passwords and
// hashes with secret fields are opened under the old name and sealed under the new one, by
// compare-and-set, just before the operation.
//
// So a key has one name at a time for all programs that declare both names. A release that knows
// only one of them must be gone before another one declares that name as the former one. The
// releases are, in this order:
//
//  1. everywhere Key("prof", Was("profile")): the present name, and the coming one
//  2. Key("profile", Was("prof")); both run side by side, and each moves keys to its own name
//  3. [Migrate] moves the rest
//  4. without Was
//
// If a key exists under both names, because a program that knows only one of them wrote it, the new
// name counts, and the old one stays until the next SET.
//
// Match, Keys, Count, Clear and Where take keys under their old names for those of the declaration;
// [Match.Former] reports which. The proof covers old names too. Open refuses a former template that
// has other parameters, or that can be the name of another key, present or former. It also refuses
// a Lock, Limiter or Channel below a renamed cluster, and on a Redis Cluster a key whose two names
// are not in one slot, unless [AcrossSlots] is given: both need the same braces. Braces of a former
// template have to be written in it, also where the cluster has a [HashTag].
//
// A blocking read or pop looks for what others write under the old name once a second. While Was is
// declared, other commands than plain reads are sent as scripts with their whole text, and at most
// 7,000 arguments.
func Was(template string, opts ...WasOption) Option {
	return option(func(c *config) error {
		if c.was != nil {
			return errors.New("Was is given twice")
		}
		linkMoving()
		c.was = &former{text: template}
		if err := eachOption(opts, func(o WasOption) error { return o.applyWas(c.was) }); err != nil {
			return err
		}
		c.onlyFor("Was", wasKinds...)
		return nil
	})
}

// parse parses the former template of a declaration.
func (f *former) parse(kind Kind, present string) error {
	t, err := names.Parse(f.text, kind != KindCluster)
	if err == nil && f.text == present {
		err = errors.New("it is the present template")
	}
	if err != nil {
		return fmt.Errorf("Was(%q): %w", f.text, err)
	}
	f.template = t
	return nil
}
