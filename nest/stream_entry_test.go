package nest

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func FuzzEntryID(f *testing.F) {
	for _, seed := range []string{"", "-", "0", "0-0", "1-", "-1", "1526919030474-55", "+1-1", "1-+1", "18446744073709551615-18446744073709551615", "1 -1", "1-1-1", "$"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := parseID(text)
		if err != nil {
			require.ErrorIs(t, err, ErrArgument)
			if text != "" {
				require.NotContains(t, err.Error(), `"`+text+`"`)
			}
			return
		}
		again, err := parseID(id.String())
		require.NoError(t, err)
		require.Equal(t, id, again)
		if next, ok := id.next(); ok {
			back, ok := next.previous()
			require.True(t, ok)
			require.Equal(t, id, back)
		}
	})
}

func TestEntryIDNeighbours(t *testing.T) {
	last := entryID{math.MaxUint64, math.MaxUint64}
	_, ok := last.next()
	require.False(t, ok)
	_, ok = entryID{}.previous()
	require.False(t, ok)
	next, ok := entryID{1, math.MaxUint64}.next()
	require.True(t, ok)
	require.Equal(t, entryID{2, 0}, next)
	previous, ok := entryID{2, 0}.previous()
	require.True(t, ok)
	require.Equal(t, entryID{1, math.MaxUint64}, previous)
}

func TestEntryTime(t *testing.T) {
	at := time.UnixMilli(1526919030474)
	require.Equal(t, at, Entry[int]{ID: "1526919030474-55"}.Time())
	require.Equal(t, "1526919030474-0", IDAt(at))
	require.Equal(t, "0-0", IDAt(time.Time{}))
	require.Equal(t, "0-0", IDAt(time.Unix(-1, 0)))
	require.Equal(t, "0-0", IDAt(time.Unix(math.MinInt64/1000-1, 0)))
	// The milliseconds of a time this far away do not fit into an int64. The ID was 0-0, from which
	// KeepFrom keeps everything.
	require.Equal(t, "253402300800000-0", IDAt(time.Unix(math.MaxInt64, 0)))
	require.Equal(t, "253402300799999-0", IDAt(time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)))
	require.True(t, Entry[int]{ID: "none"}.Time().IsZero())
}

func TestStreamOptionsAreCheckedWhenDeclared(t *testing.T) {
	for name, row := range map[string]struct {
		declare func()
		want    string
	}{
		"a default":           {func() { Stream[int]("s", Default(1)) }, "a stream has no default"},
		"fields of no struct": {func() { Stream[int]("s", EntryPerField()) }, "a record is a struct"},
		"a secret field": {func() {
			Stream[struct {
				Open   string
				Hidden string `nest:"hidden,secret"`
			}]("s", EntryPerField())
		}, "field Hidden is secret, and the entries of a stream are not encrypted"},
		"trimming a key":        {func() { Key[int]("k", KeepLast(1)) }, "trimming is no option of a value"},
		"trimming to less":      {func() { Stream[int]("s", KeepLast(-1)) }, "cannot be negative"},
		"trimming from nowhere": {func() { Stream[int]("s", KeepFrom("x")) }, "an ID is"},
		"trimming twice":        {func() { Stream[int]("s", KeepLast(1), KeepFrom("1-0")) }, "given twice"},
		"a limit of exactness":  {func() { Stream[int]("s", KeepLast(1).Limit(5)) }, "Limit needs Approx"},
		"a field and several":   {func() { Stream[struct{ A int }]("s", EntryField("x"), EntryPerField()) }, "exclude each other"},
		"two fields":            {func() { Stream[int]("s", EntryField("x"), EntryField("y")) }, "EntryField is given twice"},
		"two expiries":          {func() { Hash[int]("h", FieldTTL(1), FieldTTL(2)) }, "FieldTTL is given twice"},
		"no name":               {func() { Stream[int]("s", EntryField("")) }, "the name is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				text, _ := recover().(string)
				require.Contains(t, text, row.want)
				require.Contains(t, text, "stream_entry_test.go:")
			}()
			row.declare()
			t.Fatal("accepted")
		})
	}
}
