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

	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/nhn/helseid"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// Server holds the parts of the program.
type Server struct {
	opt    Options
	log    *slog.Logger
	Issuer string
	Sites  standin.Sites // the provider, the walk-through and its API
	state  *standin.State
	store  standin.Store // of state
	keys   *standin.Keys
	walk   *Demo // nil without the demo

	admin *standin.Administration

	file   Config // as it was read
	Config Config // with the entries of the demo
	rules  *helseid.Service
	op     *provider.Provider
}

// Open opens the ports and builds the server.
func Open(ctx context.Context, opt Options, log *slog.Logger) (*Server, error) {
	s := &Server{opt: opt, log: log}
	var err error
	if opt.ConfigFile != "" {
		if s.file, err = ReadConfig(opt.ConfigFile); err != nil {
			return nil, err
		}
	}
	s.Config = s.file
	var further []string
	if opt.demo {
		further = []string{"demo", "api"}
	}
	if s.Sites, err = standin.Listen(opt.Flags, further...); err != nil {
		return nil, err
	}
	s.Issuer = cmp.Or(opt.Issuer, s.Config.Issuer, s.Sites[0].Base)
	s.Sites[0].Accept(s.Issuer)
	if err = s.Sites.CheckTest(s.Issuer, cmp.Or(opt.TestIssuer, s.Config.TestIssuer)); err == nil {
		s.state, err = opt.StateFlags.Open(ctx, log)
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
	if s.state != nil {
		_ = s.state.Store.Close()
	}
}

// start makes the keys and the handlers.
func (s *Server) start(ctx context.Context) (err error) {
	s.store = s.state.Store
	if s.opt.demo {
		site := DemoSite{Issuer: s.Issuer, Base: s.Sites[1].Base, API: s.Sites[2].Base + "/journal", HTTP: s.opt.TLS.Outgoing(), Log: s.log}
		walk, err := s.opt.NewDemo(site)
		if err != nil {
			return err
		}
		s.walk = &walk
		s.Config = s.Config.with(site.Base, walk.JWKS)
	}
	if s.keys, err = s.Config.Keys(ctx, s.state, s.Issuer, s.Config.Clients, true, s.log); err != nil {
		return err
	}
	if err = s.build(); err == nil && s.walk != nil {
		err = s.buildDemo()
	}
	return err
}

// Reload implements standin.Server.
func (s *Server) Reload(ctx context.Context) error { return s.admin.Reload(ctx) }

// read reads the configuration file with the changes of the administration.
func (s *Server) read() (Config, error) { return readConfig(s.opt.ConfigFile, s.admin.Merge) }

// apply replaces the configuration in use.
func (s *Server) apply(ctx context.Context) error {
	next := *s
	var err error
	if next.file, err = s.read(); err != nil {
		return err
	}
	if err := s.keeps(next.file); err != nil {
		return fmt.Errorf("%s:\n%w", s.opt.ConfigFile, err)
	}
	next.Config = next.file
	if s.walk != nil {
		next.Config = next.Config.with(s.Sites[1].Base, s.walk.JWKS)
	}
	if err := s.keys.Extend(ctx, next.Config.Signing, next.Config.Clients); err != nil {
		return err
	}
	return next.build()
}

// keeps returns the members of a configuration that a running server cannot change.
func (s *Server) keeps(c Config) error {
	var p standin.Problems
	standin.NeedsRestart(&p, cmp.Or(s.opt.Issuer, c.Issuer, s.Sites[0].Base) != s.Issuer, "issuer")
	standin.NeedsRestart(&p, cmp.Or(s.opt.TestIssuer, c.TestIssuer) != cmp.Or(s.opt.TestIssuer, s.file.TestIssuer), "test_issuer")
	c.Signing.Keeps(&p, s.file.Signing)
	return p.Err()
}

func (s *Server) build() error {
	var err error
	if s.rules, err = s.Config.service(s.state.Derived("HelseID pseudonyms")); err != nil {
		return err
	}
	pages := newPages(s)
	cfg, err := s.providerConfig()
	if err != nil {
		return err
	}
	cfg.Page, cfg.ErrorPage, cfg.LogoutPages = pages.show, pages.authorizeError, pages.LogoutPages()
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
	api, err := newHealthAPI(s.Issuer, s.Sites[2].Base, s.store, s.opt.TLS.Outgoing(), s.log)
	mux := http.NewServeMux()
	mux.Handle("GET /journal", api)
	s.Sites[2].Handle(mux)
	return err
}

func (s *Server) providerConfig() (provider.Config, error) {
	env := environment(s.rules)
	clients, cerr := s.Config.ClientRegistry(env, time.Now())
	scopes, serr := scope.NewRegistry(s.Config.Scopes, s.Config.ScopeAccess)
	types, terr := rar.NewRegistry(s.rules.DetailTypes()...)
	nonces, nerr := dpop.NewNonces(s.Issuer, s.state.Secrets...)
	return provider.Config{
		Issuer: s.Issuer, Profile: s.rules.Profile(), Environment: env,
		Store: s.store, Keys: s.keys.Set(), Clients: clients, Origins: clients.HasOrigin, Scopes: scopes, AuthorizationDetails: types,
		DPoP:          &dpop.Policy{Replay: s.store, Algorithms: helseid.Algorithms(), Nonces: nonces},
		GrantHandlers: []token.GrantHandler{token.ClientCredentials(s.store), s.rules.TokenExchange(s.store)},
		Secrets:       s.state.Secrets, PairwiseKey: s.state.PairwiseKey, Users: users{s},
		PushedRequests: s.store, Replay: s.store, Logger: s.log, OnEvent: s.admin.OnEvent(),
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

// Serve implements standin.Server.
func (s *Server) Serve(ctx context.Context) error {
	return s.Sites.Serve(ctx, standin.Running{Log: s.log, Store: s.store, Keys: s.keys, Admin: s.admin, Drain: s.opt.Drain})
}

// Greet implements standin.Server.
func (s *Server) Greet(w io.Writer) {
	fmt.Fprintf(w, "portner: a local HelseID\n\n  issuer      %s\n  metadata    %s/.well-known/openid-configuration\n", s.Issuer, s.Issuer)
	if s.opt.demo {
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
