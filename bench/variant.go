package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
)

// luikyv is the name of the subject of luikyv/go-oidc. Its module is not required by go.mod: where a module proxy refuses it, the other
// subjects are still measured. The folder _luikyv, which the go command ignores because of its name, has the adapter and another go.mod.
// The program builds itself with both, and runs that variant in its place.
const luikyv = "luikyv"

// variantFlags are the flags of the go command for the variant with all subjects.
var variantFlags = []string{"-modfile=_luikyv/go.mod", "-overlay=_luikyv/overlay.json"}

// runVariant runs the variant of this program that has all subjects, and reports whether it did. If the variant cannot be built, it lists
// why.
func (b *bench) runVariant(args []string) (ran bool, err error) {
	if _, err := find(luikyv); err == nil {
		return false, nil // this is the variant
	}
	dir, err := os.MkdirTemp("", "portner-bench-")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	program := filepath.Join(dir, "bench")
	build := exec.Command("go", append(append([]string{"build"}, variantFlags...), "-o", program, ".")...)
	build.Env = append(os.Environ(), "GOWORK=off") // -modfile is an error in a workspace
	if out, err := build.CombinedOutput(); err != nil {
		reason := "luikyv/go-oidc: not measured, because " + cmp.Or(reasonOf(string(out)), err.Error())
		fmt.Fprintln(b.log, reason)
		b.lost = append(b.lost, reason)
		return false, nil
	}
	signal.Notify(make(chan os.Signal, 1), os.Interrupt) // it ends the variant, after which the folder is removed
	cmd := exec.Command(program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return true, cmd.Run()
}

// address is the address of a module proxy in an error of the go command.
var address = regexp.MustCompile(`((reading|Get) )?"?https?://\S+: `)

// reasonOf returns the first line of the output of the go command that says why it failed, without addresses.
func reasonOf(out string) string {
	for line := range strings.Lines(out) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "; to add:")
		if line != "" && !strings.HasPrefix(line, "go: downloading ") && !strings.HasPrefix(line, "# ") {
			return strings.TrimSuffix(address.ReplaceAllString(line, ""), ".")
		}
	}
	return ""
}
