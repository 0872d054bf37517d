package nest

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// Names of groups and consumers are arbitrary text. To the operations of this file, a group or a
// stream that does not exist is ErrNotFound.

var errNoName = because(ErrArgument, "the name of a group or consumer is empty")

// creatingGroup creates a group, and the stream if it does not exist, and starts the TTL.
var creatingGroup = newScript(starts + `local start, denied = starts(KEYS[1], ARGV[1], ARGV[2] == '1')
if denied then return denied end
local made, done = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[3], ARGV[4], 'MKSTREAM'), 1
if made.err then
	if not string.find(made.err, 'BUSYGROUP', 1, true) then return made end
	done = 0
end
if start then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return done`)

// CreateGroup creates a group of consumers and reports whether it did: an existing one is left as
// it is. The group sees the entries after an ID: "" stands for all, [NewEntries] for those that are
// added from now on. A stream that does not exist is created, empty, with the declared TTL (XGROUP
// CREATE MKSTREAM).
func (r StreamRef[T]) CreateGroup(ctx context.Context, group, after string) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return r.at.createGroup(group, after) })
}

//nest:ttl starts
func (r address) createGroup(group, after string) command[bool] {
	after, err := startingID(after)
	if err == nil && group == "" {
		err = errNoName
	}
	if err != nil {
		return refuse(&opCreateGroup, err)
	}
	return command[bool]{op: &opCreateGroup, cmd: creatingGroup.command(r.b(), []string{r.key},
		millis(r.m.ttl()), bit(r.m.settings.autoRenew), group, after)}
}

// DestroyGroup removes a group with its record of pending entries, and reports whether it existed
// (XGROUP DESTROY).
func (r StreamRef[T]) DestroyGroup(ctx context.Context, group string) (bool, error) {
	return call(ctx, r.at, func() command[bool] { return inGroup(r.at, &opDestroyGroup, "XGROUP", "DESTROY", group) })
}

// SetGroupID makes a group continue after an ID: "" stands for the beginning, [NewEntries] for the
// end (XGROUP SETID).
func (r StreamRef[T]) SetGroupID(ctx context.Context, group, after string) error {
	_, err := call(ctx, r.at, func() command[struct{}] { return r.at.setGroupID(group, after) })
	return err
}

func (r address) setGroupID(group, after string) command[struct{}] {
	after, err := startingID(after)
	if err != nil {
		return refuse(&opSetGroupID, err)
	}
	return inGroup(r, &opSetGroupID, "XGROUP", "SETID", group, after)
}

// CreateConsumer creates a consumer of a group and reports whether it did (XGROUP CREATECONSUMER,
// Redis 6.2). Reading creates one too.
func (r StreamRef[T]) CreateConsumer(ctx context.Context, group, consumer string) (bool, error) {
	return call(ctx, r.at, func() command[bool] {
		return inGroup(r.at, &opCreateConsumer, "XGROUP", "CREATECONSUMER", group, consumer)
	})
}

// DeleteConsumer removes a consumer and returns the number of entries that were pending for it.
// They are never delivered again: claim them first (XGROUP DELCONSUMER).
func (r StreamRef[T]) DeleteConsumer(ctx context.Context, group, consumer string) (int64, error) {
	return call(ctx, r.at, func() command[int64] {
		return inGroup(r.at, &opDeleteConsumer, "XGROUP", "DELCONSUMER", group, consumer)
	})
}

// inGroup makes a command of two words on a group that exists. more are the arguments after the
// group's name.
//
//nest:ttl changes
func inGroup[R any](r address, op *operation[R], word, subcommand, group string, more ...string) command[R] {
	if group == "" || slices.Contains(more, "") {
		return refuse(op, errNoName)
	}
	if r.renews() {
		return command[R]{op: op, cmd: renewingSub.command(r.b(), []string{r.key}, append([]string{millis(r.m.ttl()), word, subcommand, group}, more...)...)}
	}
	return command[R]{op: op, cmd: r.b().Arbitrary(word, subcommand).Keys(r.key).Args(group).Args(more...).Build()}
}

// renewingSub is the script renewing for commands of two words.
var renewingSub = newScript(asking + `local denied = lacks('PEXPIRE', KEYS[1], ARGV[1])
if denied then return denied end
local reply = redis.call(ARGV[2], ARGV[3], KEYS[1], unpack(ARGV, 4))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return reply`)

// ReadGroup reads entries that were not yet delivered to any consumer of the group, oldest first,
// and delivers them to this consumer. They are pending until [StreamRef.Ack] (XREADGROUP). [Count]
// limits how many, and [Block] waits for some. When there are none, it returns none and no error.
// When one of them cannot be decoded the error is [ErrDecode], and all are pending.
// [StreamRef.Consume] does all this.
func (r StreamRef[T]) ReadGroup(ctx context.Context, group, consumer string, opts ...ReadOption) ([]Entry[T], error) {
	if err := r.at.admit(ctx, "read group"); err != nil {
		return nil, err
	}
	return readGroup(ctx, r.at, &r.stream().readGroup, group, consumer, ">", opts)
}

// ReadPending returns again the entries after an ID, "" for all, that a consumer has read and not
// acknowledged (XREADGROUP). Entries that have been removed since are left out.
func (r StreamRef[T]) ReadPending(ctx context.Context, group, consumer, after string, opts ...ReadOption) ([]Entry[T], error) {
	if err := r.at.admit(ctx, "read pending"); err != nil {
		return nil, err
	}
	op := &r.stream().readPending
	if after == "" {
		after = "0-0"
	}
	if _, err := parseID(after); err != nil {
		return nil, r.at.fail(op.name, err)
	}
	return readGroup(ctx, r.at, op, group, consumer, after, opts)
}

