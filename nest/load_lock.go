package nest

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// What the companion key holds when no load is running. No token looks like these.
const (
	noted      = "none"  // the source has no such value
	notedEmpty = "empty" // the source has an empty value
)

// state fingerprints a key by its content and its expiry. Any client's write changes the
// fingerprint, except one that leaves the same value and expires in the same millisecond. The
// remaining time is compared beside the expiry time because on the embedded server time stands
// still, and the expiry time moves on.
const state = `local function state(key)
	local all = redis.pcall('DUMP', key)
	if not all then return '' end
	if type(all) == 'table' then all = '?' end
	return redis.sha1hex(all) .. ' ' .. redis.call('PEXPIRETIME', key) .. ' ' .. redis.call('PTTL', key)
end
local function same(a, b)
	if a == b then return true end
	local holds, ends, left = string.match(a, '(%S+) (%S+) (%S+)')
	local holds2, ends2, left2 = string.match(b, '(%S+) (%S+) (%S+)')
	return holds ~= nil and holds == holds2 and (ends == ends2 or left == left2)
end
`

// takingLoad takes the lock (KEYS[2]) of a key (KEYS[1]) for the token ARGV[1] and ARGV[2]
// milliseconds, unless there is nothing to load or a load is running. If ARGV[3] is not 0, the key
// exists and is to be loaded again. If ARGV[3] is positive, the key must have at most that many
// milliseconds to live, since another client may have loaded it just now; -1 means that nothing can
// be read of it. The reply is one of the loadStates and, with the lock, the key's state.
var takingLoad = newScript(state + `local lock, window = redis.call('GET', KEYS[2]), tonumber(ARGV[3])
local reload = window ~= 0
if reload then
	if window > 0 and redis.call('PTTL', KEYS[1]) > window then return {'held'} end
	if lock == '` + noted + `' or lock == '` + notedEmpty + `' then lock = false end
elseif redis.call('EXISTS', KEYS[1]) == 1 then
	return {'there'}
end
if lock then
	if lock == '` + noted + `' or lock == '` + notedEmpty + `' then return {lock} end
	return {'held'}
end
local was = reload and state(KEYS[1]) or ''
if reload and was == '' then return {'held'} end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return {'taken', was}`)

// keepingLoad stores the loaded value and ends the load, if the lock still holds the token ARGV[1]
// and the key is still in the state ARGV[2], which it had when the load began. The value is written
// whole by the command ARGV[6] and its arguments, in parts of ARGV[5]. ARGV[3] is the TTL of the
// key, or 0, and ARGV[4] that of its fields.
var keepingLoad = newScript(state + asking + `if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
if not same(state(KEYS[1]), ARGV[2]) then return 0 end
local size, command, fields = tonumber(ARGV[5]), ARGV[6], ARGV[4] ~= '0'
if fields then
	` + probesFieldTTL + `end
local denied = ARGV[3] ~= '0' and lacks('PEXPIRE', KEYS[1], ARGV[3]) or
	fields and lacks('HPEXPIRE', KEYS[1], ARGV[4], 'FIELDS', 1, ARGV[7]) or
	ARGV[2] ~= '' and command ~= 'SET' and lacks(command, KEYS[1], unpack(ARGV, 7, math.min(8, #ARGV)))
if denied then return denied end
if ARGV[2] ~= '' and command ~= 'SET' then redis.call('DEL', KEYS[1]) end
for from = 7, #ARGV, size do
	local to = math.min(from + size - 1, #ARGV)
	redis.call(command, KEYS[1], unpack(ARGV, from, to))
	if fields then
		local names = {}
		for i = from, to, 2 do names[#names + 1] = ARGV[i] end
		redis.call('HPEXPIRE', KEYS[1], ARGV[4], 'FIELDS', #names, unpack(names))
	end
end
if ARGV[3] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1`)

// freeingLoad releases the lock of ARGV[1]. ARGV[2], if it is not empty, is noted in its place for
// ARGV[3] milliseconds, unless the key exists or the server cannot store the note because its
// memory is full.
var freeingLoad = newScript(`if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
if ARGV[2] ~= '' and redis.call('EXISTS', KEYS[1]) == 0 then
	local noted = redis.pcall('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
	if not noted.err then return 1 end
end
redis.call('DEL', KEYS[2])
return 1`)

// loadState is the reply to taking, or what was noted.
type loadState string

const (
	loadTaken loadState = "taken" // the caller loads
	loadHeld  loadState = "held"  // another client loads
	keyThere  loadState = "there" // the key exists
)

// loadLock is the lock that lets one client of all processes load a key.
type loadLock struct {
	ref   address
	keys  []string
	token string
	was   string // the key's state when the load began
	// The command that takes the lock failed: idle means that it was not executed, unsure that its
	// execution is unknown.
	idle, unsure bool
}

func newLoadLock(r address) *loadLock {
	return &loadLock{
		ref: r, keys: []string{r.key, companion(r.key, loadRole)},
		token: strconv.FormatUint(rand.Uint64(), 36) + "." + strconv.FormatUint(rand.Uint64(), 36),
	}
}

