package nest

import (
	"context"
	"time"
)

// DefaultRemoveIdle is the default of [RemoveIdle].
const DefaultRemoveIdle = 24 * time.Hour

// RemoveIdle makes [StreamRef.Consume] remove the other consumers of its group that have asked for
// nothing for d and hold no pending entries, such as those of processes that are gone and had names
// of their own. One that holds entries stays until others have taken them over ([ClaimAfter]). One
// that was removed and reads again is back. Consume looks when it starts and each time half of d
// has passed, at least once an hour. A user without the right to XINFO CONSUMERS or XGROUP
// DELCONSUMER removes none, which is reported once ([OnError]). The default is [DefaultRemoveIdle];
// 0 removes none.
func RemoveIdle(d time.Duration) ConsumeOption {
	return consumeOption(func(o *consumeOptions) error {
		o.removeIdle = d
		if d != 0 && d < time.Millisecond {
			return because(ErrArgument, tooShort("RemoveIdle", d).Error()+", or 0 for never")
		}
		return nil
	})
}

// removingIdle removes the consumers of a group (ARGV[1]) but one (ARGV[2]) that hold nothing and
// have been idle for long enough (ARGV[3], milliseconds). It is one step, since a consumer's
// pending entries are removed with it.
var removingIdle = newScript(asking + `local denied = lacks('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
if denied then return denied end
local removed = 0
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
	local is = {}
	for i = 1, #consumer, 2 do is[consumer[i]] = consumer[i + 1] end
	if is.name ~= ARGV[2] and tonumber(is.pending) == 0 and tonumber(is.idle) >= tonumber(ARGV[3]) then
		redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], is.name)
		removed = removed + 1
	end
end
return removed`)

var opRemoveIdle = operation[int64]{"consume remove idle", replyInt}

// tidy removes idle consumers when it is time to. Only an error that may pass ends the session of
// Consume; after any other it looks no more.
func (c *consuming[T]) tidy(ctx context.Context) error {
	began := time.Now()
	if c.o.removeIdle == 0 || began.Before(c.tidies) {
		return nil
	}
	c.tidies = began.Add(min(max(c.o.removeIdle/2, time.Millisecond), time.Hour))
	_, err := run(ctx, c.ref.at, c.removeIdle())
	if err == nil || groupGone(err) || passing(err) || ctx.Err() != nil {
		return err
	}
	c.o.removeIdle = 0
	c.report(ctx, began, err)
	return nil
}

//nest:ttl keeps
func (c *consuming[T]) removeIdle() command[int64] {
	return command[int64]{op: &opRemoveIdle, cmd: removingIdle.command(c.ref.at.b(), []string{c.ref.at.key},
		c.group, c.name, millis(c.o.removeIdle.Milliseconds()))}
}
