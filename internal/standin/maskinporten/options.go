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
	TestCA string
	claims string
}

// Command returns the program.
func (opt *Options) Command() standin.Command {
	return standin.Command{
		Name: "maskinporten", Addr: "localhost:8090", Flags: &opt.Flags, Define: opt.define,
		Open: func(ctx context.Context, log *slog.Logger) (standin.Server, error) { return Open(ctx, *opt, log) },
	}
}

// PrintToken prints a token of the server at -issuer, or of a temporary one.
func (opt *Options) PrintToken(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c := opt.Command()
	c.Name, c.Guide = "token maskinporten", "maskinporten-config.md"
	c.Define = func(fs *flag.FlagSet) {
		opt.define(fs)
		fs.StringVar(&opt.claims, "claims", "{}", "claims of the grant, a JSON `object`")
	}
	if err := c.Parse(args, stdout); err != nil {
		return err
	}
	return printToken(ctx, *opt, stdout, stderr)
}

func (opt *Options) define(fs *flag.FlagSet) {
	fs.StringVar(&opt.TestCA, "testca", "", "`directory` of portner ca: trust its business certificates; it is created if it does not exist")
}
