package suite_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// Names that nothing declares can hold a secret all the same: where a declared name has it.
func TestUndeclaredNamesHideWhatDeclaredOnesDo(t *testing.T) {
	t.Parallel()
	token, number := nest.Param[string]("token", nest.Sensitive()), nest.Param[int]("number", nest.Sensitive())
	session := nest.Key[string]("session:<token>", nest.Params(token))
	part := nest.Key[string]("part")
	card := nest.Cluster("card:<number>", nest.Params(number), nest.Sub(part))
	s := nesttest.Open(t, nest.Cluster("hiding", nest.Sub(session, card)))
	const secret = "hunter2"
	client, prefix := s.Client(), s.Prefix()
	want := map[string]string{
		"session:" + secret + ":old":          "session:<token>:old",
		"session:" + secret + "%aa":           "session:<token>",
		"card:" + secret + ":part":            "card:<number>:part", // it is no number
		"card:" + secret:                      "card:<number>",
		"card:12:" + secret[:6] + ":declared": "card:<number>:" + secret[:6] + ":declared",
		"other:name":                          "other:name",
	}
	for name := range want {
		key := prefix + ":" + name
		require.NoError(t, client.Do(t.Context(), client.B().Set().Key(key).Value("x").Build()).Error())
		// What is kept beside a key that nothing declares hides as much.
		beside := key + "%token{" + key + "}"
		require.NoError(t, client.Do(t.Context(), client.B().Set().Key(beside).Value("1").Build()).Error())
	}
	seen := 0
	for m, err := range s.Keys(t.Context(), nest.Undeclared()) {
		require.NoError(t, err)
		require.NotContains(t, m.String(), secret)
		if _, _, beside := m.Companion(); !beside {
			require.Equal(t, prefix+":"+want[strings.TrimPrefix(m.Key(), prefix+":")], m.String())
			seen++
		}
	}
	require.Equal(t, len(want), seen)
	besides := 0
	for m, err := range s.Keys(t.Context(), nest.Companions()) {
		require.NoError(t, err)
		if of, _, ok := m.Companion(); ok {
			require.NotContains(t, m.String()+of.String(), secret)
			besides++
		}
	}
	require.Equal(t, len(want), besides)
}
