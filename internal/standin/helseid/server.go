// Package helseid is a stand-in for HelseID (docs/spec/helseid.md).
package helseid

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/nhn/helseid"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// Server holds the parts of the program.
type Server struct {
	Options Options
	log     *slog.Logger
	Issuer  string
	Now     func() time.Time
	Sites   standin.Sites // the provider, the walk-through and its API
	State   *standin.State
	store   standin.Store // of state
	Keys    *standin.Keys
	walk    *Demo // nil without the demo

	source *standin.Source
	admin  *standin.Administration

	file   Config // as it was read
	Config Config // with the entries of the demo
	rules  *helseid.Service
	op     *provider.Provider
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
		further = []string{"demo", "api"}
	}
	if s.Sites, err = standin.Listen(opt.Flags, cmp.Or(opt.Issuer, s.Config.Issuer), further...); err != nil {
		return nil, err
	}
	s.Issuer = cmp.Or(opt.Issuer, s.Config.Issuer, s.Sites[0].Base)
	s.Sites[0].Accept(s.Issuer)
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
	s.store = s.State.Store
	if s.Options.Demo {
		site := DemoSite{Issuer: s.Issuer, Base: s.Sites[1].Base, API: s.Sites[2].Base + "/journal", HTTP: s.Options.Outgoing(), Log: s.log}
		walk, err := s.Options.NewDemo(site)
		if err != nil {
			return err
		}
		s.walk = &walk
		s.Config = s.Config.with(site.Base, walk.JWKS, s.admin)
	}
	if s.Keys, err = s.Config.Keys(ctx, s.State, s.Issuer, s.Config.Clients, true, s.log); err != nil {
		return err
	}
	if err = s.build(); err == nil && s.walk != nil {
		err = s.buildDemo()
	}
	return err
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
	if s.walk != nil {
		next.Config = next.Config.with(s.Sites[1].Base, s.walk.JWKS, s.admin)
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
	var err error
	if s.rules, err = s.Config.service(s.State.Derived("HelseID pseudonyms")); err != nil {
		return err
	}
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

// DemoSite is what the walk-through knows.
type DemoSite struct {
	Issuer string
	Base   string       // base URL of the walk-through
	API    string       // URL of the health API
	HTTP   *http.Client // for requests to the provider and the API
	Log    *slog.Logger
}

// Demo is the walk-through.
type Demo struct {
	JWKS    json.RawMessage // keys of its clients
	Handler http.Handler
}

// buildDemo builds the walk-through and its API.
func (s *Server) buildDemo() error {
	s.Sites[1].Handle(s.walk.Handler)
	api, err := newHealthAPI(s.Issuer, s.Sites[2].Base, s.store, s.Options.Outgoing(), s.log)
	mux := http.NewServeMux()
	mux.Handle("GET /journal", api)
	s.Sites[2].Handle(mux)
	return err
}

// testLogin returns the test login, or nil unless the configuration has one.
func (s *Server) testLogin() (*authorize.TestLogin, error) {
	if !s.Config.TestLogin {
		return nil, nil
	}
	return standin.NewTestLogin(s.Issuer, s.testIssuer(), func(match func(pid, username string) bool) (a session.Authentication, ok bool, err error) {
		u, ok := standin.Find(s.Config.Users, func(u user) bool { return match(u.PID, u.Username) })
		if ok {
			a, err = u.login(s.rules)
		}
		return a, ok, err
	})
}

// testIssuer returns the issuer again, if it is configured as that of a test environment.
func (s *Server) testIssuer() string { return cmp.Or(s.Options.TestIssuer, s.Config.TestIssuer) }

func (s *Server) providerConfig() (provider.Config, error) {
	env := environment(s.rules)
	clients, cerr := s.Config.ClientRegistry(env, s.Now())
	scopes, serr := scope.NewRegistry(s.Config.Scopes, s.Config.ScopeAccess)
	types, terr := rar.NewRegistry(s.rules.DetailTypes()...)
	nonces, nerr := dpop.NewNonces(s.Issuer, s.State.Secrets...)
	return provider.Config{
		Issuer: s.Issuer, Profile: s.rules.Profile(), Environment: env,
		Store: s.store, Keys: s.Keys.Set(), Clients: clients, Origins: clients.HasOrigin, Scopes: scopes, AuthorizationDetails: types,
		DPoP:          &dpop.Policy{Replay: s.store, Algorithms: helseid.Algorithms(), Nonces: nonces},
		GrantHandlers: []token.GrantHandler{token.ClientCredentials(s.store), s.rules.TokenExchange(s.store)},
		Secrets:       s.State.Secrets, PairwiseKey: s.State.PairwiseKey, Users: users{s},
		PushedRequests: s.store, Replay: s.store, Now: func() time.Time { return s.Now() }, Logger: s.log, OnEvent: s.admin.OnEvent(),
	}, errors.Join(cerr, serr, terr, nerr)
}

// users finds what the register of health personnel holds about a user.
type users struct{ s *Server }

// User implements token.UserSource.
func (u users) User(_ context.Context, subject string) (token.User, error) {
	found, ok := standin.Find(u.s.Config.Users, func(one user) bool {
		a, err := one.login(u.s.rules)
		return err == nil && a.Identity.Subject == subject
	})
	if !ok {
		return token.User{}, storage.ErrNotFound
	}
	if found.HPRDetails == nil {
		return token.User{}, nil
	}
	return token.User{Claims: map[string]any{"helseid://claims/hpr/hpr_details": found.HPRDetails}}, nil
}

// running says how the server runs.
func (s *Server) running() standin.Running {
	return standin.Running{Log: s.log, Store: s.store, Keys: s.Keys, Admin: s.admin, Endpoint: s.op.Endpoint, Drain: s.Options.Drain}
}

// Handler returns the handler of the server, for a host that serves it in place of Serve.
func (s *Server) Handler() http.Handler { return s.Sites.Handler(s.running()) }

// Serve implements standin.Server.
func (s *Server) Serve(ctx context.Context) error {
	return s.Sites.Serve(ctx, s.running())
}

// Greet implements standin.Server.
func (s *Server) Greet(w io.Writer) {
	fmt.Fprintf(w, "portner: a local HelseID\n\n  issuer      %s\n  metadata    %s/.well-known/openid-configuration\n", s.Issuer, s.Issuer)
	if s.Options.Demo {
		fmt.Fprintf(w, "\n  Open %s  (what a client does, step by step)\n  API  %s/journal\n", s.Sites[1].Base, s.Sites[2].Base)
	}
	if len(s.Config.Users) > 0 {
		fmt.Fprintf(w, "\n  Users: %s\n", strings.Join(names(s.Config.Users, func(u user) string { return u.Username }), ", "))
	} else {
		fmt.Fprint(w, "\n  No user can log in: the configuration has no users.\n")
	}
	s.admin.Greet(w)
	fmt.Fprint(w, "\n  Ctrl-C stops it.\n\n")
}
