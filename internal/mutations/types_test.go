package mutations

import (
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// checkTypes reports every defect that does not compile. It compiles nothing but what the packages import.
func checkTypes(t *testing.T, todo []*task) {
	t.Helper()
	packages := grouped(todo, func(x *task) string { return x.directory() })
	exports := exportFiles(t, packages)
	for pkg, list := range packages {
		byFile, texts, outside := map[string][]defect{}, map[string]string{}, []defect{}
		for _, x := range list {
			if x.isGo() {
				byFile[x.file] = append(byFile[x.file], x.defect)
			}
		}
		for file, defects := range byFile {
			text, name, rest := selectable(t, file, defects)
			texts[filepath.Base(file)], texts[activeFile] = text, activeText(name)
			outside = append(outside, rest...)
		}
		typecheck(t, exports, pkg, texts)
		for _, d := range outside {
			typecheck(t, exports, pkg, map[string]string{filepath.Base(d.file): d.mutated(t)})
		}
	}
}

// exportFiles returns the export data of what the packages import.
func exportFiles(t *testing.T, packages map[string][]*task) map[string]string {
	t.Helper()
	args := []string{"list", "-export", "-deps", "-f", "{{if .Export}}{{.ImportPath}}={{.Export}}{{end}}"}
	for pkg := range packages {
		args = append(args, "./"+pkg)
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	exports := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "=")
		exports[path] = file
	}
	return exports
}

// typecheck checks a package with other texts for some of its files.
func typecheck(t *testing.T, exports map[string]string, pkg string, texts map[string]string) {
	t.Helper()
	dir := filepath.Join(root, pkg)
	of, err := build.ImportDir(dir, 0)
	require.NoError(t, err)
	set, files := token.NewFileSet(), []*ast.File{}
	for _, name := range append(of.GoFiles, activeFile) {
		var source any
		if text, replaced := texts[name]; replaced {
			source = text
		} else if name == activeFile {
			continue
		}
		f, err := parser.ParseFile(set, filepath.Join(dir, name), source, parser.SkipObjectResolution)
		require.NoError(t, err)
		files = append(files, f)
	}
	cfg := types.Config{
		Importer: importer.ForCompiler(set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }),
		Error:    func(err error) { t.Errorf("%s: %v", pkg, err) },
	}
	_, _ = cfg.Check(pkg, set, files, nil) // Error has each
}
