package bench

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
)

// Tagged has no underlying library: its form has separators, escapes and nested datetimes that
// encoding/json does not write. It is compared with what one would write by hand with encoding/json
// to produce the same bytes, and to read them with the same checks of the types.

// compareTagged compares Tagged with the handwritten codec, whose bytes are the same.
func compareTagged(b *testing.B) {
	b.Run("int", func(b *testing.B) { compareHand(b, "int", storedInt) })
	b.Run("string", func(b *testing.B) { compareHand(b, "str", storedString) })
	b.Run("struct", func(b *testing.B) { compareHandStruct(b) })
	b.Run("slice", func(b *testing.B) { compareHand(b, "list", storedSlice) })
}

func compareHand[T any](b *testing.B, tag string, v T) {
	compareSame(b, v, byHand[T, []byte]{
		func(v T) ([]byte, error) { return handMarshal(tag, v) },
		func(data []byte) (v T, err error) {
			err = handUnmarshal(data, tag, &v)
			return v, err
		},
	})
}

func compareHandStruct(b *testing.B) {
	compareSame(b, storedStruct, byHand[stored, []byte]{
		func(v stored) ([]byte, error) {
			return handMarshal("dict", handStored{v.ID, v.Name, v.Email, v.Age, v.Score, v.Active, handTime{v.Created}, v.Country, v.Visits, v.Balance})
		},
		func(data []byte) (stored, error) {
			var h handStored
			err := handUnmarshal(data, "dict", &h)
			return stored{h.ID, h.Name, h.Email, h.Age, h.Score, h.Active, h.Created.Time, h.Country, h.Visits, h.Balance}, err
		},
	})
}

func compareSame[T any](b *testing.B, v T, l byHand[T, []byte]) {
	typed, err := codec.For[T](codec.Tagged)
	require.NoError(b, err)
	want, err := typed.Encode(v)
	require.NoError(b, err)
	got, err := l.marshal(v)
	require.NoError(b, err)
	require.Equal(b, want, string(got))
	compare(b, codec.Tagged, v, l)
}

type handStored struct {
	ID      int64    `json:"id"`
	Name    string   `json:"name"`
	Email   string   `json:"email"`
	Age     int      `json:"age"`
	Score   float64  `json:"score"`
	Active  bool     `json:"active"`
	Created handTime `json:"created"`
	Country string   `json:"country"`
	Visits  int64    `json:"visits"`
	Balance float64  `json:"balance"`
}

// handTime is a datetime inside another value.
type handTime struct{ time.Time }

func (t handTime) MarshalJSON() ([]byte, error) {
	return t.AppendFormat(nil, `{"__type__":"datetime","value":"2006-01-02T15:04:05.000000-07:00"}`), nil
}

func (t *handTime) UnmarshalJSON(data []byte) error {
	var s string
	if err := handUnmarshal(data, "datetime", &s); err != nil {
		return err
	}
	var err error
	t.Time, err = time.Parse("2006-01-02T15:04:05.000000-07:00", s)
	return err
}

type handEnvelope struct {
	Type  string `json:"__type__"`
	Value any    `json:"value"`
}

// handMarshal writes the same as encoding/json, with a space after each comma and colon.
func handMarshal(tag string, v any) ([]byte, error) {
	data, err := json.Marshal(handEnvelope{tag, v})
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(data)+len(data)/4+8)
	quoted := false
	for i := 0; i < len(data); i++ {
		c := data[i]
		out = append(out, c)
		switch {
		case c == '\\':
			i++
			out = append(out, data[i])
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ',' || c == ':'):
			out = append(out, ' ')
		}
	}
	return out, nil
}

func handUnmarshal(data []byte, tag string, v any) error {
	e := handEnvelope{Value: v} // a pointer, to read the value into
	if err := json.Unmarshal(data, &e); err != nil {
		return err
	}
	if e.Type != tag {
		return errors.New("another type")
	}
	return nil
}
