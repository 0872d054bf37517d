package kit_test

import (
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// Some things can be seen only from outside a test binary: how it chooses a server, what a skip
// looks like, and that its server ends with it. These tests run this binary again, with one of the
// small tests below and different environment variables.

// rerun runs one test of this binary.
func rerun(t *testing.T, test string, env ...string) (output string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+test+"$", "-test.v", "-test.timeout=60s")
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); name != "CI" && !strings.HasPrefix(name, "REDIS_TEST_") || name == "REDIS_TEST_IMAGE" {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// nowhere is an environment in which no real server is available.
var nowhere = []string{"PATH=", "DOCKER_HOST=unix:///nonexistent/docker.sock"}

// TestAnswers prints its server's address, and ends as NESTTEST_END says.
func TestAnswers(t *testing.T) {
	server := nesttest.Shared(t)
	client := server.Client(t)
	require.NoError(t, client.Do(t.Context(), client.B().Ping().Build()).Error())
	t.Logf("%s at %s;", server.Kind(), server.Addr())
	switch os.Getenv("NESTTEST_END") {
	case "panic":
		panic("as asked")
	case "kill":
		self, err := os.FindProcess(os.Getpid())
		require.NoError(t, err)
		require.NoError(t, self.Kill())
		select {}
	}
}

// TestSentinelAnswers prints the addresses of a sentinel and of what it watches, and ends as
// NESTTEST_END says. Without it, it does nothing.
func TestSentinelAnswers(t *testing.T) {
	end := os.Getenv("NESTTEST_END")
	if end == "" {
		return
	}
	server := nesttest.Sentinel(t)
	for _, s := range append(server.Nodes(), server) {
		t.Logf("%s at %s;", s.Kind(), s.Addr())
	}
	if end == "kill" {
		self, err := os.FindProcess(os.Getpid())
		require.NoError(t, err)
		require.NoError(t, self.Kill())
		select {}
	}
	t.Fatal("as asked")
}

// TestNeedsTracking passes if the server has client-side caching.
func TestNeedsTracking(t *testing.T) {
	nesttest.Need(t, nesttest.Tracking)
}

func TestServerEndsWithTheTests(t *testing.T) {
	t.Parallel()
	kind := nesttest.Shared(t).Kind()
	if kind == nesttest.KindAddr {
		t.Skip("nesttest: SKIPPED, not passed: the server at REDIS_TEST_ADDR belongs to others")
	}
	for _, end := range []string{"", "panic", "kill"} {
		t.Run("by "+end, func(t *testing.T) {
			out, err := rerun(t, "TestAnswers", "REDIS_TEST_SERVER="+string(kind), "NESTTEST_END="+end)
			require.Equal(t, end == "", err == nil, out)
			found := regexp.MustCompile(`(\w+) at (\S+);`).FindStringSubmatch(out)
			require.NotNil(t, found, out)
			require.Equal(t, string(kind), found[1])
			requireGone(t, found[2])
		})
	}
}

// requireGone waits until nobody listens at an address.
func requireGone(t *testing.T, addr string) {
	t.Helper()
	require.Eventually(t, func() bool {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			return true
		}
		return conn.Close() != nil
	}, 20*time.Second, 20*time.Millisecond, "the server at %s goes on", addr)
}

func TestSentinelEndsWithTheTest(t *testing.T) {
	t.Parallel()
	kind := nesttest.Sentinel(t).Nodes()[0].Kind()
	for _, end := range []string{"fail", "kill"} {
		t.Run("by "+end, func(t *testing.T) {
			out, err := rerun(t, "TestSentinelAnswers", "REDIS_TEST_SERVER="+string(kind), "NESTTEST_END="+end)
			require.Error(t, err, out)
			all := regexp.MustCompile(`(\w+) at (\S+);`).FindAllStringSubmatch(out, -1)
			require.Len(t, all, 3, out)
			for _, found := range all {
				require.Equal(t, string(kind), found[1])
				requireGone(t, found[2])
			}
		})
	}
}

func TestFallsBackLoudly(t *testing.T) {
	t.Parallel()
	out, err := rerun(t, "TestAnswers", nowhere...)
	require.NoError(t, err, out)
	require.Contains(t, out, "embedded at ")
	require.Regexp(t, `nesttest: docker: no Docker engine answers: .*; trying the next`, out)
	require.Regexp(t, `nesttest: path: none of \[redis-server valkey-server\] is on PATH; trying the next`, out)
}

func TestWhatIsPickedMustBeThere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env  []string
		want string
	}{
		"docker":       {append([]string{"REDIS_TEST_SERVER=docker"}, nowhere...), "no Docker engine answers"},
		"path":         {append([]string{"REDIS_TEST_SERVER=path"}, nowhere...), "is on PATH"},
		"cluster":      {append([]string{"REDIS_TEST_SERVER=cluster"}, nowhere...), "is on PATH"},
		"address":      {[]string{"REDIS_TEST_ADDR=127.0.0.1:1"}, "connect to 127.0.0.1:1"},
		"no address":   {[]string{"REDIS_TEST_SERVER=addr"}, "REDIS_TEST_ADDR is not set"},
		"URL":          {[]string{"REDIS_TEST_ADDR=redis://:s3cret@127.0.0.1:1/0"}, "connect to 127.0.0.1:1"},
		"malformed":    {[]string{"REDIS_TEST_ADDR=redis://:s3cret@127.0.0.1:x/%zz"}, "is not a redis:// URL"},
		"unknown kind": {[]string{"REDIS_TEST_SERVER=postgres"}, "want addr, docker, path, embedded or cluster"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := rerun(t, "TestAnswers", c.env...)
			require.Error(t, err, out)
			require.Contains(t, out, c.want)
			require.NotContains(t, out, "s3cret")
			require.NotContains(t, out, "panic")
		})
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	server := nesttest.Start(t)
	server.Need(t, nesttest.Tracking) // the embedded server accepts only special clients
	for _, addr := range []string{server.Addr(), "redis://" + server.Addr() + "/0"} {
		out, err := rerun(t, "TestOpenGivesEachTestItsOwnKeyspace", "REDIS_TEST_ADDR="+addr)
		require.NoError(t, err, out)
	}
}

func TestNeed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env  []string
		want string
	}{
		"the embedded server was picked":         {[]string{"CI=true", "REDIS_TEST_SERVER=embedded"}, "--- SKIP"},
		"only the embedded server, not in CI":    {nowhere, "--- SKIP"},
		"only the embedded server, in CI":        {append([]string{"CI=true"}, nowhere...), "--- FAIL"},
		"the server that the other tests run on": {[]string{"CI=true", "REDIS_TEST_SERVER=" + os.Getenv("REDIS_TEST_SERVER")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			out, _ := rerun(t, "TestNeedsTracking", c.env...)
			require.Contains(t, out, c.want)
			if c.want != "" {
				require.Contains(t, out, "CLIENT TRACKING OFF")
			}
		})
	}
}
