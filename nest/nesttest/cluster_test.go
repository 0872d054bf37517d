package nesttest

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each pair of nodes is introduced to each other, and no node to itself.
func TestIntroductions(t *testing.T) {
	t.Parallel()
	var met [clusterNodes][clusterNodes]int
	for _, pair := range introductions(clusterNodes) {
		met[pair[0]][pair[1]]++
	}
	for i := range met {
		require.Zero(t, met[i][i], "node %d meets itself", i)
		for j := range i {
			require.Equal(t, 1, met[i][j]+met[j][i], "nodes %d and %d", i, j)
		}
	}
}

// BenchmarkCluster starts Redis Clusters one after the other, and fails if one of them does not
// form. Two hundred take ten minutes:
//
//	go test -run '^$' -bench Cluster -benchtime 200x -timeout 30m .
func BenchmarkCluster(b *testing.B) {
	for b.Loop() {
		s, err := startCluster(startOptions{private: true}, func(err error) { b.Logf("nesttest: %v", err) })
		if errors.Is(err, errNoProgram) && !inCI() {
			b.Skipf("nesttest: SKIPPED, not passed: %v", err)
		}
		require.NoError(b, err)
		require.NoError(b, s.engine.Close())
	}
}
