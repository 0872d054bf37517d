package nest

import (
	"context"

	"github.com/redis/rueidis"
)

// maxTries is how often what is done by comparing is tried, where others write seldom.
const maxTries = 64

// Sealed strings are written back only over the bytes that were read, so that a value which
// somebody else wrote meanwhile stands, and with the TTL that they have.

var (
	opReplace  = operation[bool]{"rotate", replyBool}
	opRehash   = operation[bool]{"rehash", replyBool}
	opMoved    = operation[moved]{"rename", replyMoved}
	opMoveCopy = operation[moved]{"copy", replyMoved}
)

// replacing writes ARGV[2] over ARGV[1], and leaves anything else alone.
var replacing = newScript(`if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1`)

//nest:ttl keeps
func (r address) replace(op *operation[bool], old, text string) command[bool] {
	return command[bool]{op: op, cmd: replacing.command(r.b(), []string{r.key}, old, text)}
}

// resealRead writes back what was read and opened, sealed anew, where [ResealOnRead] says so and
// that is due. That it failed is told to the observers alone.
func (r address) resealRead(ctx context.Context, stored, plaintext string) {
	s := r.m.bound.(sealed)
	if !r.m.tree.options.resealOnRead || s.current(stored) {
		return
	}
	text, err := s.seal(r.key, "", plaintext)
	cmd := refuse(&opReplace, err)
	if err == nil {
		cmd = r.replace(&opReplace, stored, text)
	}
	_, _ = run(ctx, r, cmd)
}

// sealedText reads what the key holds: of a password, no more than its hash can take.
//
//nest:ttl keeps
func (r address) sealedText() command[found[string]] {
	if r.m.def.kind == KindPassword {
		return command[found[string]]{op: &opStoredHash, cmd: r.storedHash()}
	}
	return r.stored(false)
}

// reseal seals the key's string anew where that is due, and tells whether it did.
func (r address) reseal(ctx context.Context) (bool, error) {
	return watched(ctx, r, opReplace.name, func() (bool, error) { return r.resealUntilDone(ctx) })
}

func (r address) resealUntilDone(ctx context.Context) (bool, error) {
	if err := r.ready(ctx, opReplace.name); err != nil {
		return false, err
	}
	s := r.m.bound.(sealed)
	for try := range maxTries {
		now, err := send(ctx, r, r.sealedText())
		switch {
		case err != nil:
			return false, err
		case !now.ok:
			return false, r.fail(opReplace.name, ErrNotFound)
		case s.current(now.value):
			return false, nil
		}
		plaintext, err := s.open(r.key, "", now.value)
		if err != nil {
			return false, r.fail(opReplace.name, err)
		}
		text, err := s.seal(r.key, "", plaintext)
		if err != nil {
			return false, r.fail(opReplace.name, err)
		}
		if done, err := send(ctx, r, r.replace(&opReplace, now.value, text)); done || err != nil {
			return done, err
		}
		if err := pause(ctx, try); err != nil {
			return false, r.fail(opReplace.name, err)
		}
	}
	return false, r.fail(opReplace.name, ErrConflict)
}

// moved is what came of moving.
type moved int64

const (
	movedNot     moved = 0 // the target exists
	movedDone    moved = 1
	movedChanged moved = -1 // the source holds something else by now
)

func replyMoved(m *mounted, a rueidis.RedisMessage) (moved, error) {
	n, err := replyInt(m, a)
	return moved(n), err
}

// moving writes ARGV[2] to KEYS[2] if KEYS[1] still holds ARGV[1]: with what is left of its TTL
// or, if it has none, with ARGV[3] milliseconds, unless that is 0. ARGV[4] = 1 writes over what
// is there, ARGV[5] = 1 deletes the source.
var moving = newScript(`if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
if ARGV[4] == '0' and redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
local left = redis.call('PTTL', KEYS[1])
if left == -1 then left = tonumber(ARGV[3]) else left = math.max(left, 1) end
if left == 0 then
	redis.call('SET', KEYS[2], ARGV[2])
else
	redis.call('SET', KEYS[2], ARGV[2], 'PX', left)
end
if ARGV[5] == '1' then redis.call('DEL', KEYS[1]) end
return 1`)

// renameSealed and copySealed give the string of r, with its remaining TTL, to a key of the same
// kind, sealed for the name that it gets.
func (r address) renameSealed(ctx context.Context, to address, opts []WriteOption) (bool, error) {
	return r.move(ctx, &opMoved, "1", to, opts)
}

func (r address) copySealed(ctx context.Context, to address, opts []WriteOption) (bool, error) {
	return r.move(ctx, &opMoveCopy, "0", to, opts)
}

func (r address) move(ctx context.Context, op *operation[moved], remove string, to address, opts []WriteOption) (bool, error) {
	return watched(ctx, r, op.name, func() (bool, error) { return r.moveUntilDone(ctx, op, remove, to, opts) })
}

//nest:ttl carries
func (r address) moveUntilDone(ctx context.Context, op *operation[moved], remove string, to address, opts []WriteOption) (bool, error) {
	if err := r.ready(ctx, op.name); err != nil {
		return false, err
	}
	if err := r.reaches(to); err != nil {
		return false, r.fail(op.name, err)
	}
	replace := "0"
	if replaces(opts) {
		replace = "1"
	}
	from, into := r.m.bound.(sealed), to.m.bound.(sealed)
	for try := range maxTries {
		now, err := send(ctx, r, r.sealedText())
		if err != nil {
			return false, err
		}
		if !now.ok {
			return false, r.fail(op.name, ErrNotFound)
		}
		plaintext, err := from.open(r.key, "", now.value)
		if err != nil {
			return false, r.fail(op.name, err)
		}
		text, err := into.seal(to.key, "", plaintext)
		if err != nil {
			return false, to.fail(op.name, err)
		}
		cmd := moving.command(r.b(), []string{r.key, to.key}, now.value, text, millis(to.m.ttl()), replace, remove)
		result, err := send(ctx, r, command[moved]{op: op, cmd: cmd, uses: []use{{r, changes}, {to, overwrites}}})
		if err != nil || result != movedChanged {
			return result == movedDone, err
		}
		if err := pause(ctx, try); err != nil {
			return false, r.fail(op.name, err)
		}
	}
	return false, r.fail(op.name, ErrConflict)
}
