package matrix

import (
	"bytes"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is available passes, or says that the server lacks it. The variables that choose a server
// belong to the process, so nothing runs beside this.
func TestMatrix(t *testing.T) {
	if kind := os.Getenv("REDIS_TEST_SERVER"); kind != "" && kind != "path" || os.Getenv("REDIS_TEST_ACL") != "" {
		t.Skip("it chooses its servers itself, where REDIS_TEST_SERVER is path")
	}
	t.Setenv("REDIS_TEST_SERVER", "")
	t.Setenv("REDIS_TEST_IMAGE", "")
	t.Setenv("REDIS_TEST_ACL", "")
	columns := Run(t.Context(), func(string) {})
	for _, c := range columns {
		require.Empty(t, c.Failed)
		if c.NotRun != "" {
			t.Logf("%s: nesttest: SKIPPED, not passed: %s", c.Engine, c.NotRun)
		}
	}
	require.NotContains(t, columns[0].Cells, notRun, "the embedded server is always there")
	if _, err := exec.LookPath("redis-server"); err == nil {
		require.Empty(t, columns[1].NotRun)
	}
	var table bytes.Buffer
	require.NoError(t, Print(&table, columns))
	t.Logf("\n%s", table.String())
}
