package altinn

import (
	"context"
	"flag"
	"log/slog"

	"github.com/portner-go/portner/internal/standin"
)

// Options holds the flags.
type Options struct {
	standin.Flags
	IDPorten, Maskinporten string // issuers; "" is none
}

// Command returns the program.
func (opt *Options) Command() standin.Command {
	return standin.Command{
		Name: "altinn", Addr: "localhost:8100", Flags: &opt.Flags, Define: opt.define,
		Open: func(ctx context.Context, log *slog.Logger) (standin.Server, error) { return Open(ctx, *opt, log) },
	}
}

func (opt *Options) define(fs *flag.FlagSet) {
	fs.StringVar(&opt.IDPorten, "idporten", "http://localhost:8080", "issuer `URL` of ID-porten, if the configuration names none")
	fs.StringVar(&opt.Maskinporten, "maskinporten", "http://localhost:8090/", "issuer `URL` of Maskinporten, with its slash, if the configuration names none")
}
