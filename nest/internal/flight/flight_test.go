package flight_test

import (
	"errors"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/redisimnest/redisimnest/nest/internal/flight"
)

func TestOneFliesAndAllLand(t *testing.T) {
	t.Parallel()
	var g flight.Group
	mine, first := g.Join("a")
	require.True(t, first)
	other, first := g.Join("b")
	require.True(t, first, "another key's flight is not joined")
	g.Land("b", other)

	failed := errors.New("failed")
	var wg sync.WaitGroup
	for range 10 {
		theirs, first := g.Join("a")
		require.False(t, first)
		wg.Go(func() {
			<-theirs.Done()
			if theirs.Value != 7 || !errors.Is(theirs.Err, failed) {
				t.Errorf("landed with %v, %v", theirs.Value, theirs.Err)
			}
		})
	}
	mine.Value, mine.Err = 7, failed
	g.Land("a", mine)
	wg.Wait()
	_, first = g.Join("a")
	require.True(t, first, "nobody joins a flight that has landed")
}

// A result that is stored after a flight was closed may be older than what a later caller has seen.
func TestNobodyJoinsAClosedFlight(t *testing.T) {
	t.Parallel()
	var g flight.Group
	early, _ := g.Join("a")
	g.Close("a", early)
	late, first := g.Join("a")
	require.True(t, first)
	g.Land("a", early)
	again, first := g.Join("a")
	require.False(t, first, "the landing of an earlier flight does not end a later one")
	require.Same(t, late, again)
}

func TestRest(t *testing.T) {
	t.Parallel()
	var g flight.Group
	require.True(t, g.Rested("a"))
	g.Pause("a", time.Hour)
	require.False(t, g.Rested("a"))
	g.Pause("a", -time.Second)
	require.True(t, g.Rested("a"))
}

func TestOnlyTheStandardLibraryIsBelow(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, "github.com/redisimnest/redisimnest/nest/internal/flight", strings.TrimSpace(string(out)))
}
