package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/portner-go/portner/examples/internal/child"
)

// program is the program of the image.
const program = "cmd/portner"

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
	dir, err := os.MkdirTemp("", "portner-image")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "portner")
	if err := child.Release(ctx, program, p.os, p.arch, file); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}
