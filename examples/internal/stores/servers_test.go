//go:build servers

package stores_test

import (
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
