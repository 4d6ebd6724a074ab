//go:build race

package transport_test

// raceEnabled says that the race detector makes stacks and heap larger than they are.
const raceEnabled = true
