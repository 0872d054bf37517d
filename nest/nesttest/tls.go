package nesttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/nesttest/internal/engine"
)

// TLS makes the server speak TLS, and ask clients for a certificate, as Redis does by default. Its
// [Server.ClientOption] has the certificates; [Server.TLSFiles] are their files. The server runs
// where those of [Replicas] do, which cannot have TLS themselves. [Server.ClientOf] connects to it
// as an ACL user.
func TLS() StartOption {
	return startOptionFunc(func(o *startOptions) { o.tls = true })
}

// TLSFiles returns the files, in PEM, of the certificates of a server that was started with [TLS]:
// that of the authority which signed the server's certificate, that of a client, and the client's
// key. They last as long as the test.
func (s *Server) TLSFiles(t testing.TB) (ca, cert, key string) {
	t.Helper()
	if s.certificates == "" {
		t.Fatalf("nesttest: TLSFiles of %s: it was not started with nesttest.TLS", s)
	}
	in := func(name string) string { return filepath.Join(s.certificates, name) }
	return in("ca.pem"), in("client.pem"), in("client.key")
}

func startTLS(t testing.TB, o startOptions) *Server {
	t.Helper()
	dir := t.TempDir()
	if err := makeCertificates(dir); err != nil {
		t.Fatalf("nesttest: certificates for a server with TLS: %v", err)
	}
	return mustHave(inHome(2, reportTo(t), func(kind Kind, in engine.Home) (*Server, error) {
		s, err := startSecured(in, kind, o, dir)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("start a server with TLS: %w", err), in.Close())
		}
		return s, nil
	}))(t)
}

// secured is an engine: a server with TLS, which the kit asks without.
type secured struct {
	engine.Node
	home engine.Home
}

func (e *secured) Close() error { return errors.Join(e.Node.Close(), e.home.Close()) }

func startSecured(in engine.Home, kind Kind, o startOptions, dir string) (*Server, error) {
	port, err := in.Port()
	if err != nil {
		return nil, err
	}
	args := []string{"--tls-port", port}
	for option, file := range map[string]string{"--tls-cert-file": "server.pem", "--tls-key-file": "server.key", "--tls-ca-cert-file": "ca.pem"} {
		there, err := in.Put(filepath.Join(dir, file))
		if err != nil {
			return nil, err
		}
		args = append(args, option, there)
	}
	config, err := clientTLS(dir)
	if err != nil {
		return nil, err
	}
	node, err := in.Start(engine.Command{Args: append(args, o.serverArgs()...)})
	if err != nil {
		return nil, err
	}
	s := newServer(kind, &secured{Node: node, home: in}, rueidis.ClientOption{DisableCache: o.untracked, TLSConfig: config}, net.JoinHostPort("127.0.0.1", port))
	s.certificates = dir
	return s, nil
}

// clientTLS returns what a client needs of the certificates in a folder.
func clientTLS(dir string) (*tls.Config, error) {
	authority, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		return nil, err
	}
	cert, err := tls.LoadX509KeyPair(filepath.Join(dir, "client.pem"), filepath.Join(dir, "client.key"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return nil, errors.New("ca.pem holds no certificate")
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, Certificates: []tls.Certificate{cert}}, nil
}

// makeCertificates writes an authority, and the certificates of a server and of a client that it
// has signed, with their keys, to a folder.
func makeCertificates(dir string) error {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	now := time.Now()
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "nesttest authority"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(30 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	if err := writeCertificate(dir, "ca", authority, authority, caKey, caKey); err != nil {
		return err
	}
	for i, name := range []string{"server", "client"} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		cert := &x509.Certificate{
			SerialNumber: big.NewInt(int64(2 + i)), Subject: pkix.Name{CommonName: "nesttest " + name},
			NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}, DNSNames: []string{"localhost"},
			KeyUsage:    x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}
		if err := writeCertificate(dir, name, cert, authority, key, caKey); err != nil {
			return err
		}
	}
	return nil
}

func writeCertificate(dir, name string, cert, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) error {
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, &key.PublicKey, parentKey)
	if err != nil {
		return fmt.Errorf("the certificate of the %s: %w", name, err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(filepath.Join(dir, name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600),
	)
}
