package nest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
)

func TestArgumentsFromText(t *testing.T) {
	type color string
	number, small, on := nest.Param[int64]("number"), nest.Param[uint8]("small"), nest.Param[bool]("on")
	shade, day := nest.Param[color]("shade"), nest.Param[time.Time]("day", nest.Layout(time.DateOnly))
	key := nest.Counter[int]("k:<number>:<small>:<on>:<shade>:<day>:<loose>", nest.Params(number, small, on, shade, day))
	root := nest.Cluster("root", nest.Sub(key))
	s, err := nest.Open(nil, root, nest.NamesOnly())
	require.NoError(t, err)
	d := s.Describe().Nodes[0]
	require.Same(t, key, d.Node)
	var args []any
	for i, text := range []string{"-7", "7", "true", "deep red", "2026-11-29"} {
		arg, err := d.Params[i].Arg(text)
		require.NoError(t, err, text)
		args = append(args, arg)
	}
	require.Equal(t, "root:k:-7:7:true:deep red:2026-11-29:x", key.At(s, append(args, "x")...).Key())
	arg, err := d.Params[0].Arg("-7")
	require.NoError(t, err)
	matches, err := s.Filter(nest.Where(arg))
	require.NoError(t, err)
	for n, want := range map[int64]bool{-7: true, 7: false} {
		m, err := s.Match(key.At(s, n, uint8(7), true, color("red"), day.Of(time.Now()), "x").Key())
		require.NoError(t, err)
		require.Equal(t, want, matches(m))
	}

	for i, text := range map[int]string{0: "x", 1: "256", 2: "maybe"} {
		_, err := d.Params[i].Arg(text)
		require.ErrorIs(t, err, nest.ErrParamValue, text)
		require.NotContains(t, err.Error(), text)
	}
	bad, err := d.Params[4].Arg("tomorrow")
	require.NoError(t, err)
	_, err = s.Filter(nest.Where(bad))
	require.ErrorIs(t, err, nest.ErrParamValue)
	_, err = d.Params[5].Arg("x")
	require.ErrorIs(t, err, nest.ErrArgument)
	_, err = nest.ParamDescription{}.Arg("x")
	require.ErrorIs(t, err, nest.ErrArgument)
}
