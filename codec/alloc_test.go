package codec_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
)

// TestAllocations checks the budgets: the encoded string, and what the value itself needs.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	auto := codec.Auto
	allocates(t, auto, "a string", 0, 0)
	allocates(t, auto, title("a title"), 0, 0)
	allocates(t, auto, []byte("some bytes"), 1, 1)
	allocates(t, auto, 1234567, 1, 0)
	allocates(t, auto, 7, 0, 0)
	allocates(t, auto, age(1234567), 1, 0)
	allocates(t, auto, uint64(1<<63), 1, 0)
	allocates(t, auto, time.Hour, 1, 0)
	allocates(t, auto, 3.25, 1, 0)
	allocates(t, auto, float32(3.25), 1, 0)
	allocates(t, auto, true, 0, 0)
	allocates(t, auto, flag(false), 0, 0)
	allocates(t, auto, time.Date(2024, 1, 2, 3, 4, 5, 6, time.UTC), 1, 0)
}

func allocates[T any](t *testing.T, c codec.Codec, v T, encode, decode float64) {
	t.Helper()
	typed, err := codec.For[T](c)
	require.NoError(t, err)
	var stored string
	require.Equal(t, encode, testing.AllocsPerRun(100, func() { stored, err = typed.Encode(v) }), "encoding a %T", v)
	require.NoError(t, err)
	var back T
	require.Equal(t, decode, testing.AllocsPerRun(100, func() { back, err = typed.Decode(stored) }), "decoding a %T", v)
	require.NoError(t, err)
	same(t, v, back)
}

// TestJSONAllocations checks that JSON allocates as much as encoding/json does, also as the
// fallback of another codec.
func TestJSONAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	v := config{Name: "name", Tags: []string{"a", "b"}, Limit: map[string]int{"x": 1}, Next: &config{}}
	data, err := json.Marshal(v)
	require.NoError(t, err)
	encode := testing.AllocsPerRun(100, func() { data, err = json.Marshal(v) })
	require.NoError(t, err)
	decode := testing.AllocsPerRun(100, func() {
		var back config
		err = json.Unmarshal(data, &back)
	})
	require.NoError(t, err)
	allocates(t, codec.JSON, v, encode, decode)
	allocates(t, codec.Auto, v, encode, decode)
	for range 32 { // some of these leave no room after the output
		allocates(t, codec.Versioned(codec.JSON), v, encode, decode)
		v.Name += "n"
	}
}

// TestPlainJSONAllocations checks that JSON keeps to the budgets of Auto, quotes included.
func TestPlainJSONAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	allocates(t, codec.JSON, "a string", 1, 0)
	allocates(t, codec.JSON, title("a title"), 1, 0)
	allocates(t, codec.JSON, 1234567, 1, 0)
	allocates(t, codec.JSON, uint8(7), 0, 0)
	allocates(t, codec.Versioned(codec.JSON), 1234567, 2, 1)
	allocates(t, codec.Versioned(codec.JSON), "a string", 2, 2)
}

// TestMarksAreNotShared overwrites the encoded form of an empty value, which must not change the
// mark.
func TestMarksAreNotShared(t *testing.T) {
	c := codec.Versioned(codec.Raw)
	for range 2 {
		data, err := c.Append(nil, "")
		require.NoError(t, err)
		require.Equal(t, "\xC1V\x01", string(data))
		clear(data)
	}
}
