package child

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// examples is the import path of the servers, without their names.
const examples = "github.com/portner-go/portner/examples/"

// Build compiles servers into a folder with the go command and its build tags, "" for none. Nobody debugs them there, and linking without the tables of a
// debugger (-w) takes less than half the time. The traces of a panic do not need them.
func Build(ctx context.Context, into, tags string, names ...string) error {
	args := []string{"build", "-ldflags=-w", "-tags", tags, "-o", into + string(filepath.Separator)}
	for _, name := range names {
		args = append(args, examples+name)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = sources()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the servers in %s: %w\n%s", cmd.Dir, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// sources returns the folder of this file, or the working directory if the program was built without paths.
func sources() string {
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		if _, err := os.Stat(file); err == nil {
			return filepath.Dir(file)
		}
	}
	return "."
}

// Binary returns the path of a server that was built into a folder.
func Binary(folder, name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(folder, name)
}
