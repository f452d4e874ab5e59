package mutations

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTable verifies that each defect changes one place of a file into text that is Go, and that the tests it names exist.
func TestTable(t *testing.T) {
	t.Parallel()
	rules, sums, known := map[string]bool{}, map[string]bool{}, map[string]map[string]bool{}
	for _, d := range all() {
		if text := d.mutated(t); d.isGo() {
			_, err := parser.ParseFile(token.NewFileSet(), d.file, text, parser.SkipObjectResolution)
			require.NoError(t, err, d.breaks)
		}
		require.False(t, rules[d.breaks], "%s: the rule repeats", d.breaks)
		require.False(t, sums[d.sum()], "%s: the defect repeats", d.breaks)
		rules[d.breaks], sums[d.sum()] = true, true
		require.NotContains(t, d.breaks, "|", "it would end a cell of RESULT.md")
		for _, s := range d.suites() {
			for _, name := range s.tests {
				if known[s.pkg] == nil {
					known[s.pkg] = testsOf(t, s.pkg)
				}
				require.True(t, known[s.pkg][name], "%s: no %s in %s", d.breaks, name, s.pkg)
			}
		}
	}
}

// testsOf returns the names of the tests of a package.
func testsOf(t *testing.T, pkg string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, pkg, "*_test.go"))
	require.NoError(t, err)
	names := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range testDecl.FindAllStringSubmatch(string(text), -1) {
			names[m[1]] = true
		}
	}
	return names
}

var testDecl = regexp.MustCompile(`(?m)^func (Test\w*)\(t \*testing\.T\) \{`)

// TestAreas verifies that the table covers every area, and every package that holds rules.
func TestAreas(t *testing.T) {
	t.Parallel()
	total, covered := 0, map[string]bool{}
	for _, a := range areas {
		require.GreaterOrEqual(t, len(a.defects), 6, a.name)
		total += len(a.defects)
		for _, d := range a.defects {
			covered[d.directory()] = true
		}
	}
	require.GreaterOrEqual(t, total, 150)
	for _, pkg := range []string{
		".", "authorize", "client", "client/businesscert", "digdir/altinn", "digdir/ansattporten", "digdir/authorizations", "digdir/maskinporten",
		"discovery", "dpop", "exchange", "keyset", "logout", "nhn/helseid", "pkce", "portnertest", "provider", "pseudonym", "rar", "resource",
		"scope", "session", "storage", "storage/combined", "storage/memory", "storage/postgres", "storage/redis", "storage/sqlite", "telemetry",
		"token", "internal/bound", "internal/display", "internal/httpx", "internal/jose", "internal/protection", "internal/seal",
		"internal/standin/admin", "internal/standin/systemuser",
	} {
		require.True(t, covered[pkg], "no defect in %s", pkg)
	}
}
