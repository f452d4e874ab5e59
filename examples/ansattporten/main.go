// Command ansattporten is a local Ansattporten for development and test: users log in and choose whom to represent. A demo
// service shows the claims that it receives.
//
//	go run ./examples/ansattporten
//	go run ./examples/ansattporten -config my-clients.json
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
	demoFlag standin.DemoFlag
	demo     bool
}

func main() { standin.Main(run) }

// run runs the program until ctx ends and returns its exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return new(options).command().Run(ctx, args, stdout, stderr)
}

// command returns the program.
func (opt *options) command() standin.Command {
	return standin.Command{
		Name: "ansattporten", Addr: "127.0.0.1:8110", AddrUsage: "; the demo service uses the next port", Flags: &opt.Flags, Define: opt.define,
		Open: func(ctx context.Context, log *slog.Logger) (standin.Server, error) {
			opt.demo = opt.demoFlag.On(opt.Flags)
			return newServer(ctx, *opt, log)
		},
	}
}

func (opt *options) define(fs *flag.FlagSet) {
	opt.demoFlag.Define(fs, "start the demo service, and show a button for each test user")
}
