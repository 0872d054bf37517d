package engine

import (
	"fmt"
	"net"
)

// maxPort leaves room for the port on which the nodes of a Redis Cluster talk to each other, 10000
// above the one for clients.
const maxPort = 65535 - 10000

// FreePort finds a port of the loopback address on which nothing listens.
func FreePort() (int, error) {
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port := l.Addr().(*net.TCPAddr).Port
		if err := l.Close(); err != nil {
			return 0, err
		}
		if port <= maxPort {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port up to %d", maxPort)
}
