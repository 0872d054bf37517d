package codec_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
)

// TestAllocations holds the budgets: the encoded string and what the value itself needs.
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
