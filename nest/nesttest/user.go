package nesttest

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/redisimnest/redisimnest/nest/nesttest/internal/engine"
)

// ClientOf connects to the server as a user of its own, who has the rights that the ACL rules give,
// such as those of [github.com/redisimnest/redisimnest/nest/acl.Rules], and no others. On a Redis
// Cluster the user is known to every node. When the test ends, the client is closed and the user is
// deleted. On a server without ACLs the test is skipped.
func (s *Server) ClientOf(t testing.TB, rules []string) rueidis.Client {
	t.Helper()
	s.Need(t, ACL)
	user, password := "nesttest-"+strings.ToLower(rand.Text()[:12]), rand.Text()
	setUser := append([]string{"ACL", "SETUSER", user, "reset", "on", ">" + password}, rules...)
	if err := s.onAll(setUser); err != nil {
		t.Fatalf("nesttest: make a user on %s: %v", s, err)
	}
	if e, ok := s.engine.(engine.Rememberer); ok {
		e.Remember(setUser)
	} else {
		s.users.add(setUser)
	}
	t.Cleanup(func() {
		if err := s.onAll([]string{"ACL", "DELUSER", user}); err != nil && !s.private {
			t.Errorf("nesttest: delete a user on %s: %v", s, err)
		}
	})
	o := s.ClientOption()
	o.Username, o.Password = user, password
	client, err := rueidis.NewClient(o)
	if client != nil {
		t.Cleanup(client.Close)
	}
	if err != nil {
		t.Fatalf("nesttest: connect to %s: %v", s, err)
	}
	return client
}

// onAll sends a command to all nodes.
func (s *Server) onAll(words []string) error {
	if s.engine != nil {
		// A client does not know all nodes of a Redis Cluster at once.
		for _, addr := range s.asked() {
			if _, err := engine.Ask(addr, words...); err != nil {
				return fmt.Errorf("node %s: %w", addr, err)
			}
		}
		return nil
	}
	janitor, err := s.janitor()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for addr, node := range janitor.Nodes() {
		if err := node.Do(ctx, node.B().Arbitrary(words...).Build()).Error(); err != nil {
			return fmt.Errorf("node %s: %w", addr, err)
		}
	}
	return nil
}

// users are the commands that made the users of a server of the test's own, which forgets them when
// it is restarted.
type users struct {
	mu   sync.Mutex
	made [][]string
}

func (u *users) add(setUser []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.made = append(u.made, setUser)
}

// makeAgain makes the users again at some addresses.
func (u *users) makeAgain(addrs []string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, setUser := range u.made {
		for _, addr := range addrs {
			if _, err := engine.Ask(addr, setUser...); err != nil {
				return fmt.Errorf("make a user again: %w", err)
			}
		}
	}
	return nil
}
