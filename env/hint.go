package env

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/redis/rueidis"
)

const (
	// plainAfter is how long a server may be silent at the start of a TLS handshake before it is
	// asked whether it speaks without TLS.
	plainAfter = 300 * time.Millisecond
	// askTLS bounds the time to ask whether a server speaks TLS.
	askTLS = time.Second
)

var (
	// errPlain is the error for a server that answers without TLS.
	errPlain = errors.New("the server speaks without TLS")
	// errSpeaksTLS is the error for a server that wants TLS.
	errSpeaksTLS = errors.New("the server speaks TLS")
	// errSentinel is the error for a sentinel that was taken for a server.
	errSentinel = errors.New("the server is a sentinel")
)

// dialTLS connects with TLS. A server without TLS does not answer the handshake: it waits for the
// end of what it takes for a line, and the client would wait for it until the deadline.
func dialTLS(ctx context.Context, addr string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ask := time.AfterFunc(plainAfter, func() {
		if speaksPlain(ctx, addr, dialer) {
			cancel(errPlain)
		}
	})
	defer ask.Stop()
	d := tls.Dialer{NetDialer: dialer, Config: config}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if _, garbled := errors.AsType[tls.RecordHeaderError](err); err != nil && (garbled || errors.Is(context.Cause(ctx), errPlain)) {
		return nil, errPlain
	}
	return conn, err
}

// speaksPlain reports whether the server at addr answers a PING without TLS.
func speaksPlain(ctx context.Context, addr string, dialer *net.Dialer) bool {
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	answer, err := ping(conn)
	return err == nil && (answer[0] == '+' || answer[0] == '-')
}

// speaksTLS reports whether the server at addr takes a TLS handshake or refuses it as TLS does.
func speaksTLS(ctx context.Context, addr string) bool {
	ctx, cancel := context.WithTimeout(ctx, askTLS)
	defer cancel()
	//nolint:gosec // nothing is sent: the answer is whether there is TLS, and not whose it is
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err == nil {
		_ = conn.Close()
		return true
	}
	return isAlert(err)
}

// isAlert reports whether an error is an alert by which a server ends TLS.
func isAlert(err error) bool {
	for op, ok := errors.AsType[*net.OpError](err); ok; op, ok = errors.AsType[*net.OpError](op.Err) {
		if op.Op == "remote error" {
			return true
		}
	}
	return false
}

// explain returns a more telling error, if it finds one, for the connection to the address that was
// dialed last.
func explain(ctx context.Context, option rueidis.ClientOption, addr string, err error) error {
	lost := isLost(err) || errors.Is(err, errNoServer)
	if _, _, notTCP := net.SplitHostPort(addr); lost && option.TLSConfig == nil && notTCP == nil && speaksTLS(ctx, addr) {
		return errSpeaksTLS
	}
	return err
}

// isLost reports whether an error means that the other side closed the connection.
func isLost(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// isSentinel reports whether what the client takes for a server is a sentinel.
func isSentinel(ctx context.Context, client rueidis.Client) bool {
	if client.Mode() != rueidis.ClientModeStandalone {
		return false
	}
	role, err := client.Do(ctx, client.B().Role().Build()).ToArray()
	if err != nil || len(role) == 0 {
		return false
	}
	name, err := role[0].ToString()
	return err == nil && name == "sentinel"
}

const theServer = "the server answered, but does not take the connection"

// hint says what to do about an error. answered reports whether the error is a server's answer.
func hint(option rueidis.ClientOption, addr string, err error) (text string, answered bool) {
	if refused, ok := errors.AsType[*rueidis.RedisError](err); ok {
		return hintAnswer(option, addr, refused.Error()), true
	}
	if refused, ok := errors.AsType[*refusal](err); ok {
		if strings.Contains(refused.answer, "max number of clients") {
			return "raise the server's maxclients, or close other clients", true
		}
		return theServer, true
	}
	var (
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
	)
	switch {
	case errors.Is(err, rueidis.ErrNoCache):
		return "client-side caching needs Redis 6 and a user who may CLIENT TRACKING: without it, write client_cache=0 into REDIS_URL, and protocol=2 for an older server", true
	case errors.Is(err, errSpeaksTLS):
		return "set REDIS_TLS=true, or write rediss:// into REDIS_URL", false
	case errors.Is(err, errPlain):
		return "connect without TLS: remove REDIS_TLS, or write redis:// into REDIS_URL", false
	case errors.Is(err, errSentinel):
		return "set REDIS_SENTINEL_MASTER, or add master_set=name to REDIS_URL", false
	case errors.Is(err, errNoServer):
		return "check the port", false
	case errors.As(err, &unknown) && option.TLSConfig != nil && option.TLSConfig.RootCAs != nil:
		return "check REDIS_TLS_CA_FILE: it does not hold the certificate of the authority that has signed the server's", false
	case errors.As(err, &unknown):
		return "set REDIS_TLS_CA_FILE to the certificate of the authority that has signed the server's", false
	case errors.As(err, &hostname):
		return "connect to a name that the server's certificate has", false
	case option.TLSConfig == nil || !isAlert(err) && !isLost(err):
	case option.TLSConfig.GetClientCertificate != nil:
		return "the server has ended the connection: check REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE, and that it knows who has signed them", false
	default:
		return "the server has ended the connection: if it asks for a client's certificate, set REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE", false
	}
	return "check the address, and that a server runs there", false
}

// hintAnswer says what to do about a server's answer.
func hintAnswer(option rueidis.ClientOption, addr, answer string) string {
	sentinel := option.Sentinel.MasterSet != "" && slices.Contains(option.InitAddress, addr)
	code, _, _ := strings.Cut(answer, " ")
	switch {
	case code != "NOAUTH" && code != "WRONGPASS" && code != "NOPERM":
	case sentinel:
		return "check REDIS_SENTINEL_USERNAME and REDIS_SENTINEL_PASS: what REDIS_USERNAME, REDIS_PASS and REDIS_URL say is for the server"
	default:
		return "check REDIS_USERNAME and REDIS_PASS or REDIS_PASS_FILE, or what REDIS_URL says of them, and the user's rights"
	}
	switch {
	case strings.HasPrefix(answer, "No such master"):
		return "check REDIS_SENTINEL_MASTER, or master_set in REDIS_URL"
	case sentinel && strings.Contains(answer, "'SENTINEL'"):
		return addr + " is no sentinel: remove REDIS_SENTINEL_MASTER, or master_set from REDIS_URL, or connect to the sentinels"
	}
	return theServer
}
