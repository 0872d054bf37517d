package watch

import (
	"context"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/hashslot"
)

// sortBatch is how many events are looked at together.
const sortBatch = 512

// sort passes on the events of a Redis Cluster, without those of slots that move.
func (w *watch) sort(ctx context.Context) {
	for {
		some, ok := w.raw.takeSome(ctx, sortBatch)
		if !ok {
			return
		}
		moved := w.moved(ctx, some)
		for i, l := range some {
			if !moved[i] {
				w.out.put(l)
			}
		}
	}
}

// moved reports which events come from keys on their way. A key that moves is deleted on the old
// node and restored on the new one. Nothing in the events tells that, but the nodes do when they
// are asked for the key: the old one redirects to the new one, where the key exists; the new one
// redirects to the old one until it has the slot.
func (w *watch) moved(ctx context.Context, letters []letter) map[int]bool {
	suspects := make(map[*link][]int)
	for i, l := range letters {
		if l.err == nil && !l.ready && (l.event == "del" || l.event == "restore") {
			suspects[l.link] = append(suspects[l.link], i)
		}
	}
	if len(suspects) == 0 {
		return nil
	}
	moved := make(map[int]bool)
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	for from, indexes := range suspects {
		cmds := make(rueidis.Commands, len(indexes))
		slots := make([]uint16, len(indexes))
		for n, i := range indexes {
			cmds[n] = w.client.B().Exists().Key(letters[i].match.Key()).Build()
			slots[n] = cmds[n].Slot() & (hashslot.Count - 1)
		}
		for n, answer := range from.client.DoMulti(ctx, cmds...) {
			l := letters[indexes[n]]
			if l.event == "restore" {
				moved[indexes[n]] = arrived(l, slots[n], answer.Error())
			} else if to := redirected(answer.Error()); to != "" {
				moved[indexes[n]] = w.existsAt(ctx, to, l.match.Key())
			}
		}
	}
	return moved
}

// arrived reports whether a key was restored because its slot was on its way to the node: the node
// did not have the slot when it was last asked, or does not have it yet.
func arrived(l letter, slot uint16, err error) bool {
	if redirected(err) != "" {
		return true
	}
	owned := l.link.owned.Load().asOf(l.at)
	return owned == nil || !owned.slots.Has(slot)
}

// redirected returns the address to which a node redirects, or "".
func redirected(err error) string {
	answer, ok := rueidis.IsRedisErr(err)
	if !ok {
		return ""
	}
	if addr, ok := answer.IsAsk(); ok {
		return addr
	}
	addr, _ := answer.IsMoved()
	return addr
}

// existsAt reports whether a key exists on a node, even if the slot is still on its way there.
func (w *watch) existsAt(ctx context.Context, addr, key string) bool {
	node := w.client.Nodes()[addr]
	if node == nil {
		return false
	}
	answers := node.DoMulti(ctx, node.B().Arbitrary("ASKING").Build(), node.B().Exists().Key(key).Build())
	n, err := answers[1].AsInt64()
	return err == nil && n > 0
}
