//go:build !servers

package stores_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestServersNeedTheirTag: the error has the command to run.
func TestServersNeedTheirTag(t *testing.T) {
	t.Parallel()
	for url, kind := range map[string]string{"postgres://u:hunter2@localhost/x": "postgres", "postgresql://u:hunter2@localhost/x": "postgres", "redis://:hunter2@localhost": "redis", "rediss://localhost": "rediss"} {
		_, err := prepared(t, "-store", url)
		require.ErrorContains(t, err, "go run -tags servers ./examples/idporten -store "+kind+"://…")
		require.NotContains(t, err.Error(), "hunter2")
	}
}
