// Command ansattporten is a local Ansattporten for development and test: people log in and choose whom to
// represent. With it runs a demo service that shows what it is told.
//
//	go run ./examples/ansattporten
//	go run ./examples/ansattporten -config my-clients.json -demo=false
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// options are the command line.
type options struct {
	addr, issuer, configFile string
	demo                     bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run starts everything, returns when ctx ends and all of it has stopped, and tells the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := command(ctx, args, stdout, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "ansattporten:", err)
		return 1
	}
	return 0
}

func command(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	opt, err := parseFlags(args, stdout)
	if err != nil {
		return err
	}
	s, err := newServer(opt, slog.New(slog.NewTextHandler(stderr, nil)))
	if err != nil {
		return err
	}
	s.greet(stdout)
	return s.serve(ctx)
}

func parseFlags(args []string, out io.Writer) (options, error) {
	var opt options
	fs := flag.NewFlagSet("ansattporten", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&opt.addr, "addr", "127.0.0.1:8110", "`address` to listen on; the demo service takes the port after it; port 0 takes free ports")
	fs.StringVar(&opt.issuer, "issuer", "", "issuer `URL` (default: the configuration's, or made of -addr)")
	fs.StringVar(&opt.configFile, "config", "", "configuration `file` (JSON, see README.md)")
	fs.BoolVar(&opt.demo, "demo", true, "start the demo service too, and show the test users' buttons")
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fs.SetOutput(out)
		fs.PrintDefaults()
		return opt, err
	case err != nil:
		return opt, fmt.Errorf("%w (-h lists the flags)", err)
	case fs.NArg() > 0:
		return opt, fmt.Errorf("unexpected argument %q (-h lists the flags)", fs.Arg(0))
	}
	return opt, nil
}
