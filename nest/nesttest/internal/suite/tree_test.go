package suite_test

import (
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
)

type login struct {
	Device string
	At     time.Time
}

const declaredTTL = 120 * time.Second

// The tree of most tests.
var (
	userID = nest.Param[int64]("user_id")

	name    = nest.Key[string]("name")
	age     = nest.Key[int]("age", nest.Default(18))
	tags    = nest.Key[[]string]("tags", nest.Default([]string{"new"}))
	session = nest.Key[login]("session:<token>", nest.TTL(time.Hour), nest.AutoRenew())
	pinned  = nest.Key[string]("pinned", nest.NoTTL())
	user    = nest.Cluster("user:<user_id>", nest.TTL(declaredTTL), nest.Params(userID),
		nest.Sub(name, age, tags, session, pinned))

	line = nest.Key[string]("line:<n>")
	part = nest.Key[string]("part:<model>-<serial>")
	room = nest.Cluster("room:<room>", nest.Sub(line, part))

	// Operations that move a value from key to key need one slot.
	draft = nest.Key[string]("draft")
	final = nest.Key[string]("final", nest.TTL(declaredTTL))
	paper = nest.Cluster("paper:<paper>", nest.HashTag(), nest.Sub(draft, final))

	ledger = nest.Key[int]("ledger")
	vault  = nest.Cluster("vault", nest.Protected(), nest.Sub(ledger))

	root = nest.Cluster("root", nest.Sub(user, room, paper, vault))
)

// redis is the server below the library. Tests use it to read and write without the library.
type redis struct {
	t      *testing.T
	client rueidis.Client
}

// open opens the tree under the test's own prefix, with a client that sees everything.
func open(t *testing.T) (nest.Scope, redis) {
	t.Helper()
	return nesttest.Open(t, root), redis{t, nesttest.Client(t)}
}

func (r redis) do(words ...string) rueidis.RedisResult {
	r.t.Helper()
	return r.client.Do(r.t.Context(), r.client.B().Arbitrary(words[0]).Keys(words[1]).Args(words[2:]...).Build())
}

func (r redis) set(key, text string) {
	r.t.Helper()
	require.NoError(r.t, r.do("SET", key, text).Error())
}

// text returns the stored value, which must exist.
func (r redis) text(key string) string {
	r.t.Helper()
	text, err := r.do("GET", key).ToString()
	require.NoError(r.t, err, "GET %s", key)
	return text
}

func (r redis) exists(key string) bool {
	r.t.Helper()
	n, err := r.do("EXISTS", key).ToInt64()
	require.NoError(r.t, err)
	return n == 1
}

// ttl returns the time that is left, or -1 when the key has no expiry.
func (r redis) ttl(key string) time.Duration {
	r.t.Helper()
	ms, err := r.do("PTTL", key).ToInt64()
	require.NoError(r.t, err)
	require.NotEqual(r.t, int64(-2), ms, "the key %s does not exist", key)
	if ms == -1 {
		return nest.Forever
	}
	return time.Duration(ms) * time.Millisecond
}

// about requires that a TTL of want started not long ago.
func about(t *testing.T, want, got time.Duration) {
	t.Helper()
	if want == nest.Forever {
		require.Equal(t, want, got)
		return
	}
	require.LessOrEqual(t, got, want)
	require.Greater(t, got, want-20*time.Second)
}
