package compat

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/portner-go/portner/internal/standin"
)

// Name is the value of -compat.
const Name = "mock-oauth2-server"

// Options are the flags of the program, and what it reads beside them.
type Options struct {
	standin.Flags
	// Lenient are the names of switches, separated by commas.
	Lenient string
	// Environ are the variables of the environment, as of os.Environ. If nil, they are those of the process.
	Environ []string
	// DefaultFile is read if neither a flag nor the environment names a configuration, and if it exists. If "", it is config.json.
	DefaultFile string
}

// Command returns the program: it reads the variables of mock-oauth2-server, and serves its configuration.
func Command(opt *Options) standin.Command {
	if opt.Environ == nil {
		opt.Environ = os.Environ()
	}
	return standin.Command{
		Name: Name, Addr: opt.defaultAddr(), AddrUsage: "; without a host it is on loopback, unless there is a test issuer", Flags: &opt.Flags,
		Guide: "migrating-from-mock-oauth2-server.md", Stateless: true, Environ: opt.Environ, Define: opt.define,
		Open: func(_ context.Context, log *slog.Logger) (standin.Server, error) { return openProgram(opt, log) },
	}
}

func (opt *Options) define(fs *flag.FlagSet) {
	fs.StringVar(&opt.Lenient, "lenient", "", "`switches`, separated by commas, of checks to do without: "+strings.Join(SwitchNames(), ", "))
}

// variable returns the value of a variable of mock-oauth2-server, "" for none. Those of the flags are read by standin.Command.
func (opt *Options) variable(name string) string {
	for _, v := range opt.Environ {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// defaultAddr returns the address of SERVER_HOSTNAME, SERVER_PORT and PORT.
func (opt *Options) defaultAddr() string {
	return net.JoinHostPort(opt.variable("SERVER_HOSTNAME"), cmp.Or(opt.variable("SERVER_PORT"), opt.variable("PORT"), "8080"))
}

// listen opens the port. Without a host it is on loopback, unless a test issuer says that other machines reach the server.
func (opt *Options) listen() (standin.Sites, error) {
	f := opt.Flags
	if port, ok := strings.CutPrefix(f.Addr, ":"); ok && f.TestIssuer == "" {
		f.Addr = net.JoinHostPort("127.0.0.1", port)
	}
	return standin.Listen(f, f.Issuer)
}

// configuration returns the text of the configuration: of -config, JSON_CONFIG, JSON_CONFIG_PATH, or config.json if there is such a file.
func (opt *Options) configuration() (text []byte, from string, err error) {
	switch {
	case opt.ConfigFile != "":
		from = opt.ConfigFile
	case opt.variable("JSON_CONFIG") != "":
		return []byte(opt.variable("JSON_CONFIG")), "JSON_CONFIG", nil
	case opt.variable("JSON_CONFIG_PATH") != "":
		from = opt.variable("JSON_CONFIG_PATH")
	default:
		from = cmp.Or(opt.DefaultFile, "config.json")
		if _, err := os.Stat(from); errors.Is(err, os.ErrNotExist) {
			return nil, "", nil
		}
	}
	if text, err = os.ReadFile(from); err != nil {
		return nil, "", fmt.Errorf("configuration: %w", err)
	}
	if len(strings.TrimSpace(string(text))) == 0 {
		return nil, "", fmt.Errorf("%s: the file is empty", from)
	}
	return text, from, nil
}

// program is a running server.
type program struct {
	*Server

	sites standin.Sites
	flags standin.Flags
	log   *slog.Logger
	file  bool      // a configuration was read
	out   io.Writer // of Greet; nil before
}

// openProgram opens the port and the issuers.
func openProgram(opt *Options, log *slog.Logger) (*program, error) {
	text, from, err := opt.configuration()
	if err != nil {
		return nil, err
	}
	plan, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s:\n%w", from, err)
	}
	lenient, err := ParseSwitches(opt.Lenient)
	if err != nil {
		return nil, fmt.Errorf("-lenient: %w", err)
	}
	if err := opt.check(plan); err != nil {
		return nil, err
	}
	quiet, err := quieter(log, opt.variable("LOG_LEVEL"))
	if err != nil {
		return nil, err
	}
	sites, err := opt.listen()
	if err != nil {
		return nil, err
	}
	p := &program{sites: sites, flags: opt.Flags, log: quiet, file: text != nil}
	if err := p.start(opt, plan, lenient, log); err != nil {
		sites.Close()
		return nil, err
	}
	return p, nil
}

// check rejects flags that the program does not have, and a configuration with https without a certificate.
func (opt *Options) check(plan *Plan) error {
	switch {
	case plan.TLS && opt.Cert == "":
		return errors.New("httpServer.ssl: needs -tls-cert and -tls-key: the program makes no certificate")
	case opt.variable("LOGBACK_CONFIG") != "":
		return errors.New("LOGBACK_CONFIG: is not supported: LOG_LEVEL sets the level")
	}
	return nil
}

// start makes the issuers and gives them to the site. The issuer and the listener must be on loopback, unless -test-issuer repeats the issuer.
func (p *program) start(opt *Options, plan *Plan, lenient Switches, log *slog.Logger) (err error) {
	url := strings.TrimSuffix(cmp.Or(opt.Issuer, opt.TestIssuer, p.sites[0].Base), "/")
	if err := p.sites.CheckTest(url, strings.TrimSuffix(opt.TestIssuer, "/")); err != nil {
		return err
	}
	p.sites.WarnCertificate(url, log)
	if p.Server, err = New(Config{Plan: plan, URL: url, Lenient: lenient, Logger: p.log, Warnings: log, OnProposal: p.propose}); err != nil {
		return err
	}
	p.sites[0].Accept(url)
	p.sites[0].Handle(p.Server)
	return nil
}

// Handler returns the handler of the issuers.
func (p *program) Handler() http.Handler { return p.sites[0].Handler() }

// propose prints the registration of a client that is not configured.
func (p *program) propose(registration string) {
	if p.out != nil {
		fmt.Fprintln(p.out, "clients: "+registration)
	}
}

// Greet implements standin.Server.
func (p *program) Greet(w io.Writer) {
	p.out = w
	for _, issuer := range p.Issuers() {
		fmt.Fprintln(w, "issuer:  "+issuer)
	}
	if len(p.plan.clients) == 0 && !p.on[AnyClient] {
		fmt.Fprintln(w, "clients: none: the member clients of the configuration registers them")
	}
	for _, name := range p.Lenient() {
		fmt.Fprintln(w, "lenient: "+name+": "+effects[Switch(name)])
	}
}

// sweepEvery is how often expired records are deleted.
const sweepEvery = 10 * time.Second

// Serve implements standin.Server.
func (p *program) Serve(ctx context.Context) error {
	sweeping, stop := context.WithCancel(ctx)
	defer stop()
	go p.sweep(sweeping)
	return p.sites.Serve(ctx, standin.Running{Log: p.log, Drain: p.flags.Drain})
}

// sweep deletes what has expired until ctx ends.
func (p *program) sweep(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			for _, is := range p.opened() {
				_, _ = is.store.Sweep(ctx, p.now()) // fails if ctx ends only
			}
		}
	}
}

