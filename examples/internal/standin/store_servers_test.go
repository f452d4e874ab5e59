//go:build servers

package standin_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestStoresOfServersNeedSecrets: every node has the same secrets, so there is no default for their file.
func TestStoresOfServersNeedSecrets(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgres://u:hunter2@localhost/x", "redis://:hunter2@localhost", "rediss://localhost"} {
		_, err := prepared(t, "-store", url)
		require.ErrorContains(t, err, "needs -secrets FILE, the same file on every node")
		require.NotContains(t, err.Error(), "hunter2")
	}
}

// TestPasswordsOfServersAreNotPrinted: the error for an invalid URL has no part of its password.
func TestPasswordsOfServersAreNotPrinted(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"redis://:hunter2@localhost:port", "redis://u:hunt%er2@localhost", "redis://u:1234/hunter2@localhost", "redis://u:1234?hunter2@localhost",
		"rediss://u:hunter2@local host", "postgres://u:hunter2@localhost:port/x", "postgres://u:hunt%er2@localhost/x", "postgres://u:hunt er2@localhost/x",
	} {
		_, err := prepared(t, "-store", url, "-secrets", filepath.Join(t.TempDir(), "secrets"))
		require.ErrorContains(t, err, "-store: ")
		for _, part := range []string{"hunt", "er2", "1234"} {
			require.NotContains(t, err.Error(), part, url)
		}
	}
}
