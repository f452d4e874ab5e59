package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/portner-go/portner/examples/internal/child"
)

// own is the path of the modules of this repository. Their licence is a file of its own.
const own = "github.com/portner-go/portner"

// notices returns the licences and notices of Go and of the modules of others that are compiled into a program: those licences require that a
// copy goes with it. A module without a licence is an error.
func notices(ctx context.Context, program []byte) ([]byte, error) {
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		return nil, fmt.Errorf("modules of the program: %w", err)
	}
	goroot, err := goCommand(ctx, "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := notice(&out, "Go "+info.GoVersion, strings.TrimSpace(goroot)); err != nil {
		return nil, err
	}
	list, err := goCommand(ctx, "list", "-m", "-f", "{{.Path}}\t{{.Dir}}", "all")
	if err != nil {
		return nil, err
	}
	folders := map[string]string{}
	for line := range strings.Lines(list) {
		path, folder, _ := strings.Cut(strings.TrimSpace(line), "\t")
		folders[path] = folder
	}
	for _, m := range info.Deps {
		if m.Path == own || strings.HasPrefix(m.Path, own+"/") {
			continue
		}
		if err := notice(&out, m.Path+" "+m.Version, folders[m.Path]); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// goCommand runs the go command in the module of the examples and returns its output.
func goCommand(ctx context.Context, args ...string) (string, error) {
	root, err := child.Repository()
	if err != nil {
		return "", err
	}
	c := exec.CommandContext(ctx, "go", args...)
	c.Dir, c.Stderr = filepath.Join(root, "examples"), os.Stderr
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", args[0], err)
	}
	return string(out), nil
}

// notice writes the files with the licence of a folder, below a heading.
func notice(out *bytes.Buffer, name, folder string) error {
	if folder == "" {
		return fmt.Errorf("%s: is not in the module cache", name)
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	found := false
	for _, f := range files {
		upper := strings.ToUpper(f.Name())
		isLicence := slices.ContainsFunc([]string{"LICENSE", "LICENCE", "COPYING"}, func(part string) bool { return strings.Contains(upper, part) })
		if f.IsDir() || !isLicence && !strings.HasPrefix(upper, "NOTICE") && !strings.HasPrefix(upper, "PATENTS") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(folder, f.Name()))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Fprintf(out, "==== %s: %s ====\n\n%s\n\n", name, f.Name(), bytes.TrimSpace(text))
		found = found || isLicence
	}
	if !found {
		return fmt.Errorf("%s: no licence in %s", name, folder)
	}
	return nil
}
