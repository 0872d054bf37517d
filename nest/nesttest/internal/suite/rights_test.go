package suite_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

type rightsRecord struct {
	Name  string `nest:"name"`
	Count int    `nest:"count"`
}

var (
	rightsText    = nest.Key[string]("text")
	rightsRenewed = nest.List[string]("renewed", nest.AutoRenew())
	rightsCount   = nest.Counter[int]("count")
	rightsSmall   = nest.Counter[int8]("small")
	rightsList    = nest.List[string]("list")
	rightsTo      = nest.List[string]("list_to")
	rightsSet     = nest.Set[string]("set")
	rightsUnion   = nest.Set[string]("union")
	rightsZSet    = nest.SortedSet[string]("zset")
	rightsHash    = nest.Hash[int]("hash")
	rightsTaken   = nest.Hash[int]("taken", nest.AutoRenew())
	rightsRecords = nest.Record[rightsRecord]("record")
	rightsBits    = nest.Bitmap("bits")
	rightsLog     = nest.HyperLogLog[string]("log")
	rightsGeo     = nest.Geo[string]("geo")
	rightsStream  = nest.Stream[string]("stream")
	rightsFields  = nest.Hash[int]("fields", nest.FieldTTL(time.Minute))
	rightsLoaded  = nest.List[string]("loaded", nest.ReadThrough())
	rightsTree    = nest.Cluster("rights:<n>", nest.TTL(declaredTTL), nest.HashTag(), nest.Sub(
		rightsText, rightsRenewed, rightsCount, rightsSmall, rightsList, rightsTo, rightsSet, rightsUnion, rightsZSet, rightsHash,
		rightsTaken, rightsRecords, rightsBits, rightsLog, rightsGeo, rightsStream, rightsFields, rightsLoaded))
)

