package storagetest_test

import (
	"reflect"
	"testing"

	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/storage/storagetest"
)

func TestMemory(t *testing.T) {
	storagetest.Run(t, func(*testing.T) storagetest.Store { return memory.New() })
}

// A store of one's own needs at most 12 methods (design section 1).
func TestCoreIsSmall(t *testing.T) {
	if n := reflect.TypeFor[storagetest.Core]().NumMethod(); n > 12 {
		t.Errorf("Core has %d methods, want at most 12", n)
	}
}
