package suite_test

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/codec"
	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/nest/nesttest/internal/primaries"
	"github.com/redisimnest/redisimnest/secure"
)

type shownRecord struct {
	Name string `nest:"name"`
	Age  int    `nest:"age"`
	Pin  string `nest:"pin,secret"`
}

var (
	shownValue   = nest.Key[map[string]int]("value:<n>", nest.TTL(60))
	shownText    = nest.Key[string]("text")
	shownCount   = nest.Counter[int]("count")
	shownSecret  = nest.Secret[string]("secret:<n>")
	shownPass    = nest.Password("password")
	shownHash    = nest.Hash[int]("hash", nest.SecretFields("pin"))
	shownRec     = nest.Record[shownRecord]("record")
	shownList    = nest.List[int]("list")
	shownSet     = nest.Set[string]("set")
	shownScores  = nest.SortedSet[string]("scores")
	shownPlaces  = nest.Geo[string]("places")
	shownEvents  = nest.Stream[int]("events")
	shownHidden  = nest.Key[string]("hidden", nest.Sensitive())
	shownBelow   = nest.Cluster("below", nest.Sensitive(), nest.Sub(nest.Key[string]("key")))
	shownLock    = nest.Lock("lock", nest.TTL(60))
	shownVersion = nest.Key[string]("version", nest.Codec(codec.Versioned(codec.JSON, codec.Retired)))
	shownTree    = nest.Cluster("shown", nest.Sub(shownValue, shownText, shownCount, shownSecret, shownPass, shownHash, shownRec, shownList,
		shownSet, shownScores, shownPlaces, shownEvents, shownHidden, shownBelow, shownLock, shownVersion))
)

// inspections returns what Inspect says, by the names below the scope.
func inspections(t *testing.T, s nest.Scope, opts ...nest.InspectOption) map[string]nest.Inspection {
	t.Helper()
	all := make(map[string]nest.Inspection)
	for i, err := range s.Inspect(t.Context(), opts...) {
		require.NoError(t, err)
		all[strings.TrimPrefix(i.Key(), s.Prefix()+":")] = i
	}
	return all
}

func problems(i nest.Inspection) (kinds []nest.ProblemKind) {
	for _, p := range i.Problems {
		kinds = append(kinds, p.Kind)
	}
	return kinds
}

