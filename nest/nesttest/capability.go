package nesttest

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/nesttest/internal/engine"
)

// Capability is something that some servers lack. A test names the capabilities that it needs, and
// runs only on servers that have them. The value is a command that shows the capability: a server
// that knows the command has it.
type Capability string

// The capabilities in which servers differ. The versions are the first ones of Redis to have them;
// Valkey's versions differ.
const (
	// Tracking is client-side caching with invalidations (Redis 6.0). A server may refuse it to
	// everyone ([NoTracking]).
	Tracking Capability = "CLIENT TRACKING OFF"
	// Configurable lets CONFIG SET change settings such as keyspace notifications.
	Configurable Capability = "CONFIG GET maxmemory"
	// Functions is FUNCTION and FCALL (Redis 7.0).
	Functions Capability = "FUNCTION LIST"
	// ShardedPubSub is SPUBLISH and SSUBSCRIBE (Redis 7.0).
	ShardedPubSub Capability = "SPUBLISH nesttest x"
	// ACL is users with permissions of their own (Redis 6.0).
	ACL Capability = "ACL WHOAMI"
	// BitFields is BITFIELD.
	BitFields Capability = "BITFIELD {nesttest} GET u1 0"
	// ZRangeStore is ZRANGESTORE (Redis 6.2).
	ZRangeStore Capability = "ZRANGESTORE {nesttest} {nesttest} 0 -1"
	// ObjectEncoding is OBJECT ENCODING.
	ObjectEncoding Capability = "OBJECT ENCODING {nesttest}"
	// MemorySamples is MEMORY USAGE with SAMPLES.
	MemorySamples Capability = "MEMORY USAGE {nesttest} SAMPLES 0"
	// Snapshots is the RDB format, in which DUMP returns a value and which RESTORE checks.
	Snapshots Capability = "LASTSAVE"
	// HashFieldTTL is HPEXPIRE and its relatives (Redis 7.4).
	HashFieldTTL Capability = "HPEXPIRE {nesttest} 1000 FIELDS 1 f"
	// HashFieldGetEx is HGETEX, HSETEX and HGETDEL (Redis 8.0).
	HashFieldGetEx Capability = "HGETEX {nesttest} PERSIST FIELDS 1 f"
	// SetIfEqual is SET with IFEQ (Valkey 8.1).
	SetIfEqual Capability = "SET {nesttest} x IFEQ y"
)

// Need continues the test only if the shared server has all of these capabilities. For what happens
// otherwise, see [Server.Need].
func Need(t testing.TB, capabilities ...Capability) {
	t.Helper()
	Shared(t).Need(t, capabilities...)
}

// Need continues the test only if the server has all of these capabilities. Otherwise it skips the
// test. In CI (CI=true) it fails the test instead, if the embedded server was not chosen but is the
// only one available.
func (s *Server) Need(t testing.TB, capabilities ...Capability) {
	t.Helper()
	for _, c := range capabilities {
		if err := s.probe(c); errors.Is(err, errLacks) {
			s.lacks(t, string(c))
		} else if err != nil {
			t.Fatalf("nesttest: ask %s for %s: %v", s, c, err)
		}
	}
}

// Has reports whether the server has the capability. It fails the test if that cannot be
// determined.
func (s *Server) Has(t testing.TB, c Capability) bool {
	t.Helper()
	err := s.probe(c)
	if err != nil && !errors.Is(err, errLacks) {
		t.Fatalf("nesttest: ask %s for %s: %v", s, c, err)
	}
	return err == nil
}

func (s *Server) lacks(t testing.TB, what string) {
	t.Helper()
	if s.kind == KindEmbedded && !s.picked && inCI() {
		t.Fatalf("nesttest: this needs %s; in CI there must be a server that has it, and only the embedded one is available", what)
	}
	t.Skipf("nesttest: SKIPPED, not passed: %s lacks %s", s, what)
}

// inCI reports whether a missing server is an error in the setup.
func inCI() bool { return os.Getenv("CI") == "true" }

var errLacks = errors.New("unknown command")

// probe sends the capability's command, once per server.
func (s *Server) probe(c Capability) error {
	if known, ok := s.probes.Load(c); ok {
		err, _ := known.(error)
		return err
	}
	client, err := s.janitor()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), engine.StartTimeout)
	defer cancel()
	err = client.Do(ctx, client.B().Arbitrary(strings.Fields(string(c))...).Build()).Error()
	switch re, isReply := rueidis.IsRedisErr(err); {
	case err == nil, rueidis.IsRedisNil(err):
		s.probes.Store(c, nil)
		return nil
	case isReply && (strings.HasPrefix(re.Error(), "unknown") || strings.HasPrefix(re.Error(), "syntax error") || strings.HasPrefix(re.Error(), "NOPERM")):
		s.probes.Store(c, errLacks)
		return errLacks
	}
	return err
}
