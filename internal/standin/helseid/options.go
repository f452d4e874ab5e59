package helseid

import (
	"context"
	"flag"
	"log/slog"

	"github.com/portner-go/portner/internal/standin"
)

// Options are the flags, and what the program hands over.
type Options struct {
	standin.Flags
	// NewDemo makes the walk-through. If it is nil, the program has no demo.
	NewDemo func(DemoSite) (Demo, error)

	demoFlag standin.DemoFlag
	Demo     bool // the demo runs: the flag sets it
}

// Command returns the program.
func (opt *Options) Command() standin.Command {
	return standin.Command{
		Name: "helseid", Addr: "127.0.0.1:8120", AddrUsage: "; the demo and its API use the next ports", Flags: &opt.Flags, Define: opt.define,
		Open: func(ctx context.Context, log *slog.Logger) (standin.Server, error) {
			opt.Demo = opt.NewDemo != nil && opt.demoFlag.On(opt.Flags)
			return Open(ctx, *opt, log)
		},
	}
}

func (opt *Options) define(fs *flag.FlagSet) {
	if opt.NewDemo != nil {
		opt.demoFlag.Define(fs, "start the walk-through and a health API, and show a button for each test user")
	}
}