func TestInspect(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	ring, opts := newRing(t, secure.GenerateKey()), []nest.OpenOption(nil)
	s := nesttest.Open(t, shownTree, append(opts, nest.WithKeyring(ring), nest.WithPasswords(newPasswords(t, 16)))...)
	db := redis{t, nesttest.Client(t)}

	require.NoError(t, shownValue.At(s, 1).Set(ctx, map[string]int{"a": 1}))
	require.NoError(t, shownText.At(s).Set(ctx, "\xff\xfe"))
	_, err := shownCount.At(s).Add(ctx, 7)
	require.NoError(t, err)
	require.NoError(t, shownSecret.At(s, 1).Set(ctx, sentinel))
	require.NoError(t, shownPass.At(s).Set(ctx, sentinel))
	require.NoError(t, shownHash.At(s).SetMany(ctx, map[string]int{"a": 1, "pin": 1234}))
	require.NoError(t, shownRec.At(s).Set(ctx, shownRecord{"Ali", 30, sentinel}))
	_, err = shownList.At(s).PushRight(ctx, 1, 2, 3)
	require.NoError(t, err)
	_, err = shownSet.At(s).Add(ctx, "x")
	require.NoError(t, err)
	_, err = shownScores.At(s).Add(ctx, "x", 1.5)
	require.NoError(t, err)
	_, err = shownPlaces.At(s).Add(ctx, "Rome", nest.Point{Longitude: 12.5, Latitude: 41.9})
	require.NoError(t, err)
	_, err = shownEvents.At(s).Add(ctx, 5)
	require.NoError(t, err)
	require.NoError(t, shownHidden.At(s).Set(ctx, sentinel))
	db.set(s.Prefix()+":below:key", sentinel)
	db.set(s.Prefix()+":below:undeclared", sentinel)
	db.set(s.Prefix()+":was", db.text(shownSecret.At(s, 1).Key()))
	db.set(s.Prefix()+":stray", "x")
	lease, err := shownLock.At(s).Acquire(ctx)
	require.NoError(t, err)
	defer lease.Release(ctx) //nolint:errcheck // the test is over

	got := inspections(t, s, nest.InspectValue(1<<20), nest.Companions())
	token := 0
	for name, i := range got {
		require.Empty(t, i.Problems, name)
		require.NotContains(t, string(i.Value), sentinel, name)
		if of, role, ok := i.Companion(); ok {
			require.Equal(t, "token", role)
			require.Equal(t, shownLock.At(s).Key(), of.Key())
			require.Same(t, shownLock, of.Def())
			require.Nil(t, i.Value)
			token++
		}
	}
	require.Equal(t, 1, token)
	for name, want := range map[string]string{
		"value:1": `{"a":1}`, "text": `{"base64":"//4="}`, "count": `7`, "hash": `{"a":1,"pin":null}`, "record": `{"age":30,"name":"Ali","pin":null}`,
		"list": `[1,2,3]`, "set": `["x"]`, "scores": `[{"member":"x","score":1.5}]`, "stray": `"x"`,
		"secret:1": "", "password": "", "hidden": "", "below:key": "", "below:undeclared": "", "was": "", "lock": "",
	} {
		require.Equal(t, want, string(got[name].Value), name)
	}
	var places []struct {
		Member              string
		Longitude, Latitude float64
	}
	require.NoError(t, json.Unmarshal(got["places"].Value, &places))
	require.Equal(t, "Rome", places[0].Member)
	require.InDelta(t, 41.9, places[0].Latitude, 0.001)
	var entries []struct {
		ID     string
		Fields map[string]int
	}
	require.NoError(t, json.Unmarshal(got["events"].Value, &entries))
	require.Len(t, entries, 1)
	require.Contains(t, entries[0].Fields, "value")
	require.EqualValues(t, 3, got["list"].Len)
	require.Equal(t, "list", got["list"].Type)
	require.EqualValues(t, 2, got["text"].Len)
	about(t, time.Minute, got["value:1"].TTL)
	require.Equal(t, nest.Forever, got["text"].TTL)
	require.Nil(t, got["stray"].Def())

	short := inspections(t, s, nest.InspectValue(1), nest.Only(shownText, shownCount))
	require.Nil(t, short["text"].Value, "it is too long")
	require.Equal(t, "7", string(short["count"].Value))
	require.Nil(t, inspections(t, s)["count"].Value, "values are not read by default")
}

func TestInspectFindsProblems(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	ring := newRing(t, secure.GenerateKey())
	s := nesttest.Open(t, shownTree, nest.WithKeyring(ring), nest.WithPasswords(newPasswords(t, 16)))
	db := redis{t, nesttest.Client(t)}
	at := func(name string) string { return s.Prefix() + ":" + name }

	require.NoError(t, db.do("RPUSH", at("text"), sentinel).Error())
	require.NoError(t, shownValue.At(s, "forever").Set(ctx, nil, nest.NoExpiry()))
	require.NoError(t, shownValue.At(s, "long").Set(ctx, nil, nest.ExpireIn(time.Hour)))
	db.set(at("count"), sentinel)
	db.set(at("secret:plain"), sentinel)
	require.NoError(t, shownSecret.At(s, 1).Set(ctx, sentinel))
	db.set(at("secret:moved"), db.text(at("secret:1")))
	db.set(at("password"), sentinel)
	require.NoError(t, db.do("HSET", at("hash"), "pin", sentinel, "a", sentinel).Error())
	require.NoError(t, db.do("HSET", at("record"), "name", "x", "age", sentinel).Error())
	require.NoError(t, db.do("RPUSH", at("list"), "1", sentinel, sentinel).Error())
	db.set(at("version"), "\xC1V\x01"+sentinel)

	got := inspections(t, s, nest.InspectValue(1<<20))
	for name, want := range map[string][]nest.ProblemKind{
		"text": {nest.WrongType}, "value:forever": {nest.MissingTTL}, "value:long": {nest.LongTTL}, "count": {nest.Undecodable},
		"secret:plain": {nest.Unsealed}, "secret:moved": {nest.Undecodable}, "secret:1": nil, "password": {nest.Unsealed},
		"record": {nest.Undecodable}, "list": {nest.Undecodable}, "version": {nest.RetiredVersion},
	} {
		require.Equal(t, want, problems(got[name]), name)
	}
	require.ElementsMatch(t, []nest.ProblemKind{nest.Unsealed, nest.Undecodable}, problems(got["hash"]))
	for name, i := range got {
		for _, p := range i.Problems {
			require.NotContains(t, p.Text, sentinel, name)
		}
	}
	require.Contains(t, got["list"].Problems[0].Text, "element 1: ")
	require.Contains(t, got["text"].Problems[0].Text, "holds a list")
	require.NotContains(t, string(got["secret:plain"].Value), sentinel)
	require.NotContains(t, string(got["hash"].Value), `"pin":"`)
}

