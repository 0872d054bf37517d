package proof_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
	"github.com/redisimnest/redisimnest/nest/nesttest"
	"github.com/redisimnest/redisimnest/secure"
)

// database is the server below the library. Tests use it to read and write without the library.
type database struct {
	t      *testing.T
	client rueidis.Client
}

func (d database) do(words ...string) rueidis.RedisResult {
	return d.client.Do(d.t.Context(), d.client.B().Arbitrary(words[0]).Keys(words[1]).Args(words[2:]...).Build())
}

// The replies of PTTL for a missing key, and for a key without an expiry.
const (
	gone = -2 * time.Millisecond
	none = -1 * time.Millisecond
)

// ttl returns the time that a key has left, or gone, or none.
func (d database) ttl(key string) time.Duration {
	d.t.Helper()
	ms, err := d.do("PTTL", key).AsInt64()
	require.NoError(d.t, err)
	return time.Duration(ms) * time.Millisecond
}

// setTTL sets the expiry of a key, or removes it.
func (d database) setTTL(key string, ttl time.Duration) {
	d.t.Helper()
	if ttl == none {
		require.NoError(d.t, d.do("PERSIST", key).Error())
		return
	}
	require.NoError(d.t, d.do("PEXPIRE", key, millis(ttl)).Error())
}

// forgetScripts makes every server forget the scripts that it has received.
func (d database) forgetScripts() {
	d.t.Helper()
	for addr, node := range d.client.Nodes() {
		require.NoError(d.t, node.Do(d.t.Context(), node.B().ScriptFlush().Build()).Error(), addr)
	}
}

// openOptions are a keyring, and a hasher that is fast and weaker than any service may have.
func openOptions(t *testing.T) []nest.OpenOption {
	t.Helper()
	hasher, err := secure.NewPasswords(secure.Policy{Memory: 8, Time: 1, Threads: 1}, secure.AllowWeak(t))
	require.NoError(t, err)
	ring, err := secure.NewKeyring(sealing)
	require.NoError(t, err)
	return []nest.OpenOption{nest.WithPasswords(hasher), nest.WithKeyring(ring)}
}

var sealing = secure.GenerateKey()

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// newClient returns a client that a test may close.
func newClient(server *nesttest.Server) (rueidis.Client, error) {
	return rueidis.NewClient(server.ClientOption())
}
