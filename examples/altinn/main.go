// Command altinn is a local Altinn token exchange for development and test: it trades tokens of ID-porten and
// Maskinporten for its own, and has a small API that accepts those.
//
//	go run ./examples/altinn
//	go run ./examples/altinn -config my-organisations.json
//	go run ./examples/altinn -idporten https://test.idporten.no -maskinporten https://test.maskinporten.no/
package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"

	"github.com/portner-go/portner/examples/internal/serve"
)

// options are the command line.
type options struct {
	addr, issuer, configFile string
	tlsCert, tlsKey          string
	idporten, maskinporten   string
}

func main() { serve.Main(run) }

// run starts everything, returns when ctx ends and all of it has stopped, and tells the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return serve.Status("altinn", command(ctx, args, stdout, stderr), stderr)
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

// parseFlags reads the command line. Usage goes to out only if it was asked for.
func parseFlags(args []string, out io.Writer) (options, error) {
	var opt options
	fs := flag.NewFlagSet("altinn", flag.ContinueOnError)
	fs.StringVar(&opt.addr, "addr", "localhost:8100", "`address` to listen on; port 0 is a free one")
	fs.StringVar(&opt.issuer, "issuer", "", "issuer `URL`, with its slash (default: the configuration's, or made of -addr)")
	fs.StringVar(&opt.configFile, "config", "", "configuration `file` (JSON, see docs/altinn-config.md)")
	fs.StringVar(&opt.tlsCert, "tls-cert", "", "certificate `file` (PEM)")
	fs.StringVar(&opt.tlsKey, "tls-key", "", "key `file` (PEM)")
	fs.StringVar(&opt.idporten, "idporten", "http://localhost:8080", "ID-porten's issuer `URL`, if the configuration names none")
	fs.StringVar(&opt.maskinporten, "maskinporten", "http://localhost:8090/", "Maskinporten's issuer `URL`, with its slash, if the configuration names none")
	if err := serve.ParseFlags(fs, args, out); err != nil {
		return opt, err
	}
	if (opt.tlsCert == "") != (opt.tlsKey == "") {
		return opt, errors.New("-tls-cert and -tls-key belong together")
	}
	return opt, nil
}
