package engine

import (
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPortsOfNodesDoNotMeet: with ports of any range, one Redis Cluster in a thousand had two nodes
// of which one listened for clients where the other listened for nodes. The other ended at once.
func TestPortsOfNodesDoNotMeet(t *testing.T) {
	lowest, highest := 1<<16, 0
	for range 2000 {
		port, err := FreePort()
		require.NoError(t, err)
		lowest, highest = min(lowest, port), max(highest, port)
	}
	assert.Less(t, highest, lowest+busDistance, "a second port is a first one")
	assert.Less(t, highest+busDistance, 32768, "outgoing connections have ports from here on")
}

func TestAPortWhoseSecondPortIsTakenIsNotFree(t *testing.T) {
	port, err := FreePort()
	require.NoError(t, err)
	require.NoError(t, free(port))
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+busDistance)))
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	require.Error(t, free(port))
}
