// Package standin holds the common parts of the example servers: command line, members of the configuration, listeners, header
// fields of every response, pages and shutdown.
package standin

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/standin/strictjson"
	"github.com/portner-go/portner/keyset"
)

// Flags are the flags of every server, and what a program that has a server inside sets in their place.
type Flags struct {
	Addr       string // address to listen on; if "", no port is opened, and the host serves the handler of the server
	Issuer     string // issuer; if "", that of the configuration, or one derived from Addr
	TestIssuer string // if "", that of the configuration; see Sites.CheckTest
	// Hosts are further values of the Host header field that the provider accepts, separated by commas.
	Hosts      string
	ConfigFile string
	Drain      time.Duration // how long requests are accepted after the first interrupt; see Running
	StateFlags
	AdminFlags
	MetricsFlags
	TLS

	// Text is the configuration, if there is no ConfigFile. If nil, there is none.
	Text []byte
	// Now is the clock. If nil, time.Now.
	Now func() time.Time
	// HTTP makes the requests to other servers. If nil, it is TLS.Outgoing.
	HTTP *http.Client
	// Observe observes the requests and responses of every site, other than that of the metrics. It may be nil.
	Observe Observer
	// AllowHTTP accepts http URLs at the hosts that the flags and the configuration name. Without it, only those of this machine may have one.
	AllowHTTP bool
	// NewKey makes signing keys, if the store does not last. If nil, keyset.Generate.
	NewKey func(alg string) (keyset.Key, error)
}

// Document is a configuration.
type Document struct {
	Path string // of the file, or ""; the names of files in it are relative to its folder
	Text []byte // nil without a configuration
	// AllowHTTP is Flags.AllowHTTP.
	AllowHTTP bool
}

// Document reads the configuration.
func (f Flags) Document() (Document, error) {
	d := Document{Text: f.Text}
	var err error
	if f.ConfigFile != "" {
		d, err = ReadDocument(f.ConfigFile)
	}
	d.AllowHTTP = f.AllowHTTP
	return d, err
}

// ReadDocument reads a file.
func ReadDocument(path string) (Document, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Document{}, fmt.Errorf("-config: %w", err)
	}
	return Document{Path: path, Text: text}, nil
}

// Wrap returns an error that names the file of the configuration.
func (d Document) Wrap(err error) error {
	if err == nil || d.Path == "" {
		return err
	}
	return fmt.Errorf("%s:\n%w", d.Path, err)
}

// Source is where a running server reads its configuration.
type Source struct {
	flags Flags
	text  atomic.Pointer[[]byte] // in place of that of the flags; may be nil
}

// NewSource returns the source that the flags name.
func NewSource(f Flags) *Source { return &Source{flags: f} }

// Document reads the configuration.
func (s *Source) Document() (Document, error) {
	if text := s.text.Load(); text != nil {
		return Document{Text: *text, AllowHTTP: s.flags.AllowHTTP}, nil
	}
	return s.flags.Document()
}

// Wrap returns an error that names the file of the configuration.
func (s *Source) Wrap(err error) error {
	if s.text.Load() != nil {
		return err
	}
	return Document{Path: s.flags.ConfigFile}.Wrap(err)
}

// Replace makes text the configuration, and calls reload. If it fails, the configuration is the one from before.
func (s *Source) Replace(text []byte, reload func() error) error {
	old := s.text.Swap(&text)
	err := reload()
	if err != nil {
		s.text.Store(old)
	}
	return err
}

// HasConfig reports whether there is a configuration.
func (f Flags) HasConfig() bool { return f.ConfigFile != "" || f.Text != nil }

// Clock returns the clock of the server.
func (f Flags) Clock() func() time.Time {
	if f.Now == nil {
		return time.Now
	}
	return f.Now
}

// Outgoing returns the client of requests to other servers. It follows no redirect, unless the host's client does.
func (f Flags) Outgoing() *http.Client {
	if f.HTTP == nil {
		return f.TLS.Outgoing()
	}
	return f.HTTP
}

// DemoFlag is the flag -demo. With the demo a user logs in without a password.
type DemoFlag struct{ given, value bool }

// Define adds the flag.
func (d *DemoFlag) Define(fs *flag.FlagSet, usage string) {
	fs.BoolFunc("demo", usage+"; the default is true without -config and -test-issuer", func(text string) (err error) {
		d.given = true
		d.value, err = parseBool(text)
		return err
	})
}

// On reports whether the demo runs. Unless the flag was given, it does not run beside the users of a configuration, nor where other
// machines reach the server.
func (d DemoFlag) On(f Flags) bool {
	if d.given {
		return d.value
	}
	return !f.HasConfig() && f.TestIssuer == ""
}

