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
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// options are the command line.
type options struct {
	addr, issuer, configFile    string
	tlsCert, tlsKey             string
	demo, insecureTrustSelfSign bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "idporten:", err)
			os.Exit(1)
		}
	}
}

// run starts everything and returns when ctx ends and all of it has stopped.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	opt, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	s, err := newServer(opt, log)
	if err != nil {
		return err
	}
	s.greet(stdout)
	return s.serve(ctx)
}

func parseFlags(args []string, stderr io.Writer) (options, error) {
	var opt options
	fs := flag.NewFlagSet("idporten", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&opt.addr, "addr", "localhost:8080", "`address` to listen on; port 0 takes free ports")
	fs.StringVar(&opt.issuer, "issuer", "", "issuer `URL` (default: made of -addr, or the configuration's)")
	fs.StringVar(&opt.configFile, "config", "", "configuration `file` (JSON)")
	fs.StringVar(&opt.tlsCert, "tls-cert", "", "certificate `file` (PEM)")
	fs.StringVar(&opt.tlsKey, "tls-key", "", "key `file` (PEM)")
	fs.BoolVar(&opt.demo, "demo", true, "start the demo services and API too, and show the test users' buttons")
	fs.BoolVar(&opt.insecureTrustSelfSign, "insecure-trust-self-signed", false, "outgoing calls accept any certificate")
	if err := fs.Parse(args); err != nil {
		return opt, err
	}
	if fs.NArg() > 0 {
		return opt, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if (opt.tlsCert == "") != (opt.tlsKey == "") {
		return opt, errors.New("-tls-cert and -tls-key belong together")
	}
	return opt, nil
}
