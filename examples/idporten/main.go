// Command idporten is a local ID-porten for development and test: the provider, two demo services, an
// isolated one and a demo API, started together.
//
//	go run ./examples/idporten
//	go run ./examples/idporten -config my-clients.json -demo=false
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
	addr, issuer, configFile    string
	tlsCert, tlsKey             string
	machineIssuer               string
	demo, insecureTrustSelfSign bool
}

func main() { serve.Main(run) }

// run starts everything, returns when ctx ends and all of it has stopped, and tells the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return serve.Status("idporten", command(ctx, args, stdout, stderr), stderr)
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
	fs := flag.NewFlagSet("idporten", flag.ContinueOnError)
	fs.StringVar(&opt.addr, "addr", "localhost:8080", "`address` to listen on; the demo takes the four ports after it; port 0 takes free ports")
	fs.StringVar(&opt.issuer, "issuer", "", "issuer `URL` (default: the configuration's, or made of -addr)")
	fs.StringVar(&opt.configFile, "config", "", "configuration `file` (JSON, see docs/idporten-config.md)")
	fs.StringVar(&opt.tlsCert, "tls-cert", "", "certificate `file` (PEM)")
	fs.StringVar(&opt.tlsKey, "tls-key", "", "key `file` (PEM)")
	fs.BoolVar(&opt.demo, "demo", true, "start the demo services and API too, and show the test users' buttons")
	fs.StringVar(&opt.machineIssuer, "machine-issuer", "", "issuer `URL` (with its slash) of a Maskinporten whose tokens support staff use")
	fs.BoolVar(&opt.insecureTrustSelfSign, "insecure-trust-self-signed", false, "outgoing calls accept any certificate")
	if err := serve.ParseFlags(fs, args, out); err != nil {
		return opt, err
	}
	if (opt.tlsCert == "") != (opt.tlsKey == "") {
		return opt, errors.New("-tls-cert and -tls-key belong together")
	}
	return opt, nil
}
