package env

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// authority makes certificates in a directory of its own.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.issue(t, "ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// issue writes name.crt and name.key.
func (a *authority) issue(t *testing.T, name string, template *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template.SerialNumber, template.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	require.NoError(t, err)
	if a.cert == nil {
		a.cert, err = x509.ParseCertificate(der)
		require.NoError(t, err)
		a.key = key
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	for file, block := range map[string]*pem.Block{".crt": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: private}} {
		require.NoError(t, os.WriteFile(a.file(name+file), pem.EncodeToMemory(block), 0o600))
	}
}

// start starts redis-server under a name that selects what it runs as.
func start(t *testing.T, port string, args ...string) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") == "true" {
			require.NoError(t, err, "CI has to have redis-server on PATH")
		}
		t.Skip("SKIPPED: needs redis-server on PATH")
	}
	cmd := exec.Command(path, args...)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
	})
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			err = conn.Close()
		}
		return err == nil
	}, 10*time.Second, 10*time.Millisecond, "redis-server does not start")
}

func secureServer(t *testing.T, a *authority, args ...string) (port string) {
	t.Helper()
	a.issue(t, "server", &x509.Certificate{DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	port = freePort(t)
	start(t, port, append([]string{
		"--port", "0", "--tls-port", port, "--bind", "127.0.0.1", "--save", "", "--dir", a.dir,
		"--tls-ca-cert-file", a.file("ca.crt"), "--tls-cert-file", a.file("server.crt"), "--tls-key-file", a.file("server.key"),
	}, args...)...)
	return port
}

// Redis asks clients for a certificate unless told not to.
func TestOpenWithTLS(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	port := secureServer(t, a, "--requirepass", sentinel)
	a.issue(t, "client", &x509.Certificate{})
	stranger.issue(t, "client", &x509.Certificate{})
	certificate := []string{"REDIS_TLS_CERT_FILE=" + a.file("client.crt"), "REDIS_TLS_KEY_FILE=" + a.file("client.key")}
	ca, tls := "REDIS_TLS_CA_FILE="+a.file("ca.crt"), "REDIS_TLS=true"
	for name, tt := range map[string]struct {
		vars []string
		want string // of the error
	}{
		"all":              {append(certificate, ca, tls, "REDIS_HOST=127.0.0.1"), ""},
		"by its name":      {append(certificate, ca, tls), ""},
		"URL":              {append(certificate, ca, "REDIS_URL=rediss://localhost:"+port), ""},
		"no certificate":   {[]string{ca, tls}, "set REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE"},
		"another's":        {[]string{ca, tls, "REDIS_TLS_CERT_FILE=" + stranger.file("client.crt"), "REDIS_TLS_KEY_FILE=" + stranger.file("client.key")}, "check REDIS_TLS_CERT_FILE"},
		"no authority":     {append(certificate, tls), "set REDIS_TLS_CA_FILE"},
		"another one":      {append(certificate, "REDIS_TLS_CA_FILE="+stranger.file("ca.crt"), tls), "check REDIS_TLS_CA_FILE"},
		"without TLS":      {nil, "set REDIS_TLS=true, or write rediss:// into REDIS_URL"},
		"a URL without it": {[]string{"REDIS_URL=redis://127.0.0.1:" + port}, "set REDIS_TLS=true, or write rediss:// into REDIS_URL"},
	} {
		t.Run(name, func(t *testing.T) {
			vars := append([]string{"REDIS_PASS=" + sentinel}, tt.vars...)
			if name != "URL" && name != "a URL without it" {
				vars = append(vars, "REDIS_PORT="+port)
			}
			setenv(t, vars...)
			begin := time.Now()
			scope, closeClient, err := Open(t.Context(), tree)
			defer closeClient()
			require.Less(t, time.Since(begin), 5*time.Second)
			if tt.want != "" {
				t.Log(err)
				require.ErrorIs(t, err, ErrConnect)
				require.ErrorContains(t, err, tt.want)
				require.NotContains(t, err.Error(), sentinel)
				return
			}
			require.NoError(t, err)
			require.NoError(t, nameKey.At(scope).Set(t.Context(), "Ali"))
		})
	}
}

// A server without TLS does not answer the beginning of a handshake, which used to take up the
// whole deadline.
func TestOpenWithTLSToAServerWithout(t *testing.T) {
	port, _ := server(t)
	for _, vars := range [][]string{{"REDIS_TLS=true", "REDIS_PORT=" + port}, {"REDIS_URL=rediss://127.0.0.1:" + port}} {
		setenv(t, append(vars, "REDIS_PASS="+sentinel)...)
		begin := time.Now()
		_, _, err := Open(t.Context(), tree)
		require.Less(t, time.Since(begin), 3*time.Second)
		require.ErrorIs(t, err, ErrConnect)
		t.Log(err)
		require.ErrorContains(t, err, "connect without TLS: remove REDIS_TLS, or write redis:// into REDIS_URL")
		require.NotContains(t, err.Error(), sentinel)
	}
}

// startSentinel starts a server with a password and a sentinel with another one, which knows the
// server as main.
func startSentinel(t *testing.T, serverPort, password string) (port string) {
	t.Helper()
	dir := t.TempDir()
	port = freePort(t)
	text := fmt.Sprintf("port %s\nbind 127.0.0.1\ndir %s\nsentinel monitor main 127.0.0.1 %s 1\nsentinel auth-pass main %s\n", port, dir, serverPort, sentinel)
	if password != "" {
		text += "requirepass " + password + "\n"
	}
	file := filepath.Join(dir, "sentinel.conf")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	start(t, port, file, "--sentinel")
	return port
}

func TestOpenWithSentinels(t *testing.T) {
	const password = "an0ther" + sentinel
	serverPort, _ := server(t)
	open, closed := startSentinel(t, serverPort, ""), startSentinel(t, serverPort, password)
	for name, tt := range map[string]struct {
		port string
		vars []string
		want string // of the error
	}{
		"without a password":      {open, []string{"REDIS_SENTINEL_MASTER=main", "REDIS_PASS=" + sentinel}, ""},
		"with one":                {closed, []string{"REDIS_SENTINEL_MASTER=main", "REDIS_PASS=" + sentinel, "REDIS_SENTINEL_PASS=" + password}, ""},
		"with a user":             {closed, []string{"REDIS_SENTINEL_MASTER=main", "REDIS_PASS=" + sentinel, "REDIS_SENTINEL_USERNAME=default", "REDIS_SENTINEL_PASS=" + password}, ""},
		"the password is missing": {closed, []string{"REDIS_SENTINEL_MASTER=main", "REDIS_PASS=" + sentinel}, "check REDIS_SENTINEL_USERNAME and REDIS_SENTINEL_PASS"},
		"a wrong password":        {closed, []string{"REDIS_SENTINEL_MASTER=main", "REDIS_PASS=" + sentinel, "REDIS_SENTINEL_PASS=" + sentinel}, "check REDIS_SENTINEL_USERNAME and REDIS_SENTINEL_PASS"},
		"the server's is wrong":   {closed, []string{"REDIS_SENTINEL_MASTER=main", "REDIS_PASS=x" + sentinel, "REDIS_SENTINEL_PASS=" + password}, "check REDIS_USERNAME and REDIS_PASS"},
		"no master":               {open, []string{"REDIS_PASS="}, "is a sentinel; set REDIS_SENTINEL_MASTER, or add master_set=name to REDIS_URL"},
		"another master":          {open, []string{"REDIS_SENTINEL_MASTER=other", "REDIS_PASS=" + sentinel}, "check REDIS_SENTINEL_MASTER"},
		"a server as sentinel":    {serverPort, []string{"REDIS_SENTINEL_MASTER=main", "REDIS_PASS=" + sentinel, "REDIS_SENTINEL_PASS=" + sentinel}, "is no sentinel"},
	} {
		t.Run(name, func(t *testing.T) {
			setenv(t, append(tt.vars, "REDIS_ADDRS=127.0.0.1:"+tt.port)...)
			scope, closeClient, err := Open(t.Context(), tree)
			defer closeClient()
			if tt.want != "" {
				t.Log(err)
				require.ErrorIs(t, err, ErrConnect)
				require.ErrorContains(t, err, tt.want)
				require.NotContains(t, err.Error(), sentinel)
				return
			}
			require.NoError(t, err)
			require.NoError(t, nameKey.At(scope).Set(t.Context(), "Ali"))
		})
	}
}
