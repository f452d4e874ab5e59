package mutations

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// root is the directory of the module.
const root = "../.."

// mutated returns the text of the file with the defect.
func (m mutation) mutated(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, m.file))
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(text), m.old), "%s: %q in %s", m.defect, m.old, m.file)
	require.NotEqual(t, m.old, m.new, m.defect)
	return strings.Replace(string(text), m.old, m.new, 1)
}

// TestTable verifies that each mutation changes one place of a file, and that its test exists.
func TestTable(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, m := range table {
		m.mutated(t)
		require.False(t, seen[m.defect], m.defect)
		seen[m.defect] = true
		for _, name := range m.tests {
			require.True(t, m.has(t, name), "%s: no %s in %s", m.defect, name, m.pkg)
		}
	}
}

// has reports whether the package of the mutation has a test.
func (m mutation) has(t *testing.T, test string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, m.pkg, "*_test.go"))
	require.NoError(t, err)
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		if strings.Contains(string(text), "\nfunc "+test+"(t *testing.T) {") {
			return true
		}
	}
	return false
}

// TestMutations verifies that the test of each mutation passes without it and fails with it. It takes minutes: it runs with
// PORTNER_MUTATIONS=1 only.
func TestMutations(t *testing.T) {
	if os.Getenv("PORTNER_MUTATIONS") == "" {
		t.Skip("PORTNER_MUTATIONS is not set")
	}
	passed := map[string]bool{}
	for _, m := range table {
		t.Run(m.defect, func(t *testing.T) {
			if control := m.pkg + m.pattern(); !passed[control] {
				out, err := m.run(t.Context(), "")
				require.NoError(t, err, "without the mutation: %s", out)
				passed[control] = true
			}
			out, err := m.run(t.Context(), m.overlay(t))
			require.Error(t, err, "the test passes with the mutation")
			require.Contains(t, out, "--- FAIL: ", "the mutation does not compile")
			t.Log(firstFailure(out))
		})
	}
}

// pattern is the argument of go test -run.
func (m mutation) pattern() string { return "^(" + strings.Join(m.tests, "|") + ")$" }

// overlay returns the file that makes the go command read the mutated text.
func (m mutation) overlay(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	replaced := filepath.Join(dir, "mutated.go")
	require.NoError(t, os.WriteFile(replaced, []byte(m.mutated(t)), 0o600))
	original, err := filepath.Abs(filepath.Join(root, m.file))
	require.NoError(t, err)
	doc, err := json.Marshal(map[string]any{"Replace": map[string]string{original: replaced}})
	require.NoError(t, err)
	overlay := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(overlay, doc, 0o600))
	return overlay
}

// run runs the test, with an overlay if it is not "".
func (m mutation) run(ctx context.Context, overlay string) (string, error) {
	args := []string{"test", "-count=1", "-run", m.pattern()}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./"+m.pkg)...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// firstFailure returns the first lines that a failing test printed.
func firstFailure(out string) string {
	lines := strings.Split(out, "\n")
	return strings.Join(lines[:min(4, len(lines))], "\n")
}
