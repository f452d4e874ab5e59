package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/portner-go/portner/internal/localdb"
)

// experiment is one experiment. It runs once on each of its stores.
type experiment struct {
	name     string
	about    string
	stores   []string // the first one is the default of experiments with an expensive run
	fullOnly bool
	waits    bool // most of its time, so that it runs beside others
	run      func(t *trial)
	controls []control
}

// control is the experiment on a store with a known defect, which must break a rule.
type control struct {
	defect string
	run    func(t *trial)
	stores []string // nil is the first store of the experiment
}

// limit is the longest time of one trial.
func limit(profile string) time.Duration {
	if profile == "full" {
		return 70 * time.Minute
	}
	return 10 * time.Minute
}

// runOn runs the experiment on each store, prints one line for each, and reports whether all passed.
func (e *experiment) runOn(ctx context.Context, o options, out io.Writer) bool {
	ok := true
	for _, store := range e.on(o.store) {
		ok = ctx.Err() == nil && e.runOnce(ctx, o, store, out) && ok
	}
	return ok
}

// on returns the stores of the experiment that -store admits, "" for all.
func (e *experiment) on(store string) []string {
	if store == "" {
		return e.stores
	}
	return slices.DeleteFunc(slices.Clone(e.stores), func(s string) bool { return s != store && s != "-" })
}

func (e *experiment) runOnce(ctx context.Context, o options, store string, out io.Writer) bool {
	seed := o.seed
	if seed == 0 {
		var b [4]byte
		_, _ = rand.Read(b[:])
		seed = uint64(binary.BigEndian.Uint32(b[:]))
	}
	begin := time.Now()
	t := e.try(ctx, o, store, seed, out, e.run)
	verdict, controls := "PASS", ""
	switch {
	case ctx.Err() != nil: // by a signal: what failed then means nothing
		fmt.Fprintf(out, "INTERRUPTED %s %s profile=%s seed=%d\n", e.name, store, o.profile, seed)
		return false
	case mayBeSkipped(t.fault):
		fmt.Fprintf(out, "SKIPPED %s %s: %v\n", e.name, store, t.fault)
		return true
	case t.fault != nil || len(t.broken) > 0:
		verdict = "FAIL"
	default:
		for _, k := range e.controlsOn(store) {
			c := e.try(ctx, o, store, seed, out, k.run)
			if c.fault != nil || len(c.broken) == 0 {
				verdict = "FAIL"
				controls += fmt.Sprintf("; control (%s): not found, fault %v, %s", k.defect, c.fault, c.text())
				continue
			}
			controls += fmt.Sprintf("; control (%s): found, %s", k.defect, c.first())
		}
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s %s profile=%s seed=%d %s time=%s%s\n", verdict, e.name, store, o.profile, seed, t.text(), time.Since(begin).Round(100*time.Millisecond), controls)
	if t.fault != nil {
		fmt.Fprintf(&text, "  fault: %v\n", t.fault)
	}
	for i, b := range t.broken {
		if i == 12 {
			fmt.Fprintf(&text, "  … and %d more\n", len(t.broken)-i)
			break
		}
		fmt.Fprintf(&text, "  broken: %s\n", b)
	}
	_, _ = io.WriteString(out, text.String())
	return verdict == "PASS"
}

// mayBeSkipped reports whether a fault is one of the machine. In CI it is a failure.
func mayBeSkipped(err error) bool {
	var s skipped
	return (errors.As(err, &s) || errors.Is(err, localdb.ErrNotInstalled)) && os.Getenv("CI") != "true"
}

// controlsOn returns the controls that run on a store.
func (e *experiment) controlsOn(store string) (all []control) {
	for _, k := range e.controls {
		if k.stores == nil && store == e.stores[0] || slices.Contains(k.stores, store) {
			all = append(all, k)
		}
	}
	return all
}

// trial is one run of an experiment on one store.
type trial struct {
	context.Context
	full    bool
	verbose bool
	seed    uint64
	store   string
	dir     string
	out     io.Writer

	mu     sync.Mutex
	broken []string // rules that did not hold
	counts []string
	undo   []func()
	fault  error
}

// skipped is the fault of a trial that this machine cannot run.
type skipped struct{ reason string }

// Error returns why this machine cannot run the trial.
func (s skipped) Error() string { return s.reason }

// skip ends the trial.
func (t *trial) skip(reason string) { panic(fault{skipped{reason}}) }

// fault is an error of the experiment itself, such as a server that does not start.
type fault struct{ error }

// try runs one function as a trial.
func (e *experiment) try(ctx context.Context, o options, store string, seed uint64, out io.Writer, do func(*trial)) (t *trial) {
	t = &trial{full: o.profile == "full", verbose: o.verbose, seed: seed, store: store, out: out}
	ctx, cancel := context.WithTimeout(ctx, limit(o.profile))
	defer cancel()
	t.Context = ctx
	defer func() {
		switch p := recover().(type) {
		case nil:
		case fault:
			t.fault = p.error
		default:
			t.fault = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		for _, undo := range slices.Backward(t.undo) {
			undo()
		}
	}()
	dir, err := os.MkdirTemp("", "reliability-")
	t.must(err)
	t.dir = dir
	t.defer_(func() { _ = os.RemoveAll(dir) })
	do(t)
	t.must(t.Err()) // what was counted after the end means nothing
	return t
}

// must ends the trial if there is an error. Only the goroutine of the trial calls it.
func (t *trial) must(err error) {
	if err != nil {
		panic(fault{err})
	}
}

// defer_ runs f at the end of the trial.
func (t *trial) defer_(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.undo = append(t.undo, f)
}

// fail records that a rule does not hold.
func (t *trial) fail(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.broken) < 10_000 {
		t.broken = append(t.broken, fmt.Sprintf(format, args...))
	}
}

// check records a broken rule unless ok.
func (t *trial) check(ok bool, format string, args ...any) {
	if !ok {
		t.fail(format, args...)
	}
}

// isBroken reports whether a rule did not hold so far.
func (t *trial) isBroken() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.broken) > 0
}

// count adds a number to the line of the experiment.
func (t *trial) count(name string, value any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch v := value.(type) {
	case time.Duration:
		value = v.Round(10 * time.Microsecond)
	case float64:
		value = fmt.Sprintf("%.2f", v)
	}
	t.counts = append(t.counts, fmt.Sprintf("%s=%v", name, value))
}

func (t *trial) text() string { return strings.Join(t.counts, " ") }

// first returns the number of broken rules and the first one.
func (t *trial) first() string {
	if len(t.broken) == 0 {
		return ""
	}
	line, _, _ := strings.Cut(t.broken[0], "\n")
	return fmt.Sprintf("%d times, first: %s", len(t.broken), line)
}

// size returns the number for the profile.
func (t *trial) size(ci, full int) int {
	if t.full {
		return full
	}
	return ci
}

func (t *trial) path(name string) string { return filepath.Join(t.dir, name) }

// sleep waits, or ends the trial if its time is over.
func (t *trial) sleep(d time.Duration) {
	select {
	case <-t.Done():
		panic(fault{t.Err()})
	case <-time.After(d):
	}
}

// workers runs f in n goroutines, with their numbers and sources of random numbers of their own.
func (t *trial) workers(n int, f func(i int, r *source)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i, newSource(t.seed, uint64(i))) })
	}
	wg.Wait()
}
