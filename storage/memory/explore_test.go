package memory_test

import (
	"testing"

	"github.com/portner-go/portner/internal/explore"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/storage/memory"
)

// Every state that two nodes reach with a few steps, with the verdict of each further step, or some of them if the test may not take long.
func TestExplore(t *testing.T) {
	slow.WithoutRaceDetector(t)
	t.Parallel()
	newStore := func(testing.TB) explore.Store { return memory.New() }
	if testing.Short() || !slow.Wanted() {
		explore.RunSome(t, newStore, explore.FullDepth, 300)
		return
	}
	explore.Run(t, newStore, explore.FullDepth)
}
