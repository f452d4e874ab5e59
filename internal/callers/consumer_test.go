package callers_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const portner = "github.com/portner-go/portner"

// drivers are the modules that the stores of databases need.
var drivers = regexp.MustCompile(`(?m)^\s*(?:require )?(github\.com/jackc/|github\.com/redis/|github\.com/ncruces/|modernc\.org/|github\.com/tetratelabs/|` +
	portner + `/)\S*`)

// A program that imports packages of the core gets no driver of a database, whatever the stores need. A program that imports a store gets
// the one of its store.
func TestDriversOfConsumers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		imports []string
		want    []string // beginnings of the drivers
	}{
		"core": {[]string{
			"", "authorize", "client", "digdir/ansattporten", "digdir/maskinporten", "dpop", "exchange", "keyset", "nhn/helseid", "provider", "resource",
			"session", "storage", "storage/memory", "token",
		}, nil},
		"tests of a store": {[]string{"storage/storagetest"}, nil},
		"SQLite":           {[]string{"provider", "storage/sqlite"}, []string{portner + "/storage/sqlite", "github.com/ncruces/go-sqlite3"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mod := tidy(t, tt.imports)
			var found []string
			for _, m := range drivers.FindAllString(mod, -1) {
				found = append(found, strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(m), "require ")))
			}
			if tt.want == nil {
				require.Empty(t, found, mod)
			}
			for _, want := range tt.want {
				require.Contains(t, found, want, mod)
			}
		})
	}
}

// tidy returns the go.mod of a program with the imports, as go mod tidy writes it.
func tidy(t *testing.T, imports []string) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	for _, module := range []string{"", "storage/sqlite"} { // so that go test repeats the test if the requirements have changed
		_, err := os.ReadFile(filepath.Join(root, module, "go.mod"))
		require.NoError(t, err)
	}
	dir := t.TempDir()
	var program strings.Builder
	program.WriteString("package main\n\nimport (\n")
	for _, p := range imports {
		fmt.Fprintf(&program, "\t_ %q\n", strings.TrimSuffix(portner+"/"+p, "/"))
	}
	program.WriteString(")\n\nfunc main() {}\n")
	mod := fmt.Sprintf("module example.org/consumer\n\ngo 1.26.0\n\nreplace %s => %s\n\nreplace %[1]s/storage/sqlite => %[2]s/storage/sqlite\n", portner, root)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(program.String()), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o600))
	cmd := exec.CommandContext(t.Context(), "go", "mod", "tidy")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOPROXY=off", "GOSUMDB=off", "GOFLAGS=-mod=mod")
	if out, err := cmd.CombinedOutput(); err != nil {
		if os.Getenv("CI") != "true" && strings.Contains(string(out), "module lookup disabled by GOPROXY=off") {
			t.Skipf("SKIPPED: the module cache lacks a module; run go mod download in the root and in storage/sqlite:\n%s", out)
		}
		t.Fatalf("go mod tidy: %v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	require.NoError(t, err)
	before, _, _ := strings.Cut(string(text), "\nreplace ")
	_, requires, _ := strings.Cut(string(text), "\nrequire ")
	return before + "\nrequire " + requires
}
