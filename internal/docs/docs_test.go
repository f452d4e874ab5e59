// Package docs_test holds the Go programs of README.md and docs/embedding.md. They are compiled here, and TestSnippets
// verifies that the documents show what is compiled.
package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var block = regexp.MustCompile("(?ms)^```go\n(.*?)^```")

// TestSnippets verifies that each Go block of the documents is part of a file of this directory, at the top level or as the
// body of a function.
func TestSnippets(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	files = append(files, "../callers/testdata/app/kit/kit_test.go", "../callers/testdata/app/kit/helpers_test.go") // of docs/testing.md, which TestApp runs
	var sources []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		sources = append(sources, string(text))
	}
	for document, least := range map[string]int{"../../README.md": 1, "../../docs/embedding.md": 2, "../../docs/testing.md": 5} {
		text, err := os.ReadFile(document)
		require.NoError(t, err)
		blocks := block.FindAllStringSubmatch(string(text), -1)
		require.GreaterOrEqual(t, len(blocks), least, document)
		for _, b := range blocks {
			require.True(t, compiled(sources, b[1]), "%s shows code that is not compiled in internal/docs:\n%s", document, b[1])
		}
	}
}

func compiled(sources []string, code string) bool {
	body := "\t" + strings.ReplaceAll(strings.TrimSuffix(code, "\n"), "\n", "\n\t")
	body = strings.ReplaceAll(body, "\n\t\n", "\n\n")
	for _, source := range sources {
		if strings.Contains(source, code) || strings.Contains(source, body) {
			return true
		}
	}
	return false
}

// TestSnippetsControl verifies that compiled rejects other code.
func TestSnippetsControl(t *testing.T) {
	t.Parallel()
	source := []string{"func f() {\n\tone()\n\n\ttwo()\n}\n"}
	require.True(t, compiled(source, "one()\n\ntwo()\n"))
	require.False(t, compiled(source, "one()\ntwo()\n"))
}
