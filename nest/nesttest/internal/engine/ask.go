package engine

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// WaitFor calls ready every few milliseconds until it returns nil. After StartTimeout, or when gone
// is closed, it returns the last error. gone may be nil.
func WaitFor(gone <-chan struct{}, ready func() error) error {
	deadline := time.After(StartTimeout)
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-gone:
			return fmt.Errorf("it ended: %w", err)
		case <-deadline:
			return fmt.Errorf("not ready after %v: %w", StartTimeout, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// StartTimeout is how long a server may take to start responding. That usually takes milliseconds.
// A container that is started again beside many others has taken more than 20 seconds.
const StartTimeout = time.Minute

// askTimeout is how long a server that was reached may take for one reply. It allows for a node
// that is starting on a busy machine.
const askTimeout = 10 * time.Second

// Ask sends one command on a connection of its own and returns the reply, which must be a string, a
// status or a number. Unlike any client, it works while a server starts: it does not retry, and
// does not look for a Redis Cluster that is still being formed.
func Ask(addr string, args ...string) (string, error) {
	conn, err := net.DialTimeout("tcp", addr, askTimeout)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(askTimeout)); err != nil {
		return "", err
	}
	var cmd strings.Builder
	fmt.Fprintf(&cmd, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&cmd, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := io.WriteString(conn, cmd.String()); err != nil {
		return "", err
	}
	reply, err := readReply(bufio.NewReader(conn))
	if err != nil {
		return "", fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	}
	return reply, nil
}

func readReply(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	kind, rest := line[0], strings.TrimSpace(line[1:])
	switch kind {
	case '+', ':':
		return rest, nil
	case '-':
		return "", errors.New(rest)
	case '$':
		n, err := strconv.Atoi(rest)
		if err != nil || n < 0 || n > 1<<20 {
			return "", fmt.Errorf("a reply of length %s", rest)
		}
		body := make([]byte, n)
		_, err = io.ReadFull(r, body)
		return string(body), err
	}
	return "", fmt.Errorf("a reply of type %q", kind)
}

// Field returns the value of a line "name:value" in a reply to INFO or CLUSTER INFO.
func Field(info, name string) string {
	for line := range strings.Lines(info) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && key == name {
			return value
		}
	}
	return ""
}

// Expect sends INFO or CLUSTER INFO, and returns an error unless the field has the given value.
func Expect(addr, name, want string, command ...string) error {
	info, err := Ask(addr, command...)
	if err != nil {
		return err
	}
	if got := Field(info, name); got != want {
		return fmt.Errorf("%s: %s is %q, not %q", addr, name, got, want)
	}
	return nil
}
