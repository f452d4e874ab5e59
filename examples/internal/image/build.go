package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// programPackage is the program of the image.
const programPackage = "github.com/portner-go/portner/examples/idporten"

// platform is an operating system and a processor, in the words of Go, which are those of OCI.
type platform struct{ os, arch string }

// variants has the variant of each processor for which images are made (OCI image-spec, image-index.md, platform variants).
var variants = map[string]string{"amd64": "", "arm64": "v8"}

// parsePlatform parses a platform such as linux/amd64.
func parsePlatform(text string) (platform, error) {
	system, arch, _ := strings.Cut(text, "/")
	if _, ok := variants[arch]; !ok || system != "linux" {
		return platform{}, fmt.Errorf("-platforms: %q is not linux/amd64 or linux/arm64", text)
	}
	return platform{system, arch}, nil
}

// build compiles the program and returns it.
func build(ctx context.Context, p platform) ([]byte, error) {
	root, err := repository()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "portner-image")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "portner")
	// Nothing of the machine may be in the program: no paths (-trimpath), no state of the version control, no C library, no identifier of
	// the builder's action (-buildid=). The tables of a debugger are left out (-s -w).
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-tags=", "-ldflags=-s -w -buildid=", "-o", file, programPackage)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS="+p.os, "GOARCH="+p.arch, "CGO_ENABLED=0",
		"GOFLAGS=", "GOWORK="+filepath.Join(root, "go.work"), "GOAMD64=v1", "GOARM64=v8.0", "GOEXPERIMENT=", "GOFIPS140=off", "GODEBUG=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building for %s/%s: %w\n%s", p.os, p.arch, err, strings.TrimSpace(string(out)))
	}
	return os.ReadFile(file)
}

// repository returns the folder of the repository, which is that of go.work above the working directory.
func repository() (string, error) {
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
