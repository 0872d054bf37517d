package nest

import (
	"context"
	"slices"

	"github.com/redis/rueidis"
)

// sendWrite sends a command that may change a cached key, after the ones that must come before
// it, and waits until the client's cache has forgotten the old value.
func (r address) sendWrite(ctx context.Context, before []rueidis.Completed, cmd rueidis.Completed, fenced bool) (rueidis.RedisMessage, error) {
	client := r.m.tree.client
	separate := fenced && r.m.tree.options.broadcast
	cmds := append(slices.Clip(before), r.m.tree.inFull(cmd))
	if fenced && !separate {
		cmds = append(cmds, fence(r))
	}
	answer, err := client.DoMulti(ctx, cmds...)[len(before)].ToMessage()
	if separate {
		if lost := client.Do(ctx, fence(r)).NonRedisError(); lost != nil && err == nil {
			err = lost // whether older values are still read is not known
		}
	}
	return answer, err
}

// fence makes the command that follows a write to a cached key. The server tells the client to
// forget the old value after it has answered the write, and before it answers this.
//
//nest:ttl keeps
func fence(r address) rueidis.Completed {
	return r.b().Arbitrary("EXISTS").Keys(r.key).Build()
}

// writesCached tells whether the command changes a key that reads are cached of.
func (c *command[R]) writesCached(r address) bool {
	for _, u := range c.uses {
		if u.mode != reads && u.m.settings.cached > 0 {
			return true
		}
	}
	return r.m.settings.cached > 0 && !c.cacheable && !c.cmd.IsReadOnly()
}

// endLoads gives the commands that end the loads of the keys which the command changes. They
// come before it: a load that begins between the two sees what the caller has done, as far as it
// has been done before the write was asked for.
func (c *command[R]) endLoads(r address) []rueidis.Completed {
	if c.cacheable || c.err != nil || c.skip {
		return nil
	}
	var cmds []rueidis.Completed
	for _, u := range c.uses {
		if u.mode != reads && u.m.loads.Load() {
			cmds = append(cmds, u.endLoad())
		}
	}
	if c.uses == nil && r.m.loads.Load() && !c.cmd.IsReadOnly() {
		cmds = append(cmds, r.endLoad())
	}
	return cmds
}

// endLoad makes the command that takes the lock of a load away.
//
//nest:ttl keeps
func (r address) endLoad() rueidis.Completed {
	return r.b().Unlink().Key(companion(r.key, loadRole)).Build()
}
