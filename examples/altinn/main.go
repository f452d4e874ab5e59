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
	tlsCert, tlsKey          string
	idporten, maskinporten   string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := command(ctx, args, stdout, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "altinn:", err)
		return 1
	}
	return 0
}

func command(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	opt, err := parseFlags(args, stdout)
	if err != nil {
		return err
	}
	s, err := newServer(opt, slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{ReplaceAttr: shorten})))
	if err != nil {
		return err
	}
	s.greet(stdout)
	return s.serve(ctx)
}

// shorten leaves the time of day in a line; the events repeat it.
func shorten(groups []string, a slog.Attr) slog.Attr {
	switch {
	case len(groups) > 0:
	case a.Key == slog.TimeKey:
		a.Value = slog.StringValue(a.Value.Time().Format("15:04:05.000"))
	case a.Key == "at":
		return slog.Attr{}
	}
	return a
}

// parseFlags reads the command line. Usage goes to out only if it was asked for.
func parseFlags(args []string, out io.Writer) (options, error) {
	var opt options
	fs := flag.NewFlagSet("altinn", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&opt.addr, "addr", "localhost:8100", "`address` to listen on; port 0 is a free one")
	fs.StringVar(&opt.issuer, "issuer", "", "issuer `URL`, with its slash (default: the configuration's, or made of -addr)")
	fs.StringVar(&opt.configFile, "config", "", "configuration `file` (JSON, see docs/altinn-config.md)")
	fs.StringVar(&opt.tlsCert, "tls-cert", "", "certificate `file` (PEM)")
	fs.StringVar(&opt.tlsKey, "tls-key", "", "key `file` (PEM)")
	fs.StringVar(&opt.idporten, "idporten", "http://localhost:8080", "ID-porten's issuer `URL`, if the configuration names none")
	fs.StringVar(&opt.maskinporten, "maskinporten", "http://localhost:8090/", "Maskinporten's issuer `URL`, with its slash, if the configuration names none")
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
	case (opt.tlsCert == "") != (opt.tlsKey == ""):
		return opt, errors.New("-tls-cert and -tls-key belong together")
	}
	return opt, nil
}
