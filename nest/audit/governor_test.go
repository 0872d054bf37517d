package audit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A server that does not answer is not a fast one.
func TestAPingWithoutAnAnswerCounts(t *testing.T) {
	t.Parallel()
	start := time.Now()
	at := start.Add
	p := &probe{taken: start}
	took, answered := p.take(start)
	require.Zero(t, took)
	require.False(t, answered)

	// Answers in time.
	for n := range 20 {
		due := time.Duration(n) * pingEvery
		p.ask(at(due))
		p.answer(at(due + time.Millisecond))
	}
	took, answered = p.take(at(window))
	require.Equal(t, time.Millisecond, took)
	require.True(t, answered)

	// None: it is due since it was first asked, however often it is sent again.
	for n := 1; n <= 5; n++ {
		p.ask(at(window * time.Duration(n)))
		took, answered = p.take(at(window * time.Duration(n+1)))
		require.Equal(t, window*time.Duration(n), took)
		require.False(t, answered)
	}
	p.answer(at(window*6 + 10*time.Millisecond))
	for n := range 5 {
		due := window*6 + time.Duration(20+n)*time.Millisecond
		p.ask(at(due))
		p.answer(at(due + time.Millisecond))
	}
	took, answered = p.take(at(window * 7))
	require.Equal(t, 5*window+10*time.Millisecond, took, "most of the window's first part was without an answer")
	require.True(t, answered)

	g := &governor{ceiling: time.Millisecond, rate: firstRate, limited: true, probes: map[string]*probe{"a": {asked: time.Now().Add(-time.Minute), taken: time.Now().Add(-window)}}}
	g.judge()
	require.Less(t, g.rate, firstRate)
}
