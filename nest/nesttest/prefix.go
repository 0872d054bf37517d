package nesttest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// Prefix returns a prefix that no other test has: "t:" and twelve random letters and digits. The
// keys below it are deleted when the test ends. Each call returns a different one.
func (s *Server) Prefix(t testing.TB) string {
	t.Helper()
	prefix := "t:" + strings.ToLower(rand.Text()[:12])
	if !s.private {
		t.Cleanup(func() {
			if err := s.delete(prefix); err != nil {
				t.Errorf("nesttest: delete the keys of the test on %s: %v", s, err)
			}
		})
	}
	return prefix
}

// delete deletes all keys whose names begin with prefix, which must not contain glob characters. It
// also deletes those that begin with a brace and prefix, as the keys that package nest keeps beside
// others do. It sends its own commands, because it must not depend on the package that it helps to
// test.
func (s *Server) delete(prefix string) error {
	janitor, err := s.janitor()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	nodes := janitor.Nodes()
	for addr, node := range nodes {
		replica, err := false, error(nil)
		if len(nodes) > 1 {
			replica, err = isReplica(ctx, node)
		}
		if err == nil && !replica {
			err = errors.Join(deleteOn(ctx, node, prefix), deleteOn(ctx, node, "{"+prefix))
		}
		if err != nil {
			return fmt.Errorf("node %s: %w", addr, err)
		}
	}
	return nil
}

func deleteOn(ctx context.Context, node rueidis.Client, prefix string) error {
	for cursor := uint64(0); ; {
		page, err := node.Do(ctx, node.B().Scan().Cursor(cursor).Match(prefix+"*").Count(1000).Build()).AsScanEntry()
		if err != nil {
			return err
		}
		// Use one command per key: in a Redis Cluster, a command takes keys of one slot only.
		unlinks := make(rueidis.Commands, len(page.Elements))
		for i, key := range page.Elements {
			unlinks[i] = node.B().Unlink().Key(key).Build()
		}
		for _, reply := range node.DoMulti(ctx, unlinks...) {
			if err := reply.Error(); err != nil {
				return err
			}
		}
		if cursor = page.Cursor; cursor == 0 {
			return nil
		}
	}
}

// isReplica reports whether the node follows another one, so that its keys are not its own.
func isReplica(ctx context.Context, node rueidis.Client) (bool, error) {
	info, err := node.Do(ctx, node.B().Info().Section("replication").Build()).ToString()
	return strings.Contains(info, "role:slave"), err
}
