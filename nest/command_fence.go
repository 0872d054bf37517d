package nest

import (
	"context"
	"slices"

	"github.com/redis/rueidis"
)

// sendWrite sends a command that may change a cached key, after the commands that must precede it,
// and waits until the client's cache has dropped the old values of the changed keys.
func (r address) sendWrite(ctx context.Context, before []rueidis.Completed, cmd rueidis.Completed, changed []address) (rueidis.RedisMessage, error) {
	answers, lost := r.m.tree.doMulti(ctx, append(slices.Clip(before), r.m.tree.inFull(cmd)), changed)
	r.m.tree.downs.Written()
	answer, err := answers[len(before)].ToMessage()
	if err == nil {
		err = lost
	}
	return answer, err
}

// fence builds the command that follows a write to a cached key. The server tells the client to
// drop the old value after it has answered the write, and before it answers this command.
//
//nest:ttl keeps
func fence(r address) rueidis.Completed {
	return r.b().Arbitrary("EXISTS").Keys(r.key).Build()
}

// writesCached reports whether the command changes a key whose reads are cached.
func (c *shipment) writesCached(r address) bool {
	return r.m.settings.cached > 0 && !c.cacheable && !c.cmd.IsReadOnly() || slices.ContainsFunc(c.uses, use.writesCached)
}

func (u use) writesCached() bool { return u.mode != reads && u.m.settings.cached > 0 }

// cachedAmong returns the cached keys that a command on r changes, if it changes any. uses lists
// the keys of a command that takes several.
func cachedAmong(r address, uses []use) []address {
	if uses == nil {
		return []address{r}
	}
	var changed []address
	for _, u := range uses {
		if u.writesCached() {
			changed = append(changed, u.address)
		}
	}
	return changed
}

// endLoads returns the commands that end the loads of the keys that the command changes. They are
// sent before it: a load that begins in between sees everything that the caller did before it
// requested the write.
func (c *shipment) endLoads(r address) []rueidis.Completed {
	if c.cacheable || c.unsent {
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

// endLoad builds the command that removes the lock of a load, also under the key's former names
// unless they are in other slots.
//
//nest:ttl keeps
func (r address) endLoad() rueidis.Completed {
	r.m.tree.downs.Written()
	cmd := r.b().Unlink().Key(companion(r.key, loadRole))
	if r.m.formers != nil && !r.m.formers.far {
		for _, old := range r.m.olds(r.key) {
			cmd = cmd.Key(companion(old, loadRole))
		}
	}
	return cmd.Build()
}
