package nest

import (
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/codec"
)

// number says how to add to a field of a hash that holds a number.
type number struct {
	command string // "" when the field holds no number
	// low and high are the limits of the type, where they differ from those of the command.
	low, high string
	float     bool
}

// numberOf returns the number for values of type t.
func numberOf(t reflect.Type) number {
	switch kind := t.Kind(); kind {
	case reflect.Int64:
		return number{command: "HINCRBY"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32:
		if t.Bits() == 64 {
			return number{command: "HINCRBY"}
		}
		high := int64(1)<<(t.Bits()-1) - 1
		return number{command: "HINCRBY", low: millis(-high - 1), high: millis(high)}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if t.Bits() == 64 {
			return number{command: "HINCRBY", low: "0"}
		}
		return number{command: "HINCRBY", low: "0", high: millis(1<<t.Bits() - 1)}
	case reflect.Float32, reflect.Float64:
		high := math.MaxFloat64
		if kind == reflect.Float32 {
			high = math.MaxFloat32
		}
		text := strconv.FormatFloat(high, 'g', -1, 64)
		return number{command: "HINCRBYFLOAT", low: "-" + text, high: text, float: true}
	}
	return number{}
}

// numberIn returns the number for values of type V, if the codec stores them in decimal.
func numberIn[V any](typed codec.Typed[V]) number {
	n := numberOf(reflect.TypeFor[V]())
	if n.command == "" {
		return n
	}
	var v V
	convert(reflect.ValueOf(&v).Elem(), reflect.ValueOf(int8(12)))
	if text, err := typed.Encode(v); err != nil || text != "12" {
		return number{}
	}
	return n
}

// negated returns the decimal text of -x.
func negated(x string) string {
	if x == "0" {
		return x
	}
	if positive, ok := strings.CutPrefix(x, "-"); ok {
		return positive
	}
	return "-" + x
}

// adding adds to a field (ARGV[5]) and returns the sum as it is stored, since a Lua number would
// lose digits. A sum beyond the limits (ARGV[8] and ARGV[9]) is undone. ARGV[10]... are former
// names of the field. ARGV[1] to ARGV[3] are the TTL of the key, whether it is restarted, and the
// TTL of a new field.
var adding = newScript(starts + `if ARGV[3] ~= '0' then
	` + probesFieldTTL + `end
local start, denied = starts(KEYS[1], ARGV[1], ARGV[2] == '1')
denied = denied or #ARGV > 9 and lacks(ARGV[4], KEYS[1], ARGV[5], ARGV[6]) or
	(#ARGV > 9 or ARGV[8] .. ARGV[9] ~= '') and lacks('HDEL', KEYS[1], ARGV[5]) or
	ARGV[3] ~= '0' and lacks('HPEXPIRE', KEYS[1], ARGV[3], 'FIELDS', 1, ARGV[5])
if denied then return denied end
local key, field, by = KEYS[1], ARGV[5], ARGV[6]
local low, high = tonumber(ARGV[8]), tonumber(ARGV[9])
local was = redis.call('HGET', key, field)
for i = 10, #ARGV do
	if not was then
		was = redis.call('HGET', key, ARGV[i])
		if was then redis.call('HSET', key, field, was) end
	end
	redis.call('HDEL', key, ARGV[i])
end
local over = false
if ARGV[4] == 'HINCRBYFLOAT' then
	local sum = (tonumber(was or '0') or 0) + tonumber(by)
	over = sum < low or sum > high
	if not over then redis.call('HINCRBYFLOAT', key, field, by) end
else
	redis.call('HINCRBY', key, field, by)
	local sum = tonumber(redis.call('HGET', key, field))
	over = (low and sum < low) or (high and sum > high)
	if over and was then redis.call('HINCRBY', key, field, ARGV[7]) end
	if over and not was then redis.call('HDEL', key, field) end
end
if over then return redis.error_reply('ERR increment or decrement would overflow') end
if ARGV[3] ~= '0' and not was then redis.call('HPEXPIRE', key, ARGV[3], 'FIELDS', 1, field) end
if start then redis.call('PEXPIRE', key, ARGV[1]) end
return redis.call('HGET', key, field)`)

// bigFloat is the magnitude from which adding a number may take a float out of its range.
const bigFloat = 1e280

// increment makes the command that adds the decimal text by to a field. was are the names under
// which the field was stored before.
//
//nest:ttl starts
func (r address) increment(n number, field, by string, was []string, opts []FieldOption) (rueidis.Completed, error) {
	o, err := r.fieldOptions(opts)
	if err != nil {
		return rueidis.Completed{}, err
	}
	scripted := r.m.settings.ttl > 0 || o.ttl > 0 || len(was) > 0
	if n.float {
		f, err := strconv.ParseFloat(by, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return rueidis.Completed{}, because(ErrArgument, "what is added is not a finite number")
		}
		scripted = scripted || math.Abs(f) >= bigFloat || n.high != maxFloat64
	} else {
		d, err := strconv.ParseInt(by, 10, 64)
		// No two numbers of such a type are so far apart, and the addition of the least integer
		// cannot be undone.
		if err != nil || n.low != "" && d == math.MinInt64 || n.narrow() && (d >= 1<<32 || d <= -1<<32) {
			return rueidis.Completed{}, ErrOverflow
		}
		scripted = scripted || n.low != ""
	}
	if !scripted {
		return o.apply(r, r.b().Arbitrary(n.command).Keys(r.key).Args(field, by).Build()), nil
	}
	return o.apply(r, r.b().Arbitrary(evalSHA, adding.sha, "1").Keys(r.key).
		Args(millis(r.m.ttl()), bit(r.m.settings.autoRenew), millis(o.ttl.Milliseconds()),
			n.command, field, by, negated(by), n.low, n.high).
		Args(was...).Build()), nil
}

var maxFloat64 = strconv.FormatFloat(math.MaxFloat64, 'g', -1, 64)

// narrow reports whether the type has fewer than 64 bits.
func (n number) narrow() bool { return n.high != "" }

// sumText returns the decimal text of a sum.
func sumText(a rueidis.RedisMessage) (string, error) {
	if a.IsInt64() {
		n, err := a.AsInt64()
		return millis(n), err
	}
	return a.ToString()
}

func replySum[V any](m *mounted, a rueidis.RedisMessage) (v V, err error) {
	text, err := sumText(a)
	if err != nil {
		return v, errAnswer
	}
	return elementsIn[V](m).decodeText(m, text)
}
