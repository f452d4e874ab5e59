// Package ansattporten is a stand-in for Ansattporten (docs/spec/ansattporten.md).
package ansattporten

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/digdir/ansattporten"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
)

// Server holds the parts of the program.
type Server struct {
	Options Options
	log     *slog.Logger
	Issuer  string
	DemoAt  string // URL of the demo service; "" without it
	Now     func() time.Time
	Sites   standin.Sites // the provider, and the demo service
	State   *standin.State
	Keys    *standin.Keys

	source *standin.Source
	admin  *standin.Administration

	file      Config // as it was read
	Config    Config // with the entries of the demo
	directory *directory
	op        *provider.Provider
}

// Open opens the ports and builds the server.
func Open(ctx context.Context, opt Options, log *slog.Logger) (*Server, error) {
	s := &Server{Options: opt, log: log, Now: opt.Clock(), source: standin.NewSource(opt.Flags)}
	d, err := opt.Document()
	if err != nil {
		return nil, err
	}
	if s.file, err = ParseConfig(d); err != nil {
		return nil, err
	}
	s.Config = s.file
	var further []string
	if opt.Demo {
		further = []string{"demo"}
	}
	if s.Sites, err = standin.Listen(opt.Flags, cmp.Or(opt.Issuer, s.Config.Issuer), further...); err != nil {
		return nil, err
	}
	s.Issuer = cmp.Or(opt.Issuer, s.Config.Issuer, s.Sites[0].Base)
	s.Sites[0].Accept(s.Issuer)
	if opt.Demo {
		s.DemoAt = s.Sites[1].Base
	}
	if err = s.Sites.CheckTest(s.Issuer, s.testIssuer()); err == nil {
		s.State, err = opt.OpenState(ctx, log)
	}
	if err == nil {
		err = s.administer(ctx)
	}
	if err == nil {
		err = s.start(ctx)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// close releases what a server that was not served has opened.
func (s *Server) close() {
	s.Sites.Close()
	if s.State != nil {
		_ = s.State.Store.Close()
	}
}

// start makes the keys and the handlers.
func (s *Server) start(ctx context.Context) (err error) {
	if s.Options.Demo {
		s.Config = s.Config.with(s.DemoAt, s.admin)
	}
	if s.Keys, err = s.Config.Keys(ctx, s.State, s.Issuer, s.Config.Clients, false, s.log); err != nil {
		return err
	}
	if err = s.build(); err == nil && s.Options.Demo {
		s.Sites[1].Handle(s.Options.NewDemo(Demo{Issuer: s.Issuer, Base: s.DemoAt, Secret: demoSecret, HTTP: s.Options.Outgoing(), Log: s.log}))
	}
	return err
}

// Demo is what the demo service knows. Its client is demoClient.
type Demo struct {
	Issuer string
	Base   string // base URL of the service
	Secret string
	HTTP   *http.Client // for requests to the provider
	Log    *slog.Logger
}

// Reload implements standin.Server.
func (s *Server) Reload(ctx context.Context) error { return s.admin.Reload(ctx) }

// Configure replaces the configuration by a text, as Reload does with a changed file.
func (s *Server) Configure(ctx context.Context, text []byte) error {
	return s.source.Replace(text, func() error { return s.admin.Reload(ctx) })
}

// read reads the configuration with the changes of the administration.
func (s *Server) read() (Config, error) {
	d, err := s.source.Document()
	if err != nil {
		return Config{}, err
	}
	return parseConfig(d, s.admin.Merge)
}

// apply replaces the configuration in use.
func (s *Server) apply(ctx context.Context) error {
	next := *s
	var err error
	if next.file, err = s.read(); err != nil {
		return err
	}
	if err := s.keeps(next.file); err != nil {
		return s.source.Wrap(err)
	}
	next.Config = next.file
	if s.Options.Demo {
		next.Config = next.Config.with(s.DemoAt, s.admin)
	}
	if err := s.Keys.Extend(ctx, next.Config.Signing, next.Config.Clients); err != nil {
		return err
	}
	return next.build()
}

// keeps returns the members of a configuration that a running server cannot change.
func (s *Server) keeps(c Config) error {
	var p standin.Problems
	standin.NeedsRestart(&p, cmp.Or(s.Options.Issuer, c.Issuer, s.Sites[0].Base) != s.Issuer, "issuer")
	standin.NeedsRestart(&p, cmp.Or(s.Options.TestIssuer, c.TestIssuer) != cmp.Or(s.Options.TestIssuer, s.file.TestIssuer), "test_issuer")
	c.Signing.Keeps(&p, s.file.Signing)
	c.Settings.Keeps(&p, s.file.Settings)
	return p.Err()
}

func (s *Server) build() error {
	s.directory = &directory{s.Config.Users, s.Config.Resources}
	pages := newPages(s)
	cfg, err := s.providerConfig()
	if err != nil {
		return err
	}
	cfg.Page, cfg.ErrorPage, cfg.LogoutPages = pages.show, pages.authorizeError, pages.LogoutPages()
	if cfg.TestLogin, err = s.testLogin(); err != nil {
		return err
	}
	if s.op, err = provider.New(cfg); err != nil {
		return err
	}
	s.Sites[0].Handle(pages.routes())
	s.admin.Use(s.inUse())
	return nil
}

// testLogin returns the test login, or nil unless the configuration has one.
func (s *Server) testLogin() (*authorize.TestLogin, error) {
	if !s.Config.TestLogin {
		return nil, nil
	}
	return standin.NewTestLogin(s.Issuer, s.testIssuer(), func(match func(pid, username string) bool) (session.Authentication, bool, error) {
		u, ok := s.directory.find(func(u user) bool { return match(u.PID, u.Username) })
		return u.authentication(), ok, nil
	})
}

// testIssuer returns the issuer again, if it is configured as that of a test environment.
func (s *Server) testIssuer() string { return cmp.Or(s.Options.TestIssuer, s.Config.TestIssuer) }

func (s *Server) providerConfig() (provider.Config, error) {
	clients, cerr := s.Config.ClientRegistry(environment, s.Now())
	scopes, serr := scope.NewRegistry(s.Config.Scopes, s.Config.ScopeAccess)
	types, terr := s.directory.types()
	profile := ansattporten.Profile()
	if s.Config.ConfirmLogout != nil {
		profile.ConfirmLogout = *s.Config.ConfirmLogout
	}
	certs, verr := s.Config.Certificates.Verifier(s.log)
	return provider.Config{
		Issuer: s.Issuer, Profile: profile, Environment: environment, Certificates: certs,
		Store: s.State.Store, Keys: s.Keys.Set(), Clients: clients, Origins: clients.HasOrigin, Scopes: scopes, AuthorizationDetails: types,
		Secrets: s.State.Secrets, PairwiseKey: s.State.PairwiseKey,
		PushedRequests: s.State.Store, Replay: s.State.Store, Now: func() time.Time { return s.Now() }, Logger: s.log, OnEvent: s.admin.OnEvent(),
	}, errors.Join(cerr, serr, terr, verr)
}

// running says how the server runs.
func (s *Server) running() standin.Running {
	return standin.Running{Log: s.log, Store: s.State.Store, Keys: s.Keys, Admin: s.admin, Endpoint: s.op.Endpoint, Drain: s.Options.Drain}
}

// Handler returns the handler of the server, for a host that serves it in place of Serve.
func (s *Server) Handler() http.Handler { return s.Sites.Handler(s.running()) }

// Serve implements standin.Server.
func (s *Server) Serve(ctx context.Context) error {
	return s.Sites.Serve(ctx, s.running())
}

// Greet implements standin.Server.
func (s *Server) Greet(w io.Writer) {
	fmt.Fprintf(w, "portner: a local Ansattporten\n\n  issuer      %s\n  metadata    %s/.well-known/openid-configuration\n", s.Issuer, s.Issuer)
	if s.Options.Demo {
		fmt.Fprintf(w, "\n  Open %s  (Tjeneste for ansatte)\n", s.DemoAt)
	}
	var names []string
	for _, u := range s.Config.Users {
		names = append(names, u.Username)
	}
	fmt.Fprintf(w, "\n  Users: %s\n", strings.Join(names, ", "))
	s.admin.Greet(w)
	fmt.Fprint(w, "\n  Ctrl-C stops it.\n\n")
}
