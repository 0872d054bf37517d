//nest:ignore what wrong calls say is tested here

package suite_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// hostile are parameters that try to be more than a parameter.
var hostile = []string{
	"*", "?", "[a-z]", "[^x]", "a*", `\`, `\*`, `\E(`, `\Q`, "a", "ab", "1", "1:line", "1:line:2", ":", "::",
	"{x}", "}{", "{", "%", "%3A", "%25", "%zz", "<room>", "<", ">", " ", "\n", "\x00", "\x7f",
	"\xff", "\xc3\x28", "é", "e\u0301", "日本", "a:*", "line", "room", "*:line:*", strings.Repeat("x", 1024),
}

// subkeys returns the names that exist below a scope, without the scope's own prefix.
func subkeys(t *testing.T, s nest.Scope) []string {
	t.Helper()
	names, err := s.Subkeys(t.Context())
	require.NoError(t, err)
	for i, n := range names {
		short, ok := strings.CutPrefix(n, s.Prefix()+":")
		require.True(t, ok, "%q is below %q", n, s.Prefix())
		names[i] = short
	}
	return names
}

func TestSubkeysAndKeys(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := open(t)
	require.Empty(t, subkeys(t, s))

	for _, id := range []int{42, 421, 4} {
		require.NoError(t, name.At(s, id).Set(ctx, "x"))
	}
	require.NoError(t, session.At(s, 42, "t:1").Set(ctx, login{}))
	u := user.At(s, 42)
	db.set(u.Prefix()+":undeclared:thing", "x")
	db.set(u.Prefix(), "the prefix itself is not below the scope")
	db.set(u.Prefix()+"x", "a neighbour")

	require.Equal(t, []string{"name", "session:t%3A1", "undeclared:thing"}, subkeys(t, u))
	require.Equal(t, []string{"name"}, subkeys(t, user.At(s, 421)))
	require.Empty(t, subkeys(t, user.At(s, 2)))

	declared := map[string]nest.Node{}
	for m, err := range u.Keys(ctx) {
		require.NoError(t, err)
		declared[strings.TrimPrefix(m.Key(), u.Prefix()+":")] = m.Def()
		if m.Def() == nil {
			continue
		}
		id, err := userID.From(m)
		require.NoError(t, err)
		require.Equal(t, int64(42), id)
	}
	require.Equal(t, map[string]nest.Node{"name": name, "session:t%3A1": session, "undeclared:thing": nil}, declared)
}

func TestKeysStreams(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	r := room.At(s, "big")
	const n = 3000
	fill(db, r, n)

	seen := map[string]bool{}
	for m, err := range r.Keys(t.Context(), nest.ScanCount(10)) {
		require.NoError(t, err)
		seen[m.Key()] = true
	}
	require.Len(t, seen, n)

	first := 0
	for _, err := range r.Keys(t.Context()) {
		require.NoError(t, err)
		if first++; first == 5 {
			break
		}
	}
	require.Equal(t, 5, first, "the loop ended early")

	// A page that was received is yielded to its end. No other page is requested.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	given := 0
	for m, err := range r.Keys(ctx, nest.ScanCount(10)) {
		if err != nil {
			require.ErrorIs(t, err, context.Canceled)
			shaped(t, err)
			require.Empty(t, m.Key())
			break
		}
		given++
		cancel()
	}
	pages := 0
	for _, err := range r.Keys(ctx) {
		require.ErrorIs(t, err, context.Canceled)
		pages++
	}
	require.Equal(t, 1, pages)
	require.Positive(t, given)
}

// fill writes n lines into a room, without the library and in one round trip.
func fill(db redis, r nest.Scope, n int) {
	db.t.Helper()
	cmds := make(rueidis.Commands, n)
	for i := range cmds {
		cmds[i] = db.client.B().Set().Key(line.At(r, i).Key()).Value("x").Build()
	}
	for part := range slices.Chunk(cmds, 1000) {
		for _, answer := range db.client.DoMulti(db.t.Context(), part...) {
			require.NoError(db.t, answer.Error())
		}
	}
}

func TestClear(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := open(t)
	for _, id := range []int{42, 421, 4} {
		require.NoError(t, name.At(s, id).Set(ctx, "x"))
		require.NoError(t, age.At(s, id).Set(ctx, 1))
	}
	u := user.At(s, 42)
	neighbours := []string{u.Prefix(), u.Prefix() + "x", u.Prefix() + "x:age"}
	for _, key := range neighbours {
		db.set(key, "x")
	}
	db.set(u.Prefix()+":undeclared", "x")
	require.NoError(t, db.do("RPUSH", u.Prefix()+":undeclared:list", "x").Error())

	n, err := u.Clear(ctx)
	require.NoError(t, err)
	require.Equal(t, int64(4), n)
	require.Empty(t, subkeys(t, u))
	require.Equal(t, []string{"age", "name"}, subkeys(t, user.At(s, 421)))
	require.Equal(t, []string{"age", "name"}, subkeys(t, user.At(s, 4)))
	for _, key := range neighbours {
		require.True(t, db.exists(key), key)
	}

	n, err = u.Clear(ctx)
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestClearInChunks(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	const n = 2500
	for _, opts := range [][]nest.ClearOption{
		nil,
		{nest.ScanCount(7)},
		{nest.DeleteChunk(3)},
		{nest.ScanCount(5000), nest.DeleteChunk(1)},
		{nest.ScanCount(1), nest.DeleteChunk(100000)},
	} {
		r, other := room.At(s, "chunks"), room.At(s, "chunks2")
		fill(db, r, n)
		fill(db, other, 10)
		deleted, err := r.Clear(t.Context(), opts...)
		require.NoError(t, err)
		require.Equal(t, int64(n), deleted)
		require.Empty(t, subkeys(t, r))
		require.Len(t, subkeys(t, other), 10)
	}
}

func TestClearStopsWithItsContext(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	r := room.At(s, "big")
	fill(db, r, 200)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n, err := r.Clear(ctx)
	require.ErrorIs(t, err, context.Canceled)
	shaped(t, err)
	require.Len(t, subkeys(t, r), 200-int(n))
}

// Clear counts the keys that it deleted even if another chunk failed.
func TestClearCountsBesideAFailure(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := nesttest.Start(t)
	server.Need(t, nesttest.ACL)
	db := redis{t, server.Client(t)}
	words := strings.Fields("ACL SETUSER limited reset on >secret ~*:line:1* &* +@all")
	require.NoError(t, db.client.Do(ctx, db.client.B().Arbitrary(words...).Build()).Error())
	option := server.ClientOption()
	option.Username, option.Password = "limited", "secret"
	option.ForceSingleClient, option.DisableCache = true, true
	client, err := rueidis.NewClient(option)
	require.NoError(t, err)
	defer client.Close()
	s, err := nest.Open(client, root)
	require.NoError(t, err)
	r := room.At(s, "some")
	fill(db, r, 20) // of these, the user may delete lines 1 and 10 to 19
	n, err := r.Clear(ctx, nest.DeleteChunk(1))
	require.Error(t, err)
	shaped(t, err)
	require.Equal(t, int64(11), n)
	require.Len(t, subkeys(t, r), 9)
}

// No parameter reaches beyond its own place. Each room has its own line, sees its own line and
// clears its own line, whatever its name is.
func TestParametersStayInTheirPlace(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, _ := open(t)
	for i, h := range hostile {
		require.NoError(t, line.At(s, h, i+1).Set(ctx, fmt.Sprint(i)))
		require.NoError(t, line.At(s, "neighbour", h).Set(ctx, fmt.Sprint(i)))
	}
	for i, h := range hostile {
		r := room.At(s, h)
		require.Equal(t, []string{fmt.Sprint("line:", i+1)}, subkeys(t, r), "room %q", h)
		for m, err := range r.Keys(ctx) {
			require.NoError(t, err)
			require.Same(t, line, m.Def())
			got, ok := m.Param("room")
			require.True(t, ok)
			require.Equal(t, h, got)
		}
		got, err := line.At(s, "neighbour", h).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(i), got)
	}
	for i, h := range hostile {
		n, err := room.At(s, h).Clear(ctx)
		require.NoError(t, err)
		require.Equal(t, int64(1), n, "room %q", h)
		require.Len(t, subkeys(t, s), 2*len(hostile)-i-1)
	}
	require.Len(t, subkeys(t, room.At(s, "neighbour")), len(hostile))
}

func TestProtected(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, db := open(t)
	require.NoError(t, ledger.At(s).Set(ctx, 1))
	for what, scope := range map[string]nest.Scope{"what is protected": vault.At(s), "what holds it": s} {
		n, err := scope.Clear(ctx)
		require.ErrorIs(t, err, nest.ErrProtected, what)
		shaped(t, err)
		require.Zero(t, n)
		require.True(t, db.exists(ledger.At(s).Key()))
	}
	n, err := vault.At(s).Clear(ctx, nest.Force())
	require.NoError(t, err)
	require.Equal(t, int64(1), n)

	was, err := ledger.At(s).Delete(ctx)
	require.NoError(t, err)
	require.False(t, was)
}

// A root without a prefix has the whole server below it. It is cleared only by force, and then only
// of what it declares.
func TestClearWithoutAPrefix(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := nesttest.Start(t)
	db := redis{t, server.Client(t)}
	key := nest.Key[int]("key:<n>")
	s, err := nest.Open(db.client, nest.Cluster("", nest.Sub(key)))
	require.NoError(t, err)
	require.Empty(t, s.Prefix())
	require.NoError(t, key.At(s, 1).Set(ctx, 1))
	db.set("foreign:key", "x")
	db.set("key:1:2", "x")

	_, err = s.Clear(ctx)
	require.ErrorIs(t, err, nest.ErrProtected)
	require.True(t, db.exists("key:1"))

	n, err := s.Clear(ctx, nest.Force())
	require.NoError(t, err)
	require.Equal(t, int64(1), n)
	require.True(t, db.exists("foreign:key"))
	require.True(t, db.exists("key:1:2"))
}

// A cluster without a prefix is a group. It sees and clears what is declared in it, and not what
// its neighbours declare beside it.
func TestGroupingCluster(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	inside, outside := nest.Key[int]("inside:<n>"), nest.Key[int]("outside:<n>")
	group := nest.Cluster("", nest.TTL(60), nest.Sub(inside))
	s := nesttest.Open(t, nest.Cluster("root", nest.Sub(group, outside)))
	for n := range 3 {
		require.NoError(t, inside.At(s, n).Set(ctx, n))
		require.NoError(t, outside.At(s, n).Set(ctx, n))
	}
	require.Equal(t, []string{"inside:0", "inside:1", "inside:2"}, subkeys(t, group.At(s)))
	n, err := group.At(s).Clear(ctx)
	require.NoError(t, err)
	require.Equal(t, int64(3), n)
	require.Equal(t, []string{"outside:0", "outside:1", "outside:2"}, subkeys(t, s))
}

// The scope above a root with parameters contains all of them. The scope of one root contains only
// its own keys.
func TestRootWithParameters(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	key := nest.Key[int]("key")
	tenants := nest.Cluster("tenant:<tenant>", nest.Sub(key))
	top := nesttest.Open(t, tenants)
	for _, tenant := range []string{"acme", "acme2", "*"} {
		require.NoError(t, key.At(tenants.At(top, tenant)).Set(ctx, 1))
		require.NoError(t, key.At(top, tenant).Set(ctx, 2))
	}
	require.Equal(t, []string{"tenant:*:key", "tenant:acme2:key", "tenant:acme:key"}, subkeys(t, top))
	n, err := tenants.At(top, "*").Clear(ctx)
	require.NoError(t, err)
	require.Equal(t, int64(1), n)
	require.Equal(t, []string{"key"}, subkeys(t, tenants.At(top, "acme")))
}

// Every operation on a bad scope, or below it, returns the scope's error.
func TestBadScopes(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s, _ := open(t)
	require.NoError(t, name.At(s, 42).Set(ctx, "x"))
	stranger := nest.Cluster("user:<user_id>")
	for what, c := range map[string]struct {
		scope nest.Scope
		want  error
	}{
		"missing":     {user.At(s), nest.ErrMissingParam},
		"extra":       {user.At(s, 42, 43), nest.ErrExtraParam},
		"empty":       {room.At(s, ""), nest.ErrParamValue},
		"over-long":   {room.At(s, strings.Repeat("x", 1025)), nest.ErrParamValue},
		"wrong type":  {user.At(s, 4.2), nest.ErrParamType},
		"not mounted": {stranger.At(s, 42), nest.ErrNotMounted},
		"zero":        {nest.Scope{}, nest.ErrNoClient},
	} {
		t.Run(what, func(t *testing.T) {
			require.ErrorIs(t, c.scope.Err(), c.want)
			_, err := c.scope.Clear(ctx, nest.Force())
			require.ErrorIs(t, err, c.want)
			_, err = c.scope.Subkeys(ctx)
			require.ErrorIs(t, err, c.want)
			_, err = c.scope.Match("root:user:42:name")
			require.ErrorIs(t, err, c.want)
			rounds := 0
			for _, err := range c.scope.Keys(ctx) {
				require.ErrorIs(t, err, c.want)
				rounds++
			}
			require.Equal(t, 1, rounds)
			_, err = name.At(c.scope).Get(ctx)
			require.ErrorIs(t, err, c.want)
			require.Empty(t, c.scope.Prefix())
		})
	}
	require.Equal(t, []string{"name"}, subkeys(t, user.At(s, 42)))
}
