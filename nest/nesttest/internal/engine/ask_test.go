package engine

import (
	"bufio"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever replies on a port that was just free, reading the reply ends in a reply or an error.
func FuzzReadReply(f *testing.F) {
	for _, reply := range []string{"+PONG\r\n", ":1\r\n", "-ERR no\r\n", "$3\r\nabc\r\n", "$-1\r\n", "$99\r\nabc", "$x\r\n", "*0\r\n", "\n", "", "HTTP/1.1 400 Bad Request\r\n"} {
		f.Add(reply)
	}
	f.Fuzz(func(t *testing.T, reply string) {
		got, err := readReply(bufio.NewReader(strings.NewReader(reply)))
		if err == nil {
			require.Contains(t, reply, got)
		}
	})
}
