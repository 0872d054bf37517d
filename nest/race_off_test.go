//go:build !race

package nest

// raceEnabled: the race detector allocates on its own, so budgets hold without it only.
const raceEnabled = false
