package nest

import "github.com/redis/rueidis"

// bulkSize is the maximum number of arguments that a script passes to one call: Lua's stack holds
// some 8,000 on a real server and 5,000 on the embedded one. It is a multiple of 2 and 3, so that
// neither pairs nor triples are split.
const bulkSize = 3000

// joining says how the answers to the parts of a long command are combined.
type joining string

const (
	joinSum  joining = "sum"  // how many were added or removed
	joinLast joining = "last" // the new length
	joinAll  joining = "all"  // an answer for each argument
)

// joined runs a command in parts of ARGV[1] arguments. Each part begins with the same ARGV[6]
// arguments. The expiry is set in the same step: always if ARGV[3] is 1, otherwise only on a key
// that has none.
var joined = newScript(starts + `local size, ttl, renew, join, command, fixed = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local start, denied = starts(KEYS[1], ttl, renew == '1')
if denied then return denied end
local reply
for from = 7 + fixed, #ARGV, size do
	local args, to = {unpack(ARGV, 7, 6 + fixed)}, math.min(from + size, #ARGV + 1) - 1
	for i = from, to do args[fixed + 1 + i - from] = ARGV[i] end
	local part = redis.call(command, KEYS[1], unpack(args, 1, fixed + 1 + to - from))
	if not reply or join == 'last' then
		reply = part
	elseif join == 'sum' then
		reply = reply + part
	else
		local before = from - 7 - fixed
		for i = 1, #part do reply[before + i] = part[i] end
	end
end
if start then redis.call('PEXPIRE', KEYS[1], ttl) end
return reply`)

// renews reports whether writes to the key restart its TTL.
func (r address) renews() bool { return r.m.settings.autoRenew && r.m.settings.ttl > 0 }

// readsRenew reports whether reads of the key restart its TTL, too.
func (r address) readsRenew() bool { return r.renews() && !r.m.tree.options.noRenew }

// modify builds a command that changes a collection but never creates it. A running TTL continues
// by itself, and AutoRenew restarts it.
//
//nest:ttl changes
func (r address) modify(command string, args ...string) rueidis.Completed {
	if r.renews() {
		return r.scripted(renewing, command, args)
	}
	return r.b().Arbitrary(command).Keys(r.key).Args(args...).Build()
}

// writeMany, modifyMany and readMany are write, modify and read with any number of items after the
// fixed arguments. However many items there are, the command is one atomic step.
//
//nest:ttl starts
func (r address) writeMany(command string, join joining, fixed, items []string) rueidis.Completed {
	if r.m.settings.ttl > 0 || r.movesMany(items) {
		return r.inOneStep(command, join, fixed, items)
	}
	return r.b().Arbitrary(command).Keys(r.key).Args(fixed...).Args(items...).Build()
}

//nest:ttl changes
func (r address) modifyMany(command string, join joining, fixed, items []string) rueidis.Completed {
	if r.renews() || r.movesMany(items) {
		return r.inOneStep(command, join, fixed, items)
	}
	return r.b().Arbitrary(command).Keys(r.key).Args(fixed...).Args(items...).Build()
}

//nest:ttl renews
func (r address) readMany(command string, items []string) rueidis.Completed {
	if r.readsRenew() || r.movesMany(items) {
		return r.inOneStep(command, joinAll, nil, items)
	}
	return r.b().Arbitrary(command).Keys(r.key).Args(items...).ReadOnly()
}

func (r address) inOneStep(command string, join joining, fixed, items []string) rueidis.Completed {
	renew := bit(r.m.settings.autoRenew)
	ttl := millis(r.m.ttl())
	if len(items) > bulkSize {
		return r.b().Arbitrary(evalSHA, joined.sha, "1").Keys(r.key).
			Args(millis(bulkSize), ttl, renew, string(join), command, millis(int64(len(fixed)))).
			Args(fixed...).Args(items...).Build()
	}
	s := starting
	if r.m.settings.autoRenew {
		s = renewing
	}
	return r.b().Arbitrary(evalSHA, s.sha, "1").Keys(r.key).Args(ttl, command).Args(fixed...).Args(items...).Build()
}

// movesMany reports whether a command is too long to be sent together with the move of its key from
// a former name.
func (r address) movesMany(items []string) bool {
	return r.m.formers != nil && len(items) > bulkSize
}