func TestInspectBytes(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	server.Need(t, nesttest.MemorySamples)
	s, err := nest.Open(server.Client(t), people)
	require.NoError(t, err)
	require.NoError(t, personName.At(s, 1).Set(t.Context(), strings.Repeat("x", 10_000)))
	i := inspections(t, s, nest.InspectBytes(0))["person:1:name"]
	require.Greater(t, i.Bytes, int64(10_000))
	require.Equal(t, "raw", i.Encoding)
	for what, opt := range map[string]nest.InspectOption{"samples": nest.InspectBytes(-1), "bytes": nest.InspectValue(0), "nil": nil} {
		require.ErrorIs(t, ending(s.Inspect(t.Context(), opt)), nest.ErrArgument, what)
	}
}

func TestMatchesAreReferences(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := nesttest.Open(t, people)
	fillPeople(t, s, 1)
	for m, err := range s.Keys(ctx) {
		require.NoError(t, err)
		exists, err := m.Ref().Exists(ctx)
		require.NoError(t, err)
		require.True(t, exists, m)
		i, err := m.Inspect(ctx, nest.InspectValue(10))
		require.NoError(t, err)
		require.Equal(t, "string", i.Type)
		require.Equal(t, `"x"`, string(i.Value))
		require.Equal(t, m.Key(), i.Key())
	}
	stray, err := s.Match(s.Prefix() + ":stray:1")
	require.ErrorIs(t, err, nest.ErrNoMatch)
	_, err = stray.Inspect(ctx)
	require.ErrorIs(t, err, nest.ErrNotFound)
	redis{t, nesttest.Client(t)}.set(stray.Key(), "x")
	ref := stray.Ref()
	require.NoError(t, ref.Err())
	require.Zero(t, ref.DeclaredTTL())
	done, err := ref.Expire(ctx, time.Minute)
	require.NoError(t, err)
	require.True(t, done)
	ttl, err := ref.TTL(ctx)
	require.NoError(t, err)
	about(t, time.Minute, ttl)
	_, err = ref.Do(ctx, "INCR")
	require.Error(t, err)
	gone, err := ref.Delete(ctx)
	require.NoError(t, err)
	require.True(t, gone)
	require.ErrorIs(t, nest.Match{}.Ref().Err(), nest.ErrNoMatch)
	_, err = nest.Match{}.Inspect(ctx)
	require.ErrorIs(t, err, nest.ErrNoMatch)
	_, _, ok := nest.Match{}.Companion()
	require.False(t, ok)
}

