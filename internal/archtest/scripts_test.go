package archtest_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// endsEarly matches a pipe into a command that may end before it has read its input.
var endsEarly = regexp.MustCompile(`\|\s*(head\b|grep\s+(-\S+\s+)*-[a-zA-Z]*[qm]|sed\s+\S*[0-9;/]q\b|awk\s.*\bexit\b)`)

// TestScriptsReadPipesToTheEnd checks that no script in which the status of every command of a pipe counts pipes into a command that may end
// before its input does. Whether SIGPIPE kills the command before it depends on the sizes of its writes and on the scheduler.
func TestScriptsReadPipesToTheEnd(t *testing.T) {
	t.Parallel()
	scripts := 0
	require.NoError(t, filepath.WalkDir("../..", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && d.Name() == ".git" {
			return cmpSkip(err)
		}
		if d.IsDir() || filepath.Ext(name) != ".sh" && filepath.Base(filepath.Dir(name)) != ".ci" {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil || !strings.Contains(string(text), "pipefail") {
			return err
		}
		scripts++
		require.Empty(t, endsEarly.FindAllString(string(text), -1), name)
		return nil
	}))
	require.GreaterOrEqual(t, scripts, 3, ".ci/run, the installation of the clients and the fuzz targets")
	for text, want := range map[string]bool{
		"sort | head -15": true, "sort |head": true, "list | grep -q x": true, "list | grep -i -qE x": true, "list | grep -m1 x": true, "sed | sed 5q": true,
		"sort | sed -n 1,15p": false, "list | tail -n 1": false, "list | grep -i -e x": false, "headers": false, "grep -q x file": false,
	} {
		require.Equal(t, want, endsEarly.MatchString(text), text)
	}
}
