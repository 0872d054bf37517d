// Package nesttest gives tests a Redis to run on, and each test a keyspace of its own on it.
//
//	func TestAge(t *testing.T) {
//		t.Parallel()
//		root := nesttest.Open(t, app.Root)
//		require.NoError(t, users.Age.At(root, 42).Set(t.Context(), 7))
//	}
//
// [Open] mounts the tree under a random prefix and deletes what was written there when the
// test ends, so tests run in parallel on one server and never see each other's keys. The
// server is started once per test binary, when the first test asks for it, and ends with the
// binary, also when that panics, times out or is killed.
//
// # Which server
//
// The first of these that can be had:
//
//  1. the server at REDIS_TEST_ADDR: a host:port, several of a Redis Cluster separated by
//     commas, or a redis:// URL;
//  2. a container of the image REDIS_TEST_IMAGE (default redis:8), where a Docker engine
//     answers. An image that the engine has is not pulled; the image needs redis-server or
//     valkey-server and sh;
//  3. redis-server or valkey-server from PATH, on a free port of the loopback address,
//     without persistence;
//  4. the embedded server, miniredis, in this process.
//
// REDIS_TEST_SERVER picks one of them instead: addr, docker, path, embedded; or cluster, a
// Redis Cluster of three primaries and three replicas, in a container of that image where that
// can be had, else made of the server from PATH. What was
// picked and cannot be had fails the test; what was not picked and cannot be had is reported
// on standard error, and the next one is tried.
//
// # What the embedded server lacks
//
// A test says what it needs beyond the common commands, and need not know where it runs:
//
//	nesttest.Need(t, nesttest.Tracking)
//
// Where the server does not have it the test is skipped. In CI (CI=true) it fails instead,
// when the embedded server was not picked but is all that could be had: there a missing
// server is a fault of the set-up, which a skip would hide.
//
// # Servers of one's own
//
// [Start] gives a test a server of its own, to kill, restart, or move forward in time
// ([Server.Advance]); [Cluster] gives it a Redis Cluster. A [Relay] stands between a client and a
// server and cuts, delays or silences what goes between them.
package nesttest
