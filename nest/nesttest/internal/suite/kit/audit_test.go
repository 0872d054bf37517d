package kit_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// noted is a test that only notes what it is told.
type noted struct {
	testing.TB
	said []string
}

func (n *noted) Helper() {}
func (n *noted) Errorf(format string, args ...any) {
	n.said = append(n.said, fmt.Sprintf(format, args...))
}

func TestAssertionsOfAnAudit(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	session := nest.Key[string]("session:<token>", nest.TTL(time.Minute), nest.Params(nest.Param[string]("token", nest.Sensitive())))
	forever := nest.Key[string]("forever")
	root := nest.Cluster("asserted", nest.Sub(session, forever))
	s := nesttest.Open(t, root)
	client := nesttest.Client(t)
	require.NoError(t, session.At(s, "secret-token").Set(ctx, "x"))
	require.NoError(t, forever.At(s).Set(ctx, "x"))
	nesttest.NoKeyWithoutTTL(t, s)
	nesttest.NothingUndeclared(t, s)

	said := func(assert func(testing.TB, nest.Scope)) []string {
		n := &noted{TB: t}
		assert(n, s)
		return n.said
	}
	require.NoError(t, session.At(s, "secret-token").Set(ctx, "x", nest.NoExpiry()))
	got := said(nesttest.NoKeyWithoutTTL)
	require.Len(t, got, 1)
	require.Contains(t, got[0], s.Prefix()+":session:<token>, 1 key, declared at ")
	require.Contains(t, got[0], "audit_test.go:")
	require.Contains(t, got[0], "has no expiry, the declared TTL is 1m")
	require.NotContains(t, got[0], "secret-token")
	require.Empty(t, said(nesttest.NothingUndeclared))

	for i := range 12 {
		require.NoError(t, client.Do(ctx, client.B().Set().Key(fmt.Sprintf("%s:stray:%d", s.Prefix(), i)).Value("x").Build()).Error())
	}
	got = said(nesttest.NothingUndeclared)
	require.Len(t, got, 1)
	require.Contains(t, got[0], s.Prefix()+":stray:<n>, 12 keys")
	require.Equal(t, 10, strings.Count(got[0], s.Prefix()+":stray:")-1)
	require.NotContains(t, got[0], "missing ttl")

	s = nest.Scope{}
	require.Contains(t, said(nesttest.NothingUndeclared)[0], "zero Scope")
}
