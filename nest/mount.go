package nest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redisimnest/redisimnest/nest/internal/names"
)

// mounted is a declaration at one place of an opened tree. Apart from loads it does not change
// after Open.
type mounted struct {
	tree   *tree
	def    *Declaration // nil for the place above the root
	parent *mounted
	// first and last are the numbers, in the order of declaration, of this place and of the last
	// one below it.
	first, last int

	name names.Name // its text is "root:user:<user_id>:age"

	settings settings
	hashTag  bool // something on the path has a HashTag, or braces in its template
	// guarded reports whether this or something below it is protected.
	guarded bool
	// shares reports whether names below this prefix can belong to a declaration elsewhere.
	shares bool
	// direct reports whether an operation is a command to the client and nothing else: there are no
	// observers and no former names.
	direct bool
	// slotless reports whether commands may leave out the key's slot in a Redis Cluster, see
	// [WithOneConnection].
	slotless bool
	// bound is what the key's kind prepared: its typed codec, its default.
	bound any
	// plain marks a copy for reads that do not renew the TTL. renewed is the original of the copy,
	// if its reads renew the TTL.
	plain   bool
	renewed *mounted
	// formers are the former names of the place, or nil. present is set on the place under one of
	// them: the same place under its present name.
	formers *formers
	present *mounted
	// generation is what is known of a cluster that has one, or nil.
	generation *generation
	// across reports of a place under a former name that it may be in another slot.
	across bool
	// loads reports whether keys here are read through a loader. Writes must then end the loads
	// that are running.
	loads *atomic.Bool
}

// holds reports whether o is m or below it.
func (m *mounted) holds(o *mounted) bool { return m.first <= o.first && o.first <= m.last }

// path describes m for messages: the templates from the root down.
func (m *mounted) path() string { return m.pathAs(m.name.Text) }

// pathAs is path for one of the present and former templates of m.
func (m *mounted) pathAs(template string) string {
	var b strings.Builder
	b.WriteString(`"` + template + `"`)
	if template != m.name.Text {
		b.WriteString(", the former name of \"" + m.name.Text + `"`)
	}
	if m.def != nil {
		b.WriteString(" (" + m.def.Position() + ")")
	}
	return b.String()
}

// ttl returns the expiry of a write that starts now, in milliseconds, or 0.
func (m *mounted) ttl() int64 {
	return max(together(m.jittered(m.settings.ttl), m.settings.load.stale).Milliseconds(), min(1, m.settings.ttl.Milliseconds()))
}

// jittered returns d, shortened by a random part as [Jitter] says.
func (m *mounted) jittered(d time.Duration) time.Duration {
	if j := m.settings.jitter; j > 0 {
		d -= time.Duration(rand.Float64() * j * float64(d))
	}
	return d
}

// check returns an error if the options do not fit the other settings of a key.
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
