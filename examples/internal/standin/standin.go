// Package standin is what the example servers have in common: command line, configuration members, listeners, header
// fields of every response, and an orderly end.
package standin

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// Flags are the flags that every server has.
type Flags struct {
	Addr       string // address to listen on
	Issuer     string // issuer; "" is the one of the configuration, or made of Addr
	ConfigFile string
	TLSCert    string // PEM files; both or neither
	TLSKey     string
}

// Server is one stand-in. It has opened its ports when it is made, and accepts requests in Serve.
type Server interface {
	// Greet prints the addresses and users of the server.
	Greet(w io.Writer)
	// Serve runs until ctx ends. It then finishes the requests in progress and returns.
	Serve(ctx context.Context) error
}

// Command is the program of a stand-in.
type Command struct {
	Name string
	Addr string // default of -addr
	// AddrUsage explains further ports that -addr implies; it may be "".
	AddrUsage string
	// Define adds flags of the program's own; nil adds none.
	Define func(*flag.FlagSet)
	// Open makes the server: it reads the configuration and opens the ports.
	Open func(f Flags, log *slog.Logger) (Server, error)
	// Instead runs in place of a server if it reports true; nil never does.
	Instead func(ctx context.Context, f Flags, stdout, stderr io.Writer) (bool, error)
}

// Main runs a program until Ctrl-C and exits with its status. A second Ctrl-C ends it at once.
func Main(run func(ctx context.Context, args []string, stdout, stderr io.Writer) int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// Run parses the arguments, opens the server, and runs it until ctx ends. It returns the exit status.
func (c Command) Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := c.run(ctx, args, stdout, stderr)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return 0
	}
	fmt.Fprintln(stderr, c.Name+":", err)
	return 1
}

func (c Command) run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f, err := c.parse(args, stdout)
	if err != nil {
		return err
	}
	if c.Instead != nil {
		if done, err := c.Instead(ctx, f, stdout, stderr); done || err != nil {
			return err
		}
	}
	s, err := c.Open(f, Logger(stderr, slog.LevelInfo))
	if err != nil {
		return err
	}
	s.Greet(stdout)
	return s.Serve(ctx)
}

// Prepare parses the arguments and opens the server, without running it.
func (c Command) Prepare(args []string, log *slog.Logger) (Server, error) {
	f, err := c.parse(args, io.Discard)
	if err != nil {
		return nil, err
	}
	return c.Open(f, log)
}

// parse reads the command line. It writes the usage to out for -h only.
func (c Command) parse(args []string, out io.Writer) (Flags, error) {
	var f Flags
	fs := flag.NewFlagSet(c.Name, flag.ContinueOnError)
	fs.StringVar(&f.Addr, "addr", c.Addr, "`address` to listen on; port 0 is a free one"+c.AddrUsage)
	fs.StringVar(&f.Issuer, "issuer", "", "issuer `URL` (default: the one of the configuration, or made of -addr)")
	fs.StringVar(&f.ConfigFile, "config", "", "configuration `file` (JSON, see docs/"+c.Name+"-config.md)")
	fs.StringVar(&f.TLSCert, "tls-cert", "", "certificate `file` (PEM)")
	fs.StringVar(&f.TLSKey, "tls-key", "", "key `file` (PEM)")
	if c.Define != nil {
		c.Define(fs)
	}
	if err := ParseFlags(fs, args, out); err != nil {
		return f, err
	}
	if (f.TLSCert == "") != (f.TLSKey == "") {
		return f, errors.New("-tls-cert and -tls-key are required together")
	}
	return f, nil
}

// ParseFlags parses args. It writes the usage to out for -h only, and rejects arguments that are not flags.
func ParseFlags(fs *flag.FlagSet, args []string, out io.Writer) error {
	fs.SetOutput(io.Discard)
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fs.SetOutput(out)
		fs.PrintDefaults()
		return err
	case err != nil:
		return fmt.Errorf("%w (-h lists the flags)", err)
	case fs.NArg() > 0:
		return fmt.Errorf("unexpected argument %q (-h lists the flags)", fs.Arg(0))
	}
	return nil
}

// Logger writes one line for each event, with the time of day.
func Logger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		switch {
		case len(groups) > 0:
		case a.Key == slog.TimeKey:
			a.Value = slog.StringValue(a.Value.Time().Format("15:04:05.000"))
		case a.Key == "at": // the event's own time, equal to the line's
			return slog.Attr{}
		}
		return a
	}}))
}
