//nest:ignore what the server says of wrong calls is tested here

package suite_test

import (
	"context"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// answered has a key of each kind whose answers differ. Without a TTL an operation is one command;
// with one it is a script.
type answered struct {
	text  *nest.KeyDef[string]
	list  *nest.ListDef[string]
	hash  *nest.HashDef[int64]
	count *nest.CounterDef[int64]
	rate  *nest.HashDef[float64]
	score *nest.SortedSetDef[string]
	log   *nest.StreamDef[string]
	geo   *nest.GeoDef[string]
	bits  *nest.BitmapDef
}

func answering(opts ...nest.ClusterOption) (answered, *nest.ClusterDef) {
	k := answered{
		nest.Key[string]("text"), nest.List[string]("list"), nest.Hash[int64]("hash"), nest.Counter[int64]("count"), nest.Hash[float64]("rate"),
		nest.SortedSet[string]("score"), nest.Stream[string]("log"), nest.Geo[string]("geo"), nest.Bitmap("bits"),
	}
	opts = append(opts, nest.Sub(k.text, k.list, k.hash, k.count, k.rate, k.score, k.log, k.geo, k.bits))
	return k, nest.Cluster("answers", opts...)
}

// Servers word their answers differently. Each answer that has a sentinel is recognized on all
// servers, whether it comes from a command or from a script.
func TestAnswersHaveTheirSentinels(t *testing.T) {
	t.Parallel()
	needsAnyCommand(t)
	nesttest.Need(t, nesttest.Configurable) // the embedded server words its errors differently
	for name, opts := range map[string][]nest.ClusterOption{"command": nil, "script": {nest.TTL(time.Hour)}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, tree := answering(opts...)
			s, ctx, server := nesttest.Open(t, tree), t.Context(), redis{t, nesttest.Client(t)}
			text, list, hash, count := k.text.At(s), k.list.At(s), k.hash.At(s), k.count.At(s)
			score, log, geo := k.score.At(s), k.log.At(s), k.geo.At(s)
			fresh := func(key string, words ...string) {
				t.Helper()
				require.NoError(t, server.do("DEL", key).Error())
				if len(words) > 0 {
					require.NoError(t, server.do(append([]string{words[0], key}, words[1:]...)...).Error())
				}
			}
			last := strconv.FormatInt(math.MaxInt64, 10)
			for what, c := range map[string]struct {
				key  string
				with []string
				do   func() error
				want error
			}{
				"another type, read":    {text.Key(), []string{"RPUSH", "x"}, func() error { _, err := text.Get(ctx); return err }, nest.ErrWrongType},
				"another type, written": {list.Key(), []string{"SET", "x"}, func() error { _, err := list.PushRight(ctx, "x"); return err }, nest.ErrWrongType},
				"a key that is there": {text.Key(), nil, func() error {
					if err := text.Set(ctx, "x"); err != nil {
						return err
					}
					dump, err := text.Dump(ctx)
					if err != nil {
						return err
					}
					return text.Restore(ctx, dump)
				}, nest.ErrExists},
				"no list":              {list.Key(), nil, func() error { return list.Set(ctx, 0, "x") }, nest.ErrNotFound},
				"no element":           {list.Key(), []string{"RPUSH", "x"}, func() error { return list.Set(ctx, 7, "x") }, nest.ErrNotFound},
				"no key to rename":     {text.Key(), nil, func() error { _, err := text.Do(ctx, "RENAME", text.Key()); return err }, nest.ErrNotFound},
				"no stream":            {log.Key(), nil, func() error { _, err := log.Do(ctx, "XINFO STREAM"); return err }, nest.ErrNotFound},
				"no stream of a group": {log.Key(), nil, func() error { _, err := log.Do(ctx, "XGROUP CREATE", "group", "0"); return err }, nest.ErrNotFound},
				"no group":             {log.Key(), []string{"XADD", "5-1", "value", "x"}, func() error { return log.SetGroupID(ctx, "none", "") }, nest.ErrNotFound},
				"no group to read for": {log.Key(), []string{"XADD", "5-1", "value", "x"}, func() error {
					_, err := log.ReadGroup(ctx, "none", "me")
					return err
				}, nest.ErrNotFound},
				"an old ID":      {log.Key(), []string{"XADD", "5-1", "value", "x"}, func() error { _, err := log.Add(ctx, "x", nest.WithID("1-1")); return err }, nest.ErrArgument},
				"an old last ID": {log.Key(), []string{"XADD", "5-1", "value", "x"}, func() error { _, err := log.Do(ctx, "XSETID", "1-1"); return err }, nest.ErrArgument},
				"no member":      {geo.Key(), []string{"GEOADD", "13", "38", "Palermo"}, func() error { _, err := geo.SearchFrom(ctx, "Atlantis", nest.Circle(1, nest.Miles)); return err }, nest.ErrNotFound},
				"a member in words": {geo.Key(), []string{"GEOADD", "13", "38", "Palermo"}, func() error {
					_, err := geo.SearchFrom(ctx, "WRONGTYPE is no such key", nest.Circle(1, nest.Miles))
					return err
				}, nest.ErrNotFound},
				"no member to store": {geo.Key(), []string{"GEOADD", "13", "38", "Palermo"}, func() error {
					_, err := geo.StoreSearchFrom(ctx, geo, "Atlantis", nest.Circle(1, nest.Miles))
					return err
				}, nest.ErrNotFound},
				"no command":        {text.Key(), nil, func() error { _, err := text.Do(ctx, "NOSUCHCOMMAND"); return err }, nest.ErrUnsupported},
				"no subcommand":     {text.Key(), nil, func() error { _, err := text.Do(ctx, "OBJECT NOSUCHWORD"); return err }, nest.ErrUnsupported},
				"too long":          {text.Key(), nil, func() error { _, err := text.Do(ctx, "SETRANGE", "1000000000", "x"); return err }, nest.ErrArgument},
				"a sum too large":   {count.Key(), []string{"SET", last}, func() error { _, err := count.Incr(ctx); return err }, nest.ErrOverflow},
				"a field too large": {hash.Key(), []string{"HSET", "f", last}, func() error { _, err := hash.Incr(ctx, "f", 1); return err }, nest.ErrOverflow},
				"an infinite field": {k.rate.At(s).Key(), []string{"HSET", "f", "inf"}, func() error { _, err := k.rate.At(s).Do(ctx, "HINCRBYFLOAT", "f", "-inf"); return err }, nest.ErrOverflow},
				"no score":          {score.Key(), []string{"ZADD", "inf", "x"}, func() error { _, err := score.Incr(ctx, "x", math.Inf(-1)); return err }, nest.ErrOverflow},
				"no number":         {count.Key(), []string{"SET", "x"}, func() error { _, err := count.Incr(ctx); return err }, nest.ErrDecode},
				"no number in it":   {hash.Key(), []string{"HSET", "f", "x"}, func() error { _, err := hash.Incr(ctx, "f", 1); return err }, nest.ErrDecode},
				"no float in it":    {k.rate.At(s).Key(), []string{"HSET", "f", "x"}, func() error { _, err := k.rate.At(s).Incr(ctx, "f", 1); return err }, nest.ErrDecode},
				"no HyperLogLog":    {text.Key(), []string{"SET", "x"}, func() error { _, err := text.Do(ctx, "PFADD", "x"); return err }, nest.ErrWrongType},
			} {
				// The rows share keys, so they run one after the other.
				fresh(c.key, c.with...)
				err := c.do()
				require.ErrorIs(t, err, c.want, what)
				require.NotContains(t, err.Error(), "Atlantis", what)
			}
		})
	}
}

// A command that the server does not know is ErrUnsupported in a script, too.
func TestScriptOfAnUnknownCommand(t *testing.T) {
	t.Parallel()
	k, tree := answering(nest.TTL(time.Hour))
	server := nesttest.Start(t, nesttest.Args("--rename-command", "INCRBY", "", "--rename-command", "HINCRBY", ""))
	s := server.Open(t, tree)
	for what, do := range map[string]func(context.Context) error{
		"counter": func(ctx context.Context) error { _, err := k.count.At(s).Add(ctx, 2); return err },
		"hash":    func(ctx context.Context) error { _, err := k.hash.At(s).Incr(ctx, "f", 2); return err },
	} {
		err := do(t.Context())
		require.ErrorIs(t, err, nest.ErrUnsupported, what)
		require.NotContains(t, err.Error(), "script", what)
	}
}
