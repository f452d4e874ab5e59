package sqlite_test

import (
	"testing"

	"github.com/portner-go/portner/internal/explore"
)

// Some of the states that two nodes reach with a few steps. Package memory is compared with the model in every one.
func TestExplore(t *testing.T) {
	t.Parallel()
	explore.RunSome(t, func(t testing.TB) explore.Store { return open(t) }, explore.FullDepth, 40)
}