// loadCause is why a key is loaded.
type loadCause uint8

const (
	loadMissing loadCause = iota
	loadAgeing            // it expires soon
	loadBlank             // it exists, but holds nothing to read: a hash without a record's fields
)

func (l *loadLock) taking(why loadCause) rueidis.Completed {
	o, window := &l.ref.m.settings.load, int64(0)
	switch why {
	case loadAgeing:
		window = o.window().Milliseconds()
	case loadBlank:
		window = -1
	}
	return l.ref.moved(takingLoad.inFull(l.ref.b(), l.keys, l.token, millis(o.leased().Milliseconds()), millis(window)))
}

// took reads the reply to taking.
func (l *loadLock) took(answer rueidis.RedisMessage, err error) (loadState, error) {
	var parts []string
	l.unsure, l.idle = mayHaveRun(err), unexecutedYet(err)
	if err == nil {
		parts, err = answer.AsStrSlice()
	}
	switch {
	case err != nil:
		return "", l.ref.fail(opLoad, exchangeError(err))
	case len(parts) == 2:
		l.was = parts[1]
	case len(parts) != 1:
		return "", l.ref.fail(opLoad, errAnswer)
	}
	switch state := loadState(parts[0]); state {
	case loadTaken, loadHeld, keyThere, noted, notedEmpty:
		return state, nil
	}
	return "", l.ref.fail(opLoad, errAnswer)
}

func (l *loadLock) take(ctx context.Context, why loadCause) (loadState, error) {
	if l.ref.m.loadsDown() == 0 {
		return l.took(l.obtain(ctx, why))
	}
	e := l.ref.bounded(ctx)
	defer e.release()
	state, err := l.took(l.obtain(e, why))
	return state, l.ref.within(e, err)
}

// obtain sends the command that takes the lock.
func (l *loadLock) obtain(ctx context.Context, why loadCause) (rueidis.RedisMessage, error) {
	take := func() (rueidis.RedisMessage, error) { return l.ref.m.tree.do(ctx, l.taking(why)) }
	if l.ref.m.formers == nil {
		return take()
	}
	return l.ref.untilMoved(ctx, []address{l.ref}, take)
}

func (l *loadLock) keeping(f filling) rueidis.Completed {
	m := l.ref.m
	return l.ref.moved(l.ref.b().Arbitrary("EVAL", keepingLoad.text, "2").Keys(l.keys...).
		Args(l.token, l.was, millis(m.ttl()), millis(m.def.config.fieldTTL.Milliseconds()), millis(bulkSize), f.command).
		Args(f.args...).Build())
}

// keep stores the loaded value and releases the lock. It reports whether it stored the value: the
// key may have been written, or the lease may have run out.
func (l *loadLock) keep(ctx context.Context, f filling) (bool, error) {
	var changed []address
	if l.ref.m.settings.cached > 0 {
		changed = []address{l.ref}
	}
	if l.ref.m.loadsDown() == 0 {
		return l.kept(l.ref.sendWrite(ctx, nil, l.keeping(f), changed))
	}
	e := l.ref.bounded(ctx)
	defer e.release()
	kept, err := l.kept(l.ref.sendWrite(e, nil, l.keeping(f), changed))
	return kept, l.ref.within(e, err)
}

func (l *loadLock) kept(answer rueidis.RedisMessage, err error) (bool, error) {
	n := int64(0)
	if err == nil {
		n, err = replyInt(l.ref.m, answer)
	} else if standsUnderFormer(err) {
		return false, nil // another program has written the key
	}
	if err != nil {
		return false, l.ref.fail(opLoad, exchangeError(err))
	}
	return n == 1, nil
}

// freeing makes the command that releases the lock without a value. note is what others should
// know, if anything.
func (l *loadLock) freeing(note string) rueidis.Completed {
	ms := int64(0)
	if negative := l.ref.m.settings.load.negative; negative > 0 && note != "" {
		ms = max(1, l.ref.m.jittered(negative).Milliseconds())
	} else {
		note = ""
	}
	return freeingLoad.inFull(l.ref.b(), l.keys, l.token, note, millis(ms))
}

// free releases the lock, even when the caller's context has ended.
func (l *loadLock) free(ctx context.Context, note string) {
	if l.idle {
		return
	}
	l.ref.m.tree.giveUp(ctx, l.ref.m.settings.load.leased(), l.unsure, func(ctx context.Context) (bool, error) {
		answer, err := l.ref.m.tree.do(ctx, l.freeing(note))
		if err != nil {
			return false, err
		}
		n, err := answer.AsInt64()
		return n == 1, err
	})
}

// leaseError is the cause with which the context of a load ends when the load takes too long.
type leaseError struct{ lease time.Duration }

func (e leaseError) Error() string {
	return "the load took longer than its lease of " + e.lease.String() + " (LoadLease)"
}

func (e leaseError) Unwrap() error { return context.DeadlineExceeded }

var errLoaderPanicked = errors.New("the loader panicked or ended its goroutine, in a call that this one waited for")
