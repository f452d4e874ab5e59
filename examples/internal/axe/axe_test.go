package axe

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSource refuses a script that is missing or differs from the pinned one.
func TestSource(t *testing.T) {
	t.Setenv(CacheVariable, t.TempDir())
	_, err := Source()
	require.ErrorIs(t, err, fs.ErrNotExist)
	dir, err := folder()
	require.NoError(t, err)
	dir = filepath.Join(dir, "node_modules", "axe-core")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "axe.min.js"), []byte("axe = {}"), 0o600))
	_, err = Source()
	require.ErrorContains(t, err, "not the pinned")
}
