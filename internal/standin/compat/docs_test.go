package compat_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin/compat"
)

// TestDocument: the configuration of the document is valid, and its table has every switch.
func TestDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/migrating-from-mock-oauth2-server.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllSubmatch(text, -1)
	require.NotEmpty(t, blocks)
	for _, b := range blocks {
		plan, err := compat.Parse(b[1])
		require.NoError(t, err)
		require.Empty(t, plan.Warnings)
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| [^|]+ \\| `([a-z-]+)` \\| [^|]+ \\|$").FindAllSubmatch(text, -1) {
		named[string(m[1])] = true
	}
	require.Equal(t, compat.SwitchNames(), slices.Sorted(maps.Keys(named)))
}
