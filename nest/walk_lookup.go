package nest

import (
	"context"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/internal/hashslot"
)

// walk prepares a walk.
func (s Scope) walk(p plan, o *walkOptions) *keyWalk {
	w := &keyWalk{
		tree: s.at.tree, lead: s.lead(), step: o.count, direct: p.direct, companions: o.companions, reach: p.reach,
	}
	if p.pattern != nil {
		w.lead, w.pattern = p.pattern.lead(), p.pattern.String()
	}
	if o.rate > 0 {
		w.step = min(w.step, o.rate/10+1)
		w.pace = &pace{rate: o.rate}
	}
	return w
}

// pace keeps a walk to a number of keys in a second, on all servers together.
type pace struct {
	sync.Mutex
	rate int
	next time.Time // when what was asked for so far is over
}

// wait waits until so many more keys are due.
func (p *pace) wait(ctx context.Context, keys int) error {
	if p == nil {
		return nil
	}
	p.Lock()
	if now := time.Now(); p.next.Before(now) {
		p.next = now
	}
	p.next = p.next.Add(time.Duration(float64(keys) / float64(p.rate) * float64(time.Second)))
	left := time.Until(p.next)
	p.Unlock()
	return sleep(ctx, left)
}

// lookUpChunk is how many names are looked up at once.
const lookUpChunk = 500

// lookUp visits those of the names that are looked up that exist on one server.
func (w *keyWalk) lookUp(ctx context.Context, do func(context.Context, ...rueidis.Completed) []rueidis.RedisResult, p walkPage, part *hashslot.Set, clustered bool) error {
	p.direct = true
	var failed error
	names := make([]string, 0, lookUpChunk)
	look := func() bool {
		if failed = w.pace.wait(ctx, len(names)); failed != nil {
			return false
		}
		w.looked.Add(int64(len(names)))
		b := p.server.client.B()
		cmds := make([]rueidis.Completed, len(names))
		for i, name := range names {
			cmds[i] = b.Arbitrary("EXISTS").Keys(name).Build().ToRetryable()
		}
		p.names = make([]string, 0, len(names))
		for i, answer := range do(ctx, cmds...) {
			n, err := answeredInt(answer.ToMessage())
			switch {
			case whyUnexecuted(err) == slotMoves:
				w.spoil(names[i])
			case err != nil:
				failed = err
				return false
			case n > 0:
				p.names = append(p.names, names[i])
			}
		}
		names = names[:0]
		if len(p.names) > 0 {
			failed = w.show(ctx, p)
		}
		return failed == nil
	}
	add := func(name string) bool {
		if !clustered || part.Has(hashslot.Of(name)) {
			names = append(names, name)
		}
		return len(names) < lookUpChunk || look()
	}
	for _, t := range w.direct {
		for name := range t.names {
			beside := keyRoles
			if t.m.def.isCluster() { // the number of its generation
				name, beside = companion(name, generationRole), nil
			}
			going := add(name)
			for i := 0; w.companions && going && i < len(beside); i++ {
				going = add(companion(name, beside[i]))
			}
			if !going {
				return failed
			}
		}
	}
	if len(names) > 0 {
		look()
	}
	return failed
}
