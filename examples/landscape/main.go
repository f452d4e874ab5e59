// Command landscape starts stand-ins for ID-porten, Ansattporten, Maskinporten, Altinn and HelseID that trust one another. Its page plays
// stories in which clients use several of them, and shows every request and response.
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

	"github.com/portner-go/portner/internal/standin"
)

// options holds the flags.
type options struct {
	addr, config string
	tls          standin.TLS // of all servers
}

func main() { standin.Main(run) }

// run runs the program until ctx ends and returns its exit status.
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
		return unlessStopped(ctx, err)
	}
	l.greet(stdout)
	return unlessStopped(ctx, l.serve(ctx))
}

// unlessStopped returns err, or nil if ctx has ended.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func parseFlags(args []string, out io.Writer) (options, error) {
	var opt options
	fs := flag.NewFlagSet("landscape", flag.ContinueOnError)
	fs.StringVar(&opt.addr, "addr", "127.0.0.1:8070", "`address` of the walk-through; the servers use ports after it; port 0 is a free one")
	fs.StringVar(&opt.config, "config", "", "`folder` with idporten.json, maskinporten.json, altinn.json, ansattporten.json or helseid.json: their entries are added")
	opt.tls.Define(fs)
	if err := standin.ParseFlags(fs, args, out); err != nil {
		return opt, err
	}
	return opt, opt.tls.Check()
}
