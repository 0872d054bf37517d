package suite_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/secure"
)

type (
	formerPage struct {
		Title string `json:"title"`
	}
	latterPage struct {
		Heading string `json:"heading"`
	}
)

// A struct one of whose fields was renamed was read as zero, also by GetOrLoad.
func TestValuesOfAnotherShape(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	printed := nest.Codec(codec.Fingerprinted(codec.JSON))
	way := nest.Codec(codec.Versioned(codec.Fingerprinted(codec.JSON), codec.Unversioned(codec.JSON)))
	was := nest.Key[formerPage]("page:<n>", printed)
	wasList := nest.List[formerPage]("list", printed)
	wasHidden := nest.Secret[formerPage]("hidden", printed)
	wasPlain := nest.Key[formerPage]("plain", nest.Codec(codec.JSON))
	is := nest.Key[latterPage]("page:<n>", printed)
	isList := nest.List[latterPage]("list", printed)
	isHidden := nest.Secret[latterPage]("hidden", printed)
	isPlain := nest.Key[formerPage]("plain", way)
	ring := nest.WithKeyring(newRing(t, secure.GenerateKey()))
	before := nesttest.Open(t, nest.Cluster("", nest.Sub(was, wasList, wasHidden, wasPlain)), ring)
	now := nesttest.Open(t, nest.Cluster("", nest.Sub(is, isList, isHidden, isPlain)), ring, nest.WithPrefix(before.Prefix()))

	for n := range 4 {
		require.NoError(t, was.At(before, n).Set(ctx, formerPage{"old"}))
	}
	require.NoError(t, second(wasList.At(before).PushRight(ctx, formerPage{"old"})))
	require.NoError(t, wasHidden.At(before).Set(ctx, formerPage{"old"}))
	require.NoError(t, wasPlain.At(before).Set(ctx, formerPage{"old"}))

	for what, err := range map[string]error{
		"value": second(is.At(now, 1).Get(ctx)), "list": second(isList.At(now).All(ctx)), "secret": second(isHidden.At(now).Get(ctx)),
	} {
		require.ErrorIs(t, err, codec.ErrShape, what)
		require.ErrorIs(t, err, nest.ErrDecode, what)
	}
	load := func(context.Context) (latterPage, error) { return latterPage{"new"}, nil }
	page, err := is.At(now, 1).GetOrLoad(ctx, load)
	require.NoError(t, err)
	require.Equal(t, latterPage{"new"}, page)
	page, err = is.At(now, 1).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, latterPage{"new"}, page, "it was stored")
	hidden, err := isHidden.At(now).GetOrLoad(ctx, load)
	require.NoError(t, err)
	require.Equal(t, latterPage{"new"}, hidden)
	pages, err := isList.At(now).GetOrLoad(ctx, func(context.Context) ([]latterPage, error) { return []latterPage{{"a"}, {"b"}}, nil })
	require.NoError(t, err)
	require.Len(t, pages, 2)
	many, err := nest.LoadMany(ctx, []int{1, 2, 3, 9}, func(n int) nest.KeyRef[latterPage] { return is.At(now, n) },
		func(_ context.Context, ids []int) (map[int]latterPage, error) {
			require.ElementsMatch(t, []int{2, 3, 9}, ids)
			return map[int]latterPage{2: {"two"}, 3: {"three"}}, nil
		})
	require.NoError(t, err)
	require.Equal(t, []nest.Optional[latterPage]{{Value: latterPage{"new"}, Found: true}, {Value: latterPage{"two"}, Found: true}, {Value: latterPage{"three"}, Found: true}, {}}, many)

	plain, err := isPlain.At(now).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, formerPage{"old"}, plain, "what was there before is read")
}
