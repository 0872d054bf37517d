// Package nesttest provides a Redis server for tests, on which each test has its own keyspace.
//
//	func TestAge(t *testing.T) {
//		t.Parallel()
//		root := nesttest.Open(t, app.Root)
//		require.NoError(t, users.Age.At(root, 42).Set(t.Context(), 7))
//	}
//
// [Open] mounts the tree under a random prefix and deletes what was written there when the test
// ends, so tests run in parallel on one server and never see each other's keys. The server is
// started once per test binary, when the first test asks for it. It ends with the binary, even if
// the binary panics, times out or is killed.
//
// # Which server
//
// Tests run on the first of these that is available:
//
//  1. the server at REDIS_TEST_ADDR: a host:port, several of a Redis Cluster separated by
//     commas, or a redis:// URL;
//  2. if the test imports package nestdocker, which is a module of its own, a container of the
//     image REDIS_TEST_IMAGE (default redis:8), where a Docker engine is available;
//  3. redis-server or valkey-server from PATH, on a free port of the loopback address,
//     without persistence;
//  4. the embedded server, miniredis, in this process.
//
// REDIS_TEST_SERVER chooses one of them instead: addr, docker, path or embedded. It can also be
// cluster: a Redis Cluster of three primaries and three replicas, with nestdocker in a container of
// that image if possible, or otherwise of processes of the server from PATH. If a chosen server is
// not available, the test fails. If a server that was not chosen is not available, that is reported
// on standard error and the next one is tried.
//
// With REDIS_TEST_ACL=on, [Open] opens each tree as a user with no other rights than those that
// package acl lists for it.
//
// # What the embedded server lacks
//
// A test says what it needs beyond the common commands, and need not know which server it runs on:
//
//	nesttest.Need(t, nesttest.Tracking)
//
// If the server lacks it, the test is skipped. In CI (CI=true) the test fails instead if the
// embedded server was not chosen but is the only one available: a missing server in CI is an error
// in the setup, which a skip would hide.
//
// # Servers of one's own
//
// [Start] starts a server for one test, which the test can kill, restart, or move forward in time
// ([Server.Advance]). [TLS], [NoTracking], [MaxMemory] and [Persistent] are options of it.
// [Cluster] starts a Redis Cluster for one test, [Replicas] a primary with replicas, and [Sentinel]
// lets a sentinel watch them. A [Relay] sits between a client and a server, and cuts, delays or
// silences the traffic between them.
package nesttest
