package storagetest_test

import (
	"testing"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/storage/storagetest"
)

// openEmptyStore opens a store for one case, with tables of its own.
func openEmptyStore(*testing.T) *memory.Store { return memory.New() }

func ExampleRun() {
	// In a file of your own: func TestStore(t *testing.T) { … }
	_ = func(t *testing.T) {
		storagetest.Run(t, func(t *testing.T) provider.Store { return openEmptyStore(t) })
		storagetest.RunReplay(t, func(t *testing.T) client.ReplayStore { return openEmptyStore(t) })
	}
	// Output:
}
