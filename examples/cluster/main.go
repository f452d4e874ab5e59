//go:build unix

// Command cluster shows that a login survives the death of a server: three servers of examples/idporten share one PostgreSQL behind a proxy,
// and the program stops one of them now and then.
//
//	go run ./examples/cluster
//
// With -replay it plays the logins of a record day and stops no server.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/portner-go/portner/internal/standin"
)

// options holds the flags.
type options struct {
	addr  string
	nodes int
	every time.Duration // how often a node is stopped; 0 is never
	store string        // "" starts a PostgreSQL
	load  *replay       // nil for none
	more  []object      // clients of a test and of load
	users []object      // of load
}

func main() { standin.Main(run) }

// run runs the program until ctx ends and returns its exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := command(ctx, args, stdout, stderr)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp) || ctx.Err() != nil:
		return 0
	default:
		fmt.Fprintln(stderr, "cluster:", err)
		return 1
	}
}

func command(ctx context.Context, args []string, stdout, stderr io.Writer) (failed error) {
	var opt options
	fs := flag.NewFlagSet("cluster", flag.ContinueOnError)
	fs.StringVar(&opt.addr, "addr", "localhost:8060", "`address` of the proxy; the demo uses the next three ports; port 0 is any free port")
	fs.IntVar(&opt.nodes, "nodes", 3, "`number` of servers")
	fs.DurationVar(&opt.every, "kill-every", 20*time.Second, "`time` after which one more server is stopped, and started again; 0 is never")
	fs.StringVar(&opt.store, "store", "", "`URL` of a PostgreSQL or Redis (default: a PostgreSQL that this program starts and removes)")
	speed := fs.Float64("replay", 0, "`times` as fast as it was a record day of 2.5 million logins is replayed, in place of the demo, and no server is stopped; 0 is none")
	sample := fs.Float64("sample", 1, "one of so many `logins` of the record day takes place")
	if err := standin.ParseFlags(fs, args, stdout); err != nil {
		return err
	}
	if err := opt.replay(fs, *speed, *sample); err != nil {
		return err
	}
	if opt.nodes < 2 || opt.every < 0 {
		return errors.New("-nodes must be at least 2, and -kill-every must not be negative")
	}
	c, err := newCluster(ctx, opt, stdout, stderr)
	if err != nil {
		return err
	}
	defer func() { failed = errors.Join(failed, c.close()) }()
	if opt.load != nil {
		return c.replay(ctx)
	}
	c.greet()
	return c.serve(ctx)
}

// replay reads the flags of a replay.
func (opt *options) replay(fs *flag.FlagSet, speed, sample float64) (err error) {
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	switch {
	case !given["replay"] && given["sample"]:
		return errors.New("-sample is of use only with -replay")
	case !given["replay"] || speed == 0:
		return nil
	case given["kill-every"]:
		return errors.New("-kill-every cannot be given with -replay, which stops no server")
	case !(speed > 0 && speed <= 10_000):
		return errors.New("-replay must be a number between 0 and 10000")
	case !(sample >= 1 && sample <= 1e6):
		return errors.New("-sample must be a number between 1 and 1000000")
	}
	opt.every, opt.load = 0, &replay{speed: speed, sample: sample, to: 24}
	opt.more, opt.users, err = opt.load.objects()
	return err
}
