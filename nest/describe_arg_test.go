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

func TestMatchesFromText(t *testing.T) {
	id, token := nest.Param[int64]("id"), nest.Param[string]("token", nest.Sensitive())
	name, session := nest.Key[string]("name"), nest.Key[string]("session:<token>:<loose>", nest.Params(token))
	user := nest.Cluster("user:<id>", nest.Params(id), nest.Sub(name, session))
	version := nest.Key[int]("version")
	root := nest.Cluster("root", nest.Sub(user, version))
	s, err := nest.Open(nil, root, nest.NamesOnly())
	require.NoError(t, err)
	m, err := s.Describe().Nodes[1].Match(nil)
	require.NoError(t, err)
	require.Equal(t, "root:version", m.Key())
	d := s.Describe().Nodes[0]
	m, err = d.Nodes[0].Match(map[string]string{"id": "42"})
	require.NoError(t, err)
	require.Equal(t, name.At(s, 42).Key(), m.Key())
	require.Same(t, name, m.Def())
	m, err = d.Nodes[1].Match(map[string]string{"id": "42", "token": "a:b%", "loose": "<>"})
	require.NoError(t, err)
	require.Equal(t, session.At(s, 42, "a:b%", "<>").Key(), m.Key())
	require.NotContains(t, m.String(), "a")

	below := user.At(s, 42).Describe()
	m, err = below.Nodes[0].Match(nil)
	require.NoError(t, err)
	require.Equal(t, name.At(s, 42).Key(), m.Key())

	const hidden = "confidential"
	for what, c := range map[string]struct {
		d      nest.Description
		values map[string]string
		wants  error
	}{
		"missing": {d.Nodes[0], nil, nest.ErrMissingParam},
		"extra":   {d.Nodes[0], map[string]string{"id": "42", hidden: hidden}, nest.ErrExtraParam},
		"filled":  {below.Nodes[0], map[string]string{"id": "42"}, nest.ErrExtraParam},
		"value":   {d.Nodes[0], map[string]string{"id": hidden}, nest.ErrParamValue},
		"empty":   {d.Nodes[1], map[string]string{"id": "42", "token": "", "loose": hidden}, nest.ErrParamValue},
		"cluster": {d, map[string]string{"id": "42"}, nest.ErrArgument},
		"zero":    {nest.Description{}, nil, nest.ErrArgument},
	} {
		_, err := c.d.Match(c.values)
		require.ErrorIs(t, err, c.wants, what)
		require.NotContains(t, err.Error(), hidden, what)
	}
}
