package nest

import (
	"context"

	"github.com/redis/rueidis"
)

// A key whose former name is in another slot of a Redis Cluster, see [AcrossSlots], cannot be moved
// in one step. It is carried before the command that uses it, in three: what the key holds is read,
// written under the present name if that does not exist, and deleted under the former name if that
// still holds the same. If it does not, the copy is taken back and everything begins again.

// fetching returns what a key holds: as DUMP returns it, what is left of its TTL, and the hash of
// the former. ARGV is a read of the same key, whose answer comes last, or nothing.
var fetching = newScript(`local held = redis.call('DUMP', KEYS[1])
if not held then return false end
local found = {held, redis.call('PTTL', KEYS[1]), redis.sha1hex(held)}
if #ARGV > 0 then
	local words = {ARGV[1], KEYS[1]}
	for i = 2, #ARGV do table.insert(words, ARGV[i]) end
	found[4] = redis.call(unpack(words))
end
return found`)

// landing writes what was fetched (ARGV[2], with ARGV[1] milliseconds to live or 0) to a key that
// does not exist, and returns the hash of what that holds then, or nothing if it exists. From
// ARGV[3] on, fields and values replace those that were fetched; a single ARGV[3] replaces a whole
// string.
var landing = newScript(keepingFieldTTL + `if redis.call('EXISTS', KEYS[1]) == 1 then return false end
local denied = lacks('RESTORE', KEYS[1], 0, '')
if #ARGV == 3 then denied = denied or lacks('SET', KEYS[1], '', 'KEEPTTL') end
if #ARGV > 3 then denied = denied or mayPut(KEYS[1], ARGV[3]) end
if denied then return denied end
redis.call('RESTORE', KEYS[1], ARGV[1], ARGV[2])
if #ARGV == 3 then redis.call('SET', KEYS[1], ARGV[3], 'KEEPTTL') end
for i = 3, #ARGV - 1, 2 do put(KEYS[1], ARGV[i], ARGV[i + 1]) end
return redis.sha1hex(redis.call('DUMP', KEYS[1]))`)

// dropping deletes a key that still holds what has this hash (ARGV[1]). It returns 0 if it holds
// something else, and -1 if it does not exist.
var dropping = newScript(`local held = redis.call('DUMP', KEYS[1])
if not held then return -1 end
if redis.sha1hex(held) ~= ARGV[1] then return 0 end
redis.call('UNLINK', KEYS[1])
return 1`)

// far reports whether keys of the place are carried from their former names.
func (m *mounted) far() bool { return m.formers != nil && m.formers.far }

// apart returns the keys that a script can move, and those that have to be carried.
func apart(movers []address) (near, far []address) {
	for _, r := range movers {
		if r.m.far() {
			far = append(far, r)
		} else {
			near = append(near, r)
		}
	}
	return near, far
}

// carryAll carries keys that stand under a former name to their present one.
func carryAll(ctx context.Context, far []address) error {
	for _, r := range far {
		if err := r.carry(ctx); err != nil {
			return err
		}
	}
	return nil
}

// carry carries the key from a former name, if it stands under one and not under its present one.
func (r address) carry(ctx context.Context) error {
	for c := (contest{}); ; {
		under, there, err := r.whereabouts(ctx)
		if err != nil || there || under == nil {
			return err
		}
		switch done, err := r.carryFrom(ctx, *under); {
		case err != nil:
			return err
		case done != movedChanged:
			return nil
		}
		if err := c.pause(ctx, ErrConflict); err != nil {
			return err
		}
	}
}

// whereabouts returns the first former name under which the key stands, if any, and reports whether
// it stands under its present name.
//
//nest:ttl keeps
func (r address) whereabouts(ctx context.Context) (under *address, there bool, err error) {
	olds := r.m.olds(r.key)
	cmds := []rueidis.Completed{r.b().Exists().Key(r.key).Build()}
	for _, old := range olds {
		cmds = append(cmds, r.b().Exists().Key(old).Build())
	}
	answers, _ := r.m.tree.doMulti(ctx, cmds, nil)
	for i, a := range answers {
		n, err := answeredInt(a.ToMessage())
		switch {
		case err != nil:
			return nil, false, err
		case n == 0:
		case i == 0:
			return nil, true, nil
		default:
			return &address{m: r.m.formers.list[i-1], key: olds[i-1]}, false, nil
		}
	}
	return nil, false, nil
}

// carryFrom carries the key from a former name. The result is movedNot if the key exists under its
// present name, too, and movedChanged if it has to be tried again.
//
//nest:ttl carries
func (r address) carryFrom(ctx context.Context, old address) (moved, error) {
	to := r.bare()
	found, err := old.contents(ctx)
	if err != nil || found == nil {
		return movedChanged, err
	}
	resealed, err := to.resealFrom(old, found.read)
	if err != nil {
		return movedNot, err
	}
	ttl := int64(0)
	if found.left >= 0 {
		ttl = max(found.left, 1)
	}
	landed, err := to.sendMoved(ctx, landing.inFull(r.b(), []string{to.key}, append([]string{millis(ttl), found.held}, resealed...)...))
	if rueidis.IsRedisNil(err) {
		return movedNot, nil
	}
	if err != nil {
		return movedNot, err
	}
	hash, err := landed.ToString()
	if err != nil {
		return movedNot, errAnswer
	}
	dropped, err := answeredInt(r.m.tree.do(ctx, dropping.command(r.b(), []string{old.key}, found.hash)))
	if err != nil || dropped == 1 {
		return movedDone, err
	}
	// Another program has written or deleted the key under its former name since it was fetched.
	switch back, err := answeredInt(to.sendMoved(ctx, dropping.inFull(r.b(), []string{to.key}, hash))); {
	case err != nil:
		return movedNot, err
	case back == 1 || dropped < 0:
		return movedChanged, nil
	}
	return movedNot, nil // and another one has written it under its present name: that one counts
}

