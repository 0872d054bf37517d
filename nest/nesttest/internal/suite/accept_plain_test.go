package suite_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/secure"
)

type plainAccount struct {
	Name  string `nest:"name"`
	Token string `nest:"token,secret,was=old"`
	Count int    `nest:"count,secret"`
}

// The keys of a program from before encryption, and the same keys with it.
var (
	bareKey     = nest.Key[string]("key:<n>", nest.TTL(time.Hour))
	bareNumber  = nest.Key[int]("number")
	bareFields  = nest.Hash[string]("fields")
	bareAll     = nest.Hash[int]("all")
	bareLogin   = nest.Hash[string]("login")
	bareRoot    = nest.Cluster("bare", nest.Sub(bareKey, bareNumber, bareFields, bareAll, bareLogin))
	plainKey    = nest.Secret[string]("key:<n>", nest.TTL(time.Hour), nest.AcceptPlain())
	plainNumber = nest.Secret[int]("number", nest.AcceptPlain())
	plainFields = nest.Hash[string]("fields", nest.SecretFields("pin"), nest.AcceptPlain())
	plainAll    = nest.Hash[int]("all", nest.SecretFields(), nest.AcceptPlain())
	plainLogin  = nest.Record[plainAccount]("login", nest.AcceptPlain())
	plainRoot   = nest.Cluster("bare", nest.Sub(plainKey, plainNumber, plainFields, plainAll, plainLogin))
	strictKey   = nest.Secret[string]("key:<n>", nest.TTL(time.Hour))
	strictRoot  = nest.Cluster("bare", nest.Sub(strictKey))
)

// What was stored before encryption was turned on could never be read again, nor rotated.
func TestSecretsAcceptWhatWasPlain(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	key := secure.GenerateKey()
	before := nesttest.Open(t, bareRoot)
	under := nest.WithPrefix(strings.TrimSuffix(before.Prefix(), ":bare"))
	now := nesttest.Open(t, plainRoot, under, nest.WithKeyring(newRing(t, key)))
	strict := nesttest.Open(t, strictRoot, under, nest.WithKeyring(newRing(t, key)))
	foreign := nesttest.Open(t, strictRoot, under, nest.WithKeyring(newRing(t, secure.GenerateKey())))
	db := redis{t, nesttest.Client(t)}

	require.NoError(t, bareKey.At(before, 1).Set(ctx, "one"))
	require.NoError(t, bareKey.At(before, 2).Set(ctx, ""))
	require.NoError(t, bareNumber.At(before).Set(ctx, 42))
	require.NoError(t, bareFields.At(before).SetMany(ctx, map[string]string{"pin": "1234", "open": "yes"}))
	require.NoError(t, bareAll.At(before).SetMany(ctx, map[string]int{"a": 1, "b": 2}))
	require.NoError(t, bareLogin.At(before).SetMany(ctx, map[string]string{"name": "Ann", "old": "abc", "count": "7"}))

	reads := func() {
		t.Helper()
		one, err := plainKey.At(now, 1).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, "one", one)
		empty, found, err := plainKey.At(now, 2).Lookup(ctx)
		require.NoError(t, err)
		require.True(t, found)
		require.Empty(t, empty)
		n, err := plainNumber.At(now).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, 42, n)
		fields, err := plainFields.At(now).All(ctx)
		require.NoError(t, err)
		require.Equal(t, map[string]string{"pin": "1234", "open": "yes"}, fields)
		all, err := plainAll.At(now).All(ctx)
		require.NoError(t, err)
		require.Equal(t, map[string]int{"a": 1, "b": 2}, all)
		who, err := plainLogin.At(now).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, plainAccount{"Ann", "abc", 7}, who)
	}
	reads()
	_, err := strictKey.At(strict, 1).Get(ctx)
	require.ErrorIs(t, err, nest.ErrOpen)
	require.Contains(t, now.Describe().String(), "ACCEPTS WHAT IS NOT SEALED")

	// What is broken, or sealed by another key, is not plain; nor is what the codec does not read.
	require.NoError(t, strictKey.At(foreign, 3).Set(ctx, "theirs"))
	require.NoError(t, strictKey.At(strict, 4).Set(ctx, "mine"))
	db.set(bareKey.At(before, 4).Key(), db.text(bareKey.At(before, 4).Key())[:40])
	db.set(bareKey.At(before, 5).Key(), `{"__type__":"str","value":"gAAAAABm"}`)
	for n := 3; n <= 5; n++ {
		_, err := plainKey.At(now, n).Get(ctx)
		require.ErrorIs(t, err, nest.ErrOpen, n)
	}
	db.set(bareNumber.At(before).Key(), "many")
	_, err = plainNumber.At(now).Get(ctx)
	require.ErrorIs(t, err, nest.ErrDecode)
	failed := rotateAs(t, now)
	require.EqualValues(t, 4, failed.Failed)
	require.Equal(t, "many", db.text(bareNumber.At(before).Key()), "it is never overwritten")
	require.EqualValues(t, 2+1+2+2, failed.Resealed)
	for n := 3; n <= 5; n++ {
		require.NoError(t, second(bareKey.At(before, n).Delete(ctx)))
	}
	require.NoError(t, bareNumber.At(before).Set(ctx, 42))
	done := rotateAs(t, now)
	require.EqualValues(t, 1, done.Resealed)
	require.EqualValues(t, 1, done.ByKeyID[""])
	require.True(t, rotateAs(t, now).Clean())
	reads()
	one, err := strictKey.At(strict, 1).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, "one", one)
	left, err := strictKey.At(strict, 1).TTL(ctx)
	require.NoError(t, err)
	require.Positive(t, left, "the TTL goes on")
}

func rotateAs(t *testing.T, s nest.Scope) nest.RotateReport {
	t.Helper()
	report, err := nest.Rotate(t.Context(), s)
	require.NoError(t, err)
	return report
}

func TestAcceptPlainIsRefused(t *testing.T) {
	t.Parallel()
	ring := nest.WithKeyring(newRing(t, secure.GenerateKey()))
	err := nest.Check(nest.Cluster("r", nest.Sub(nest.Hash[int]("h", nest.AcceptPlain()), nest.Record[point]("p", nest.AcceptPlain()))), ring)
	require.ErrorIs(t, err, nest.ErrDeclaration)
	require.Equal(t, 2, strings.Count(err.Error(), "no secret fields"))
	require.Panics(t, func() { nest.Key[int]("k", nest.AcceptPlain()) })
	require.Panics(t, func() { nest.Password("k", nest.AcceptPlain()) })
	require.Panics(t, func() { nest.Secret[int]("k", nest.AcceptPlain(), nest.AcceptPlain()) })
}
