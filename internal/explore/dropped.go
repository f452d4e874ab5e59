package explore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Guard is the name of a file of a package, a text that occurs once in it, and the text that takes its place. There, dropped and unless have
// the name of a guard, and a condition or a part of a statement is off while the guard is dropped.
type Guard [3]string

// Search says where the calls are that show that a guard is missing: in all scenarios, or in one with some calls (FindIn).
type Search struct {
	Name     string // of the guard
	Scenario string
	Calls    []string
}

// Find searches in an empty store.
func (s Search) Find(store Store) string {
	if s.Scenario == "" {
		return Find(store, FullDepth)
	}
	return FindIn(store, FullDepth+1, s.Scenario, s.Calls...)
}

const droppedSource = `package %s

// Dropped is the name of the guard that is off.
var Dropped string

func dropped(name string) bool { return Dropped == name }

// unless returns a part of a statement with the guard, or without it.
func unless(name, with, without string) string {
	if dropped(name) {
		return without
	}
	return with
}
`

// WithoutGuards compiles a package in directory with its guards, once, and runs the program, whose text is in a file. The program reads the
// searches as JSON and writes the traces that it finds, by the names of the guards. WithoutGuards returns them and the names.
func WithoutGuards(t testing.TB, directory string, guards []Guard, program string, searches map[string]Search) (names []string, traces map[string]string) {
	t.Helper()
	main, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	absolute, err := filepath.Abs(directory)
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{
		filepath.Join(directory, "dropped.go"): fmt.Sprintf(droppedSource, filepath.Base(absolute)),
		filepath.Join("dropped", "main.go"):    string(main),
	}
	name := regexp.MustCompile(`(?:dropped|unless)\("([^"]+)"`)
	var list []Search
	for _, g := range guards {
		file := filepath.Join(directory, g[0])
		if texts[file] == "" {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			texts[file] = string(text)
		}
		if n := strings.Count(texts[file], g[1]); n != 1 {
			t.Fatalf("%q is %d times in %s", g[1], n, g[0])
		}
		texts[file] = strings.Replace(texts[file], g[1], g[2], 1)
		for _, match := range name.FindAllStringSubmatch(g[2], -1) {
			names = append(names, match[1])
			s := searches[match[1]]
			s.Name = match[1]
			list = append(list, s)
		}
	}
	input, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "go", "run", "-overlay", overlay(t, texts), "./dropped")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, &errs)
	}
	if err := json.Unmarshal(out.Bytes(), &traces); err != nil {
		t.Fatal(err)
	}
	return names, traces
}

// overlay writes files to a temporary directory and returns the argument of -overlay.
func overlay(t testing.TB, texts map[string]string) string {
	t.Helper()
	dir, replace := t.TempDir(), map[string]string{}
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for file, text := range texts {
		path, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		replace[path] = filepath.Join(dir, fmt.Sprint(len(replace), ".go"))
		write(replace[path], text)
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	write(filepath.Join(dir, "overlay.json"), string(list))
	return filepath.Join(dir, "overlay.json")
}
