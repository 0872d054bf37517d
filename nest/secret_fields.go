package nest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/codec"
)

// SecretFields encrypts the values of these fields of a [Hash], or of all its fields if none is
// named, with the keyring that [WithKeyring] sets. Names of fields are never encrypted. A value
// opens only in the field and the key that it was stored in, with the codec that it was stored
// with; otherwise it is [ErrOpen]. Therefore [HashRef.Rename] and [HashRef.Copy] reseal the values,
// which they cannot do in a batch, and [HashRef.Incr] cannot add to such a field. [Rotate] reseals
// the values with a new key.
//
// For a [Record], the option "secret" in a field's tag does the same for that field.
func SecretFields(names ...string) KeyOption {
	return keyOption(func(c *config) error {
		c.onlyFor("SecretFields", KindHash)
		if c.secretFields != nil {
			return errors.New("SecretFields is given twice")
		}
		c.secretFields = make([]string, 0, len(names))
		for _, name := range names {
			if slices.Contains(c.secretFields, name) {
				return fmt.Errorf("SecretFields: %q is given twice", name)
			}
			c.secretFields = append(c.secretFields, name)
		}
		return nil
	})
}

// bindSecretFields prepares the secret fields of a key; names is nil if all are secret.
func bindSecretFields(m *mounted, names []string) (*secretFields, error) {
	o := &m.tree.options
	if o.sealer == nil && !o.namesOnly {
		return nil, because(ErrNoKeyring, "a secret field needs the option WithKeyring")
	}
	return &secretFields{sealing{o.sealer, m.def.kind, codec.Names(m.settings.codec), nil, nil}, names, moveFormerFields, resealFields}, nil
}

// moveFormerFields moves a hash from a former name of its key, and seals its fields for the present
// one.
func moveFormerFields(ctx context.Context, from, to address) (bool, error) {
	secrets := secretsOf(to.m)
	mv := fieldMove{op: &opMoveFields, from: from, to: to, open: secrets, seal: secrets, names: secrets.names}
	return mv.untilDone(ctx)
}

// resealFields returns the secret fields that were read under a former name in another slot, and
// what they hold under the present one.
func resealFields(from, to address, read rueidis.RedisMessage) ([]string, error) {
	secrets := secretsOf(to.m)
	fields, err := sealedFields(to.m, secrets, read)
	if err != nil {
		return nil, err
	}
	mv := fieldMove{op: &opMoveFields, from: from, to: to, open: secrets, seal: secrets, names: secrets.names}
	var args []string
	for _, f := range fields {
		text, err := mv.text(f)
		switch {
		case err != nil:
			return nil, from.fail(opMoveFields.name, atField(f.name, err))
		case f.stored.ok:
			args = append(args, f.name, text)
		}
	}
	return args, nil
}

// sealedFields reads the answer to HGETALL, or to HMGET of the secret fields.
func sealedFields(m *mounted, secrets *secretFields, read rueidis.RedisMessage) ([]storedField, error) {
	if secrets.names != nil {
		fields, err := replyNamelessFields(m, read)
		if err == nil && len(fields) != len(secrets.names) {
			err = errAnswer
		}
		for i := range fields {
			fields[i].name = secrets.names[min(i, len(secrets.names)-1)]
		}
		return fields, err
	}
	pairs, err := read.AsStrSlice() // a script returns no map
	if err != nil || len(pairs)%2 != 0 {
		return nil, errAnswer
	}
	fields := make([]storedField, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		fields = append(fields, storedField{pairs[i], found[string]{pairs[i+1], true}})
	}
	return fields, nil
}

// covers reports whether a field is secret.
func (s *secretFields) covers(field string) bool {
	return s != nil && (s.names == nil || slices.Contains(s.names, field))
}

// and returns the names of the fields that are secret in s or o, nil if all are.
func (s *secretFields) and(o *secretFields) []string {
	switch {
	case s == nil:
		return o.names
	case o == nil || s.names == nil:
		return s.names
	case o.names == nil:
		return nil
	}
	return slices.Concat(s.names, o.names)
}

// cover returns what is stored for the text of a field.
func (s *secretFields) cover(r address, field, text string) (string, error) {
	if !s.covers(field) {
		return text, nil
	}
	return s.seal(r.key, field, text)
}

// unsealing opens the secret fields of one answer, and keeps those that are to be resealed.
type unsealing struct {
	ref     address
	secrets *secretFields
	stale   resealed
}

func (u *unsealing) text(field, stored string) (string, error) {
	if !u.secrets.covers(field) {
		return stored, nil
	}
	plaintext, err := u.secrets.open(u.ref.key, field, stored)
	if err == nil && u.ref.m.tree.options.resealOnRead && !u.secrets.current(stored) {
		if sealed, err := u.secrets.seal(u.ref.key, field, plaintext); err == nil {
			u.stale.add(field, stored, sealed)
		}
	}
	return plaintext, err
}

// done writes back what was resealed. Only the observers see that it failed.
func (u *unsealing) done(ctx context.Context) {
	if len(u.stale) > 0 {
		_, _ = run(ctx, u.ref, u.ref.replaceFields(u.stale))
	}
}

