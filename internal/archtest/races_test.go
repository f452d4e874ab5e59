package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRaceDetector checks that the packages which "make test" runs without the race detector start no goroutines and serve no connections,
// in their code and in their tests.
func TestRaceDetector(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(t, err)
	dirs := withoutRaceDetector(string(makefile))
	require.NotEmpty(t, dirs)
	fset := token.NewFileSet()
	for _, dir := range dirs {
		names, err := fs.Glob(os.DirFS(root), dir+"/*.go")
		require.NoError(t, err)
		require.True(t, slices.ContainsFunc(names, func(name string) bool { return strings.HasSuffix(name, "_test.go") }), "%s has no tests", dir)
		for _, name := range names {
			f, err := parser.ParseFile(fset, filepath.Join(root, name), nil, 0)
			require.NoError(t, err)
			for _, pos := range concurrent(f) {
				t.Errorf("%s: the tests of %s need the race detector: remove it from PLAIN in the Makefile", fset.Position(pos), dir)
			}
		}
	}
}

// withoutRaceDetector returns the folders of the variable PLAIN.
func withoutRaceDetector(makefile string) []string {
	_, rest, _ := strings.Cut(strings.ReplaceAll(makefile, "\\\n", " "), "\nPLAIN = ")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.Fields(line)
}

// concurrent returns where a file starts a goroutine or serves connections.
func concurrent(f *ast.File) (found []token.Pos) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			found = append(found, n.Pos())
		case *ast.SelectorExpr:
			if slices.Contains([]string{"AfterFunc", "Go", "Listen", "ListenAndServe", "ListenAndServeTLS", "NewServer", "NewTLSServer", "NewUnstartedServer", "Serve", "ServeTLS"}, n.Sel.Name) {
				found = append(found, n.Pos())
			}
		}
		return true
	})
	return found
}

func TestConcurrencyIsFound(t *testing.T) {
	t.Parallel()
	for _, statement := range []string{"go f()", "wg.Go(f)", "_ = httptest.NewServer(h)", "_ = httptest.NewTLSServer(h)", "_ = s.Serve(l)", "time.AfterFunc(d, f)"} {
		f, err := parser.ParseFile(token.NewFileSet(), "", "package p\nfunc g() { "+statement+" }", 0)
		require.NoError(t, err)
		require.Len(t, concurrent(f), 1, statement)
	}
	require.Equal(t, []string{"a", "b/c"}, withoutRaceDetector("x:\n\nPLAIN = a \\\n\tb/c\nOTHER = d\n"))
}
