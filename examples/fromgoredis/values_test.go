package main

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// stocked has the fields in which the two clients differ.
type stocked struct {
	Text    *string    `nest:"text"             redis:"text"`
	Number  *int       `nest:"number"           redis:"number"`
	At      *time.Time `nest:"at"               redis:"at"`
	Dropped *int       `nest:"dropped,omitzero" redis:"dropped,omitempty"`
	Unnamed string
	Hidden  string `nest:"-"`
}

// TestWhereTheTwoClientsDiffer holds what docs/from-go-redis.md says about values that are not
// written alike.
func TestWhereTheTwoClientsDiffer(t *testing.T) {
	ctx, server := t.Context(), nesttest.Start(t)
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = rdb.Close() })
	account := nest.Record[stocked]("account")
	flag := nest.Key[bool]("flag", nest.Codec(codec.JSON))
	tree := nest.Cluster("differ", nest.Sub(account, flag, nest.Key[int]("age:<id>", nest.Params(nest.Param[int64]("id")))))
	root, err := nest.Open(server.Client(t), tree)
	require.NoError(t, err)

	// go-redis writes the zero of a nil pointer's type, and no field without a tag.
	require.NoError(t, rdb.HSet(ctx, "differ:account", stocked{Unnamed: "u", Hidden: "h"}).Err())
	stored := rdb.HGetAll(ctx, "differ:account").Val()
	require.Equal(t, map[string]string{"text": "", "number": "0", "at": "0001-01-01T00:00:00Z"}, stored)
	read, err := account.At(root).Get(ctx)
	require.NoError(t, err)
	require.Equal(t, stocked{Text: new(""), Number: new(0), At: new(time.Time{})}, read)

	// Here a nil pointer is no field, and a field without a tag has its Go name.
	require.NoError(t, account.At(root).Set(ctx, stocked{Unnamed: "u", Hidden: "h"}))
	require.Equal(t, map[string]string{"Unnamed": "u"}, rdb.HGetAll(ctx, "differ:account").Val())

	// A bool that was stored as a word.
	for text, want := range map[string]bool{"true": true, "false": false} {
		require.NoError(t, rdb.Set(ctx, "differ:flag", text, 0).Err())
		got, err := flag.At(root).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.NoError(t, flag.At(root).Set(ctx, want))
		require.Equal(t, text, rdb.Get(ctx, "differ:flag").Val())
	}

	// Names that look as if they were declared.
	for name, declared := range map[string]bool{"differ:age:7": true, "differ:age:007": false, "differ:age:x": false} {
		_, err := root.Match(name)
		require.Equal(t, declared, err == nil, name)
	}
}