// Server is a stand-in. Its ports are open; Serve accepts requests.
type Server interface {
	// Greet prints the addresses and users of the server.
	Greet(w io.Writer)
	// Serve handles requests until ctx ends, waits for those in progress, and returns. Without ports it does the work beside requests.
	Serve(ctx context.Context) error
	// Reload reads the configuration file again. Its rules apply to the requests that arrive from then on, and sessions stay. After an
	// error nothing has changed.
	Reload(ctx context.Context) error
}

// Command is the program of a stand-in.
type Command struct {
	Name string
	Addr string // default of -addr
	// AddrUsage describes the further ports that -addr implies. It may be "".
	AddrUsage string
	// Flags receives the flags of every server.
	Flags *Flags
	// Guide is the document in docs of the configuration. If "", it is NAME-config.md.
	Guide string
	// Stateless leaves out the flags of state, administration and metrics, for a server that has none.
	Stateless bool
	// Environ are the variables of the environment, as of os.Environ. If nil, they are those of the process.
	Environ []string
	// Define adds the flags of this program. It may be nil.
	Define func(*flag.FlagSet)
	// Open reads the configuration, opens the ports and returns the server.
	Open func(ctx context.Context, log *slog.Logger) (Server, error)
}

// Main runs a program until the first interrupt and exits with its status. A second interrupt ends the process at once.
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
	fmt.Fprintln(stderr, c.Name+":", WithHint(err))
	return 1
}

// WithHint adds the flag that permits an http URL to the error of one.
func WithHint(err error) error {
	if errors.Is(err, fields.ErrPlainHTTP) {
		return fmt.Errorf("%w (-allow-http permits http, such as in a network of containers)", err)
	}
	return err
}

func (c Command) run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if err := c.Parse(args, stdout); err != nil {
		return err
	}
	log := Logger(stderr, slog.LevelInfo)
	s, err := c.Open(ctx, log)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var files []string
	if c.Flags.ConfigFile != "" {
		files = append(files, c.Flags.ConfigFile)
	}
	defer Reloading(ctx, files, func() { c.Reload(ctx, s, log) }, stop)()
	s.Greet(stdout)
	return s.Serve(ctx)
}

// Reloading calls reload at SIGHUP, and when a file changes, until the function that it returns is called. If the signal says that the terminal
// was closed, it calls stop.
func Reloading(ctx context.Context, files []string, reload, stop func()) (end func()) {
	var mu sync.Mutex // one reload at a time
	one := func() {
		mu.Lock()
		defer mu.Unlock()
		reload()
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for _, file := range files {
		wg.Go(func() { watch(ctx, file, watchEvery, one) })
	}
	hangup := onHangup(one, stop)
	return func() {
		hangup()
		cancel()
		wg.Wait()
	}
}

// Reload makes a server read its configuration file again, and logs each problem of it.
func (c Command) Reload(ctx context.Context, s Server, log *slog.Logger) {
	err := errNoFile
	if c.Flags.ConfigFile != "" {
		err = s.Reload(ctx)
	}
	if err == nil {
		log.Info("the configuration is reloaded", "file", c.Flags.ConfigFile)
		return
	}
	for problem := range strings.Lines(err.Error()) {
		if strings.TrimSpace(problem) == c.Flags.ConfigFile+":" {
			continue // the heading of the problems
		}
		log.Error("the configuration is not reloaded", "file", c.Flags.ConfigFile, "error", strings.TrimSuffix(problem, "\n"))
	}
}

var errNoFile = errors.New("-config: the server has no configuration file")

// NeedsRestart records a member that a running server cannot change.
func NeedsRestart(p *Problems, changed bool, member string) {
	if changed {
		p.Add(member, "has changed: this needs a restart")
	}
}

// Prepare parses the arguments and opens the server, without running it.
func (c Command) Prepare(args []string, log *slog.Logger) (Server, error) {
	if err := c.Parse(args, io.Discard); err != nil {
		return nil, err
	}
	return c.Open(context.Background(), log)
}

// Parse parses the command line, the variables of the environment and the settings of the configuration. It writes the usage to out for -h only,
// and opens nothing.
func (c Command) Parse(args []string, out io.Writer) error {
	f := c.Flags
	fs := flag.NewFlagSet(c.Name, flag.ContinueOnError)
	f.program = c.Name
	fs.StringVar(&f.Addr, "addr", c.Addr, "`address` to listen on; port 0 is any free port"+c.AddrUsage)
	fs.StringVar(&f.Issuer, "issuer", "", "issuer `URL` (default: that of the configuration, or derived from -addr)")
	fs.StringVar(&f.TestIssuer, "test-issuer", "", "the issuer `URL` again, for a test environment that other machines reach")
	BoolVar(fs, &f.AllowHTTP, "allow-http", "the issuer, and the providers that the server trusts, may have http URLs at other hosts than this machine, such as services in a network of containers")
	fs.StringVar(&f.Hosts, "hosts", "", "further `values` of the Host header field that the server accepts, separated by commas, such as names in a container network")
	fs.StringVar(&f.ConfigFile, "config", "", "configuration `file` (JSON, see docs/"+cmp.Or(c.Guide, c.Name+"-config.md")+")")
	DurationVar(fs, &f.Drain, "drain", "`time` during which requests are accepted after the first interrupt, while /readyz says that the server stops, such as 5s")
	if !c.Stateless {
		f.StateFlags.Define(fs)
		f.AdminFlags.Define(fs)
		f.MetricsFlags.Define(fs)
	}
	f.TLS.Define(fs)
	if c.Define != nil {
		c.Define(fs)
	}
	if err := ParseFlags(fs, args, out); err != nil {
		return err
	}
	environ := c.Environ
	if environ == nil {
		environ = os.Environ()
	}
	if err := resolveFlags(fs, environ, f); err != nil {
		return err
	}
	if f.AllowHTTP {
		fs.VisitAll(func(one *flag.Flag) { allowPlainHTTP(one.Value.String()) })
	}
	if f.Addr == "" {
		return errors.New("-addr: must not be empty")
	}
	if err := f.checkHosts(); err != nil {
		return err
	}
	if f.Drain < 0 {
		return errors.New("-drain: must not be negative")
	}
	if !c.Stateless {
		if _, _, err := f.resolve(); err != nil {
			return err
		}
		if f.AdminSecret != "" && f.Admin == "" {
			return errors.New("-admin-secret: needs -admin ADDR")
		}
	}
	if err := f.MetricsFlags.check(c.Name); err != nil {
		return err
	}
	return f.TLS.Check()
}

// ParseFlags parses args. It writes the usage to out for -h only, and rejects arguments that are not flags.
func ParseFlags(fs *flag.FlagSet, args []string, out io.Writer) error {
	rest, err := ParseArgs(fs, args, out)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("unexpected argument %q (-h lists the flags)", rest[0])
	}
	return err
}

