// Command bench measures what operations of OpenID providers cost, beside each other and beside the least that they can cost.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// childEnv is the environment variable that makes the process a child, with the name of its subject.
const childEnv = "PORTNER_BENCH_SUBJECT"

// sections are the parts of a run.
var sections = []string{"cost", "loopback", "heap", "cores", "size"}

func main() {
	if name := os.Getenv(childEnv); name != "" {
		exit(serveChild(name, os.Stdin, os.Stdout))
		return
	}
	b := &bench{log: os.Stderr, blocks: defaultBlocks, least: 10 * time.Millisecond}
	flag.IntVar(&b.n, "n", 20_000, "code exchanges with ES256 that are measured; the numbers of other operations follow")
	flag.IntVar(&b.entries, "entries", 1_000_000, "logins in the large store")
	only := flag.String("only", strings.Join(sections, ","), "sections")
	docs := flag.String("docs", "", "folder whose performance.md and performance.svg are written; if empty, the tables are printed only")
	flag.Parse()
	if ran, err := b.runVariant(os.Args[1:]); ran || err != nil {
		exit(err)
		return
	}
	exit(b.run(strings.Split(*only, ","), *docs))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (b *bench) run(only []string, docs string) error {
	if b.n < 1 || b.entries < 1 {
		return errors.New("-n and -entries must be at least 1")
	}
	for _, name := range only {
		if !slices.Contains(sections, name) {
			return fmt.Errorf("-only: no section %q, the sections are %v", name, sections)
		}
	}
	r, err := b.measure(only)
	if err != nil {
		if r != nil {
			fmt.Fprintf(b.log, "before the error:\n%s", r.markdown())
		}
		return err
	}
	text := r.markdown()
	fmt.Print(text)
	if docs == "" {
		return nil
	}
	return errors.Join(
		replaceBlock(filepath.Join(docs, "performance.md"), text),
		os.WriteFile(filepath.Join(docs, "performance.svg"), []byte(r.svg()), 0o644),
	)
}

func (b *bench) measure(only []string) (r *results, err error) {
	if b.keys, err = keys(); err != nil {
		return nil, err
	}
	r = &results{n: b.n, entries: b.entries, date: time.Now().UTC().Format(time.DateOnly)}
	for _, name := range only {
		switch name {
		case "cost":
			r.rows, err = b.costTable()
		case "loopback":
			r.sockets, err = b.socketTable()
		case "heap":
			r.heap, err = b.heapTable()
		case "cores":
			r.cores, err = b.scalingTable()
		case "size":
			r.sizes, err = b.sizeTable()
		}
		r.lost = b.lost
		if err != nil {
			return r, fmt.Errorf("%s: %w", name, err)
		}
	}
	return r, nil
}

// The tables are between these lines of the document.
const (
	beginBlock = "<!-- make peers writes from here -->\n"
	endBlock   = "<!-- to here -->\n"
)

func replaceBlock(file, text string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(old), beginBlock)
	_, after, ok2 := strings.Cut(rest, endBlock)
	if !ok || !ok2 {
		return fmt.Errorf("%s: the lines %q and %q are missing", file, strings.TrimSpace(beginBlock), strings.TrimSpace(endBlock))
	}
	return os.WriteFile(file, []byte(before+beginBlock+text+endBlock+after), 0o644)
}
