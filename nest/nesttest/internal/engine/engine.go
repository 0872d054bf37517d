// Package engine is what packages nesttest and nestdocker share: what runs a server, and how a
// server is asked without a client.
package engine

import "sync/atomic"

// Engine is what runs a server.
type Engine interface {
	// Kill ends the server at once, as a crash does.
	Kill() error
	// Restart starts a killed server on the same address.
	Restart() error
	// Close ends the server for good. The engine is not used again.
	Close() error
}

// Freezer is an engine whose server can be stopped and go on, as SIGSTOP and SIGCONT do.
type Freezer interface {
	Freeze() error
	Thaw() error
}

// Node is an engine that is one node of a Redis Cluster.
type Node interface {
	Engine
	Address() string
	// Ended is closed when the node has ended; it is nil if that is not known.
	Ended() <-chan struct{}
}

// Containers start servers in containers. Package nestdocker has them.
type Containers struct {
	// Start starts a server with these options of redis-server. A restartable one can be killed and
	// started again.
	Start func(restartable bool, args []string) (e Engine, addr string, err error)
	// StartNodes starts n servers in one container, each under an address at which it is reached
	// from inside and from outside.
	StartNodes func(n int, args []string) (home Engine, nodes []Node, err error)
}

var containers atomic.Pointer[Containers]

// Register makes package nesttest start servers in these containers.
func Register(c *Containers) { containers.Store(c) }

// Registered returns what was registered, or nil.
func Registered() *Containers { return containers.Load() }
