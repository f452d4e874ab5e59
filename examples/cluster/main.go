//go:build unix

// Command cluster shows that a login survives the death of a server: three servers of examples/idporten share one PostgreSQL behind a proxy,
// and the program stops one of them now and then.
//
//	go run ./examples/cluster
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
	more  []object      // clients of a test
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
	if err := standin.ParseFlags(fs, args, stdout); err != nil {
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
	c.greet()
	return c.serve(ctx)
}
