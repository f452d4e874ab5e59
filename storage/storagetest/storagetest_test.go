package storagetest_test

import (
	"reflect"
	"testing"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/storage/storagetest"
)

func TestMemory(t *testing.T) {
	storagetest.Run(t, func(*testing.T) provider.Store { return memory.New() })
	storagetest.RunPushedRequests(t, func(*testing.T) authorize.PushedRequestStore { return memory.New() })
	storagetest.RunReplay(t, func(*testing.T) client.ReplayStore { return memory.New() })
	storagetest.RunGrants(t, func(*testing.T) storagetest.GrantStore { return memory.New() })
	storagetest.RunHistory(t, func(*testing.T) storagetest.HistoryStore { return memory.New() })
	storagetest.RunSigningKeys(t, func(*testing.T) keyset.Store { return memory.New() })
}

// A store needs at most 13 methods.
func TestStoreIsSmall(t *testing.T) {
	if n := reflect.TypeFor[provider.Store]().NumMethod(); n > 12 {
		t.Errorf("provider.Store has %d methods, want at most 12", n)
	}
}
