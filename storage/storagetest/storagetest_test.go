package storagetest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/storage"

	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/storage/storagetest"
)

func TestMemory(t *testing.T) {
	storagetest.Run(t, func(*testing.T) storagetest.Store { return memory.New() })
	storagetest.RunGrants(t, func(*testing.T) storagetest.GrantStore { return memory.New() })
	storagetest.RunPeople(t, func(*testing.T) storagetest.PeopleStore { return memory.New() })
}

// A store of one's own needs at most 12 methods (design section 1).
func TestCoreIsSmall(t *testing.T) {
	if n := reflect.TypeFor[storagetest.Core]().NumMethod(); n > 12 {
		t.Errorf("Core has %d methods, want at most 12", n)
	}
}

// upserting is a store whose InsertGrant looks first and writes later: the suite must reject it.
type upserting struct{ *memory.Store }

// InsertGrant ignores that the grant is there already.
func (u upserting) InsertGrant(ctx context.Context, issue *storage.Issue, now time.Time) error {
	err := u.Store.InsertGrant(ctx, issue, now)
	if errors.Is(err, storage.ErrConflict) {
		return nil
	}
	return err
}

// TestRunGrantsRejects: the negative control of RunGrants, in a process of its own.
func TestRunGrantsRejects(t *testing.T) {
	if os.Getenv("PORTNER_BROKEN_GRANTS") == "1" {
		storagetest.RunGrants(t, func(*testing.T) storagetest.GrantStore { return upserting{memory.New()} })
		return
	}
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestRunGrantsRejects$", "-test.v")
	cmd.Env = append(os.Environ(), "PORTNER_BROKEN_GRANTS=1")
	out, err := cmd.CombinedOutput()
	require.Error(t, err, "the suite accepted a store that overwrites grants")
	require.Contains(t, string(out), "--- FAIL: TestRunGrantsRejects/InsertGrant/conflict")
	require.Contains(t, string(out), "--- FAIL: TestRunGrantsRejects/InsertGrant/race")
}
