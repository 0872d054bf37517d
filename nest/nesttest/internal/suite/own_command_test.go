package suite_test

import (
	"os"
	"testing"
)

// needsAnyCommand skips a test that sends commands of its own as the user of a scope, which has the
// rights to those of package nest alone if REDIS_TEST_ACL is set.
func needsAnyCommand(t *testing.T) {
	t.Helper()
	if os.Getenv("REDIS_TEST_ACL") != "" {
		t.Skip("nesttest: SKIPPED, not passed: it needs a user with the right to commands that package nest does not send")
	}
}