// A user who may write a key but not set its expiry left keys behind that never expire: what a
// script has written stays when a later command of it is denied. Now nothing is written, and the
// error names the missing right.
func TestAUserWhoMayNotSetAnExpiryLeavesNoKeyWithoutOne(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := nesttest.Shared(t)
	server.Need(t, nesttest.ACL)
	own := nesttest.Open(t, rightsTree)
	admin := nesttest.Client(t)
	do := func(words ...string) rueidis.RedisResult {
		return admin.Do(ctx, admin.B().Arbitrary(words[0]).Keys(words[1]).Args(words[2:]...).Build())
	}
	prefix := strings.TrimSuffix(own.Prefix(), ":rights")
	limited := func(rights string) nest.Scope {
		user := "rights-" + own.Prefix()
		everyNode(t, server, strings.Fields("ACL SETUSER "+user+" reset on >secret ~* &* +@connection +cluster|slots +cluster|shards "+rights)...)
		t.Cleanup(func() { everyNode(t, server, "ACL", "DELUSER", user) })
		option := server.ClientOption()
		option.Username, option.Password = user, "secret"
		client, err := rueidis.NewClient(option)
		require.NoError(t, err)
		t.Cleanup(client.Close)
		s, err := nest.Open(client, rightsTree, nest.WithPrefix(prefix))
		require.NoError(t, err)
		return s
	}
	many := make([]string, 4000)
	for i := range many {
		many[i] = strings.Repeat("x", i%7) + string(rune('a'+i%26)) + string(rune('0'+i/26%10))
	}
	writes := map[string]func(s nest.Scope) error{
		"Append":                   func(s nest.Scope) error { _, err := rightsText.At(s, 1).Append(ctx, "x"); return err },
		"Incr":                     func(s nest.Scope) error { _, err := rightsCount.At(s, 1).Incr(ctx); return err },
		"Incr of few bits":         func(s nest.Scope) error { _, err := rightsSmall.At(s, 1).Incr(ctx); return err },
		"PushRight":                func(s nest.Scope) error { _, err := rightsList.At(s, 1).PushRight(ctx, "a"); return err },
		"PushRight many":           func(s nest.Scope) error { _, err := rightsList.At(s, 1).PushRight(ctx, many...); return err },
		"PushRight with AutoRenew": func(s nest.Scope) error { _, err := rightsRenewed.At(s, 1).PushRight(ctx, "a"); return err },
		"Move": func(s nest.Scope) error {
			_, _, err := rightsRenewed.At(s, 2).Move(ctx, nest.Left, rightsTo.At(s, 2), nest.Right)
			return err
		},
		"Set.Add": func(s nest.Scope) error { _, err := rightsSet.At(s, 1).Add(ctx, "a"); return err },
		"Set.StoreUnion": func(s nest.Scope) error {
			_, err := rightsUnion.At(s, 2).StoreUnion(ctx, rightsSet.At(s, 2))
			return err
		},
		"SortedSet.Add":          func(s nest.Scope) error { _, err := rightsZSet.At(s, 1).Add(ctx, "a", 1); return err },
		"Hash.Set":               func(s nest.Scope) error { return rightsHash.At(s, 1).Set(ctx, "a", 1) },
		"Hash.Incr":              func(s nest.Scope) error { _, err := rightsHash.At(s, 1).Incr(ctx, "a", 1); return err },
		"Hash.Take":              func(s nest.Scope) error { _, _, err := rightsTaken.At(s, 2).Take(ctx, "a"); return err },
		"Hash.Set with FieldTTL": func(s nest.Scope) error { return rightsFields.At(s, 1).Set(ctx, "a", 1) },
		"Record.Set":             func(s nest.Scope) error { return rightsRecords.At(s, 1).Set(ctx, rightsRecord{"a", 1}) },
		"Record.SetFields":       func(s nest.Scope) error { return rightsRecords.At(s, 1).SetFields(ctx, rightsRecord{"a", 1}, "name") },
		"Record.Incr":            func(s nest.Scope) error { _, err := rightsRecords.At(s, 1).Incr(ctx, "count", 1); return err },
		"Bitmap.SetBit":          func(s nest.Scope) error { _, err := rightsBits.At(s, 1).SetBit(ctx, 7, true); return err },
		"Bitmap.Fields": func(s nest.Scope) error {
			_, err := rightsBits.At(s, 1).SetField(ctx, nest.Unsigned(8, 0), 7)
			return err
		},
		"HyperLogLog.Add": func(s nest.Scope) error { _, err := rightsLog.At(s, 1).Add(ctx, "a"); return err },
		"Geo.Add": func(s nest.Scope) error {
			_, err := rightsGeo.At(s, 1).Add(ctx, "a", nest.Point{Longitude: 1, Latitude: 1})
			return err
		},
		"Stream.Add":  func(s nest.Scope) error { _, err := rightsStream.At(s, 1).Add(ctx, "a"); return err },
		"CreateGroup": func(s nest.Scope) error { _, err := rightsStream.At(s, 1).CreateGroup(ctx, "g", ""); return err },
		"load": func(s nest.Scope) error {
			_, err := rightsLoaded.At(s, 1).GetOrLoad(ctx, func(context.Context) ([]string, error) { return []string{"a"}, nil })
			return err
		},
		"batch": func(s nest.Scope) error {
			b := s.Batch()
			rightsList.At(s, 1).In(b).PushRight("a")
			return b.Exec(ctx)
		},
		"atomic batch": func(s nest.Scope) error {
			b := s.Atomic()
			rightsList.At(s, 1).In(b).PushRight("a")
			return b.Exec(ctx)
		},
		"Transact": func(s nest.Scope) error {
			return nest.Transact(ctx, s, func(tx *nest.Tx) error {
				got := rightsRenewed.At(s, 2).In(tx.Reads()).Len()
				if err := tx.Reads().Exec(ctx); err != nil {
					return err
				}
				rightsText.At(s, 2).In(tx.Writes()).Append("x")
				return got.Err()
			})
		},
	}
	maps.Copy(writes, map[string]func(s nest.Scope) error{
		"Rename": func(s nest.Scope) error { _, err := rightsList.At(s, 2).Rename(ctx, rightsTo.At(s, 2)); return err },
		"Copy":   func(s nest.Scope) error { _, err := rightsList.At(s, 2).Copy(ctx, rightsTo.At(s, 2)); return err },
	})
	all := []string{
		"text", "renewed", "count", "small", "list", "list_to", "set", "union", "zset", "hash",
		"taken", "record", "bits", "log", "geo", "stream", "fields", "loaded",
	}
	below := func(n int, name string) string { return strings.TrimSuffix(rightsText.At(own, n).Key(), "text") + name }
	kinds := map[string][]string{
		"renewed": {"RPUSH", "a", "b"}, "list": {"RPUSH", "a", "b"}, "set": {"SADD", "a"}, "taken": {"HSET", "a", "1"},
	}
	for _, rights := range []string{
		"+@string +@hash +@list +@set +@sortedset +@stream +@bitmap +@hyperloglog +@geo +@scripting +@transaction +exists +del +dump +rename +copy +pexpiretime",
		"+@all -pexpire",
		"+@all -pttl",
	} {
		s := limited(rights)
		look := func() map[string]string {
			state := map[string]string{}
			for _, n := range []int{1, 2} {
				for _, name := range all {
					key := below(n, name)
					dump, err := do("DUMP", key).ToString()
					if !rueidis.IsRedisNil(err) {
						require.NoError(t, err)
					}
					left, err := do("PTTL", key).AsInt64()
					require.NoError(t, err)
					if dump != "" {
						state[key] = dump
					}
					if left >= 0 {
						state[key] += " with an expiry"
					}
				}
			}
			return state
		}
		for what, write := range writes {
			_, err := own.Clear(ctx, nest.Force())
			require.NoError(t, err)
			for name, words := range kinds {
				require.NoError(t, do(append([]string{words[0], below(2, name)}, words[1:]...)...).Error())
			}
			before := look()
			err = write(s)
			after := look()
			if rights == "+@all -pttl" && err == nil {
				for key, state := range after {
					if before[key] != state {
						require.Contains(t, state, "with an expiry", "%s with %s: %s", what, rights, key)
					}
				}
				continue
			}
			require.Error(t, err, "%s with %s", what, rights)
			switch {
			case strings.HasPrefix(what, "Hash.Set with") && !server.Has(t, nesttest.HashFieldTTL):
				require.ErrorIs(t, err, nest.ErrUnsupported)
			case what == "Transact" && errors.Is(err, nest.ErrAborted):
			default:
				text := strings.ToUpper(err.Error())
				require.True(t, strings.Contains(text, "PTTL") || strings.Contains(text, "PEXPIRE"), "%s with %s: %v", what, rights, err)
				require.Contains(t, text, "NOPERM", "%s with %s", what, rights)
			}
			if what == "Transact" {
				renewed := below(2, "renewed") // by an earlier read, if the server let it
				before[renewed], after[renewed] = "", ""
			}
			require.Equal(t, before, after, "%s with %s", what, rights)
		}
	}
}
