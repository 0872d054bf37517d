package engine

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are taken from a range of their own. A node of a Redis Cluster listens on a second port,
// busDistance above the one for clients, where the nodes talk to each other. So the range is no
// longer than that: no port of a node is the second port of another. Both lie below the ports that
// Linux assigns to outgoing connections, which begin at 32768. Otherwise a connection of another
// program could hold the port of a server that is being restarted.
const (
	firstPort   = 11_000
	busDistance = 10_000
)

// FreePort finds a port of the loopback address on which nothing listens, and whose second port is
// free as well.
func FreePort() (int, error) {
	var err error
	for range 100 {
		port := firstPort + rand.IntN(busDistance)
		if err = free(port); err == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port from %d to %d: %w", firstPort, firstPort+busDistance-1, err)
}

// free returns an error if something listens on a port or its second port.
func free(port int) error {
	for _, p := range []int{port, port + busDistance} {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p)))
		if err != nil {
			return err
		}
		if err := l.Close(); err != nil {
			return err
		}
	}
	return nil
}