// fieldDecoder decodes the text of a field in an answer. at is the field's position among the
// requested ones; name is its name, if the answer contains names.
type fieldDecoder[V any] func(at int, name, text string) (V, error)

// plainly decodes fields that are not sealed.
func (h *hash[V]) plainly(m *mounted) fieldDecoder[V] {
	return func(_ int, _, text string) (V, error) { return h.decodeText(m, text) }
}

// unsealed returns a function that reads the answer to a command on a hash with secret fields.
// names are the requested fields, if the answer does not contain their names.
func unsealed[V, R any](h *hash[V], read func(*mounted, rueidis.RedisMessage, fieldDecoder[V]) (R, error), names ...string) func(context.Context, address, rueidis.RedisMessage) (R, error) {
	return func(ctx context.Context, r address, a rueidis.RedisMessage) (R, error) {
		u := unsealing{ref: r, secrets: h.secrets}
		v, err := unsealedWith(&u, h, read, a, names)
		u.done(ctx)
		return v, err
	}
}

// unsealedTaken is unsealed for fields that the command has removed.
func unsealedTaken[V, R any](h *hash[V], read func(*mounted, rueidis.RedisMessage, fieldDecoder[V]) (R, error), names ...string) func(context.Context, address, rueidis.RedisMessage) (R, error) {
	return func(_ context.Context, r address, a rueidis.RedisMessage) (R, error) {
		return unsealedWith(&unsealing{ref: r, secrets: h.secrets}, h, read, a, names)
	}
}

func unsealedWith[V, R any](u *unsealing, h *hash[V], read func(*mounted, rueidis.RedisMessage, fieldDecoder[V]) (R, error), a rueidis.RedisMessage, names []string) (R, error) {
	return read(u.ref.m, a, func(at int, name, text string) (v V, err error) {
		if names != nil {
			if at >= len(names) {
				return v, errAnswer
			}
			name = names[at]
		}
		if text, err = u.text(name, text); err != nil {
			return v, err
		}
		return h.decodeText(u.ref.m, text)
	})
}

// resealed holds fields, each as its name, the stored value and the value to be stored instead.
type resealed []string

func (s *resealed) add(field, stored, sealed string) { *s = append(*s, field, stored, sealed) }

// replacingFields writes fields over what was read, and leaves those alone that hold something else
// by now. ARGV repeats a name, the old value and the new value. It returns the number of fields
// that it wrote.
var replacingFields = newScript(keepingFieldTTL + `local done, denied = 0, mayPut(KEYS[1], ARGV[1])
if denied then return denied end
for i = 1, #ARGV, 3 do
	if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then
		put(KEYS[1], ARGV[i], ARGV[i + 2])
		done = done + 1
	end
end
return done`)

//nest:ttl keeps
func (r address) replaceFields(s resealed) command[int64] {
	return command[int64]{op: &opReplaceFields, cmd: replacingFields.command(r.b(), []string{r.key}, s...)}
}

// movingFields renames or copies a hash whose secret fields still hold what was read, and writes
// what is sealed for their new place. ARGV[1] is the operation; ARGV[2] = 1 overwrites an existing
// target. ARGV[3] is the TTL that the target gets if it arrives without one. ARGV[4] is how many
// fields there must be, or -1. From ARGV[5] on, ARGV repeats a name, whether there was a value (1,
// 0), the old value and the new value.
var movingFields = newScript(keepingFieldTTL + `if redis.call('EXISTS', KEYS[1]) == 0 then return -2 end
if ARGV[4] ~= '-1' and redis.call('HLEN', KEYS[1]) ~= tonumber(ARGV[4]) then
	-- It counts fields, too, that have ended and are not removed yet. HKEYS does not.
	if #redis.call('HKEYS', KEYS[1]) ~= tonumber(ARGV[4]) then return -1 end
end
for i = 5, #ARGV, 4 do
	local now = redis.call('HGET', KEYS[1], ARGV[i])
	if ARGV[i + 1] == '1' and now ~= ARGV[i + 2] or ARGV[i + 1] == '0' and now then return -1 end
end
if ARGV[2] == '0' and redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
local start, denied = starts(KEYS[1], ARGV[3])
if start then denied = denied or lacks('PEXPIRE', KEYS[2], ARGV[3]) end
denied = denied or mayPut(KEYS[2], ARGV[5] or '')
if denied then return denied end
if ARGV[1] == 'rename' then
	redis.call('RENAME', KEYS[1], KEYS[2])
else
	redis.call('COPY', KEYS[1], KEYS[2], 'REPLACE')
end
for i = 5, #ARGV, 4 do
	if ARGV[i + 1] == '1' then put(KEYS[2], ARGV[i], ARGV[i + 3]) end
end
if start then redis.call('PEXPIRE', KEYS[2], ARGV[3]) end
return 1`)

// errSecretSum says why nothing can be added to a secret field.
var errSecretSum = because(ErrArgument, "the field is secret: the server cannot add to what it cannot read")