// ParseArgs parses args, and returns those after the flags. It writes the usage to out for -h only.
func ParseArgs(fs *flag.FlagSet, args []string, out io.Writer) (rest []string, err error) {
	fs.SetOutput(io.Discard)
	err = fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fs.SetOutput(out)
		fs.PrintDefaults()
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w (%s-h lists the flags)", err, meantFlag(fs, err))
	}
	return fs.Args(), nil
}

// meantFlag returns a hint with the flag that an undefined one probably means, or "".
func meantFlag(fs *flag.FlagSet, err error) string {
	_, name, undefined := strings.Cut(err.Error(), "flag provided but not defined: -")
	if meant := strictjson.Meant(name, flagNames(fs)); undefined && meant != "" {
		return "did you mean -" + meant + "? "
	}
	return ""
}

func flagNames(fs *flag.FlagSet) (all []string) {
	fs.VisitAll(func(one *flag.Flag) { all = append(all, one.Name) })
	return all
}

// FileVar defines a flag for a file. An empty value is an error: it is that of a variable without a value, and the caller means a file.
func FileVar(fs *flag.FlagSet, p *string, name, usage string) {
	fs.Func(name, usage, func(text string) error {
		if text == "" {
			return errors.New("must name a file")
		}
		*p = text
		return nil
	})
}

// DurationVar defines a flag for a time. Unlike that of package flag, its error says how a time is written.
func DurationVar(fs *flag.FlagSet, p *time.Duration, name, usage string) {
	fs.Func(name, usage, func(text string) error {
		d, err := time.ParseDuration(text)
		if err != nil {
			return errors.New("must be a time with its unit, such as 5s")
		}
		*p = d
		return nil
	})
}

// BoolVar defines a flag that is true or false. Unlike that of package flag, its error names no function of Go.
func BoolVar(fs *flag.FlagSet, p *bool, name, usage string) {
	fs.BoolFunc(name, usage, func(text string) (err error) {
		*p, err = parseBool(text)
		return err
	})
}

func parseBool(text string) (bool, error) {
	b, err := strconv.ParseBool(text)
	if err != nil {
		return false, errors.New("must be true or false")
	}
	return b, nil
}

// allowPlainHTTP allows plain http at the host of a text that is an http URL.
func allowPlainHTTP(text string) {
	if u, err := url.Parse(text); err == nil && u.Scheme == "http" && u.Host != "" {
		fields.InsecureAllowPlainHTTP(u.Hostname())
	}
}

// allowPlainHTTPIn does so for every text of a JSON value.
func allowPlainHTTPIn(value any) {
	switch v := value.(type) {
	case string:
		allowPlainHTTP(v)
	case []any:
		for _, one := range v {
			allowPlainHTTPIn(one)
		}
	case map[string]any:
		for _, one := range v {
			allowPlainHTTPIn(one)
		}
	}
}
