//go:build !race

package walk

// raced reports that the race detector is on.
const raced = false
