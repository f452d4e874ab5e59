// Command landscape starts the stand-ins of a public-sector token landscape on one machine: ID-porten,
// Ansattporten, Maskinporten and Altinn, set up to know one another. Its own page walks through what they
// do together, request by request.
//
//	go run ./examples/landscape
//	go run ./examples/landscape -config my-clients
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// options are the command line.
type options struct{ addr, config string }

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
		fmt.Fprintln(stderr, "landscape:", err)
		return 1
	}
	return 0
}

func command(ctx context.Context, args []string, stdout, stderr io.Writer) (failed error) {
	opt, err := parseFlags(args, stdout)
	if err != nil {
		return err
	}
	l, err := newLandscape(opt, stderr)
	if err != nil {
		return err
	}
	defer func() { failed = errors.Join(failed, l.close()) }()
	if err := l.start(ctx); err != nil {
		return stopped(ctx, err)
	}
	l.greet(stdout)
	return stopped(ctx, l.serve(ctx))
}

// stopped hides what fails because somebody asked everything to stop.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// parseFlags reads the command line. Usage goes to out only if it was asked for.
func parseFlags(args []string, out io.Writer) (options, error) {
	var opt options
	fs := flag.NewFlagSet("landscape", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&opt.addr, "addr", "127.0.0.1:8070", "`address` of the walk-through; the servers take ports after it; port 0 takes free ports")
	fs.StringVar(&opt.config, "config", "", "`folder` with idporten.json, maskinporten.json, altinn.json or ansattporten.json: what they hold is there too")
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
