// Package helseid is a stand-in for HelseID (docs/spec/helseid.md).
package helseid

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

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
	*standin.Parts[Config] // the sites of the demo are the walk-through and its API

	Options Options
	walk    *Demo // nil without the demo
	rules   *helseid.Service
	op      *provider.Provider
}

// Open opens the ports and builds the server.
func Open(ctx context.Context, opt Options, log *slog.Logger) (*Server, error) {
	s := &Server{Options: opt}
	spec := standin.Spec[Config]{
		Name: "HelseID", Lists: lists(), Sessions: true, Parse: parseConfig, Certificates: func(Config) bool { return true },
		Endpoint: func(path string) string { return s.op.Endpoint(path) },
	}
	if opt.Demo {
		spec.Further, spec.Listen = []string{"demo", "api"}, s.openDemo
		spec.With = func(p *standin.Parts[Config], file Config) Config {
			return file.with(p.Sites[1].Base, s.walk.JWKS, p.Admin)
		}
	}
	return standin.Open(ctx, opt.Flags, log, s, spec, standin.Builder[Config, Server]{
		Set: func(s *Server, p *standin.Parts[Config]) { s.Parts = p }, Build: (*Server).build, Start: (*Server).start,
	})
}

// start makes the handlers, and those of the walk-through and its API.
func (s *Server) start() error {
	err := s.build()
	if err == nil && s.walk != nil {
		err = s.buildDemo()
	}
	return err
}

// openDemo makes the walk-through, whose clients have its keys.
func (s *Server) openDemo(p *standin.Parts[Config]) error {
	walk, err := s.Options.NewDemo(DemoSite{
		Issuer: p.Issuer, Base: p.Sites[1].Base, API: p.Sites[2].Base + "/journal", HTTP: s.Options.Outgoing(), Log: p.Log,
	})
	s.walk = &walk
	return err
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
	s.Admin.Use(s.inUse())
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
	api, err := newHealthAPI(s.Issuer, s.Sites[2].Base, s.State.Store, s.Options.Outgoing(), s.Log)
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
	return standin.NewTestLogin(s.Issuer, s.TestIssuer(), func(match func(pid, username string) bool) (a session.Authentication, ok bool, err error) {
		u, ok := standin.Find(s.Config.Users, func(u user) bool { return match(u.PID, u.Username) })
		if ok {
			a, err = u.login(s.rules)
		}
		return a, ok, err
	})
}

func (s *Server) providerConfig() (provider.Config, error) {
	env := environment(s.rules)
	clients, cerr := s.Config.ClientRegistry(env, s.Now())
	scopes, serr := scope.NewRegistry(s.Config.Scopes, s.Config.ScopeAccess)
	types, terr := rar.NewRegistry(s.rules.DetailTypes()...)
	nonces, nerr := dpop.NewNonces(s.Issuer, s.State.Secrets...)
	return provider.Config{
		Issuer: s.Issuer, Profile: s.rules.Profile(), Environment: env,
		Store: s.State.Store, Keys: s.Keys.Set(), Clients: clients, Origins: clients.HasOrigin, Scopes: scopes, AuthorizationDetails: types,
		DPoP:          &dpop.Policy{Replay: s.State.Store, Algorithms: helseid.Algorithms(), Nonces: nonces},
		GrantHandlers: []token.GrantHandler{token.ClientCredentials(s.State.Store), s.rules.TokenExchange(s.State.Store)},
		Secrets:       s.State.Secrets, PairwiseKey: s.State.PairwiseKey, Users: users{s},
		PushedRequests: s.State.Store, Replay: s.State.Store, Now: s.Clock, Logger: s.Log, OnEvent: s.Admin.OnEvent(),
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
	s.Admin.Greet(w)
	fmt.Fprint(w, "\n  Ctrl-C stops it.\n\n")
}
