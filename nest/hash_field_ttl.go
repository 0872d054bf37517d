package nest

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/redis/rueidis"
)

// FieldOption is an option of the writes of single fields of a hash.
type FieldOption interface {
	applyField(o *fieldOptions) error
}

type fieldOptions struct{ ttl time.Duration }

// FieldTTLOption is the result of [FieldTTL]: a [KeyOption] and a [FieldOption].
type FieldTTLOption struct {
	ttl time.Duration
	err error
}

// FieldTTL lets a field of a hash live for d after it was written, whatever becomes of the
// others: an int counts seconds, a time.Duration is what it says, down to a millisecond. As an
// option of a write it holds for what that writes; as an option of [Hash] it holds for every
// write that names no other. The key's own TTL goes on beside it. It needs HPEXPIRE: Redis 7.4
// or Valkey 9; on an older server such a write is [ErrUnsupported], and nothing is written.
func FieldTTL[D int | time.Duration](d D) FieldTTLOption {
	ttl, ok := time.Duration(d), true
	if _, seconds := any(d).(int); seconds {
		ok = int64(d) <= math.MaxInt64/int64(time.Second)
		ttl = time.Duration(int64(d) * int64(time.Second))
	}
	if checkTTL(ttl) != nil || !ok {
		return FieldTTLOption{err: fmt.Errorf("FieldTTL(%v): %w%s", d, errTTL, nanoseconds(ttl))}
	}
	return FieldTTLOption{ttl: ttl}
}

func (o FieldTTLOption) applyKey(c *config) error {
	if c.fieldTTL != 0 {
		return errors.New("FieldTTL is given twice")
	}
	c.fieldTTL = o.ttl
	c.onlyFor("FieldTTL", KindHash)
	return o.err
}

func (o FieldTTLOption) applyField(f *fieldOptions) error {
	f.ttl = o.ttl
	if o.err != nil {
		return because(ErrArgument, o.err.Error())
	}
	return nil
}

// fieldTTL gives the expiry of the fields that a write writes, in milliseconds, or 0.
func (r address) fieldTTL(opts []FieldOption) (int64, error) {
	o := fieldOptions{ttl: r.m.def.config.fieldTTL}
	for _, opt := range opts {
		if opt == nil {
			continue
		}
		if err := opt.applyField(&o); err != nil {
			return 0, err
		}
	}
	return o.ttl.Milliseconds(), nil
}

// knowsFieldTTL is how a script finds out whether fields can expire before it writes anything.
// The answer is worded as the server's own.
const knowsFieldTTL = `local probe = redis.pcall('HPEXPIRE', KEYS[1])
if probe.err and string.find(string.lower(probe.err), 'unknown', 1, true) then
	return redis.error_reply("ERR unknown command 'HPEXPIRE'")
end
`

// settingFields writes fields (ARGV[6]...: names and values) and starts their expiry (ARGV[3])
// and that of the key (ARGV[1], which ARGV[2] = 1 restarts), in parts of ARGV[5] arguments. With
// ARGV[4] = 1 the field, a single one, is written only if it does not exist.
var settingFields = newScript(knowsFieldTTL + `local done = 0
for from = 6, #ARGV, tonumber(ARGV[5]) do
	local to = math.min(from + ARGV[5] - 1, #ARGV)
	local added
	if ARGV[4] == '1' then
		added = redis.call('HSETNX', KEYS[1], ARGV[from], ARGV[to])
	else
		added = redis.call('HSET', KEYS[1], unpack(ARGV, from, to))
	end
	if ARGV[4] ~= '1' or added == 1 then
		local names = {}
		for i = from, to, 2 do names[#names + 1] = ARGV[i] end
		redis.call('HPEXPIRE', KEYS[1], ARGV[3], 'FIELDS', #names, unpack(names))
	end
	done = done + added
end
if ARGV[1] ~= '0' and (ARGV[2] == '1' or redis.call('PTTL', KEYS[1]) == -1) then
	redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return done`)

//nest:ttl starts
func (r address) setFields(ifAbsent bool, ttl int64, pairs []string) rueidis.Completed {
	return r.b().Arbitrary(evalSHA, settingFields.sha, "1").Keys(r.key).
		Args(millis(r.m.ttl()), bit(r.m.settings.autoRenew), millis(ttl), bit(ifAbsent), millis(bulkSize)).
		Args(pairs...).Build()
}

