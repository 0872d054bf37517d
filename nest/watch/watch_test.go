package watch

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/internal/hashslot"
)

func TestClasses(t *testing.T) {
	d := nest.Description{Kind: nest.KindCluster, Nodes: []nest.Description{
		{Kind: nest.KindCounter}, {Kind: nest.KindCluster, Nodes: []nest.Description{{Kind: nest.KindStream}, {Kind: nest.KindChannel}}},
	}}
	require.Equal(t, "Kg$xet", classesFor(d, nil))
	require.Equal(t, "Kx", classesFor(d, []string{"expired"}))
	require.Equal(t, "Kg$t", classesFor(d, []string{"del", "xadd"}))
	require.Empty(t, missingFrom("AK", "Kg$xet"))
	require.Equal(t, "Kt", missingFrom("AgE", "Kgt")+missingFrom("Kg", "Kgt"))
	require.Equal(t, "KEg$lshzxetdmn", ordered("nmd$txezhslgEK"))
}

func TestOwnershipAsOfATime(t *testing.T) {
	t0 := time.Unix(100, 0)
	var few, more hashslot.Set
	require.True(t, few.AddText("1-5"))
	require.True(t, more.AddText("1-9"))
	old := &ownership{at: t0, slots: few}
	now := &ownership{at: t0.Add(2 * time.Second), slots: more, before: old}
	require.True(t, now.asOf(t0.Add(3*time.Second)).slots.Has(9))
	require.False(t, now.asOf(t0.Add(time.Second)).slots.Has(9))
	require.True(t, now.asOf(t0.Add(time.Second)).slots.Has(5))
	require.Nil(t, now.asOf(t0))
}

// What finds no room is counted, and gaps side by side are one.
func TestMailbox(t *testing.T) {
	b := newMailbox(2)
	for range 5 {
		b.put(letter{event: "set"})
	}
	b.put(letter{err: &gap{why: "lost"}})
	b.put(letter{event: "set"})
	b.put(letter{ready: true})
	b.put(letter{event: "set"})
	b.put(letter{err: errAnswer, last: true})
	some, ok := b.takeSome(t.Context(), 100)
	require.True(t, ok)
	require.Len(t, some, 6)
	var g *nest.GapError
	require.ErrorAs(t, some[2].err, &g)
	require.Equal(t, nest.GapError{Dropped: 4, Reconnected: true}, *g)
	require.ErrorIs(t, some[2].err, nest.ErrGap)
	require.EqualError(t, some[2].err, "messages are missing: lost, and 4 were dropped for want of room in the buffer")
	require.True(t, some[3].ready)
	require.Equal(t, &gap{dropped: 1}, some[4].err)
	require.True(t, some[5].last)
	require.ErrorIs(t, some[5].err, errAnswer)
}
