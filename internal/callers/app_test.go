package callers_test

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	_ "github.com/portner-go/portner/provider" // so that go test repeats TestApp if the module has changed
)

const (
	app = "testdata/app"
	// chi is the only module that the application needs and this module does not.
	chi = "github.com/go-chi/chi/v5"
	// appTime is enough to compile the module and the standard library without a build cache.
	appTime = 5 * time.Minute
)

// TestApp compiles and runs an application in another module: it sees what a host sees, without the workspace and without the internal
// packages. Its tests log in and verify the claims of the application in the four documents, and the token endpoint in a chi handler.
func TestApp(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED because of -short: " + app + ", the application outside of the module")
	}
	t.Parallel()
	readAll(t)
	out, err := goCommand(t, "mod", "download", chi)
	require.NoErrorf(t, err, "%s needs %s from the module cache or the module proxy (GOPROXY), and cannot get it:\n%s", app, chi, out)
	args := []string{"test", "-count=1", "-vet=off"} // go vet would analyse every dependency
	if raceEnabled() {
		args = append(args, "-race") // what this run has compiled is used again
	}
	out, err = goCommand(t, append(args, "./...")...)
	require.NoErrorf(t, err, "%s fails. If its go.sum is out of date, run GOWORK=off go mod tidy there:\n%s", app, out)
	require.Contains(t, out, "ok  \texample.no/app", "no test ran")
}

// raceEnabled reports whether the race detector is on.
func raceEnabled() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// readAll opens the files of the application, so that go test repeats TestApp if one of them has changed.
func readAll(t *testing.T) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(app, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			_, err = os.ReadFile(name)
		}
		return err
	}))
}

func goCommand(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), appTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = app
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "GOWORK=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "GOWORK=off")
	out, err := cmd.CombinedOutput()
	return string(out), err
}
