//go:build unix

package env

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A file that is not regular is refused before it is opened: a named pipe would wait for a writer,
// and a device has no end. Symbolic links are followed.
func TestLoadRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "file", "REDIS_HOST=linked\n")
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	for link, to := range map[string]string{"to-pipe": "pipe", "to-file": "file", "to-dir": "."} {
		require.NoError(t, os.Symlink(to, filepath.Join(dir, link)))
	}
	for name, want := range map[string]string{
		"pipe":      "a named pipe, not a regular file",
		"to-pipe":   "a named pipe, not a regular file",
		"to-dir":    "a directory, not a regular file",
		"/dev/zero": "a device, not a regular file",
	} {
		_, err := Load(WithEnviron([]string{"USER_SETTINGS_FILE=" + name}), WithDir(dir))
		requireProblems(t, err, "USER_SETTINGS_FILE: the file it names, relative to the working directory: "+want)
	}
	c, err := Load(WithEnviron([]string{"USER_SETTINGS_FILE=to-file"}), WithDir(dir))
	require.NoError(t, err)
	require.Equal(t, "linked", c.Host)

	require.NoError(t, os.Rename(filepath.Join(dir, "pipe"), filepath.Join(dir, ".env")))
	_, err = Load(WithEnviron(nil), WithDir(dir))
	requireProblems(t, err, ".env: a named pipe, not a regular file")
}
