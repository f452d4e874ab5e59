//go:build unix

package keyset_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestDirectoryOfAnotherUser: the directory and its files belong to the user of the process or to root.
func TestDirectoryOfAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	const stranger = 54321
	d := directory(t)
	s := open(t, d)
	file := filepath.Join(d.Path, "0001.pem")
	for _, c := range []struct{ path, field string }{{file, "Path/0001.pem"}, {d.Path, "Path"}} {
		require.NoError(t, os.Chown(c.path, stranger, stranger))
		_, err := d.Open()
		require.Equal(t, []string{c.field}, fieldsOf(err))
		require.ErrorContains(t, err, "belongs to user 54321; it must belong to the user of the process, 0, or to root")
		require.NoError(t, os.Chown(c.path, 0, 0))
	}
	require.NoError(t, os.Chown(file, stranger, stranger))
	require.Equal(t, []string{"Path/0001.pem"}, fieldsOf(s.Rotate(t.Context(), time.Now())), "also later")
	require.NoError(t, os.Chown(file, 0, 0))
	require.NoError(t, s.Rotate(t.Context(), time.Now()))
}
