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

// Rememberer is an engine whose server begins with a user when it is restarted: a client that
// connects before the user is there is refused for good. setUser is the command that made the user.
type Rememberer interface{ Remember(setUser []string) }

// Node is an engine that is one of several servers which know each other.
type Node interface {
	Engine
	Freezer
	Rememberer
	Address() string
	// Ended is closed when the node was killed, or has ended otherwise, so far as that is known.
	Ended() <-chan struct{}
}

// Command is how a node is started.
type Command struct {
	// Args are options of redis-server. They say nothing of the port and the folder.
	Args []string
	// Config says that the server has a configuration file, empty at first, to which it may write.
	Config bool
}

// Home is where nodes run that reach each other at the addresses at which a test reaches them. It
// is safe for concurrent use.
type Home interface {
	// Port returns a port that is still free.
	Port() (string, error)
	// Put returns under which name nodes find a file of this machine.
	Put(file string) (string, error)
	// Start starts a node, at a port of its own.
	Start(c Command) (Node, error)
	// Close ends all nodes.
	Close() error
}

// Containers start servers in containers. Package nestdocker has them.
type Containers struct {
	// Start starts a server with these options of redis-server. A restartable one can be killed and
	// started again.
	Start func(restartable bool, args []string) (e Engine, addr string, err error)
	// Home starts a container with that many ports for nodes.
	Home func(ports int) (Home, error)
}

var containers atomic.Pointer[Containers]

// Register makes package nesttest start servers in these containers.
func Register(c *Containers) { containers.Store(c) }

// Registered returns what was registered, or nil.
func Registered() *Containers { return containers.Load() }
