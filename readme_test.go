package portner_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestREADME: the program in the README is the body of provider's Example, which is compiled and run.
func TestREADME(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	example, err := os.ReadFile("provider/example_test.go")
	require.NoError(t, err)
	_, body, ok := strings.Cut(string(example), "func Example() {\n")
	require.True(t, ok)
	body, _, ok = strings.Cut(body, "\n\n\tw := httptest")
	require.True(t, ok)
	program := strings.TrimPrefix(strings.ReplaceAll(body, "\n\t", "\n"), "\t")
	require.Contains(t, string(readme), "```go\n"+program+"\n```")
	require.LessOrEqual(t, strings.Count(program, "\n")+1, 35)
}

// TestREADMEPackages: every package a user may import has a row in the README's table, and no other.
func TestREADMEPackages(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	var rows []string
	for _, m := range regexp.MustCompile("(?m)^\\| \\[`([a-z/]+)`\\]").FindAllStringSubmatch(string(readme), -1) {
		rows = append(rows, m[1])
		_, err := os.Stat(m[1])
		require.NoError(t, err)
	}
	for _, p := range []string{
		"pkce", "scope", "pseudonym", "acr", "norway", "session", "client", "keyset", "authorize", "token", "logout", "discovery", "resource", "provider", "maskinporten",
		"storage", "storage/memory", "storage/storagetest",
	} {
		require.Contains(t, rows, p)
	}
}
