package child

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Release compiles a program of examples/ into a file as it is distributed, for a processor in the words of GOARCH. The file has nothing of
// the machine in it: no paths (-trimpath), no state of the version control, no C library, no settings of the builder, and no identifier
// that the linker makes (-buildid=). The tables of a debugger are left out (-s -w).
func Release(ctx context.Context, name, system, arch, file string) error {
	root, err := Repository()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-tags=", "-ldflags=-s -w -buildid=", "-o", file, examples+name)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+arch, "CGO_ENABLED=0",
		"GOFLAGS=", "GOWORK="+filepath.Join(root, "go.work"), "GOAMD64=v1", "GOARM64=v8.0", "GOEXPERIMENT=", "GOFIPS140=off", "GODEBUG=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s for %s/%s: %w\n%s", name, system, arch, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Repository returns the folder of the repository, which is that of go.work above the working directory.
func Repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		if filepath.Dir(dir) == dir {
			return "", errors.New("no go.work above the working directory: run the command in the repository")
		}
		dir = filepath.Dir(dir)
	}
}
