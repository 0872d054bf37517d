package suite_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

func TestPartsOfAValue(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	text := nest.Key[string]("text", nest.Default("default"))
	raw := nest.Key[[]byte]("raw")
	tree := nest.Cluster("parts", nest.Sub(text, raw))
	s := nesttest.Open(t, tree)
	ref := text.At(s)

	n, err := ref.StrLen(ctx)
	require.NoError(t, err)
	require.Zero(t, n)
	part, err := ref.GetRange(ctx, 0, -1)
	require.NoError(t, err)
	require.Empty(t, part, "the default is not used")
	n, err = ref.Append(ctx, "")
	require.NoError(t, err)
	require.Zero(t, n)
	there, err := ref.Exists(ctx)
	require.NoError(t, err)
	require.False(t, there, "an empty part makes no key")

	for _, c := range []struct {
		run  func() (int64, error)
		n    int64
		want string
	}{
		{func() (int64, error) { return ref.Append(ctx, "hällo") }, 6, "hällo"},
		{func() (int64, error) { return ref.Append(ctx, ", \x00world") }, 14, "hällo, \x00world"},
		{func() (int64, error) { return ref.SetRange(ctx, 1, "e") }, 14, "he\xa4llo, \x00world"},
		{func() (int64, error) { return ref.SetRange(ctx, 15, "!") }, 16, "he\xa4llo, \x00world\x00!"},
		{func() (int64, error) { return ref.SetRange(ctx, 3, "") }, 0, "he\xa4llo, \x00world\x00!"},
		{func() (int64, error) { return ref.StrLen(ctx) }, 16, "he\xa4llo, \x00world\x00!"},
	} {
		n, err := c.run()
		require.NoError(t, err)
		require.Equal(t, c.n, n)
		got, err := ref.GetRange(ctx, 0, -1)
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
	for _, c := range []struct {
		first, last int64
		want        string
	}{{0, 1, "he"}, {-1, -1, "!"}, {-100, 0, "h"}, {5, 4, ""}, {100, 200, ""}} {
		got, err := ref.GetRange(ctx, c.first, c.last)
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
	for _, offset := range []int64{-1, 512 << 20, 1<<63 - 1} {
		_, err = ref.SetRange(ctx, offset, "x")
		require.ErrorIs(t, err, nest.ErrArgument)
	}

	n, err = raw.At(s).Append(ctx, []byte{0xff, 0})
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	b, err := raw.At(s).GetRange(ctx, 0, 0)
	require.NoError(t, err)
	require.Equal(t, []byte{0xff}, b)
}

// A part of an encoded value is not a value, and neither are two values joined.
func TestPartsOfEncodedValues(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	number := nest.Key[int]("number")
	quoted := nest.Key[string]("quoted", nest.Codec(codec.JSON))
	at := nest.Key[time.Time]("time")
	s := nesttest.Open(t, nest.Cluster("encoded", nest.Sub(number, quoted, at)))
	require.NoError(t, number.At(s).Set(ctx, 42))
	require.NoError(t, quoted.At(s).Set(ctx, "x"))

	n, err := quoted.At(s).StrLen(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 3, n, "with its quotation marks")
	for what, op := range map[string]func() error{
		"append to a number":  func() error { _, err := number.At(s).Append(ctx, 1); return err },
		"range of a number":   func() error { _, err := number.At(s).GetRange(ctx, 0, 1); return err },
		"append to JSON":      func() error { _, err := quoted.At(s).Append(ctx, "y"); return err },
		"write over JSON":     func() error { _, err := quoted.At(s).SetRange(ctx, 0, "y"); return err },
		"append to a time":    func() error { _, err := at.At(s).Append(ctx, time.Now()); return err },
		"append an empty one": func() error { _, err := quoted.At(s).Append(ctx, ""); return err },
	} {
		err := op()
		require.ErrorIs(t, err, nest.ErrArgument, what)
		require.ErrorContains(t, err, "as the bytes that it is", what)
	}
	got, err := number.At(s).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, 42, got)
}
