package env

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/url"
	"strings"
)

// checkTLS adds to found what is wrong with the files of TLS.
func (c Config) checkTLS(isSet func(variable string) bool, found *problems) {
	for _, name := range []string{"REDIS_TLS_CA_FILE", "REDIS_TLS_CERT_FILE", "REDIS_TLS_KEY_FILE"} {
		if isSet(name) && !c.usesTLS() {
			found.addf(name, "the connection is without TLS: set REDIS_TLS=true, or write rediss:// into REDIS_URL")
			return
		}
	}
	if isSet("REDIS_TLS_CERT_FILE") != isSet("REDIS_TLS_KEY_FILE") {
		found.addf("REDIS_TLS_CERT_FILE", "a client's certificate takes both REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE")
		return
	}
	if isSet("REDIS_TLS_CA_FILE") {
		if _, err := c.roots(); err != nil {
			*found = append(*found, Problem{Variable: "REDIS_TLS_CA_FILE", Message: "the file it names: " + err.Error(), Err: err})
		}
	}
	if isSet("REDIS_TLS_CERT_FILE") {
		if _, name, err := c.certificate(); err != nil {
			*found = append(*found, Problem{Variable: name, Message: "the file it names: " + err.Error(), Err: err})
		}
	}
}

// usesTLS reports whether the connection uses TLS.
func (c Config) usesTLS() bool {
	if c.URL.IsZero() {
		return c.TLS
	}
	u, err := url.Parse(strings.TrimSpace(c.URL.Reveal()))
	// A malformed URL is reported elsewhere.
	return err != nil || u.Scheme == "rediss" || u.Scheme == "valkeys"
}

// secureTLS completes the TLS settings. The Config has been checked.
func (c Config) secureTLS(config *tls.Config) {
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	if c.TLSCAFile != "" {
		config.RootCAs, _ = c.roots()
	}
	if c.TLSCertFile != "" {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			certificate, name, err := c.certificate()
			if err != nil {
				return nil, errors.New(name + ": the file it names: " + err.Error())
			}
			return &certificate, nil
		}
	}
}

// The errors of these two reveal nothing of a file's content, which can be a key.

func (c Config) roots() (*x509.CertPool, error) {
	pem, err := readRegular(c.TLSCAFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("it holds no certificate in PEM")
	}
	return pool, nil
}

// certificate returns the client's certificate or, with an error, the variable that is to blame.
func (c Config) certificate() (_ tls.Certificate, variable string, _ error) {
	cert, err := readRegular(c.TLSCertFile)
	if err != nil {
		return tls.Certificate{}, "REDIS_TLS_CERT_FILE", err
	}
	key, err := readRegular(c.TLSKeyFile)
	if err != nil {
		return tls.Certificate{}, "REDIS_TLS_KEY_FILE", err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, "REDIS_TLS_CERT_FILE", errors.New("it and that of REDIS_TLS_KEY_FILE are no certificate and its key, in PEM and without a passphrase")
	}
	return pair, "", nil
}
