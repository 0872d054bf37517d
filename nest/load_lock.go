package nest

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// What the companion holds when nobody loads. No token is like them.
const (
	noted      = "none"  // the source has no such thing
	notedEmpty = "empty" // it has, without elements
)

// releaseTimeout is how long the end of a load is told to the others once its context is over.
const releaseTimeout = time.Second

// state fingerprints a key: what it holds and when it ends. Anybody's write changes it, but for
// one that leaves the same value and ends in the same millisecond. What is left is looked at
// beside the end because on the embedded server time stands still, and the end moves on.
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
// milliseconds, unless there is nothing to load or somebody loads. With ARGV[3], if it is not 0,
// it is for a key that exists and is to be loaded anew: because it has no more than so many
// milliseconds to live, and somebody may have loaded it just now, or, with -1, because nothing
// can be read of it. It answers one of the loadStates and, with the lock, the key's state.
var takingLoad = newScript(state + `local lock, window = redis.call('GET', KEYS[2]), tonumber(ARGV[3])
local anew = window ~= 0
if anew then
	if window > 0 and redis.call('PTTL', KEYS[1]) > window then return {'held'} end
	if lock == '` + noted + `' or lock == '` + notedEmpty + `' then lock = false end
elseif redis.call('EXISTS', KEYS[1]) == 1 then
	return {'there'}
end
if lock then
	if lock == '` + noted + `' or lock == '` + notedEmpty + `' then return {lock} end
	return {'held'}
end
local was = anew and state(KEYS[1]) or ''
if anew and was == '' then return {'held'} end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return {'taken', was}`)

// keepingLoad stores what was loaded and ends the load. The value is written whole by the command ARGV[6] and
// its arguments, in parts of ARGV[5], if the lock still holds the token ARGV[1] and the key is in
// the state ARGV[2] that it was in when the load began. ARGV[3] is its TTL, or 0, ARGV[4] that
// of its fields.
var keepingLoad = newScript(state + `if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
if not same(state(KEYS[1]), ARGV[2]) then return 0 end
local size, command, fields = tonumber(ARGV[5]), ARGV[6], ARGV[4] ~= '0'
if fields then
	local probe = redis.pcall('HPEXPIRE', KEYS[1])
	if probe.err and string.find(string.lower(probe.err), 'unknown', 1, true) then
		return redis.error_reply("ERR unknown command 'HPEXPIRE'")
	end
end
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

// freeingLoad gives the lock of ARGV[1] up. ARGV[2], if it is not empty, is noted in its place for
// ARGV[3] milliseconds, unless the key exists.
var freeingLoad = newScript(`if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
if ARGV[2] ~= '' and redis.call('EXISTS', KEYS[1]) == 0 then
	redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
else
	redis.call('DEL', KEYS[2])
end
return 1`)

// loadState is what taking answers, or what was noted.
type loadState string

const (
	loadTaken loadState = "taken" // the caller loads
	loadHeld  loadState = "held"  // somebody else does
	keyThere  loadState = "there" // the key exists
)

// loadLock is the lock under which one of all processes loads a key.
type loadLock struct {
	ref   address
	keys  []string
	token string
	was   string // the key's state when the load began
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
	loadAgeing            // it ends soon
	loadBlank             // it exists, and holds nothing of what is read: a hash without a record's fields
)

func (l *loadLock) taking(why loadCause) rueidis.Completed {
	o, window := &l.ref.m.settings.load, int64(0)
	switch why {
	case loadAgeing:
		window = o.window().Milliseconds()
	case loadBlank:
		window = -1
	}
	return takingLoad.inFull(l.ref.b(), l.keys, l.token, millis(o.leased().Milliseconds()), millis(window))
}

// took reads what taking answered.
func (l *loadLock) took(answer rueidis.RedisResult) (loadState, error) {
	parts, err := answer.AsStrSlice()
	switch {
	case err != nil:
		return "", l.ref.fail(opLoad, serverError(err))
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
	return l.took(l.ref.m.tree.client.Do(ctx, l.taking(why)))
}

func (l *loadLock) keeping(f filling) rueidis.Completed {
	m := l.ref.m
	return l.ref.b().Arbitrary("EVAL", keepingLoad.text, "2").Keys(l.keys...).
		Args(l.token, l.was, millis(m.ttl()), millis(m.def.config.fieldTTL.Milliseconds()), millis(bulkSize), f.command).
		Args(f.args...).Build()
}

// keep stores what was loaded and gives the lock up. It tells whether it did store: somebody may
// have written the key, or the lease may have run out.
func (l *loadLock) keep(ctx context.Context, f filling) (bool, error) {
	return l.kept(l.ref.sendWrite(ctx, nil, l.keeping(f), l.ref.m.settings.cached > 0))
}

func (l *loadLock) kept(answer rueidis.RedisMessage, err error) (bool, error) {
	n := int64(0)
	if err == nil {
		n, err = replyInt(l.ref.m, answer)
	}
	if err != nil {
		return false, l.ref.fail(opLoad, serverError(err))
	}
	return n == 1, nil
}

// freeing makes the command that gives the lock up without a value; note is what others shall
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

// free gives the lock up, also when the caller's context is over.
func (l *loadLock) free(ctx context.Context, note string) {
	outlive(ctx, func(ctx context.Context) {
		l.ref.m.tree.client.Do(ctx, l.freeing(note)) // the lease ends a lock that this does not reach
	})
}

// outlive runs do with a context that goes on for a while after ctx, and waits for it no longer
// than ctx lasts.
func outlive(ctx context.Context, do func(ctx context.Context)) {
	longer, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer cancel()
		do(longer)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// leaseError is why the context of a load ends when the load takes too long.
type leaseError struct{ lease time.Duration }

func (e leaseError) Error() string {
	return "the load took longer than its lease of " + e.lease.String() + " (LoadLease)"
}

func (e leaseError) Unwrap() error { return context.DeadlineExceeded }

var errLoaderPanicked = errors.New("the loader panicked or ended its goroutine, in a call that this one waited for")
