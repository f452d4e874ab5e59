// Command altinn is a local Altinn token exchange for development and test: it exchanges tokens of ID-porten and Maskinporten
// for its own, and has an API that accepts them.
//
//	go run ./examples/altinn
//	go run ./examples/altinn -config my-organisations.json
//	go run ./examples/altinn -idporten https://test.idporten.no -maskinporten https://test.maskinporten.no/
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
	idporten, maskinporten string
}

func main() { standin.Main(run) }

// run runs the program until ctx ends and returns its exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return new(options).command().Run(ctx, args, stdout, stderr)
}

// command returns the program.
func (opt *options) command() standin.Command {
	return standin.Command{
		Name: "altinn", Addr: "localhost:8100", Flags: &opt.Flags, Define: opt.define,
		Open: func(ctx context.Context, log *slog.Logger) (standin.Server, error) { return newServer(ctx, *opt, log) },
	}
}

func (opt *options) define(fs *flag.FlagSet) {
	fs.StringVar(&opt.idporten, "idporten", "http://localhost:8080", "issuer `URL` of ID-porten, if the configuration names none")
	fs.StringVar(&opt.maskinporten, "maskinporten", "http://localhost:8090/", "issuer `URL` of Maskinporten, with its slash, if the configuration names none")
}
