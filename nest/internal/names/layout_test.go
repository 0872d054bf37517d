package names

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLayoutsThatReadWhatTheyWrite(t *testing.T) {
	for _, layout := range []string{
		time.DateOnly, time.DateTime, time.RFC3339, time.RFC3339Nano, time.Kitchen, time.RFC1123Z, time.RFC850, time.StampMicro, "20060102",
		"2006", "2006-01", "200601021504", "06-1-2", "01-02", "15", "2006.002", "2006-01-02T15", "MST 2006",
	} {
		require.NoError(t, checkLayout(layout), layout)
	}
	for layout, why := range map[string]string{
		"": "is empty", "Monday": "leaves out", "Monday 15": "leaves out", "abc": "writes every time alike", "Monday 2006": "leaves out",
		"MST": "writes every time alike", " ": "as nothing", "Z07:00": "writes every time alike",
	} {
		require.ErrorContains(t, checkLayout(layout), why, layout)
	}
}

// FuzzLayout checks that an accepted layout reads what it writes, and writes the same again.
func FuzzLayout(f *testing.F) {
	for i, layout := range []string{time.DateOnly, time.Kitchen, time.RFC3339Nano, "Monday", "2006-01-02T15", "06.1.2 .000", "002", "_2 Jan", "x2006x", "\xff2006"} {
		f.Add(layout, int64(i)*1e9, int64(i))
	}
	f.Fuzz(func(t *testing.T, layout string, sec, nano int64) {
		s := &Spec{Name: "t", Type: timeType}
		if _, err := Describe[time.Time](s, func() error { return s.LayOut(layout) }); err != nil {
			return
		}
		text, err := s.Text(time.Unix(sec, nano%1e9))
		require.NoError(t, err)
		if s.canonical(string(text)) {
			back, err := time.ParseInLocation(layout, string(text), time.UTC)
			require.NoError(t, err)
			require.Equal(t, string(text), back.UTC().Format(layout))
		}
	})
}
