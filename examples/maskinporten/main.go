// Command maskinporten is a local Maskinporten for development and test: machines post a signed grant and get
// a token.
//
//	go run ./examples/maskinporten
//	go run ./examples/maskinporten -config my-clients.json -testca testca
//	go run ./examples/maskinporten -print-token -claims '{"consumer_org":"910753614","scope":"eksempel:delegert.read"}'
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
	testCA                   string
	printToken               bool
	claims                   string
}

func main() { serve.Main(run) }

// run starts everything, returns when ctx ends and all of it has stopped, and tells the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return serve.Status("maskinporten", command(ctx, args, stdout, stderr), stderr)
}

func command(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	opt, err := parseFlags(args, stdout)
	if err != nil {
		return err
	}
	if opt.printToken {
		return printToken(ctx, opt, stdout, stderr)
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
	fs := flag.NewFlagSet("maskinporten", flag.ContinueOnError)
	fs.StringVar(&opt.addr, "addr", "localhost:8090", "`address` to listen on; port 0 is a free one")
	fs.StringVar(&opt.issuer, "issuer", "", "issuer `URL`, with its slash (default: the configuration's, or made of -addr)")
	fs.StringVar(&opt.configFile, "config", "", "configuration `file` (JSON, see docs/maskinporten-config.md)")
	fs.StringVar(&opt.tlsCert, "tls-cert", "", "certificate `file` (PEM)")
	fs.StringVar(&opt.tlsKey, "tls-key", "", "key `file` (PEM)")
	fs.StringVar(&opt.testCA, "testca", "", "`directory` of examples/maskinporten/testca: trust its business certificates, and make them if it is not there")
	fs.BoolVar(&opt.printToken, "print-token", false, "ask the server that runs at -issuer for a token, or one started for the purpose, print it and stop")
	fs.StringVar(&opt.claims, "claims", "{}", "claims of the grant behind -print-token, a JSON `object`")
	if err := serve.ParseFlags(fs, args, out); err != nil {
		return opt, err
	}
	if (opt.tlsCert == "") != (opt.tlsKey == "") {
		return opt, errors.New("-tls-cert and -tls-key belong together")
	}
	return opt, nil
}
