// Package landscape starts stand-ins for ID-porten, Ansattporten, Maskinporten, Altinn, HelseID and the contact register that trust one another, in one
// process. Its page plays stories in which clients use several of them, and shows every request and response.
package landscape

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/portner-go/portner/examples/internal/programs"
	"github.com/portner-go/portner/internal/standin"
)

// options holds the flags.
type options struct {
	addr, config   string
	store, secrets string
	drain          time.Duration
	admin          bool
	adminSecret    string
	discardChanges bool
	metrics        standin.MetricsFlags
	tls            standin.TLS // of all servers
}

// Run runs the program until ctx ends and returns its exit status.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := command(ctx, args, stdout, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "landscape:", err)
		return 1
	}
	return 0
}

func command(ctx context.Context, args []string, stdout, stderr io.Writer) (failed error) {
	opt, err := parseFlags(args, stdout)
	if err != nil {
		return err
	}
	l, err := newLandscape(opt, stderr)
	if err != nil {
		return err
	}
	defer func() { failed = errors.Join(failed, l.close()) }()
	if err := l.open(); err != nil {
		return err
	}
	l.greet(stdout)
	return unlessStopped(ctx, l.serve(ctx))
}

// unlessStopped returns err, or nil if ctx has ended.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func parseFlags(args []string, out io.Writer) (options, error) {
	var opt options
	fs := flag.NewFlagSet("landscape", flag.ContinueOnError)
	fs.StringVar(&opt.addr, "addr", "127.0.0.1:8070", "`address` of the walk-through; the servers use ports after it; port 0 is a free one")
	fs.StringVar(&opt.config, "config", "", "`folder` with idporten.json, maskinporten.json, altinn.json, ansattporten.json, helseid.json or krr.json: their entries are added")
	fs.StringVar(&opt.store, "store", "memory", "where the servers keep their state: memory, or sqlite:`FOLDER` with a file for each")
	fs.StringVar(&opt.secrets, "secrets", "", "`file` with the secrets of all servers, made if there is none (default: beside the files of -store; otherwise new secrets at each start)")
	standin.DurationVar(fs, &opt.drain, "drain", "`time` during which requests are accepted after the first interrupt, while /readyz says that the servers stop, such as 5s")
	standin.BoolVar(fs, &opt.admin, "admin", fmt.Sprintf("start the administration of each server, on the port %d after that of the server, see docs/administration.md; krr has none", portsAdministration))
	standin.FileVar(fs, &opt.adminSecret, "admin-secret", "`file` with the secret of callers of the administration")
	standin.BoolVar(fs, &opt.discardChanges, "discard-changes", "forget what the administration changed, and begin with the configuration alone")
	opt.metrics.Define(fs)
	opt.tls.Define(fs)
	if err := standin.ParseFlags(fs, args, out); err != nil {
		return opt, err
	}
	if err := standin.FromEnvironment(fs, os.Environ()); err != nil {
		return opt, err
	}
	return opt, opt.check()
}

func (opt options) check() error {
	folder, ok := strings.CutPrefix(opt.store, "sqlite:")
	switch {
	case opt.drain < 0:
		return errors.New("-drain: must not be negative")
	case opt.adminSecret != "" && !opt.admin:
		return errors.New("-admin-secret: needs -admin")
	case opt.metrics.Metrics != "" && programs.NewMeters == nil:
		return standin.ErrNoMetrics("landscape", opt.metrics.Metrics)
	case opt.store == "memory":
	case !ok:
		return errors.New("-store: must be memory or sqlite:FOLDER")
	default:
		if info, err := os.Stat(folder); err != nil || !info.IsDir() {
			return fmt.Errorf("-store: there is no folder %s: mkdir -p %s", folder, folder)
		}
	}
	return opt.tls.Check()
}

// args returns the flags that a server gets beside its own.
func (opt options) args(p part) []string {
	args := append(opt.tls.Args(), "-drain", opt.drain.String())
	if p.command.Stateless {
		return args
	}
	if opt.admin {
		args = append(args, "-admin", listenAt(p.admin))
	}
	if opt.adminSecret != "" {
		args = append(args, "-admin-secret", opt.adminSecret)
	}
	if opt.discardChanges {
		args = append(args, "-discard-changes")
	}
	if folder, ok := strings.CutPrefix(opt.store, "sqlite:"); ok {
		args = append(args, "-store", "sqlite:"+filepath.Join(folder, p.name+".db"))
	}
	if opt.secrets != "" {
		args = append(args, "-secrets", opt.secrets)
	}
	return args
}
