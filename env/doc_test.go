package env

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest"
)

// The package's documentation lists every variable, and the defaults that are set elsewhere.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	for _, name := range variables() {
		require.Regexp(t, `(?m)^//\t`+name+` `, string(text))
	}
	for name, n := range map[string]int{
		"REDIS_DELETE_CHUNK_SIZE": nest.DefaultDeleteChunk, "REDIS_SCAN_COUNT": nest.DefaultScanCount,
		"REDIS_PORT": defaultPort, fileVariable: 0,
	} {
		def := fmt.Sprint(n)
		if name == fileVariable {
			def = `\` + defaultFile
		}
		require.Regexp(t, `(?m)^//\t`+name+` +`+def+` `, string(text))
	}
}
