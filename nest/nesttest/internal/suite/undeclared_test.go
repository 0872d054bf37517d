package suite_test

import (
	"strconv"
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

	// The same name says as little if it comes from elsewhere, and so do errors about its key.
	for name, shown := range want {
		m, err := s.Match(prefix + ":" + name)
		require.ErrorIs(t, err, nest.ErrNoMatch)
		require.NotContains(t, err.Error(), secret)
		require.Equal(t, prefix+":"+shown, m.String())
		_, err = m.Ref().Do(t.Context(), "LLEN")
		require.ErrorIs(t, err, nest.ErrWrongType)
		require.Contains(t, err.Error(), strconv.Quote(prefix+":"+shown))
		require.NotContains(t, err.Error(), secret)
	}
	one, two := session.At(s, secret+"1"), session.At(s, secret+"2")
	_, err := one.Rename(t.Context(), two)
	require.ErrorIs(t, err, nest.ErrCrossSlot)
	require.NotContains(t, err.Error(), secret)
	b := s.Atomic()
	one.In(b).Set("x")
	two.In(b).Set("x")
	err = b.Exec(t.Context())
	require.ErrorIs(t, err, nest.ErrCrossSlot)
	require.NotContains(t, err.Error(), secret)
	err = nest.Transact(t.Context(), s, func(tx *nest.Tx) error {
		reads := tx.Reads()
		one.In(reads).Get()
		two.In(reads).Get()
		return reads.Exec(t.Context())
	})
	require.ErrorIs(t, err, nest.ErrCrossSlot)
	require.NotContains(t, err.Error(), secret)

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
