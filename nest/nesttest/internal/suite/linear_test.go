package suite_test

import (
	"math"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

// history records what several clients did at the same time, to be checked against a sequential
// model. The checker is porcupine, after Lowe, "Testing for linearizability".
type history struct {
	mu    sync.Mutex
	start time.Time
	ops   []porcupine.Operation
	maybe int
}

func newHistory() *history { return &history{start: time.Now()} }

// outcome is what a client knows about an operation after it has ended.
type outcome int

const (
	applied   outcome = iota // it took effect between its call and its return
	unapplied                // it never did, and never will
	unknown                  // it may have, or may still
)

// record runs an operation of a client. do returns the input and output for the model's step, and
// what the client knows about the outcome.
func (h *history) record(client int, do func() (input, output any, o outcome)) {
	call := time.Since(h.start).Nanoseconds()
	input, output, o := do()
	op := porcupine.Operation{ClientId: client, Input: input, Output: output, Call: call, Return: time.Since(h.start).Nanoseconds()}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch o {
	case unapplied:
		return
	case unknown:
		op.Return = math.MaxInt64
		h.maybe++
	}
	h.ops = append(h.ops, op)
}

// linearizable reports whether the operations can be put into an order that the model allows, with
// each operation at one moment between its call and its return.
func (h *history) linearizable(t *testing.T, model porcupine.Model) bool {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	result, info := porcupine.CheckOperationsVerbose(model, h.ops, time.Minute)
	require.NotEqual(t, porcupine.Unknown, result, "the checker did not come to an end with %d operations", len(h.ops))
	if result == porcupine.Illegal {
		if path := filepath.Join(t.ArtifactDir(), "history.html"); porcupine.VisualizePath(model, info, path) == nil {
			t.Logf("the history as a picture, with -artifacts: %s", path)
		}
	}
	return result == porcupine.Ok
}

// registers are a few numbers. An operation reads some of them and writes some, in one step.
type registers [4]int

// step is such an operation, as its client saw it.
type step struct {
	reads, writes map[int]int
	maybe         bool // the client does not know whether it wrote
}

// after returns the registers after the step. It reports whether the step can have seen r.
func (s step) after(r registers) (registers, bool) {
	for i, v := range s.reads {
		if r[i] != v {
			return r, false
		}
	}
	for i, v := range s.writes {
		r[i] = v
	}
	return r, true
}

var registerModel = (&porcupine.NondeterministicModel{
	Init: func() []any { return []any{registers{}} },
	Step: func(state, input, _ any) (next []any) {
		r, s := state.(registers), input.(step)
		if after, ok := s.after(r); ok {
			next = append(next, after)
		}
		if s.maybe {
			next = append(next, r)
		}
		return next
	},
}).ToModel()
