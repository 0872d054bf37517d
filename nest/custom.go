package nest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// CustomDef declares a key of a Redis type that this package does not know.
type CustomDef struct {
	Declaration
	redisType string
}

// Custom declares a key of a Redis type that this package has no kind for, such as "vectorset" or
// the type of a module ("MBbloom--"). redisType is what the TYPE command answers for such a key.
// The key is named, proven, matched and listed like every other one; its commands are those of
// [CustomRef.Do] and [CustomRef.Write]:
//
//	var Embeddings = nest.Custom("emb:<doc>", "vectorset", nest.TTL(time.Hour))
//
//	_, err := Embeddings.At(root, 7).Write(ctx, "VADD", "VALUES", "2", "0.1", "0.9", "part-1")
//	similar, err := Embeddings.At(root, 7).Do(ctx, "VSIM", "ELE", "part-1")
//
// TTL, AutoRenew, Jitter, Protected and Doc hold as for other kinds. [Codec] and [Cached] have no
// effect on its values, and a [Default] is refused. Custom panics in the cases in which [Key] does,
// and if redisType is empty or holds white space.
func Custom(template, redisType string, opts ...KeyOption) *CustomDef {
	d := &CustomDef{redisType: redisType}
	where := caller()
	constructor := fmt.Sprintf("Custom(%q)", redisType)
	d.declare(d, KindCustom, constructor, template, where, applyKeyOptions(opts))
	switch {
	case redisType == "" || strings.ContainsFunc(redisType, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		where.refuse(constructor, template, errors.New("the Redis type is a word, as the TYPE command answers it"))
	case d.config.hasDefault:
		where.refuse(constructor, template, errors.New("a key of a custom type has no default: nothing here reads it"))
	}
	d.goType = redisType
	d.bind = func(*mounted) (any, error) { return &custom{redisType}, nil }
	return d
}

// RedisType returns what the TYPE command answers for such a key.
func (d *CustomDef) RedisType() string { return d.redisType }

// At returns a reference to the key below s. See [KeyDef.At] for args.
func (d *CustomDef) At(s Scope, args ...any) CustomRef {
	if d == nil {
		return CustomRef{nilRef(s)}
	}
	return CustomRef{d.ref(&s, args)}
}

// CustomRef is one key of a custom type, with all its parameters filled in.
type CustomRef struct {
	Ref
}

// custom is what Open prepares for a key of a custom type.
type custom struct{ redisType string }

var (
	opCustomRead  = operation[rueidis.RedisMessage]{"do", replyMessage}
	opCustomWrite = operation[rueidis.RedisMessage]{"write", replyMessage}
)

// wording puts the key (KEYS[1]) behind the words of a command (ARGV[2] of them, from ARGV[3] on)
// and before its arguments.
const wording = `local words = {unpack(ARGV, 3, 2 + ARGV[2])}
words[#words + 1] = KEYS[1]
for i = 3 + ARGV[2], #ARGV do words[#words + 1] = ARGV[i] end
`

// customStarting and customRenewing are starting and renewing for commands of several words.
var (
	customStarting = newScript(starts + wording + `local start, denied = starts(KEYS[1], ARGV[1])
if denied then return denied end
local reply = redis.call(unpack(words))
if start then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return reply`)
	customRenewing = newScript(asking + wording + `local denied = lacks('PEXPIRE', KEYS[1], ARGV[1])
if denied then return denied end
local reply = redis.call(unpack(words))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return reply`)
)

// Do sends a command that reads the key: the words of cmd, the key, then args. Where AutoRenew is
// declared, it restarts the TTL in the same step (EVAL with AutoRenew). Nothing checks
// that the command only reads: one that creates the key leaves it without the declared TTL, see
// [CustomRef.Write]. The limits on commands are those of [Ref.Do].
func (r CustomRef) Do(ctx context.Context, cmd string, args ...string) (rueidis.RedisMessage, error) {
	return call(ctx, r.at, func() command[rueidis.RedisMessage] { return r.do(cmd, args) })
}

//nest:ttl renews
func (r CustomRef) do(cmd string, args []string) command[rueidis.RedisMessage] {
	s := script{}
	if r.at.renews() {
		s = customRenewing
	}
	return r.send(&opCustomRead, s, cmd, args)
}

// Write sends a command that writes the key: the words of cmd, the key, then args. A key that is
// new, or has no expiry, gets the declared TTL in the same step; a running one goes on, and with
// AutoRenew restarts (EVAL where an expiry is declared). The limits on commands are those of
// [Ref.Do].
func (r CustomRef) Write(ctx context.Context, cmd string, args ...string) (rueidis.RedisMessage, error) {
	return call(ctx, r.at, func() command[rueidis.RedisMessage] { return r.write(cmd, args) })
}

//nest:ttl starts
func (r CustomRef) write(cmd string, args []string) command[rueidis.RedisMessage] {
	s := script{}
	switch {
	case r.at.renews():
		s = customRenewing
	case r.at.m.settings.ttl > 0:
		s = customStarting
	}
	return r.send(&opCustomWrite, s, cmd, args)
}

// send returns the command as it is, or in a script.
//
//nest:ttl free
func (r CustomRef) send(op *operation[rueidis.RedisMessage], s script, cmd string, args []string) command[rueidis.RedisMessage] {
	words, err := wordsOf(cmd)
	switch {
	case err != nil:
		return refuse(op, err)
	case s.text == "":
		return command[rueidis.RedisMessage]{op: op, cmd: r.at.b().Arbitrary(words...).Keys(r.at.key).Args(args...).Build()}
	case len(words)+len(args) > bulkSize:
		return refuse(op, because(ErrArgument, fmt.Sprintf("a command of a key with a TTL has at most %d words", bulkSize)))
	}
	all := slices.Concat([]string{millis(r.at.m.ttl()), strconv.Itoa(len(words))}, words, args)
	return command[rueidis.RedisMessage]{op: op, cmd: s.command(r.at.b(), []string{r.at.key}, all...)}
}

// Rename moves the key, with its remaining TTL, to another key of the same type (RENAMENX or
// RENAME). See [KeyRef.Rename] for what happens to an existing target and to the TTL.
func (r CustomRef) Rename(ctx context.Context, to CustomRef, opts ...WriteOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opRename, to.at, opts) })
}

// Copy copies the key, with its remaining TTL, to another key of the same type (COPY, Redis 6.2).
// See [KeyRef.Copy] for what happens to an existing target and to the TTL.
func (r CustomRef) Copy(ctx context.Context, to CustomRef, opts ...WriteOption) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.transfer(&opCopy, to.at, opts) })
}
