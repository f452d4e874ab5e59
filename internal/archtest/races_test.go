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
	dirs := variable(string(makefile), "PLAIN")
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

// variable returns the words of a variable of the Makefile.
func variable(makefile, name string) []string {
	_, rest, _ := strings.Cut(strings.ReplaceAll(makefile, "\\\n", " "), "\n"+name+" = ")
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

// TestBothWays checks that "make test" runs a package without the race detector, too, if its tests do less with it (internal/slow).
func TestBothWays(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(t, err)
	var less []string
	require.NoError(t, filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := os.ReadFile(name)
		if strings.Contains(string(text), "slow."+"Rounds(") || strings.Contains(string(text), "slow."+"WithoutRaceDetector(") {
			dir, err := filepath.Rel(root, filepath.Dir(name))
			require.NoError(t, err)
			less = append(less, filepath.ToSlash(dir))
		}
		return err
	}))
	slices.Sort(less)
	require.Equal(t, slices.Compact(less), variable(string(makefile), "BOTH"), "the variable BOTH of the Makefile")
}

func TestConcurrencyIsFound(t *testing.T) {
	t.Parallel()
	for _, statement := range []string{"go f()", "wg.Go(f)", "_ = httptest.NewServer(h)", "_ = httptest.NewTLSServer(h)", "_ = s.Serve(l)", "time.AfterFunc(d, f)"} {
		f, err := parser.ParseFile(token.NewFileSet(), "", "package p\nfunc g() { "+statement+" }", 0)
		require.NoError(t, err)
		require.Len(t, concurrent(f), 1, statement)
	}
	require.Equal(t, []string{"a", "b/c"}, variable("x:\n\nPLAIN = a \\\n\tb/c\nOTHER = d\n", "PLAIN"))
}