// fieldMove is a move of a hash with fields that are secret in the source or in the target.
type fieldMove struct {
	op         *operation[moved]
	from, to   address
	open, seal *secretFields
	names      []string // of the fields that are secret on either side, nil if all are
	replace    bool
}

// moveSecretFields writes the fields of r to a key of the same kind. It seals the secret ones for
// their new name.
func (r address) moveSecretFields(ctx context.Context, op *operation[moved], to address, opts []WriteOption) (bool, error) {
	return watched(ctx, r, op.name, func(ctx context.Context) (bool, error) {
		if err := r.ready(ctx, op.name); err != nil {
			return false, err
		}
		if err := r.reaches(to); err != nil {
			return false, r.fail(op.name, err)
		}
		replace, err := replaces(opts)
		if err != nil {
			return false, r.fail(op.name, err)
		}
		mv := fieldMove{op: op, from: r, to: to, open: secretsOf(r.m), seal: secretsOf(to.m), replace: replace}
		mv.names = mv.open.and(mv.seal)
		return mv.untilDone(ctx)
	})
}

//nest:ttl carries
func (mv *fieldMove) untilDone(ctx context.Context) (bool, error) {
	for c := (contest{}); ; {
		fields, err := mv.read(ctx)
		if err != nil {
			return false, err
		}
		size := "-1"
		if mv.names == nil {
			size = strconv.Itoa(len(fields))
		}
		args := []string{mv.op.name, bit(mv.replace), millis(mv.to.m.ttl()), size}
		for _, f := range fields {
			text, err := mv.text(f)
			if err != nil {
				return false, mv.from.fail(mv.op.name, atField(f.name, err))
			}
			args = append(args, f.name, bit(f.stored.ok), f.stored.value, text)
		}
		cmd := movingFields.command(mv.from.b(), []string{mv.from.key, mv.to.key}, args...)
		result, err := send(ctx, mv.from, command[moved]{op: mv.op, cmd: cmd, uses: []use{{mv.from, changes}, {mv.to, overwrites}}})
		if err != nil || result != movedChanged {
			return result == movedDone, err
		}
		if err := c.pause(ctx, ErrConflict); err != nil {
			return false, mv.from.fail(mv.op.name, err)
		}
	}
}

// storedField is a field and its stored value.
type storedField struct {
	name   string
	stored found[string]
}

// text returns what a field holds after the move.
func (mv *fieldMove) text(f storedField) (text string, err error) {
	text = f.stored.value
	switch {
	case !f.stored.ok:
		return "", nil
	case mv.open.covers(f.name) && !mv.seal.covers(f.name):
		return "", because(ErrArgument, "it is secret here and would not be there")
	case mv.open.covers(f.name):
		if text, err = mv.open.open(mv.from.key, f.name, text); err != nil {
			return "", err
		}
	}
	return mv.seal.cover(mv.to, f.name, text)
}

// read returns the fields as they are stored.
//
//nest:ttl carries
func (mv *fieldMove) read(ctx context.Context) ([]storedField, error) {
	r := mv.from
	if mv.names == nil {
		return send(ctx, r, command[[]storedField]{op: &operation[[]storedField]{mv.op.name, replyStoredFields}, cmd: r.b().Hgetall().Key(r.key).Build()})
	}
	fields, err := send(ctx, r, command[[]storedField]{op: &operation[[]storedField]{mv.op.name, replyNamelessFields}, cmd: r.b().Hmget().Key(r.key).Field(mv.names...).Build()})
	if err == nil && len(fields) != len(mv.names) {
		err = r.fail(mv.op.name, errAnswer)
	}
	if err != nil {
		return nil, err
	}
	for i, name := range mv.names {
		fields[i].name = name
	}
	return fields, nil
}

var (
	opReplaceFields = operation[int64]{"rotate", replyInt}
	opMoveFields    = operation[moved]{"rename", replyMovedFields}
	opCopyFields    = operation[moved]{"copy", replyMovedFields}
)

func replyMovedFields(_ *mounted, a rueidis.RedisMessage) (moved, error) {
	n, err := a.AsInt64()
	switch {
	case err != nil:
		return 0, errAnswer
	case n == -2:
		return 0, ErrNotFound
	}
	return moved(n), nil
}

func replyStoredFields(_ *mounted, a rueidis.RedisMessage) ([]storedField, error) {
	texts, err := fieldTexts(a)
	fields := make([]storedField, 0, len(texts))
	for name, text := range texts {
		fields = append(fields, storedField{name, found[string]{text, true}})
	}
	return fields, err
}

// replyNamelessFields reads the values of fields that were requested by name.
func replyNamelessFields(m *mounted, a rueidis.RedisMessage) ([]storedField, error) {
	answers, err := a.ToArray()
	if err != nil {
		return nil, errAnswer
	}
	fields := make([]storedField, len(answers))
	for i, answer := range answers {
		if fields[i].stored, err = replyStored(m, answer); err != nil {
			return nil, errAnswer
		}
	}
	return fields, nil
}
