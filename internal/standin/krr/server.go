package krr

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/resource"
)

// Config is the configuration file. docs/krr-config.schema.json describes it.
type Config struct {
	Schema string `json:"$schema,omitempty"`
	// Settings are flags.
	Settings standin.Settings `json:"settings,omitempty"`

	// URL is the public base URL of the register, an audience of its tokens; by default that of -addr.
	URL string `json:"url,omitempty"`
	// TestIssuer repeats the URL if other machines reach the server; see standin.Sites.CheckTest.
	TestIssuer string `json:"test_issuer,omitempty"`

	Maskinporten      []issuerEntry `json:"maskinporten,omitempty"`
	IDPorten          []issuerEntry `json:"idporten,omitempty"`
	DelegationSources []string      `json:"delegation_sources,omitempty"`
	Persons           []Person      `json:"persons,omitempty"`
}

// issuerEntry is an issuer whose tokens are accepted.
type issuerEntry struct {
	Issuer  string `json:"issuer"`
	JWKSURI string `json:"jwks_uri,omitempty"` // the default is the path of the real service below the issuer
}

// ReadConfig reads a configuration file.
func ReadConfig(path string) (Config, error) {
	d, err := standin.ReadDocument(path)
	if err != nil {
		return Config{}, err
	}
	return ParseConfig(d)
}

// ParseConfig reads a configuration and reports every problem at once.
func ParseConfig(d standin.Document) (Config, error) {
	return standin.ParseConfig(d, nil, (*Config).check)
}

func (c *Config) check() error {
	var p standin.Problems
	for _, l := range []struct {
		name    string
		issuers []issuerEntry
	}{{"maskinporten", c.Maskinporten}, {"idporten", c.IDPorten}} {
		for i, e := range l.issuers {
			if e.Issuer == "" {
				p.Add(fmt.Sprintf("%s[%d].issuer", l.name, i), "is required")
			}
		}
	}
	var pids []string
	for i, person := range c.Persons {
		at := fmt.Sprintf("persons[%d]", i)
		p.PID(at+".pid", person.PID)
		if person.Language != "" && !slices.Contains([]string{"nb", "nn", "en", "se"}, person.Language) {
			p.Add(at+".language", "must be nb, nn, en or se")
		}
		if (person.Mailbox == "") != (person.Provider == "") {
			p.Add(at+".mailbox_provider_orgno", "is required with mailbox, and only then")
		}
		for name, a := range map[string]address{"email": person.Email, "mobile": person.Mobile} {
			if a.Value == "" && a != (address{}) {
				p.Add(at+"."+name+".value", "is required")
			}
		}
		pids = append(pids, person.PID)
	}
	for i, pid := range pids {
		if slices.Index(pids, pid) != i {
			p.Add(fmt.Sprintf("persons[%d].pid", i), "occurs twice")
		}
	}
	return p.Err()
}

// builtin returns the built-in configuration: the users of the local ID-porten.
func builtin(opt Options, now time.Time) Config {
	day := func(months int) time.Time { return now.AddDate(0, -months, 0).UTC().Truncate(24 * time.Hour) }
	return Config{
		Maskinporten: []issuerEntry{{Issuer: opt.Maskinporten}}, IDPorten: []issuerEntry{{Issuer: opt.IDPorten}},
		DelegationSources: []string{"https://tt02.altinn.no/", "https://altinn.no/"},
		Persons: []Person{
			{
				PID: "21879498012", Email: address{"kari@example.no", day(30), day(2)}, Mobile: address{"+4712345678", day(30), day(2)}, Language: "nb", LanguageAt: day(30),
				Mailbox: "kari.nordmann#9YDT", Provider: "984661185",
			},
			{PID: "45840375084", Reserved: true, ReservedAt: day(6), Email: address{"ola@example.no", day(24), day(24)}, Language: "nn", LanguageAt: day(24)},
		},
	}
}

// with returns c with the entries of b that c does not have.
func (c Config) with(b Config) Config {
	if len(c.Maskinporten) == 0 {
		c.Maskinporten = b.Maskinporten
	}
	if len(c.IDPorten) == 0 {
		c.IDPorten = b.IDPorten
	}
	if c.DelegationSources == nil {
		c.DelegationSources = b.DelegationSources
	}
	c.Persons = standin.Merged(c.Persons, b.Persons, func(p Person) string { return p.PID })
	return c
}

// Options holds the flags.
type Options struct {
	standin.Flags
	IDPorten, Maskinporten string // issuers
}

// Command returns the program.
func (opt *Options) Command() standin.Command {
	return standin.Command{
		Name: "krr", Addr: "localhost:8130", Flags: &opt.Flags, Stateless: true, Define: opt.define,
		Open: func(ctx context.Context, log *slog.Logger) (standin.Server, error) { return Open(ctx, *opt, log) },
	}
}

