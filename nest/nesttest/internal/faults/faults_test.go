package faults

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/nesttest"
)

// The faults come one after the other, because goroutines are counted.
func TestPromises(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes most of a minute")
	}
	if kind := os.Getenv("REDIS_TEST_SERVER"); kind != "" && kind != "path" || os.Getenv("REDIS_TEST_ACL") != "" {
		t.Skip("it starts its own servers, of several kinds, where REDIS_TEST_SERVER is path")
	}
	if nesttest.Shared(t).Kind() == nesttest.KindEmbedded {
		t.Skip("nesttest: SKIPPED, not passed: the embedded server has no process that fails")
	}
	var reports []Report
	for _, f := range All {
		t.Run(f.Name, func(t *testing.T) {
			r := Run(t, f, 800*time.Millisecond)
			reports = append(reports, r)
			require.Empty(t, r.Broken(), "%+v", r)
		})
	}
	var table bytes.Buffer
	require.NoError(t, Print(&table, reports))
	t.Logf("\n%s", table.String())
}
