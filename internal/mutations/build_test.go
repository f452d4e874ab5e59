package mutations

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// variable selects the defect of a test program, by its checksum.
const variable = "PORTNER_MUTANT"

// activeFile is added to each package with defects.
const activeFile = "mutant_active.go"

// program is a set of files with defects, of which variable selects one. The test program of a package is built once for all
// defects within functions: each such function begins with the text that it would have with the defect, under a condition.
type program struct {
	overlay string
}

// one returns the program with a single defect, for a change outside functions.
func one(t *testing.T, d defect) program {
	t.Helper()
	return newProgram(t, map[string]string{d.file: d.mutated(t)})
}

// many returns the program with all defects that are within functions, and the others.
func many(t *testing.T, tasks []*task) (p program, outside map[string]bool) {
	t.Helper()
	byFile := map[string][]defect{}
	files, outside := map[string]string{}, map[string]bool{}
	for _, x := range tasks {
		d := x.defect
		if outside[d.sum()] = !d.isGo(); d.isGo() {
			byFile[d.file] = append(byFile[d.file], d)
		}
	}
	for file, list := range byFile {
		text, pkg, rest := selectable(t, file, list)
		for _, d := range rest {
			outside[d.sum()] = true
		}
		files[file] = text
		files[path.Join(path.Dir(file), activeFile)] = activeText(pkg)
	}
	return newProgram(t, files), outside
}

// activeText is the text of activeFile.
func activeText(pkg string) string {
	return "package " + pkg + "\n\nimport \"os\"\n\nvar mutantActive = os.Getenv(\"" + variable + "\")\n"
}

// selectable returns the text of a file whose functions have their defects under conditions, and the defects outside functions.
func selectable(t *testing.T, file string, list []defect) (text, pkg string, outside []defect) {
	t.Helper()
	source := readSource(t, file)
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, source, parser.SkipObjectResolution)
	require.NoError(t, err)
	inserted := map[int]string{} // by the offset after the brace of a function
	for _, d := range list {
		d.mutated(t)
		begin := strings.Index(source, d.old)
		f := functionAt(set, tree, begin, begin+len(d.old))
		if f == nil {
			outside = append(outside, d)
			continue
		}
		from, to := set.Position(f.Body.Lbrace).Offset+1, set.Position(f.Body.Rbrace).Offset
		end := "return"
		if f.Type.Results != nil {
			end = `panic("no return")`
		}
		inserted[from] += fmt.Sprintf("\nif mutantActive == %q {%s\n%s\n}\n", d.sum(), source[from:begin]+d.new+source[begin+len(d.old):to], end)
	}
	offsets := []int{}
	for at := range inserted {
		offsets = append(offsets, at)
	}
	slices.Sort(offsets)
	slices.Reverse(offsets)
	for _, at := range offsets {
		source = source[:at] + inserted[at] + source[at:]
	}
	return source, tree.Name.Name, outside
}

// functionAt returns the function whose body has the whole range, nil if there is none, or if it has labels, which must not repeat.
func functionAt(set *token.FileSet, tree *ast.File, begin, end int) *ast.FuncDecl {
	for _, decl := range tree.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Body == nil || f.Name.Name == "init" || begin <= set.Position(f.Body.Lbrace).Offset || end > set.Position(f.Body.Rbrace).Offset {
			continue
		}
		labels := false
		ast.Inspect(f.Body, func(n ast.Node) bool {
			_, is := n.(*ast.LabeledStmt)
			labels = labels || is
			return true
		})
		if !labels {
			return f
		}
	}
	return nil
}

func newProgram(t *testing.T, files map[string]string) program {
	t.Helper()
	dir := t.TempDir()
	replace := map[string]string{}
	for file, text := range files {
		written := filepath.Join(dir, strings.ReplaceAll(file, "/", "+"))
		require.NoError(t, os.WriteFile(written, []byte(text), 0o600))
		original, err := filepath.Abs(filepath.Join(root, file))
		require.NoError(t, err)
		replace[original] = written
	}
	doc, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	overlay := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(overlay, doc, 0o600))
	return program{overlay}
}

// build builds the tests of a package.
func (p program) build(ctx context.Context, pkg, output string) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", p.overlay, "-o", output, "./"+pkg)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s does not build: %w\n%s", pkg, err, out)
	}
	if _, err := os.Stat(output); err != nil {
		return fmt.Errorf("%s has no tests: %w", pkg, err)
	}
	return nil
}

// errFailed reports that a test failed, or that the program ended otherwise.
var errFailed = errors.New("a test failed")

// run runs a test program in the directory of its package, with the defect of the checksum, "" for none.
func run(ctx context.Context, binary, pkg, sum string, flags ...string) (string, error) {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, binary, append([]string{"-test.paniconexit0", "-test.timeout=5m"}, flags...)...)
	cmd.Dir = filepath.Join(root, pkg)
	// CI=true: a test whose server is not installed fails, where it would be skipped and notice nothing. The tests that take long do not run.
	cmd.Env = append(os.Environ(), variable+"="+sum, "PORTNER_MUTANTS=", "CI=true", "PORTNER_SLOW=0")
	out, err := cmd.CombinedOutput()
	if _, is := errors.AsType[*exec.ExitError](err); is {
		err = errFailed
	}
	return string(out), err
}

func readSource(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	require.NoError(t, err)
	return string(text)
}

// mutated returns the text of the file with the defect.
func (d defect) mutated(t *testing.T) string {
	t.Helper()
	text := readSource(t, d.file)
	require.Equal(t, 1, strings.Count(text, d.old), "%s: %q in %s", d.breaks, d.old, d.file)
	require.NotEqual(t, d.old, d.new, d.breaks)
	return strings.Replace(text, d.old, d.new, 1)
}