// Reload implements standin.Server. The state is in memory and belongs to the configuration, so a change needs a restart.
func (p *program) Reload(context.Context) error {
	return errors.New("the configuration is read at the start only: restart the program")
}

// levels are the values of LOG_LEVEL.
var levels = map[string]slog.Level{
	"": slog.LevelInfo, "TRACE": slog.LevelDebug, "DEBUG": slog.LevelDebug, "INFO": slog.LevelInfo, "WARN": slog.LevelWarn, "ERROR": slog.LevelError,
	"OFF": slog.Level(1000), "ALL": slog.LevelDebug,
}

// quieter returns a logger that leaves out lines below a level.
func quieter(log *slog.Logger, name string) (*slog.Logger, error) {
	level, ok := levels[strings.ToUpper(name)]
	if !ok {
		return nil, errors.New("LOG_LEVEL: must be TRACE, DEBUG, INFO, WARN, ERROR or OFF, not " + strconv.Quote(name))
	}
	return slog.New(atLeast{log.Handler(), level}), nil
}

// atLeast drops records below a level.
type atLeast struct {
	slog.Handler

	level slog.Level
}

// Enabled implements slog.Handler.
func (h atLeast) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.level && h.Handler.Enabled(ctx, l)
}

// WithAttrs implements slog.Handler.
func (h atLeast) WithAttrs(attrs []slog.Attr) slog.Handler {
	return atLeast{h.Handler.WithAttrs(attrs), h.level}
}

// WithGroup implements slog.Handler.
func (h atLeast) WithGroup(name string) slog.Handler {
	return atLeast{h.Handler.WithGroup(name), h.level}
}
