package nest

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDistinctIDs(t *testing.T) {
	for _, size := range []int{0, 1, 2, fewIDs, fewIDs + 1, 100, 3000} {
		for _, different := range []int{1, 2, 7, fewIDs, 90, 5000} {
			ids := make([]string, size)
			var want []string
			for i := range ids {
				ids[i] = string(rune('a' + i*7919%different))
				if !slices.Contains(want, ids[i]) {
					want = append(want, ids[i])
				}
			}
			unique, places := distinct(ids)
			require.Len(t, unique, len(want))
			require.ElementsMatch(t, want, unique)
			if len(want) == size {
				require.Nil(t, places)
				continue
			}
			require.Equal(t, want, unique)
			for i, place := range places {
				require.Equal(t, ids[i], unique[place])
			}
			require.Len(t, places, size)
		}
	}
}
