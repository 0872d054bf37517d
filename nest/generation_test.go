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
	note := func(name string, number int64) { n.note(name, name+"%", false, number) }
	of := func(name string) int64 { return n.of([]byte(name)).number }
	for i := range 3 * newestKept {
		note(name(i), int64(i+1))
	}
	for i := range 3 * newestKept {
		require.EqualValues(t, i+1, of(name(i)))
	}
	note("0", 0)
	require.EqualValues(t, 1, of("0"), "a number does not become smaller")

	n.since = n.since.Add(-newestFor - time.Second)
	note("new", 5)
	require.Len(t, n.young, 1)
	require.EqualValues(t, 1, of("0"))
	note("0", 7)
	for i := range newestKept {
		note(name(i+10*newestKept), 1)
	}
	n.since = n.since.Add(-newestFor - time.Second)
	note("newer", 5)
	require.EqualValues(t, 7, of("0"))
	require.Zero(t, of("1"), "it was long ago, and others came")

	require.Equal(t, "new%", n.of([]byte("new")).key)

	n.note("", "", true, 5)
	n.note("", "", true, 4)
	require.EqualValues(t, 5, n.one.Load())
}
