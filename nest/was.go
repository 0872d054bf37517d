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
}

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
// are not in one slot: both need the same braces. Braces of a former template have to be written in
// it, also where the cluster has a [HashTag].
//
// A blocking read or pop looks for what others write under the old name once a second. While Was is
// declared, other commands than plain reads are sent as scripts with their whole text, and at most
// 7,000 arguments.
func Was(template string) Option {
	return option(func(c *config) error {
		if c.was != nil {
			return errors.New("Was is given twice")
		}
		c.was = &former{text: template}
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
