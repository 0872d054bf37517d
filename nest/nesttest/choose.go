package nesttest

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/nesttest/internal/engine"
)

// starters are the ways to start a server if none is chosen, best first.
var starters = []struct {
	kind  Kind
	start func(o startOptions) (*Server, error)
}{
	{KindDocker, startContainer},
	{KindPath, startPath},
	{KindEmbedded, startEmbedded},
}

// errNoContainers is why a test without package nestdocker cannot have a container.
var errNoContainers = errors.New(`the test does not import _ "github.com/redisimnest/redisimnest/nest/nesttest/nestdocker", which starts containers`)

// startContainer starts a server in a container, if package nestdocker is linked.
func startContainer(o startOptions) (*Server, error) {
	containers := engine.Registered()
	if containers == nil {
		return nil, errNoContainers
	}
	e, addr, err := containers.Start(o.private, o.serverArgs())
	if err != nil {
		return nil, err
	}
	return newServer(KindDocker, e, rueidis.ClientOption{}, addr), nil
}

// choose finds a server in the order that the package's documentation describes. It reports each
// one that is not available before it tries the next.
func choose(o startOptions, report func(error)) (*Server, error) {
	addr, kind := os.Getenv("REDIS_TEST_ADDR"), Kind(os.Getenv("REDIS_TEST_SERVER"))
	if kind == "" && addr != "" {
		kind = KindAddr
	}
	switch {
	case kind == "", kind == KindAddr && o.private:
		return first(o, report)
	case kind == KindCluster && o.private:
		return pick(startPath(o))
	case kind == KindAddr:
		return pick(connect(addr))
	case kind == KindCluster:
		return pick(startCluster(o, report))
	}
	for _, s := range starters {
		if s.kind == kind {
			return pick(s.start(o))
		}
	}
	return nil, fmt.Errorf("nesttest: REDIS_TEST_SERVER=%s is not a kind of server; want addr, docker, path, embedded or cluster", kind)
}

// first starts the first server that is available.
func first(o startOptions, report func(error)) (*Server, error) {
	var failed []error
	for _, st := range starters {
		if st.kind == KindDocker && engine.Registered() == nil {
			continue // nobody asked for Docker
		}
		s, err := st.start(o)
		if err == nil {
			return s, nil
		}
		err = fmt.Errorf("%s: %w", st.kind, err)
		report(err)
		failed = append(failed, err)
	}
	return nil, fmt.Errorf("nesttest: no server is available: %w", errors.Join(failed...))
}

// pick marks the server as explicitly chosen.
func pick(s *Server, err error) (*Server, error) {
	if err != nil {
		return nil, fmt.Errorf("nesttest: the server that REDIS_TEST_SERVER or REDIS_TEST_ADDR asks for cannot be had: %w", err)
	}
	s.picked = true
	return s, nil
}

// connect returns an existing server at addr. Errors do not show addr if it is a URL, because a URL
// may contain a password.
func connect(addr string) (*Server, error) {
	if addr == "" {
		return nil, errors.New("REDIS_TEST_ADDR is not set")
	}
	option, addrs := rueidis.ClientOption{}, strings.Split(addr, ",")
	if strings.Contains(addr, "://") {
		var err error
		if option, err = rueidis.ParseURL(addr); err != nil {
			return nil, errors.New("REDIS_TEST_ADDR is not a redis:// URL")
		}
		addrs = option.InitAddress
	}
	s := newServer(KindAddr, nil, option, addrs...)
	if _, err := s.janitor(); err != nil {
		return nil, fmt.Errorf("connect to %s: %w", strings.Join(addrs, ","), err)
	}
	return s, nil
}
