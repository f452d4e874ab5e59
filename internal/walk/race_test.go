//go:build race

package walk

// raced reports that the race detector is on: everything takes several times as long.
const raced = true
