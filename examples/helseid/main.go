// Command helseid is a local HelseID for development and test: persons log in, systems get tokens that are bound to a key, and an API
// checks them. A page plays what a client does and shows every request.
//
//	go run ./examples/helseid
//	go run ./examples/helseid -config my-clients.json
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
		Name: "helseid", Addr: "127.0.0.1:8120", AddrUsage: "; the demo and its API use the next ports", Flags: &opt.Flags, Define: opt.define,
		Open: func(ctx context.Context, log *slog.Logger) (standin.Server, error) {
			opt.demo = opt.demoFlag.On(opt.Flags)
			return newServer(ctx, *opt, log)
		},
	}
}

func (opt *options) define(fs *flag.FlagSet) {
	opt.demoFlag.Define(fs, "start the walk-through and a health API, and show a button for each test user")
}
