package nest

import (
	"context"

	"github.com/redis/rueidis"
)

// A sealed string is written back only over the bytes that were read. A value that another client
// wrote meanwhile is kept, and so is the TTL.

var (
	opReplace  = operation[bool]{"rotate", replyBool}
	opRehash   = operation[bool]{"rehash", replyBool}
	opMoved    = operation[moved]{"rename", replyMoved}
	opMoveCopy = operation[moved]{"copy", replyMoved}
)

// replacing replaces ARGV[1] with ARGV[2], and leaves anything else alone.
var replacing = newScript(`if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1`)

//nest:ttl keeps
func (r address) replace(op *operation[bool], old, text string) command[bool] {
	return command[bool]{op: op, cmd: replacing.command(r.b(), []string{r.key}, old, text)}
}

// resealRead reseals what was read and opened, and writes it back, if [ResealOnRead] says so and it
// is due. Only the observers see that it failed.
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

// sealedText reads what the key holds. For a password it reads no more than a hash can take.
//
//nest:ttl keeps
func (r address) sealedText() command[found[string]] {
	if r.m.def.kind == KindPassword {
		return command[found[string]]{op: &opStoredHash, cmd: r.storedHash()}
	}
	return r.stored(false)
}

// reseal reseals the key's string if that is due, and reports whether it did.
func (r address) reseal(ctx context.Context) (bool, error) {
	return watched(ctx, r, opReplace.name, r.resealUntilDone)
}

func (r address) resealUntilDone(ctx context.Context) (bool, error) {
	if err := r.ready(ctx, opReplace.name); err != nil {
		return false, err
	}
	s := r.m.bound.(sealed)
	for c := (contest{}); ; {
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
		if err := c.pause(ctx, ErrConflict); err != nil {
			return false, r.fail(opReplace.name, err)
		}
	}
}

// moved is the result of moving.
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

// moving writes ARGV[2] to KEYS[2] if KEYS[1] still holds ARGV[1]. It sets the remaining TTL of
// KEYS[1] or, if that has none, ARGV[3] milliseconds, unless that is 0. ARGV[4] = 1 overwrites an
// existing key, ARGV[5] = 1 deletes the source.
var moving = newScript(asking + `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
if ARGV[4] == '0' and redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
local denied = ARGV[5] == '1' and lacks('DEL', KEYS[1])
if denied then return denied end
local left = redis.call('PTTL', KEYS[1])
if left == -1 then left = tonumber(ARGV[3]) else left = math.max(left, 1) end
if left == 0 then
	redis.call('SET', KEYS[2], ARGV[2])
else
	redis.call('SET', KEYS[2], ARGV[2], 'PX', left)
end
if ARGV[5] == '1' then redis.call('DEL', KEYS[1]) end
return 1`)

// renameSealed and copySealed write the string of r, with its remaining TTL, to a key of the same
// kind, sealed for its new name.
func (r address) renameSealed(ctx context.Context, to address, opts []WriteOption) (bool, error) {
	return r.move(ctx, &opMoved, "1", to, opts)
}

func (r address) copySealed(ctx context.Context, to address, opts []WriteOption) (bool, error) {
	return r.move(ctx, &opMoveCopy, "0", to, opts)
}

func (r address) move(ctx context.Context, op *operation[moved], remove string, to address, opts []WriteOption) (bool, error) {
	return watched(ctx, r, op.name, func(ctx context.Context) (bool, error) { return r.moveUntilDone(ctx, op, remove, to, opts) })
}

//nest:ttl carries
func (r address) moveUntilDone(ctx context.Context, op *operation[moved], remove string, to address, opts []WriteOption) (bool, error) {
	if err := r.ready(ctx, op.name); err != nil {
		return false, err
	}
	if err := r.reaches(to); err != nil {
		return false, r.fail(op.name, err)
	}
	overwrite, err := replaces(opts)
	if err != nil {
		return false, r.fail(op.name, err)
	}
	replace := bit(overwrite)
	from, into := r.m.bound.(sealed), to.m.bound.(sealed)
	for c := (contest{}); ; {
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
		if err := c.pause(ctx, ErrConflict); err != nil {
			return false, r.fail(op.name, err)
		}
	}
}

func (r address) storedHash() rueidis.Completed {
	return r.b().Arbitrary(evalSHA, readingHash.sha, "1").Keys(r.key).Args(millis(maxStoredHash)).ReadOnly()
}

var opStoredHash = operation[found[string]]{"get", replyStoredHash}

// secretsOf returns the secret fields of a key, nil if it has none.
func secretsOf(m *mounted) *secretFields {
	if s, ok := m.bound.(fieldSealer); ok {
		return s.secretFieldsOf()
	}
	return nil
}

// errSecretMove says why a hash with secret fields cannot be moved in a batch.
var errSecretMove = because(ErrArgument, "a hash with secret fields must be resealed for its new name, which a batch cannot do: use the call outside a batch")

// secretive reports whether some fields of the key are secret.
func (r address) secretive() bool { return r.m != nil && secretsOf(r.m) != nil }

// readingHash returns what the key holds, or its length if that is more than ARGV[1].
var readingHash = newScript(`local size = redis.call('STRLEN', KEYS[1])
if size > tonumber(ARGV[1]) then return size end
return redis.call('GET', KEYS[1])`)

// maxStoredHash is how many bytes are read from a password's key. Whoever writes to Redis decides
// how long the value is, and whoever logs in decides how often it is read. Package secure's hashes
// are far shorter, even when sealed and in the Python library's JSON.
const maxStoredHash = 16 << 10

// hashText reads the answer of readingHash, which must not be nil.
func hashText(a rueidis.RedisMessage) (string, error) {
	if size, err := a.AsInt64(); a.IsInt64() && err == nil {
		return "", errLongHash(size)
	}
	stored, err := a.ToString()
	if err != nil {
		return "", errAnswer
	}
	return stored, nil
}

func replyStoredHash(_ *mounted, a rueidis.RedisMessage) (found[string], error) {
	if a.IsNil() {
		return found[string]{}, nil
	}
	text, err := hashText(a)
	return found[string]{text, err == nil}, err
}

func errLongHash(size int64) error {
	return because(ErrOpen, millis(size)+" bytes are none of a password's hash")
}
