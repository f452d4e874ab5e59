package maskinporten

import (
	"context"
	"flag"
	"io"
	"log/slog"

	"github.com/portner-go/portner/internal/standin"
)

// Options holds the flags.
type Options struct {
	standin.Flags
	TestCA     string
	printToken bool
	claims     string
}

// Command returns the program.
func (opt *Options) Command() standin.Command {
	return standin.Command{
		Name: "maskinporten", Addr: "localhost:8090", Flags: &opt.Flags, Define: opt.define,
		Open: func(ctx context.Context, log *slog.Logger) (standin.Server, error) { return Open(ctx, *opt, log) },
		Instead: func(ctx context.Context, stdout, stderr io.Writer) (bool, error) {
			if !opt.printToken {
				return false, nil
			}
			return true, printToken(ctx, *opt, stdout, stderr)
		},
	}
}

func (opt *Options) define(fs *flag.FlagSet) {
	fs.StringVar(&opt.TestCA, "testca", "", "`directory` of examples/maskinporten/testca: trust its business certificates; it is created if it does not exist")
	fs.BoolVar(&opt.printToken, "print-token", false, "request a token from the server at -issuer, or from a temporary one, print it and exit")
	fs.StringVar(&opt.claims, "claims", "{}", "claims of the grant of -print-token, a JSON `object`")
}
