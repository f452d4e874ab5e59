package sqlite_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage/sqlite"
	"github.com/portner-go/portner/storage/storagetest"
	"github.com/portner-go/portner/token"
)

var (
	_ provider.Store               = (*sqlite.Store)(nil)
	_ token.GrantStore             = (*sqlite.Store)(nil)
	_ authorize.PushedRequestStore = (*sqlite.Store)(nil)
	_ authorize.HistoryStore       = (*sqlite.Store)(nil)
	_ authorizations.HistoryStore  = (*sqlite.Store)(nil)
	_ client.ReplayStore           = (*sqlite.Store)(nil)
	_ dpop.ReplayStore             = (*sqlite.Store)(nil)
	_ keyset.Store                 = (*sqlite.Store)(nil)
)

// The suite runs in its short form, which checks the same rules with fewer callers and rounds. PORTNER_STORAGETEST=full runs the whole.
func TestMain(m *testing.M) {
	if file := os.Getenv("PORTNER_SQLITE_WRITER"); file != "" {
		writeUntilKilled(file)
	}
	if os.Getenv(storagetest.Variable) == "" {
		_ = os.Setenv(storagetest.Variable, "short")
	}
	os.Exit(m.Run())
}

// template is the content of a new file. Most tests begin with a copy: with -race it takes a while to make the schema.
var template = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "sqlite")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "store.db")
	s, err := sqlite.Open(context.Background(), file, sqlite.Config{})
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
})

// emptyFile makes a file with the schema.
func emptyFile(t testing.TB) string {
	t.Helper()
	content, err := template()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "store.db")
	require.NoError(t, os.WriteFile(file, content, 0o600))
	return file
}

// open opens an empty store.
func open(t testing.TB) *sqlite.Store {
	t.Helper()
	return openFile(t, emptyFile(t))
}

func openFile(t testing.TB, file string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), file, sqlite.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// openContract opens a store for one case. It does not wait for the disk, which changes no verdict; those of the other tests do.
func openContract(t *testing.T) *sqlite.Store {
	t.Helper()
	config := sqlite.Config{LoseLastSecondsOnPowerLoss: true}
	s, err := sqlite.Open(t.Context(), emptyFile(t), config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestContract(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, func(t *testing.T) provider.Store { return openContract(t) })
}

func TestContractOfOptionalMethods(t *testing.T) {
	t.Parallel()
	storagetest.RunPushedRequests(t, func(t *testing.T) authorize.PushedRequestStore { return openContract(t) })
	storagetest.RunReplay(t, func(t *testing.T) client.ReplayStore { return openContract(t) })
	storagetest.RunGrants(t, func(t *testing.T) storagetest.GrantStore { return openContract(t) })
	storagetest.RunHistory(t, func(t *testing.T) storagetest.HistoryStore { return openContract(t) })
	storagetest.RunSigningKeys(t, func(t *testing.T) keyset.Store { return openContract(t) })
}

func nodeOf(s *sqlite.Store) storagetest.Node {
	return storagetest.Node{Store: s, PushedRequests: s, Replay: s, Sweep: s.Sweep}
}

// Several handles on one file are one store.
func TestContractOfHandles(t *testing.T) {
	t.Parallel()
	storagetest.RunNodes(t, func(t *testing.T, n int) (nodes []storagetest.Node) {
		file := emptyFile(t)
		for range n {
			nodes = append(nodes, nodeOf(openFile(t, file)))
		}
		return nodes
	})
}

// Several processes with one file are one store.
func TestContractOfProcesses(t *testing.T) {
	t.Parallel()
	storagetest.RunProcesses(t, func(t *testing.T) string { return emptyFile(t) }, func(t *testing.T, file string) storagetest.Node { return nodeOf(openFile(t, file)) })
}