// Sensitive parameters stay hidden in what is kept beside a key, too.
func TestCompanionsHideParameters(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	token := nest.Param[string]("token", nest.Sensitive())
	lock := nest.Lock("login:<token>:busy", nest.TTL(60), nest.Params(token))
	private := nest.Cluster("private:<token>", nest.Params(token), nest.Sub(nest.Key[int]("key")))
	s := nesttest.Open(t, nest.Cluster("quiet", nest.Sub(lock, private)))
	redis{t, nesttest.Client(t)}.set(s.Prefix()+":private:"+sentinel+":undeclared", "x")
	lease, err := lock.At(s, sentinel).Acquire(ctx)
	require.NoError(t, err)
	defer lease.Release(ctx) //nolint:errcheck // the test is over
	n := 0
	for m, err := range s.Keys(ctx, nest.Companions()) {
		require.NoError(t, err)
		require.Contains(t, m.Key(), sentinel)
		require.NotContains(t, m.String(), sentinel)
		require.NotContains(t, m.Ref().String(), sentinel)
		_, err = m.Ref().Do(ctx, "HGETALL", "x", "y")
		require.Error(t, err)
		require.NotContains(t, err.Error(), sentinel)
		n++
	}
	require.Equal(t, 3, n)
}

// Keys that are deleted, retyped or moved while they are inspected are no errors.
func TestInspectWhileOthersWrite(t *testing.T) {
	t.Parallel()
	server := nesttest.Cluster(t)
	n := primaries.Patient(t, server)
	client := server.Client(t)
	w := openWalked(t, client)
	slots := fillSlots(t, client, w.before, 8, 20)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	seen, moved := make(map[string]bool), false
	for i, err := range w.before.Inspect(ctx, nest.ScanCount(10), nest.InspectValue(100)) {
		require.NoError(t, err)
		require.Equal(t, "string", i.Type)
		require.Empty(t, i.Problems)
		if seen[i.Key()] = true; !moved {
			moved = true
			for _, slot := range slots {
				n.Move(slot, 0, 1)
			}
		}
	}
	require.Len(t, seen, 8*40)

	var wg sync.WaitGroup
	stop := make(chan struct{})
	at := walkSlot.At(w.before, 0)
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			key := at.Prefix() + ":name:" + strconv.Itoa(i%10)
			cmds := [][]string{{"DEL", key}, {"RPUSH", key, "x"}, {"DEL", key}, {"SET", key, "1"}, {"DEL", key}, {"HSET", key, "a", "b"}}
			for _, words := range cmds {
				client.Do(ctx, client.B().Arbitrary(words[0]).Keys(words[1]).Args(words[2:]...).Build())
			}
		}
	})
	for range 30 {
		for _, err := range at.Inspect(ctx, nest.InspectValue(100)) {
			require.NoError(t, err)
		}
	}
	close(stop)
	wg.Wait()
}

func TestPing(t *testing.T) {
	t.Parallel()
	s := nesttest.Open(t, people)
	require.NoError(t, s.Ping(t.Context()))
	require.NotNil(t, s.Client())
	require.Nil(t, nest.Scope{}.Client())
	require.ErrorIs(t, nest.Scope{}.Ping(t.Context()), nest.ErrNoClient)
	named, err := nest.Open(nil, people, nest.NamesOnly())
	require.NoError(t, err)
	require.Nil(t, named.Client())
	require.ErrorIs(t, named.Ping(t.Context()), nest.ErrNoClient)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Ping(ended), context.Canceled)
}

// Every primary has to answer, not only the one that a command happens to go to.
func TestPingAsksEveryPrimary(t *testing.T) {
	t.Parallel()
	server := nesttest.Cluster(t)
	n := primaries.Patient(t, server)
	s, err := nest.Open(server.Client(t), walkTree, nest.NamesOnly())
	require.NoError(t, err)
	require.NoError(t, s.Ping(t.Context()))
	n.Ask(2, "CLUSTER", "DELSLOTS", strconv.Itoa(16000))
	for node := range 2 {
		n.Ask(node, "CLUSTER", "DELSLOTS", strconv.Itoa(16000))
	}
	err = s.Ping(t.Context())
	require.ErrorContains(t, err, "slot 16000")
}
