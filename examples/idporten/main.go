// Command idporten is a local ID-porten for development and test: the provider, two demo services, an isolated one and a demo
// API, started together.
//
//	go run ./examples/idporten
//	go run ./examples/idporten -config my-clients.json -demo=false
package main

import (
	"context"
	"flag"
	"io"
	"log/slog"

	"github.com/portner-go/portner/examples/internal/standin"
)

// options are the command line.
type options struct {
	standin.Flags
	machineIssuer                 string
	demo, insecureTrustSelfSigned bool
}

func main() { standin.Main(run) }

// run starts the servers, returns when ctx ends and everything has stopped, and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return new(options).command().Run(ctx, args, stdout, stderr)
}

// command describes the program.
func (opt *options) command() standin.Command {
	return standin.Command{
		Name: "idporten", Addr: "localhost:8080", AddrUsage: "; the demo uses the next four ports", Define: opt.define,
		Open: func(f standin.Flags, log *slog.Logger) (standin.Server, error) {
			opt.Flags = f
			return newServer(*opt, log)
		},
	}
}

func (opt *options) define(fs *flag.FlagSet) {
	fs.BoolVar(&opt.demo, "demo", true, "start the demo services and API, and show a button for each test user")
	fs.StringVar(&opt.machineIssuer, "machine-issuer", "", "issuer `URL` (with its slash) of a Maskinporten whose tokens support staff use")
	fs.BoolVar(&opt.insecureTrustSelfSigned, "insecure-trust-self-signed", false, "outgoing requests accept any certificate")
}
