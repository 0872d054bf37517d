package nest

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What a client remembers of many numbers is bounded, and never lacks those of the last minutes.
func TestTheNewestNumbersAreKeptForAWhile(t *testing.T) {
	var n newest
	name := strconv.Itoa
	for i := range 3 * newestKept {
		n.note(name(i), false, int64(i+1))
	}
	for i := range 3 * newestKept {
		require.EqualValues(t, i+1, n.of(name(i), false))
	}
	n.note("0", false, 0)
	require.EqualValues(t, 1, n.of("0", false), "a number does not become smaller")

	n.since = n.since.Add(-newestFor - time.Second)
	n.note("new", false, 5)
	require.Len(t, n.young, 1)
	require.EqualValues(t, 1, n.of("0", false))
	n.note("0", false, 7)
	for i := range newestKept {
		n.note(name(i+10*newestKept), false, 1)
	}
	n.since = n.since.Add(-newestFor - time.Second)
	n.note("newer", false, 5)
	require.EqualValues(t, 7, n.of("0", false))
	require.Zero(t, n.of("1", false), "it was long ago, and others came")

	n.note("", true, 5)
	n.note("", true, 4)
	require.EqualValues(t, 5, n.of("", true))
}
