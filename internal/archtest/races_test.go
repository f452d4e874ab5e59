package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
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

// lessWithDetector matches the functions of internal/slow that run less with the race detector.
var lessWithDetector = regexp.MustCompile(`\bslow\.(Allocations|Rounds|WithoutRaceDetector)\(`)

// wallClockBound matches a check of a test that some time has not passed since another, except of the clock of testing/synctest, where the
// time is an exact one (require.Equal, require.Zero).
var wallClockBound = regexp.MustCompile(`(Less|LessOrEqual)\(t, (time\.Since\(|took\b|spent\b|elapsed\b)`)

// TestBothWays checks that "make test" runs a package without the race detector, too, if its tests do less with it (internal/slow), and
// that allocations are counted without it. No check depends on how fast the machine is.
func TestBothWays(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(t, err)
	plain := variable(string(makefile), "PLAIN")
	var less []string
	require.NoError(t, filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		dir, err := filepath.Rel(root, filepath.Dir(name))
		require.NoError(t, err)
		dir = filepath.ToSlash(dir)
		require.NotContains(t, string(text), "testing."+"AllocsPerRun(", "%s: use slow.Allocations, which skips the test with the race detector", name)
		require.NotRegexp(t, wallClockBound, string(text), "%s: a busy machine exceeds a bound on real time: use slow.Within", name)
		if lessWithDetector.Match(text) && !slices.Contains(plain, dir) {
			less = append(less, dir)
		}
		return nil
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
