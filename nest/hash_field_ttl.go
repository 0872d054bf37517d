package nest

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/redis/rueidis"
)

// FieldOption is an option for writes of single fields of a hash.
type FieldOption interface {
	applyField(o *fieldOptions) error
}

type fieldOptions struct {
	ttl      time.Duration // 0: none
	ifExists bool
}

// apply returns the command for the key, whether it exists or not or, if the options say so, only
// for one that exists.
func (o *fieldOptions) apply(r address, cmd rueidis.Completed) rueidis.Completed {
	if o.ifExists {
		return r.ifExists(cmd)
	}
	return cmd
}

// FieldTTLOption is the result of [FieldTTL]: a [KeyOption] and a [FieldOption].
type FieldTTLOption struct {
	ttl time.Duration
	err error
}

// FieldTTL lets a field of a hash live for d after it is written, whatever happens to the other
// fields. An int is in seconds; a time.Duration is taken as it is, down to a millisecond. As an
// option of a write it applies to the fields that are written; as an option of [Hash] it applies to
// every write without a FieldTTL of its own. The key's own TTL runs independently. FieldTTL needs
// HPEXPIRE: Redis 7.4 or Valkey 9. On an older server nothing is written, and the error wraps
// [ErrUnsupported].
//
// A field that has expired can no longer be read. The server removes it a moment later, or some
// seconds later if very many fields expire at once (7 s later for 1.5 million, on Redis 8.0). Until
// then Redis counts it in [HashRef.Len], and a hash that holds nothing else still exists:
// [Ref.Exists] returns true.
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

// fieldOptions returns the options of a write of fields, where the declared expiry of fields holds
// unless there is another one.
func (r address) fieldOptions(opts []FieldOption) (fieldOptions, error) {
	o := fieldOptions{ttl: r.m.def.config.fieldTTL}
	err := eachOption(opts, func(opt FieldOption) error { return opt.applyField(&o) })
	return o, err
}

// probesFieldTTL lets a script find out, before it writes anything, whether fields can expire. Its
// error is worded like the server's own.
const probesFieldTTL = `local probe = redis.pcall('HPEXPIRE', KEYS[1])
if probe.err and string.find(string.lower(probe.err), 'unknown', 1, true) then
	return redis.error_reply("ERR unknown command 'HPEXPIRE'")
end
`

// settingFields writes fields (names and values from ARGV[6] on) in parts of ARGV[5] arguments. It
// starts their expiry (ARGV[3]) and that of the key (ARGV[1]), which is restarted if ARGV[2] is 1.
// If ARGV[4] is 1, there is a single field, which is written only if it does not exist.
var settingFields = newScript(starts + probesFieldTTL + `local done, start, denied = 0, starts(KEYS[1], ARGV[1], ARGV[2] == '1')
denied = denied or lacks('HPEXPIRE', KEYS[1], ARGV[3], 'FIELDS', 1, ARGV[6])
if denied then return denied end
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
if start then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return done`)

//nest:ttl starts
func (r address) setFields(ifAbsent bool, ttl time.Duration, pairs []string) rueidis.Completed {
	return r.b().Arbitrary(evalSHA, settingFields.sha, "1").Keys(r.key).
		Args(millis(r.m.ttl()), bit(r.m.settings.autoRenew), millis(ttl.Milliseconds()), bit(ifAbsent), millis(bulkSize)).
		Args(pairs...).Build()
}

var (
	opExpireFields   = operation[int64]{"expire fields", replyFieldCount}
	opExpireFieldsAt = operation[int64]{"expire fields at", replyFieldCount}
	opPersistFields  = operation[int64]{"persist fields", replyFieldCount}
	opFieldTTL       = operation[time.Duration]{"field ttl", replyFieldTTL}
	opFieldEnd       = operation[time.Time]{"field expire time", replyFieldEnd}
)

// noFieldExpiry returns the error for a duration so short that Redis would delete the fields.
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
	ms, err := unixMillis(t)
	switch {
	case t.IsZero():
		return refuse(&opExpireFieldsAt, because(ErrArgument, "the time is zero"))
	case err != nil:
		return refuse(&opExpireFieldsAt, err)
	case ms < 0:
		return refuse(&opExpireFieldsAt, because(ErrArgument, "the time is before 1970, which the server does not take"))
	}
	return r.onFields(&opExpireFieldsAt, fields, "HPEXPIREAT", millis(ms))
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

// replyFieldCount counts the fields that the server says it changed: 1, or 2 for a field that was
// removed because the time was in the past.
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
