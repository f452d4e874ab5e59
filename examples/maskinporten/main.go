// Command maskinporten is a local Maskinporten for development and test: clients send a signed grant and receive a token.
//
//	go run ./examples/maskinporten
//	go run ./examples/maskinporten -config my-clients.json -testca testca
//	go run ./examples/maskinporten -print-token -claims '{"consumer_org":"910753614","scope":"eksempel:delegert.read"}'
package main

import (
	"context"
	"flag"
	"io"
	"log/slog"

	"github.com/portner-go/portner/internal/standin"
)

// options holds the flags.
type options struct {
	standin.Flags
	testCA     string
	printToken bool
	claims     string
}

func main() { standin.Main(run) }

// run runs the program until ctx ends and returns its exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return new(options).command().Run(ctx, args, stdout, stderr)
}

// command returns the program.
func (opt *options) command() standin.Command {
	return standin.Command{
		Name: "maskinporten", Addr: "localhost:8090", Flags: &opt.Flags, Define: opt.define,
		Open: func(ctx context.Context, log *slog.Logger) (standin.Server, error) { return newServer(ctx, *opt, log) },
		Instead: func(ctx context.Context, stdout, stderr io.Writer) (bool, error) {
			if !opt.printToken {
				return false, nil
			}
			return true, printToken(ctx, *opt, stdout, stderr)
		},
	}
}

func (opt *options) define(fs *flag.FlagSet) {
	fs.StringVar(&opt.testCA, "testca", "", "`directory` of examples/maskinporten/testca: trust its business certificates; it is created if it does not exist")
	fs.BoolVar(&opt.printToken, "print-token", false, "request a token from the server at -issuer, or from a temporary one, print it and exit")
	fs.StringVar(&opt.claims, "claims", "{}", "claims of the grant of -print-token, a JSON `object`")
}
