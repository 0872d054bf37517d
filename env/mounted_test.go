package env

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
)

// secretFile writes a file as a secret is mounted.
func secretFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestSecretsInFiles(t *testing.T) {
	port, _ := server(t)
	setenv(t, "REDIS_HOST=127.0.0.1", "REDIS_PORT="+port, "REDIS_PASS_FILE="+secretFile(t, sentinel+"\n"), "NEST_KEYRING_FILE="+secretFile(t, keyA+","+keyB+"\r\n"))
	scope, closeClient, err := Open(t.Context(), sealed)
	require.NoError(t, err)
	defer closeClient()
	require.NoError(t, secretKey.At(scope).Set(t.Context(), "x"))

	// What the primary key has sealed opens under a keyring that has no other.
	setenv(t, "REDIS_HOST=127.0.0.1", "REDIS_PORT="+port, "REDIS_PASS="+sentinel, "NEST_KEYRING="+keyA)
	other, closeOther, err := Open(t.Context(), sealed)
	require.NoError(t, err)
	defer closeOther()
	got, err := secretKey.At(other).Get(t.Context())
	require.NoError(t, err)
	require.Equal(t, "x", got)
}

// A password is replaced while the service runs: in the file first, then on the server, which keeps
// the connections that it has.
func TestAPasswordFileThatIsReplaced(t *testing.T) {
	port, _ := server(t)
	file := secretFile(t, sentinel)
	setenv(t, "REDIS_HOST=127.0.0.1", "REDIS_PORT="+port, "REDIS_PASS_FILE="+file)
	scope, closeClient, err := Open(t.Context(), tree)
	require.NoError(t, err)
	defer closeClient()
	require.NoError(t, nameKey.At(scope).Set(t.Context(), "x"))

	admin, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{net.JoinHostPort("127.0.0.1", port)}, Password: sentinel})
	require.NoError(t, err)
	defer admin.Close()
	const next = "the-next-password"
	require.NoError(t, os.WriteFile(file, []byte(next+"\n"), 0o600))
	for _, words := range []string{"CONFIG SET requirepass " + next, "CLIENT KILL TYPE normal SKIPME yes"} {
		require.NoError(t, admin.Do(t.Context(), admin.B().Arbitrary(strings.Fields(words)...).Build()).Error())
	}
	require.Eventually(t, func() bool {
		got, err := nameKey.At(scope).Get(t.Context())
		return err == nil && got == "x"
	}, 10*time.Second, 10*time.Millisecond)
}

// A sentinel must not be sent the password of the server.
func TestAPasswordFileWithSentinels(t *testing.T) {
	c := Config{SentinelMaster: "main", PasswordFile: secretFile(t, sentinel)}
	option, err := c.ClientOption()
	require.NoError(t, err)
	require.Equal(t, sentinel, option.Password)
	require.Nil(t, option.AuthCredentialsFn)
	require.Empty(t, option.Sentinel.Password)
}

func TestSecretFilesRefused(t *testing.T) {
	file, empty := secretFile(t, sentinel), secretFile(t, "\n")
	missing := filepath.Join(t.TempDir(), sentinel)
	for _, tt := range []struct {
		vars []string
		want []string
	}{
		{[]string{"REDIS_PASS_FILE=" + file, "REDIS_PASS=" + sentinel}, []string{"REDIS_PASS_FILE: REDIS_PASS is set too"}},
		{[]string{"REDIS_PASS_FILE=" + empty}, []string{"REDIS_PASS_FILE: the file it names is empty"}},
		{[]string{"REDIS_PASS_FILE=" + missing}, []string{"REDIS_PASS_FILE: the file it names: no such file"}},
		{[]string{"REDIS_PASS_FILE=" + t.TempDir()}, []string{"REDIS_PASS_FILE: the file it names: a directory"}},
		{[]string{"REDIS_PASS_FILE=" + file, "REDIS_URL=redis://u:p@h"}, []string{"REDIS_PASS_FILE: REDIS_URL holds a user or a password"}},
		{[]string{"REDIS_PASSWORD_FILE=" + file}, []string{"REDIS_PASSWORD_FILE: is not read: did you mean REDIS_PASS_FILE?"}},
		{[]string{"NEST_KEYRING_FILE=" + file}, []string{"NEST_KEYRING_FILE: entry 1 must be 32 bytes"}},
		{[]string{"NEST_KEYRING_FILE=" + empty}, []string{"NEST_KEYRING_FILE: the file it names is empty"}},
		{[]string{"NEST_KEYRING_FILE=" + missing, "NEST_KEYRING=" + keyA}, []string{"NEST_KEYRING_FILE: NEST_KEYRING is set too"}},
		{[]string{"NEST_KEYRING_FILES=" + file}, []string{"NEST_KEYRING_FILES: is not read: did you mean NEST_KEYRING_FILE?"}},
	} {
		_, err := load(t, tt.vars...)
		requireProblems(t, err, tt.want...)
		require.NotContains(t, err.Error(), sentinel)
	}
}
