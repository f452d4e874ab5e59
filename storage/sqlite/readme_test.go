package sqlite_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// The program of README.md is the one that is compiled.
func TestREADMEProgram(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	program, err := os.ReadFile("internal/example/main.go")
	require.NoError(t, err)
	require.Contains(t, string(readme), "```go\n"+string(program)+"```\n")
}

// The statements of README.md are valid, and end everything in a file that was restored.
func TestREADMEStatements(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	restore := regexp.MustCompile("(?s)```sql\n(.*?)```").FindSubmatch(readme)
	list := regexp.MustCompile(`-readonly provider.db "(SELECT .*)"`).FindSubmatch(readme)
	require.NotNil(t, restore)
	require.NotNil(t, list)
	s := open(t)
	require.NoError(t, logIn(t.Context(), s, "a"))
	require.NoError(t, s.Exec(string(list[1])))
	require.NoError(t, s.Exec(string(restore[1])))
	for _, sql := range []string{
		"SELECT count(*) FROM sessions WHERE ended = 0", "SELECT count(*) FROM codes WHERE consumed = 0", "SELECT count(*) FROM grants WHERE revoked = 0",
	} {
		n, err := s.Number(sql)
		require.NoError(t, err)
		require.Zero(t, n, sql)
	}
	n, err := s.Number("SELECT count(*) FROM session_list, grant_list")
	require.NoError(t, err)
	require.Zero(t, n)
}