func (opt *Options) define(fs *flag.FlagSet) {
	fs.StringVar(&opt.IDPorten, "idporten", "http://localhost:8080", "issuer `URL` of ID-porten, if the configuration names none")
	fs.StringVar(&opt.Maskinporten, "maskinporten", "http://localhost:8090/", "issuer `URL` of Maskinporten, with its slash, if the configuration names none")
}

// Server is the register. It has no state: a restart loses nothing.
type Server struct {
	Options Options
	log     *slog.Logger
	Sites   standin.Sites
	Now     func() time.Time

	source *standin.Source
	file   Config // as it was read
	Config Config // with the built-in entries
}

// Open opens the port and builds the server.
func Open(_ context.Context, opt Options, log *slog.Logger) (*Server, error) {
	s := &Server{Options: opt, log: log, Now: opt.Clock(), source: standin.NewSource(opt.Flags)}
	d, err := opt.Document()
	if err != nil {
		return nil, err
	}
	if s.file, err = ParseConfig(d); err != nil {
		return nil, err
	}
	s.Config = s.file.with(builtin(opt, s.Now()))
	if s.Sites, err = standin.Listen(opt.Flags, cmp.Or(opt.Issuer, s.Config.URL)); err != nil {
		return nil, err
	}
	s.Sites[0].Accept(s.Base())
	s.Sites.WarnCertificate(s.Base(), log)
	if err = s.Sites.CheckTest(s.Base(), cmp.Or(opt.TestIssuer, s.Config.TestIssuer)); err == nil {
		err = s.build()
	}
	if err != nil {
		s.Sites.Close()
		return nil, err
	}
	return s, nil
}

// Base returns the public base URL.
func (s *Server) Base() string {
	return strings.TrimSuffix(cmp.Or(s.Options.Issuer, s.Config.URL, s.Sites[0].Base), "/")
}

// build builds the handler.
func (s *Server) build() error {
	g := &register{persons: map[string]*Person{}, now: func() time.Time { return s.Now() }, log: audit.Log{Endpoint: "krr", Logger: s.log}}
	for i := range s.Config.Persons {
		g.persons[s.Config.Persons[i].PID] = &s.Config.Persons[i]
	}
	machines, err := s.verifier(s.Config.Maskinporten, "/jwk")
	if err != nil {
		return fmt.Errorf("maskinporten: %w", err)
	}
	users, err := s.verifier(s.Config.IDPorten, "/jwks.json")
	if err != nil {
		return fmt.Errorf("idporten: %w", err)
	}
	s.Sites[0].Handle(g.handler(machines, users, s.Config.DelegationSources))
	return nil
}

// verifier returns the verifier of the tokens of issuers. path is the default path of their keys.
func (s *Server) verifier(issuers []issuerEntry, path string) (*resource.Verifier, error) {
	var all []*resource.Verifier
	for _, i := range issuers {
		v, err := resource.New(resource.Config{
			Issuer: i.Issuer, Keys: resource.RemoteKeys{URI: cmp.Or(i.JWKSURI, strings.TrimSuffix(i.Issuer, "/")+path), HTTP: s.Options.Outgoing()},
			URL: s.Base(), Audience: []string{s.Base() + "/"}, Realm: "krr", Now: func() time.Time { return s.Now() }, Logger: s.log,
		})
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return resource.Any(all...)
}

// Reload implements standin.Server.
func (s *Server) Reload(context.Context) error {
	next := *s
	d, err := s.source.Document()
	if err != nil {
		return err
	}
	if next.file, err = ParseConfig(d); err != nil {
		return err
	}
	var p standin.Problems
	standin.NeedsRestart(&p, s.Options.Issuer == "" && next.file.URL != s.file.URL, "url")
	next.file.Settings.Keeps(&p, s.file.Settings)
	if err := p.Err(); err != nil {
		return s.source.Wrap(err)
	}
	next.Config = next.file.with(builtin(s.Options, s.Now()))
	return next.build()
}

// Serve implements standin.Server.
func (s *Server) Serve(ctx context.Context) error {
	return s.Sites.Serve(ctx, standin.Running{Log: s.log, Drain: s.Options.Drain})
}

// Greet implements standin.Server.
func (s *Server) Greet(w io.Writer) {
	fmt.Fprintf(w, "portner: a local contact register (KRR)\n\n")
	for _, path := range lookupPaths {
		fmt.Fprintf(w, "  POST        %s%s  (%s, %s)\n", s.Base(), path, scopeContacts, scopePost)
	}
	fmt.Fprintf(w, "  GET         %s%s  (%s, %s)\n\n  %d persons. Ctrl-C stops it.\n\n", s.Base(), userPath, scopeUserContacts, scopeUserPost, len(s.Config.Persons))
}

// Handler returns the handler of the register.
func (s *Server) Handler() http.Handler { return s.Sites[0].Handler() }
