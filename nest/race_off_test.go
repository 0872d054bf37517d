//go:build !race

package nest

// raceEnabled reports whether the race detector is on. The race detector allocates, so the
// allocation budgets do not apply with it.
const raceEnabled = false
