package portner_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestREADMEPackages verifies that the README's table lists every importable package.
func TestREADMEPackages(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	var rows []string
	for _, m := range regexp.MustCompile("(?m)^\\| \\[`([a-z/]+)`\\]\\(([a-z/]+)\\)").FindAllStringSubmatch(string(readme), -1) {
		require.Equal(t, m[1], m[2])
		rows = append(rows, m[1])
	}
	require.ElementsMatch(t, packages(t), rows)
}

// packages returns the directories of importable packages of this module.
func packages(t *testing.T) []string {
	t.Helper()
	found := map[string]bool{}
	require.NoError(t, filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != "." {
			_, err := os.Stat(filepath.Join(name, "go.mod"))
			if err == nil || d.Name() == "internal" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") {
				return fs.SkipDir // another module, or not importable
			}
		}
		if dir := filepath.Dir(name); dir != "." && strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			found[filepath.ToSlash(dir)] = true
		}
		return nil
	}))
	return slices.Collect(maps.Keys(found))
}

// TestLinks verifies that links between documents lead to files.
func TestLinks(t *testing.T) {
	t.Parallel()
	found := 0
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/spec/*.md", "examples/*/*.md"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(string(text), -1) {
				target, _, _ := strings.Cut(m[1], "#")
				if target == "" || strings.Contains(target, "://") {
					continue
				}
				found++
				_, err := os.Stat(filepath.Join(filepath.Dir(file), target))
				require.NoError(t, err, "link in %s", file)
			}
		}
	}
	require.Greater(t, found, 40, "too few links found")
}

// TestServersInTheBackground: a command after one that ends with & waits for the server, which go run builds first.
func TestServersInTheBackground(t *testing.T) {
	t.Parallel()
	found := 0
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/spec/*.md", "examples/*/*.md", "storage/*/*.md", "*/*.md"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, m := range regexp.MustCompile(`(?m)^.*[^&] &$\n(.*)`).FindAllStringSubmatch(string(text), -1) {
				found++
				require.Contains(t, m[1], "curl ", file)
				require.Regexp(t, `--retry \d+ --retry-delay 1 --retry-connrefused `, m[1], file)
			}
		}
	}
	require.NotZero(t, found)
}
