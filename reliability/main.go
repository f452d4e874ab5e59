package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == nodeCommand {
		if err := runNode(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "node:", err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) > 1 && os.Args[1] == recorderCommand {
		if err := runRecorder(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "record:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ok := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if !ok {
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	name    string
	profile string
	seed    uint64
	store   string
	verbose bool
	skip    string
}

// run runs what the command line names and reports whether everything passed.
func run(ctx context.Context, args []string, out io.Writer) bool {
	var o options
	flags := flag.NewFlagSet("reliability", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&o.name, "x", "list", "experiment, or list, or all; several are separated by commas")
	flags.StringVar(&o.profile, "profile", "ci", "ci or full")
	flags.Uint64Var(&o.seed, "seed", 0, "seed of the random decisions; 0 takes a new one")
	flags.StringVar(&o.store, "store", "", "postgres, redis, sqlite or memory: only this store")
	flags.StringVar(&o.skip, "skip", "", "experiments that -x all leaves out, separated by commas")
	flags.BoolVar(&o.verbose, "v", false, "show the logs of the nodes")
	if err := flags.Parse(args); err != nil {
		return false
	}
	if o.profile != "ci" && o.profile != "full" {
		fmt.Fprintln(out, "-profile is ci or full")
		return false
	}
	if o.name == "list" {
		list(out)
		return true
	}
	chosen, err := choose(o)
	if err != nil {
		fmt.Fprintln(out, err)
		return false
	}
	defer stopShared()
	begin := time.Now()
	failed := runAll(ctx, o, chosen, out)
	if len(chosen) > 1 {
		fmt.Fprintf(out, "%d experiments in %s, failed: %s\n", len(chosen), time.Since(begin).Round(time.Second), "["+strings.Join(failed, " ")+"]")
	}
	return len(failed) == 0
}

// runAll runs experiments in two lanes: those that wait most of their time run beside those that use the processors. It returns the names
// of those that failed.
func runAll(ctx context.Context, o options, chosen []*experiment, out io.Writer) (failed []string) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	lines := &locked{out: out}
	for _, waits := range []bool{false, true} {
		wg.Go(func() {
			for _, e := range chosen {
				if e.waits == waits && !e.runOn(ctx, o, lines) {
					mu.Lock()
					failed = append(failed, e.name)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return failed
}

// locked is a writer for several goroutines. Each call of Write is one or more whole lines.
type locked struct {
	mu  sync.Mutex
	out io.Writer
}

// Write forwards p while no other goroutine writes.
func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}

func list(out io.Writer) {
	for _, e := range experiments() {
		profile := ""
		if e.fullOnly {
			profile = " (full only)"
		}
		fmt.Fprintf(out, "%-18s %-22s %s%s\n", e.name, strings.Join(e.stores, ","), e.about, profile)
	}
}

// choose returns the experiments that the command line names.
func choose(o options) ([]*experiment, error) {
	if !slices.Contains([]string{"", "postgres", "redis", "sqlite", "memory"}, o.store) {
		return nil, fmt.Errorf("-store is postgres, redis, sqlite or memory, not %q", o.store)
	}
	all, chosen := experiments(), []*experiment{}
	if o.name == "all" {
		for _, e := range all {
			if (!e.fullOnly || o.profile == "full") && !slices.Contains(strings.Split(o.skip, ","), e.name) {
				chosen = append(chosen, e)
			}
		}
		return chosen, nil
	}
	for _, name := range strings.Split(o.name, ",") {
		i := slices.IndexFunc(all, func(e *experiment) bool { return e.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no experiment %q; -x list shows all", name)
		}
		if len(all[i].on(o.store)) == 0 {
			return nil, fmt.Errorf("the experiment %s does not run on %s: it runs on %s", name, o.store, strings.Join(all[i].stores, ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}
