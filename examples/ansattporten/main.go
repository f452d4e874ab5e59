// Command ansattporten is a local Ansattporten for development and test: people log in and choose whom to
// represent. With it runs a demo service that shows what it is told.
//
//	go run ./examples/ansattporten
//	go run ./examples/ansattporten -config my-clients.json -demo=false
package main

import (
	"context"
	"flag"
	"io"
	"log/slog"

	"github.com/portner-go/portner/examples/internal/serve"
)

// options are the command line.
type options struct {
	addr, issuer, configFile string
	demo                     bool
}

func main() { serve.Main(run) }

// run starts everything, returns when ctx ends and all of it has stopped, and tells the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return serve.Status("ansattporten", command(ctx, args, stdout, stderr), stderr)
}

func command(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	opt, err := parseFlags(args, stdout)
	if err != nil {
		return err
	}
	s, err := newServer(opt, serve.Logger(stderr, slog.LevelInfo))
	if err != nil {
		return err
	}
	s.greet(stdout)
	return s.serve(ctx)
}

func parseFlags(args []string, out io.Writer) (options, error) {
	var opt options
	fs := flag.NewFlagSet("ansattporten", flag.ContinueOnError)
	fs.StringVar(&opt.addr, "addr", "127.0.0.1:8110", "`address` to listen on; the demo service takes the port after it; port 0 takes free ports")
	fs.StringVar(&opt.issuer, "issuer", "", "issuer `URL` (default: the configuration's, or made of -addr)")
	fs.StringVar(&opt.configFile, "config", "", "configuration `file` (JSON, see README.md)")
	fs.BoolVar(&opt.demo, "demo", true, "start the demo service too, and show the test users' buttons")
	if err := serve.ParseFlags(fs, args, out); err != nil {
		return opt, err
	}
	return opt, nil
}
