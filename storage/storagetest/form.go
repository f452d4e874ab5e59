package storagetest

import (
	"os"
	"testing"
)

// Variable is the environment variable that chooses the form of a run: "short", "normal" or "full". Without it a run with -short is
// short, and every other one is normal.
const Variable = "PORTNER_STORAGETEST"

// size returns the number that belongs to the form of the run.
func size(short, normal, full int) int {
	switch form := os.Getenv(Variable); {
	case form == "full":
		return full
	case form == "short", form != "normal" && testing.Short():
		return short
	}
	return normal
}

// rounds returns the number of rounds of a race. Each broken store that the tests of this package run is rejected in the normal form
// because callers let each other run at each check of their context. A store that does not check its context meanwhile was rejected in
// 15 of 20 runs with 500 rounds, and with -race in 30 of 30.
func rounds() int { return size(2, 100, 500) }

// few returns the number of rounds of a race that makes many calls.
func few() int { return size(1, 100, 500) }

// fewest returns the number of rounds of a race that makes very many calls.
func fewest() int { return size(1, 20, 100) }

// crowd returns the number of callers in a race for one record.
func crowd() int { return size(5, 20, 50) }

// many returns the number of other records in a case that lets a store collect garbage, or has more of them than a page.
func many(n int) int { return size(n/100, n, n) }