func bit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

var (
	opExpireFields   = operation[int64]{"expire fields", replyFieldCount}
	opExpireFieldsAt = operation[int64]{"expire fields at", replyFieldCount}
	opPersistFields  = operation[int64]{"persist fields", replyFieldCount}
	opFieldTTL       = operation[time.Duration]{"field ttl", replyFieldTTL}
	opFieldEnd       = operation[time.Time]{"field expire time", replyFieldEnd}
)

// noFieldExpiry refuses a duration in which Redis would delete the fields.
func noFieldExpiry(d time.Duration) error {
	return because(ErrArgument, "an expiry is at least a millisecond from now: DeleteFields removes fields"+nanoseconds(d))
}

func (r address) expireFields(d time.Duration, fields []string) command[int64] {
	if d < time.Millisecond {
		return refuse(&opExpireFields, noFieldExpiry(d))
	}
	return r.onFields(&opExpireFields, fields, "HPEXPIRE", millis(d.Milliseconds()))
}

func (r address) expireFieldsIf(d time.Duration, condition ExpireCondition, fields []string) command[int64] {
	switch {
	case condition == 0 || condition > IfShorter:
		return refuse(&opExpireFields, errCondition)
	case d < time.Millisecond:
		return refuse(&opExpireFields, noFieldExpiry(d))
	}
	return r.onFields(&opExpireFields, fields, "HPEXPIRE", millis(d.Milliseconds()), condition.String())
}

func (r address) expireFieldsAt(t time.Time, fields []string) command[int64] {
	switch {
	case t.IsZero():
		return refuse(&opExpireFieldsAt, because(ErrArgument, "the time is zero"))
	case t.UnixMilli() < 0:
		return refuse(&opExpireFieldsAt, because(ErrArgument, "the time is before 1970, which the server does not take"))
	}
	return r.onFields(&opExpireFieldsAt, fields, "HPEXPIREAT", millis(t.UnixMilli()))
}

func (r address) persistFields(fields []string) command[int64] {
	return r.onFields(&opPersistFields, fields, "HPERSIST")
}

//nest:ttl keeps
func (r address) onFields(op *operation[int64], fields []string, cmd string, args ...string) command[int64] {
	if len(fields) == 0 {
		return skip(op)
	}
	args = append(args, "FIELDS", millis(int64(len(fields))))
	return command[int64]{op: op, cmd: r.b().Arbitrary(cmd).Keys(r.key).Args(args...).Args(fields...).Build()}
}

//nest:ttl keeps
func (r address) leftOfField(field string) command[time.Duration] {
	return command[time.Duration]{op: &opFieldTTL, cmd: r.b().Arbitrary("HPTTL").Keys(r.key).Args("FIELDS", "1", field).ReadOnly()}
}

//nest:ttl keeps
func (r address) endOfField(field string) command[time.Time] {
	return command[time.Time]{op: &opFieldEnd, cmd: r.b().Arbitrary("HPEXPIRETIME").Keys(r.key).Args("FIELDS", "1", field).ReadOnly()}
}

func replyFieldEnd(m *mounted, a rueidis.RedisMessage) (time.Time, error) {
	if a.IsNil() {
		return time.Time{}, ErrNotFound
	}
	answers, err := a.ToArray()
	if err != nil || len(answers) != 1 {
		return time.Time{}, errAnswer
	}
	return replyExpireTime(m, answers[0])
}

// replyFieldCount counts the fields of which the server says that something was done: 1, or 2
// for one that a time in the past removed.
func replyFieldCount(_ *mounted, a rueidis.RedisMessage) (int64, error) {
	if a.IsNil() {
		return 0, nil
	}
	answers, err := a.AsIntSlice()
	if err != nil {
		return 0, errAnswer
	}
	done := int64(0)
	for _, n := range answers {
		if n > 0 {
			done++
		}
	}
	return done, nil
}

func replyFieldTTL(m *mounted, a rueidis.RedisMessage) (time.Duration, error) {
	if a.IsNil() {
		return 0, ErrNotFound
	}
	answers, err := a.ToArray()
	if err != nil || len(answers) != 1 {
		return 0, errAnswer
	}
	return replyTTL(m, answers[0])
}