func readGroup[R any](ctx context.Context, r address, op *operation[R], group, consumer, after string, opts []ReadOption) (R, error) {
	o, err := readOptionsOf(opts)
	if err == nil && (group == "" || consumer == "") {
		err = errNoName
	}
	if err != nil {
		var zero R
		return zero, r.fail(op.name, err)
	}
	return readStream(ctx, r, op, o, after, "XREADGROUP", "GROUP", group, consumer)
}

// Ack acknowledges entries and returns the number of those that were pending (XACK).
func (r StreamRef[T]) Ack(ctx context.Context, group string, ids ...string) (int64, error) {
	return call(ctx, r.at, func() command[int64] { return r.at.ack(group, ids) })
}

func (r address) ack(group string, ids []string) command[int64] {
	if len(ids) == 0 {
		return skip(&opAck)
	}
	err := checkIDs(ids)
	if err == nil && group == "" {
		err = errNoName
	}
	if err != nil {
		return refuse(&opAck, err)
	}
	return command[int64]{op: &opAck, cmd: r.modifyMany("XACK", joinSum, []string{group}, ids)}
}

// Claim transfers to a consumer those of the entries that have been pending for at least idle, and
// returns them (XCLAIM). They are then pending for this consumer. idle is 0 or at least a
// millisecond.
func (r StreamRef[T]) Claim(ctx context.Context, group, consumer string, idle time.Duration, ids ...string) ([]Entry[T], error) {
	return call(ctx, r.at, func() command[[]Entry[T]] { return claim(r.at, &r.stream().claim, group, consumer, idle, ids) })
}

func claim[R any](r address, op *operation[R], group, consumer string, idle time.Duration, ids []string) command[R] {
	if len(ids) == 0 {
		return skip(op)
	}
	err := checkClaim(group, consumer, idle)
	if err == nil {
		err = checkIDs(ids)
	}
	if err != nil {
		return refuse(op, err)
	}
	return command[R]{op: op, cmd: r.modifyMany("XCLAIM", joinAll, []string{group, consumer, millis(idle.Milliseconds())}, ids)}
}

func checkClaim(group, consumer string, idle time.Duration) error {
	if group == "" || consumer == "" {
		return errNoName
	}
	return checkIdle(idle)
}

func checkIdle(idle time.Duration) error {
	switch {
	case idle < 0:
		return because(ErrArgument, "the idle time is negative")
	case idle > 0 && idle < time.Millisecond:
		return because(ErrArgument, tooShort("an idle time", idle).Error()+", or 0 for any")
	}
	return nil
}

// Claimed is the result of [StreamRef.AutoClaim].
type Claimed[T any] struct {
	Entries []Entry[T]
	// Next is the ID to continue from, "0-0" when all pending entries have been looked at.
	Next string
	// Deleted are the IDs that were pending although their entries had been removed. They are no
	// longer pending (Redis 7.0).
	Deleted []string
}

// AutoClaim looks at up to count pending entries, starting at the ID from, "" for the first. It
// transfers to a consumer those that have been pending for at least idle, which is 0 or at least a
// millisecond (XAUTOCLAIM, Redis 6.2).
func (r StreamRef[T]) AutoClaim(ctx context.Context, group, consumer string, idle time.Duration, from string, count int64) (Claimed[T], error) {
	return call(ctx, r.at, func() command[Claimed[T]] { return r.autoClaim(group, consumer, idle, from, count) })
}

func (r StreamRef[T]) autoClaim(group, consumer string, idle time.Duration, from string, count int64) command[Claimed[T]] {
	op := &r.stream().autoClaim
	if from == "" {
		from = "0-0"
	}
	err := checkClaim(group, consumer, idle)
	if err == nil {
		_, err = parseID(from)
	}
	if err == nil && count < 1 {
		err = because(ErrArgument, "the count is at least 1")
	}
	if err != nil {
		return refuse(op, err)
	}
	return command[Claimed[T]]{op: op, cmd: r.at.modify("XAUTOCLAIM", group, consumer, millis(idle.Milliseconds()), from, "COUNT", strconv.FormatInt(count, 10))}
}

func replyClaimed[T any](m *mounted, a rueidis.RedisMessage) (c Claimed[T], err error) {
	parts, err := a.ToArray()
	if err != nil || len(parts) < 2 {
		return c, errAnswer
	}
	if c.Next, err = parts[0].ToString(); err != nil {
		return c, errAnswer
	}
	if c.Entries, err = replyEntries[T](m, parts[1]); err != nil {
		return Claimed[T]{}, err
	}
	if len(parts) > 2 {
		if c.Deleted, err = replyNames(m, parts[2]); err != nil {
			return Claimed[T]{}, err
		}
	}
	return c, nil
}

var (
	opCreateGroup    = operation[bool]{"create group", replyBool}
	opDestroyGroup   = operation[bool]{"destroy group", replyBool}
	opSetGroupID     = operation[struct{}]{"set group id", replyNone}
	opCreateConsumer = operation[bool]{"create consumer", replyBool}
	opDeleteConsumer = operation[int64]{"delete consumer", replyInt}
	opAck            = operation[int64]{"ack", replyInt}
)
