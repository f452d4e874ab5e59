package postgres_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReadme verifies that the program and the schema in README.md are those of the module.
func TestReadme(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for file, language := range map[string]string{"internal/example/main.go": "go", "migrations/0001_tables.sql": "sql"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, string(readme), "```"+language+"\n"+strings.TrimSpace(string(text))+"\n```", file)
	}
}
