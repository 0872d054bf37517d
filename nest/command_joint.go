package nest

import (
	"strconv"

	"github.com/redis/rueidis"
)

// use is one of the keys that a command takes, and what it does to it.
type use struct {
	address
	mode useMode
}

type useMode uint8

const (
	reads   useMode = iota
	changes         // writes, but never creates
	creates
	overwrites // writes the whole, and so starts the expiry anew
)

// spanning runs a command on several keys and sets their expiries in the same step. ARGV begins
// with a rule for each key: "0", "r" and milliseconds to restart the expiry, "s" and
// milliseconds to start it on a key that has none. The command follows.
var spanning = newScript(`local reply = redis.call(unpack(ARGV, #KEYS + 1))
for i, key in ipairs(KEYS) do
	local rule, ttl = ARGV[i]:sub(1, 1), ARGV[i]:sub(2)
	if rule == 'r' or rule == 's' and redis.call('PTTL', key) == -1 then redis.call('PEXPIRE', key, ttl) end
end
return reply`)

// base gives what the references of all kinds embed.
func (r Ref) base() address { return r.at }

type based interface{ base() address }

// usesOf lists r and others, which one command takes together. They must be usable, belong to
// one client and, on a Redis Cluster, live in one slot.
func usesOf[R based](r address, mode useMode, others []R, otherMode useMode) ([]use, error) {
	uses := make([]use, 1, 1+len(others))
	uses[0] = use{r, mode}
	inCluster := r.m.tree.client.Mode() == rueidis.ClientModeCluster
	for _, o := range others {
		other := o.base()
		switch {
		case other.wrong() != nil:
			return nil, other.wrong()
		case !sameClient(other.m.tree, r.m.tree):
			return nil, because(ErrArgument, "another key belongs to another client")
		case inCluster && keySlot(other.key) != keySlot(r.key):
			return nil, because(ErrCrossSlot, "a HashTag on a cluster above the keys puts them into one")
		}
		if r.m.plain {
			other = other.plain()
		}
		uses = append(uses, use{other, otherMode})
	}
	return uses, nil
}

// joint makes a command on several keys: its words, the keys, and what follows them. The number
// of the keys from countAt on stands before these; countAt is -1 for a command without it.
func joint(words []string, uses []use, countAt int, after ...string) rueidis.Completed {
	rules := make([]string, len(uses))
	ruled, readOnly := false, true
	for i, u := range uses {
		rules[i] = "0"
		switch {
		case u.renews(), u.mode == overwrites && u.m.settings.ttl > 0:
			rules[i], ruled = "r"+millis(u.m.ttl()), true
		case u.mode == creates && u.m.settings.ttl > 0:
			rules[i], ruled = "s"+millis(u.m.ttl()), true
		}
		readOnly = readOnly && u.mode == reads
	}
	b := uses[0].b()
	if !ruled {
		cmd := b.Arbitrary(words...)
		for i, u := range uses {
			if i == countAt {
				cmd = cmd.Args(strconv.Itoa(len(uses) - i))
			}
			cmd = cmd.Keys(u.key)
		}
		if cmd = cmd.Args(after...); readOnly {
			return cmd.ReadOnly()
		}
		return cmd.Build()
	}
	keys, args := make([]string, len(uses)), rules
	args = append(args, words...)
	for i, u := range uses {
		if i == countAt {
			args = append(args, strconv.Itoa(len(uses)-i))
		}
		keys[i] = u.key
		args = append(args, u.key)
	}
	return spanning.command(b, keys, append(args, after...)...)
}
