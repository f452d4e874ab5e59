package archtest_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPlainHTTPIsAllowedByAFlag checks that only the flag of the stand-ins allows plain http outside loopback.
func TestPlainHTTPIsAllowedByAFlag(t *testing.T) {
	t.Parallel()
	var callers []string
	require.NoError(t, filepath.WalkDir("../..", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.Contains(name, "archtest") {
			return err
		}
		text, err := os.ReadFile(name)
		if err == nil && strings.Contains(string(text), ".InsecureAllowPlainHTTP(") {
			callers = append(callers, filepath.ToSlash(strings.TrimPrefix(name, "../../")))
		}
		return err
	}))
	require.Equal(t, []string{"internal/standin/standin.go"}, callers)
}
