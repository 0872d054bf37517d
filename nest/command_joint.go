package nest

import (
	"slices"
	"strconv"

	"github.com/redis/rueidis"
)

// use is one of the keys of a command, and what the command does to it.
type use struct {
	address
	mode useMode
}

type useMode uint8

const (
	reads   useMode = iota
	changes         // writes, but never creates
	creates
	overwrites // writes the whole, and so restarts the expiry
)

// spanning runs a command on several keys and sets their expiries in the same step. ARGV begins
// with a rule for each key: "0" does nothing, "r" and milliseconds restarts the expiry, "s" and
// milliseconds starts it on a key that has none. The command follows.
var spanning = newScript(ruling + `if #ARGV - #KEYS > 7900 then
	return redis.error_reply('ERR no script can give so many keys to one command, nothing was read: renew fewer at once')
end
local reply = redis.call(unpack(ARGV, #KEYS + 1))` + ruled)

// spanningParts runs several commands, and returns the reply of the last one. After the rules comes
// a command that counts what a source holds. It detects a source of another type before anything is
// written. The commands follow, each after the number of its words.
var spanningParts = newScript(ruling + `local counting, at, reply = ARGV[#KEYS + 1], #KEYS + 2, nil
for i = 2, #KEYS do
	local held = redis.pcall(counting, KEYS[i])
	-- A sorted set is made of sets, too.
	if type(held) == 'table' and counting == 'ZCARD' then held = redis.pcall('SCARD', KEYS[i]) end
	if type(held) == 'table' then return held end
end
while at <= #ARGV do
	reply = redis.call(unpack(ARGV, at + 1, at + ARGV[at]))
	at = at + ARGV[at] + 1
end` + ruled)

const (
	ruling = starts + `local ttls = {}
for i, key in ipairs(KEYS) do
	local rule, ttl = ARGV[i]:sub(1, 1), ARGV[i]:sub(2)
	if rule ~= '0' then
		local start, denied = starts(key, ttl, rule == 'r')
		if denied then return denied end
		if start then ttls[key] = ttl end
	end
end
`
	ruled = `
for key, ttl in pairs(ttls) do redis.call('PEXPIRE', key, ttl) end
return reply`
)

type based interface{ base() address }

// usesOf returns the uses of r and others by one command. All must be usable, belong to one client
// and be in one slot.
func usesOf[R based](r address, mode useMode, others []R, otherMode useMode) ([]use, error) {
	uses := make([]use, 1, 1+len(others))
	uses[0] = use{r, mode}
	for _, o := range others {
		other := o.base()
		switch {
		case other.wrong() != nil:
			return nil, other.wrong()
		case !sameClient(other.m.tree, r.m.tree):
			return nil, because(ErrArgument, "another key belongs to another client")
		case r.m.tree.slot(other.key) != r.m.tree.slot(r.key):
			return nil, errSlots
		}
		if r.m.plain {
			other = other.plain()
		}
		uses = append(uses, use{other, otherMode})
	}
	return uses, nil
}

// joint makes a command on several keys: its words, the keys, and after. The number of the keys
// from countAt on stands before them; countAt is -1 for a command without it.
func joint(words []string, uses []use, countAt int, after ...string) rueidis.Completed {
	rules := make([]string, len(uses))
	ruled, readOnly := false, true
	for i, u := range uses {
		rules[i] = "0"
		switch {
		case u.mode == reads && u.readsRenew(), u.mode != reads && u.renews(), u.mode == overwrites && u.m.settings.ttl > 0:
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
	for i, u := range uses {
		keys[i] = u.key
	}
	if counting := countingFor[words[0]]; counting != "" && len(uses) > mostSources {
		return spanningParts.command(b, keys, inParts(append(args, counting), words, keys, countAt, after)...)
	}
	args = append(args, words...)
	for i, key := range keys {
		if i == countAt {
			args = append(args, strconv.Itoa(len(keys)-i))
		}
		args = append(args, key)
	}
	return spanning.command(b, keys, append(args, after...)...)
}

// mostSources is the number of keys that a command in a script takes. Lua has room for 8,000 words,
// that of the embedded server for 5,000, and each key may have a weight.
const mostSources = 1500

// countingFor maps a command that computes its first key from all others, and can do so in parts,
// to the command that counts what such a key holds. That command refuses a key of another type.
var countingFor = map[string]string{
	"SUNIONSTORE": "SCARD", "SINTERSTORE": "SCARD", "SDIFFSTORE": "SCARD",
	"ZUNIONSTORE": "ZCARD", "ZINTERSTORE": "ZCARD", "ZDIFFSTORE": "ZCARD",
	"BITOP": "STRLEN", "PFMERGE": "PFCOUNT",
}

// inParts appends the commands that compute a key from some of the others, and then from itself and
// more of them, with the same result. If the key is one of its own sources, it is among the first
// of them.
func inParts(args, words, keys []string, countAt int, after []string) []string {
	target, sources := keys[0], keys[1:]
	var weights []string
	if len(after) > 0 && after[0] == "WEIGHTS" {
		weights, after = after[1:1+len(sources)], after[1+len(sources):]
	}
	order, others := []int{0}, []int(nil) // a difference begins with the first one
	for i := 1; i < len(sources); i++ {
		if sources[i] == target {
			order = append(order, i)
		} else {
			others = append(others, i)
		}
	}
	most, again := max(mostSources, len(order)), []string(nil)
	for order = append(order, others...); len(order) > 0; most, again = mostSources, keys[:1] {
		part := order[:min(most, len(order))]
		order = order[len(part):]
		command := append(slices.Clone(words), target)
		if countAt == 1 {
			command = append(command, strconv.Itoa(len(again)+len(part)))
		}
		command = append(command, again...)
		for _, i := range part {
			command = append(command, sources[i])
		}
		if weights != nil {
			command = append(command, "WEIGHTS")
			if again != nil {
				command = append(command, "1")
			}
			for _, i := range part {
				command = append(command, weights[i])
			}
		}
		command = append(command, after...)
		args = append(append(args, strconv.Itoa(len(command))), command...)
	}
	return args
}
