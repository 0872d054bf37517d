package nest

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// strays are the cached keys whose old values the client may still remember after a write.
//
// On a Redis Cluster these are the keys whose last write may have run on another node than the one
// that this client reads them from. When a command meets a MOVED or an ASK, the client sends that
// command to the new owner of the slot. But the client learns that owner only up to a second later.
// Until then it answers reads from what it remembers of the old node, which no longer reports
// changes. So reads of a stray go to the server until they no longer meet a redirection.
//
// On every server these are also the keys whose fence was not answered: a write may have been
// answered on a connection of its own while the one that caches stood still.
type strays struct {
	count atomic.Int64
	last  atomic.Int64 // when a redirection was last met, in Unix nanoseconds

	mu    sync.Mutex
	marks map[string]stray
	swept int // how many marks the last sweep left
}

type stray struct {
	since, ends time.Time
}

const (
	// straySettles is how long after a redirection the nodes may name different owners of a slot.
	straySettles = 3 * time.Second
	// strayOutlasts is how much longer a mark lasts than the client may remember a value.
	strayOutlasts = 10 * time.Second
)

// note marks the keys that were just written if a fence met a redirection or was lost, now or
// within the last straySettles.
func (s *strays) note(changed []address, sure []bool) {
	now := time.Now()
	for _, ok := range sure {
		if !ok {
			s.last.Store(now.UnixNano())
		}
	}
	if now.UnixNano()-s.last.Load() > int64(straySettles) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.marks == nil {
		s.marks = make(map[string]stray)
	}
	for _, r := range changed {
		s.marks[r.key] = stray{now, now.Add(together(r.m.settings.cached, strayOutlasts))}
	}
	if len(s.marks) > 2*s.swept+1024 {
		for key, m := range s.marks {
			if now.After(m.ends) {
				delete(s.marks, key)
			}
		}
		s.swept = len(s.marks)
	}
	s.count.Store(int64(len(s.marks)))
}

// any reports whether any key is marked. Every cached read asks it before find, whose result takes
// time to clear.
func (s *strays) any() bool { return s.count.Load() > 0 }

// find returns the mark of a key.
func (s *strays) find(key string) (stray, bool) {
	if s.count.Load() == 0 {
		return stray{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.marks[key]
	return m, ok
}

// drop removes the mark of a key, unless the key has a newer one.
func (s *strays) drop(key string, m stray) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.marks[key] == m {
		delete(s.marks, key)
		s.count.Store(int64(len(s.marks)))
	}
}

// surely returns a fence whose answers show whether it met a redirection, see sure. The client does
// not recognize a transaction in lower-case words, so it follows redirections command by command.
// Then the EXEC has nothing to execute on the node where the EXISTS was refused.
//
//nest:ttl keeps
func surely(r address) []rueidis.Completed {
	return []rueidis.Completed{
		r.b().Arbitrary("multi").Build().SetSlot(r.key),
		fence(r),
		r.b().Arbitrary("exec").Build().SetSlot(r.key),
	}
}

// sure reports whether a fence made by surely met no redirection.
func sure(answers []rueidis.RedisResult) bool {
	_, err := answers[2].ToArray()
	return err == nil
}

// fencedInCluster is fenced for the client of a Redis Cluster.
func (t *tree) fencedInCluster(ctx context.Context, cmds []rueidis.Completed, changed []address) (answers []rueidis.RedisResult, lost error) {
	sures := make([]bool, 0, len(changed))
	if t.options.broadcast {
		// The server broadcasts a change only once it has answered what it read with it.
		answers, cmds = t.client.DoMulti(ctx, cmds...), nil
	}
	for begin := 0; begin < len(changed); {
		// Sending more than the client sends at once would take another connection.
		size := min((3*maxPipeline-len(cmds))/3, len(changed)-begin)
		for _, r := range changed[begin : begin+max(size, 0)] {
			cmds = append(cmds, surely(r)...)
		}
		if len(cmds) == 0 {
			break
		}
		all := t.client.DoMulti(ctx, cmds...)
		fences := all[len(all)-3*max(size, 0):]
		if answers == nil {
			answers = all[:len(all)-len(fences)]
		}
		for ; len(fences) > 0; fences = fences[3:] {
			sures = append(sures, sure(fences))
			if err := fences[2].NonRedisError(); err != nil && t.options.broadcast {
				lost = err
			}
		}
		cmds, begin = nil, begin+max(size, 0)
	}
	t.strays.note(changed, sures)
	return answers, lost
}

// readStray reads a stray from the server. If the client asks the right node for it by now, the
// next read may come from its cache again.
func (r address) readStray(ctx context.Context, m stray, cmd rueidis.Completed) (rueidis.RedisMessage, error) {
	t := r.m.tree
	settled := time.Since(m.since) > straySettles && sure(t.client.DoMulti(ctx, surely(r)...))
	answer, err := t.do(ctx, cmd)
	if settled || time.Now().After(m.ends) {
		t.strays.drop(r.key, m)
	}
	return answer, err
}
