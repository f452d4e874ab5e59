// Command idporten is a local ID-porten for development and test: the provider, three demo services and a demo
// API.
//
//	go run ./examples/idporten
//	go run ./examples/idporten -config my-clients.json
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
	machineIssuer string
	mtls          mtls
	demoFlag      standin.DemoFlag
	demo          bool
}

func main() { standin.Main(run) }

// run runs the program until ctx ends and returns its exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return new(options).command().Run(ctx, args, stdout, stderr)
}

// command returns the program.
func (opt *options) command() standin.Command {
	return standin.Command{
		Name: "idporten", Addr: "localhost:8080", AddrUsage: "; the demo uses the next four ports", Flags: &opt.Flags, Define: opt.define,
		Open: func(ctx context.Context, log *slog.Logger) (standin.Server, error) {
			opt.demo = opt.demoFlag.On(opt.Flags)
			return newServer(ctx, *opt, log)
		},
	}
}

func (opt *options) define(fs *flag.FlagSet) {
	opt.demoFlag.Define(fs, "start the demo services and API, and show a button for each test user")
	fs.StringVar(&opt.mtls.Addr, "mtls-addr", "", "`address` of a listener that requests client certificates (default: that of the configuration); needs -tls-cert")
	fs.StringVar(&opt.mtls.ClientCA, "tls-client-ca", "", "`file` (PEM) with the authorities of client certificates for tls_client_auth (default: that of the configuration)")
	fs.StringVar(&opt.machineIssuer, "machine-issuer", "", "issuer `URL` (with its slash) of a Maskinporten whose tokens support staff use")
}