// sendMoved sends a script that writes or deletes the key as a whole.
func (r address) sendMoved(ctx context.Context, cmd rueidis.Completed) (rueidis.RedisMessage, error) {
	var changed []address
	if r.m.settings.cached > 0 {
		changed = []address{r}
	}
	return r.sendWrite(ctx, nil, cmd, changed)
}

// contents is what a key holds.
type contents struct {
	held string // as DUMP returns it
	left int64  // of its TTL, in milliseconds; -1: there is none
	hash string
	read rueidis.RedisMessage // what has to be sealed again
}

// contents reads what a key holds, or returns nil if it does not exist.
//
//nest:ttl keeps
func (r address) contents(ctx context.Context) (*contents, error) {
	var read []string
	switch secrets := secretsOf(r.m); {
	case secrets != nil && secrets.names == nil:
		read = []string{"HGETALL"}
	case secrets != nil:
		read = append([]string{"HMGET"}, secrets.names...)
	case r.m.holdsSealed():
		read = []string{"GET"}
	}
	answer, err := r.m.tree.do(ctx, fetching.command(r.b(), []string{r.key}, read...))
	if rueidis.IsRedisNil(err) {
		return nil, nil //nolint:nilnil // there is nothing
	}
	if err != nil {
		return nil, err
	}
	parts, err := answer.ToArray()
	if err != nil || len(parts) < 3 || read != nil && len(parts) != 4 {
		return nil, errAnswer
	}
	var f contents
	var heldErr, leftErr, hashErr error
	f.held, heldErr = parts[0].ToString()
	f.left, leftErr = parts[1].AsInt64()
	f.hash, hashErr = parts[2].ToString()
	if heldErr != nil || leftErr != nil || hashErr != nil {
		return nil, errAnswer
	}
	if read != nil {
		f.read = parts[3]
	}
	return &f, nil
}

// resealFrom returns what has to be written in place of what another name's key holds: nothing, a
// sealed string, or fields and their sealed values.
func (r address) resealFrom(old address, read rueidis.RedisMessage) ([]string, error) {
	if secrets := secretsOf(r.m); secrets != nil {
		return secrets.reseal(old, r, read)
	}
	s, ok := r.m.bound.(sealed)
	if !ok {
		return nil, nil
	}
	stored, err := read.ToString()
	if err != nil {
		return nil, errAnswer
	}
	if len(stored) > maxStoredHash && r.m.def.kind == KindPassword {
		return nil, old.fail(opMoved.name, errLongHash(int64(len(stored))))
	}
	plaintext, err := s.open(old.key, "", stored)
	if err != nil {
		return nil, old.fail(opMoved.name, err)
	}
	text, err := s.seal(r.key, "", plaintext)
	if err != nil {
		return nil, r.fail(opMoved.name, err)
	}
	return []string{text}, nil
}

// displace sends a command that writes the key as a whole, and then removes it under its former
// names.
//
//nest:ttl keeps
func (r address) displace(ctx context.Context, mv relocation, cmd rueidis.Completed) (rueidis.RedisMessage, error) {
	answer, err := r.sendWrite(ctx, mv.before, cmd, mv.changed)
	if err != nil {
		return answer, err
	}
	var cmds []rueidis.Completed
	for _, old := range r.m.olds(r.key) {
		cmds = append(cmds, r.b().Unlink().Key(old).Build())
	}
	answers, _ := r.m.tree.doMulti(ctx, cmds, nil)
	for _, a := range answers {
		if err := a.Error(); err != nil {
			return answer, err
		}
	}
	return answer, nil
}

// carryWhole carries the key from one former name. The result is movedChanged if it does not stand
// under that name any more. Where it stands under both names with the same contents, because a
// program was stopped on the way, carryWhole finishes that.
func (r address) carryWhole(ctx context.Context, old address) (moved, error) {
	to := r.bare()
	for c := (contest{}); ; {
		result, err := r.carryFrom(ctx, old)
		if err != nil || result == movedDone {
			return result, err
		}
		one, err := old.contents(ctx)
		if err != nil || one == nil {
			return movedChanged, err
		}
		if result == movedNot {
			two, err := to.contents(ctx)
			if err != nil || two == nil || one.hash != two.hash {
				return movedNot, err
			}
			n, err := answeredInt(r.m.tree.do(ctx, dropping.command(r.b(), []string{old.key}, two.hash)))
			return moved(n), err
		}
		if err := c.pause(ctx, ErrConflict); err != nil {
			return movedChanged, err
		}
	}
}

// endFarLoads removes the locks of loads under former names in other slots, of keys that are about
// to be written.
//
//nest:ttl keeps
func endFarLoads(ctx context.Context, far []address) error {
	for _, r := range far {
		if !r.m.loads.Load() {
			continue
		}
		var cmds []rueidis.Completed
		for _, old := range r.m.olds(r.key) {
			cmds = append(cmds, r.b().Unlink().Key(companion(old, loadRole)).Build())
		}
		answers, _ := r.m.tree.doMulti(ctx, cmds, nil)
		for _, a := range answers {
			if err := a.Error(); err != nil {
				return err
			}
		}
	}
	return nil
}
