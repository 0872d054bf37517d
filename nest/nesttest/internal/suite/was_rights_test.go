package suite_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/acl"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/secure"
)

// A user with the rules of a renamed cluster moves its keys. One who may only read them reads what
// has been moved, and is told that the rest has not.
func TestUsersOfRenamedKeys(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := nesttest.Shared(t)
	server.Need(t, nesttest.ACL)
	id := nest.Param[int64]("id")
	ring := nest.WithKeyring(newRing(t, secure.GenerateKey()))
	oldAge, oldPIN := nest.Key[int]("age"), nest.Secret[string]("pin")
	oldUser := nest.Cluster("u:{<id>}", nest.Params(id), nest.Sub(oldAge, oldPIN))
	age, pin := nest.Key[int]("age", nest.TTL(time.Hour)), nest.Secret[string]("pin")
	user := nest.Cluster("user:{<id>}", nest.Params(id), nest.Was("u:{<id>}"), nest.Sub(age, pin))
	before := nesttest.Open(t, nest.Cluster("r", nest.Sub(oldUser)), ring)
	prefix := nest.WithPrefix(strings.TrimSuffix(before.Prefix(), ":r"))
	root := nest.Cluster("r", nest.Sub(user))
	names, err := nest.Open(nil, root, nest.NamesOnly(), prefix)
	require.NoError(t, err)
	as := func(mode acl.Mode) nest.Scope {
		rules, err := acl.Rules(user.At(names, 4), mode, acl.On(ctx, server.Client(t)))
		require.NoError(t, err)
		s, err := nest.Open(server.ClientOf(t, rules), root, ring, prefix)
		require.NoError(t, err)
		return user.At(s, 4)
	}
	reader, writer := as(acl.ReadOnly), as(acl.ReadWrite)

	_, err = age.At(reader).Get(ctx)
	require.ErrorIs(t, err, nest.ErrNotFound)
	_, err = age.At(reader).TTL(ctx)
	require.ErrorIs(t, err, nest.ErrNotFound)
	require.NoError(t, oldAge.At(before, 4).Set(ctx, 40))
	require.NoError(t, oldPIN.At(before, 4).Set(ctx, "1234"))
	_, err = age.At(reader).Get(ctx)
	require.Regexp(t, "NOPERM|ACL failure", err)
	for _, scope := range []nest.Scope{writer, reader} {
		got, err := age.At(scope).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, 40, got)
		code, err := pin.At(scope).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, "1234", code)
	}
	require.NoError(t, oldAge.At(before, 4).Set(ctx, 41))
	require.NoError(t, age.At(writer).Set(ctx, 42), "removes the old name")
	_, err = oldAge.At(before, 4).Get(ctx)
	require.ErrorIs(t, err, nest.ErrNotFound)
	_, err = age.At(writer).Delete(ctx)
	require.NoError(t, err)
	require.NoError(t, oldAge.At(before, 4).Set(ctx, 43))
	report, err := nest.Migrate(ctx, writer)
	require.NoError(t, err)
	require.EqualValues(t, 1, report.Moved)
	got, err := age.At(reader).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, 43, got)

	// The keys of other users are out of reach, under both names.
	require.NoError(t, oldAge.At(before, 5).Set(ctx, 50))
	root5, err := nest.Open(writer.Client(), root, ring, prefix)
	require.NoError(t, err)
	_, err = age.At(root5, 5).Get(ctx)
	require.Regexp(t, "NOPERM|ACL failure", err)
}
