package secure

import (
	"container/list"
	"context"
	"errors"
	"sync"
)

// semaphore lets computations run as long as their weights fit into its size, in the order in which
// they came. It refuses any beyond queue waiting ones.
type semaphore struct {
	size  uint64
	queue int

	mu      sync.Mutex
	used    uint64
	waiting list.List // of *waiter
}

type waiter struct {
	weight uint64
	ready  chan struct{} // closed when the weight is granted
}

var errNilContext = errors.New("secure: the context is nil")

// acquire waits for room. A weight above the whole size waits until it is alone. After each acquire
// without an error, release must be called with the weight that it returned.
func (s *semaphore) acquire(ctx context.Context, weight uint64) (granted uint64, err error) {
	if ctx == nil {
		return 0, errNilContext
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	weight = min(weight, s.size)
	s.mu.Lock()
	if s.waiting.Len() == 0 && s.used+weight <= s.size {
		s.used += weight
		s.mu.Unlock()
		return weight, nil
	}
	if s.waiting.Len() >= s.queue {
		s.mu.Unlock()
		return 0, ErrBusy
	}
	w := &waiter{weight: weight, ready: make(chan struct{})}
	place := s.waiting.PushBack(w)
	s.mu.Unlock()

	select {
	case <-w.ready:
		return weight, nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-w.ready: // granted in the meantime: give it back
		s.used -= weight
	default:
		s.waiting.Remove(place)
	}
	s.grant() // the next one may fit where this one did not
	return 0, ctx.Err()
}

func (s *semaphore) release(weight uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= weight
	s.grant()
}

func (s *semaphore) grant() {
	for e := s.waiting.Front(); e != nil; e = s.waiting.Front() {
		w := e.Value.(*waiter)
		if s.used+w.weight > s.size {
			return
		}
		s.used += w.weight
		s.waiting.Remove(e)
		close(w.ready)
	}
}
