package ansattporten

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
	// NewDemo returns the handler of the demo service. If it is nil, the program has no demo.
	NewDemo func(Demo) http.Handler

	demoFlag standin.DemoFlag
	Demo     bool // the demo runs: the flag sets it
}

// Command returns the program.
func (opt *Options) Command() standin.Command {
	return standin.Command{
		Name: "ansattporten", Addr: "127.0.0.1:8110", AddrUsage: "; the demo service uses the next port", Flags: &opt.Flags, Define: opt.define,
		Open: func(ctx context.Context, log *slog.Logger) (standin.Server, error) {
			opt.Demo = opt.NewDemo != nil && opt.demoFlag.On(opt.Flags)
			return Open(ctx, *opt, log)
		},
	}
}

func (opt *Options) define(fs *flag.FlagSet) {
	if opt.NewDemo != nil {
		opt.demoFlag.Define(fs, "start the demo service, and show a button for each test user")
	}
}
