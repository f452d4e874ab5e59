package idporten

import (
	"context"
	"flag"
	"log/slog"
	"net/http"

	"github.com/portner-go/portner/internal/standin"
)

// Options are the flags, and what the program hands over.
type Options struct {
	standin.Flags
	// NewDemo returns the handlers of the sites of the demo, in the order of demoSites. If it is nil, the program has no demo.
	NewDemo func(Demo) ([]http.Handler, error)

	MachineIssuer string
	MTLS          MTLS
	demoFlag      standin.DemoFlag
	Demo          bool // the demo runs: the flag sets it
}

// Command returns the program.
func (opt *Options) Command() standin.Command {
	return standin.Command{
		Name: "idporten", Addr: "localhost:8080", AddrUsage: "; the demo uses the next four ports", Flags: &opt.Flags, Define: opt.define,
		Open: func(ctx context.Context, log *slog.Logger) (standin.Server, error) {
			opt.Demo = opt.NewDemo != nil && opt.demoFlag.On(opt.Flags)
			return Open(ctx, *opt, log)
		},
	}
}

func (opt *Options) define(fs *flag.FlagSet) {
	if opt.NewDemo != nil {
		opt.demoFlag.Define(fs, "start the demo services and API, and show a button for each test user")
	}
	fs.StringVar(&opt.MTLS.Addr, "mtls-addr", "", "`address` of a listener that requests client certificates (default: that of the configuration); needs -tls-cert")
	fs.StringVar(&opt.MTLS.ClientCA, "tls-client-ca", "", "`file` (PEM) with the authorities of client certificates for tls_client_auth (default: that of the configuration)")
	fs.StringVar(&opt.MachineIssuer, "machine-issuer", "", "issuer `URL` (with its slash) of a Maskinporten whose tokens support staff use")
}
