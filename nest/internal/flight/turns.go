package flight

import (
	"context"
	"sync"
)

// Turns makes the goroutines of a process that wait for the same key take turns, in the order in
// which they came. The zero value is ready to use.
type Turns struct {
	mu  sync.Mutex
	now map[string]*turn
}

type turn struct {
	taken chan struct{} // has one value while a goroutine has the turn; senders are served in order
	users int
}

// Take waits for the turn, and returns a function that ends it. The error is that of the context.
func (t *Turns) Take(ctx context.Context, key string) (leave func(), err error) {
	mine := t.join(key)
	select {
	case mine.taken <- struct{}{}:
		return func() {
			<-mine.taken
			t.leave(key, mine)
		}, nil
	case <-ctx.Done():
		t.leave(key, mine)
		return nil, ctx.Err()
	}
}

// Waiting returns the number of keys for which a goroutine has the turn or waits for it.
func (t *Turns) Waiting() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.now)
}

func (t *Turns) join(key string) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now == nil {
		t.now = make(map[string]*turn)
	}
	mine := t.now[key]
	if mine == nil {
		mine = &turn{taken: make(chan struct{}, 1)}
		t.now[key] = mine
	}
	mine.users++
	return mine
}

func (t *Turns) leave(key string, mine *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if mine.users--; mine.users == 0 {
		delete(t.now, key)
	}
}
