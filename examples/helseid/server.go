package main

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

	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/nhn/helseid"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// server holds the parts of the program.
type server struct {
	opt    options
	log    *slog.Logger
	issuer string
	sites  standin.Sites // the provider, the walk-through and its API
	state  *standin.State
	store  standin.Store // of state
	keys   *standin.Keys
	walk   *walk // nil without the demo

	file  config // as it was read
	cfg   config // with the entries of the demo
	rules *helseid.Service
	op    *provider.Provider
}

// newServer opens the ports and builds the server.
func newServer(ctx context.Context, opt options, log *slog.Logger) (*server, error) {
	s := &server{opt: opt, log: log}
	var err error
	if opt.ConfigFile != "" {
		if s.file, err = readConfig(opt.ConfigFile); err != nil {
			return nil, err
		}
	}
	s.cfg = s.file
	var further []string
	if opt.demo {
		further = []string{"demo", "api"}
	}
	if s.sites, err = standin.Listen(opt.Flags, further...); err != nil {
		return nil, err
	}
	s.issuer = cmp.Or(opt.Issuer, s.cfg.Issuer, s.sites[0].Base)
	s.sites[0].Accept(s.issuer)
	if err = s.sites.CheckTest(s.issuer, cmp.Or(opt.TestIssuer, s.cfg.TestIssuer)); err == nil {
		s.state, err = opt.StateFlags.Open(ctx, log)
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
func (s *server) close() {
	s.sites.Close()
	if s.state != nil {
		_ = s.state.Store.Close()
	}
}

// start makes the keys and the handlers.
func (s *server) start(ctx context.Context) (err error) {
	s.store = s.state.Store
	if s.opt.demo {
		if s.walk, err = newWalk(s.issuer, s.sites[1].Base, s.sites[2].Base+"/journal", s.opt.TLS.Outgoing(), s.log); err != nil {
			return err
		}
		s.cfg = s.cfg.with(s.walk)
	}
	if s.keys, err = s.cfg.Keys(ctx, s.state, s.issuer, s.cfg.Clients, true, s.log); err != nil {
		return err
	}
	if err = s.build(); err == nil && s.walk != nil {
		err = s.buildDemo()
	}
	return err
}

// Reload implements standin.Server.
func (s *server) Reload(ctx context.Context) error {
	next := *s
	var err error
	if next.file, err = readConfig(s.opt.ConfigFile); err != nil {
		return err
	}
	if err := s.keeps(next.file); err != nil {
		return fmt.Errorf("%s:\n%w", s.opt.ConfigFile, err)
	}
	next.cfg = next.file
	if s.walk != nil {
		next.cfg = next.cfg.with(s.walk)
	}
	if err := s.keys.Extend(ctx, next.cfg.Signing, next.cfg.Clients); err != nil {
		return err
	}
	return next.build()
}

// keeps returns the members of a configuration that a running server cannot change.
func (s *server) keeps(c config) error {
	var p standin.Problems
	standin.NeedsRestart(&p, cmp.Or(s.opt.Issuer, c.Issuer, s.sites[0].Base) != s.issuer, "issuer")
	standin.NeedsRestart(&p, cmp.Or(s.opt.TestIssuer, c.TestIssuer) != cmp.Or(s.opt.TestIssuer, s.file.TestIssuer), "test_issuer")
	c.Signing.Keeps(&p, s.file.Signing)
	return p.Err()
}

func (s *server) build() error {
	var err error
	if s.rules, err = s.cfg.service(s.state.Derived("HelseID pseudonyms")); err != nil {
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
	s.sites[0].Handle(pages.routes())
	return nil
}

// buildDemo builds the walk-through and its API.
func (s *server) buildDemo() error {
	s.sites[1].Handle(s.walk.handler())
	api, err := newHealthAPI(s.issuer, s.sites[2].Base, s.store, s.opt.TLS.Outgoing(), s.log)
	mux := http.NewServeMux()
	mux.Handle("GET /journal", api)
	s.sites[2].Handle(mux)
	return err
}

func (s *server) providerConfig() (provider.Config, error) {
	env := environment(s.rules)
	clients, cerr := s.cfg.ClientRegistry(env, time.Now())
	scopes, serr := scope.NewRegistry(s.cfg.Scopes, s.cfg.ScopeAccess)
	types, terr := rar.NewRegistry(s.rules.DetailTypes()...)
	nonces, nerr := dpop.NewNonces(s.issuer, s.state.Secrets...)
	return provider.Config{
		Issuer: s.issuer, Profile: s.rules.Profile(), Environment: env,
		Store: s.store, Keys: s.keys.Set(), Clients: clients, Origins: clients.HasOrigin, Scopes: scopes, AuthorizationDetails: types,
		DPoP:          &dpop.Policy{Replay: s.store, Algorithms: helseid.Algorithms(), Nonces: nonces},
		GrantHandlers: []token.GrantHandler{token.ClientCredentials(s.store), s.rules.TokenExchange(s.store)},
		Secrets:       s.state.Secrets, PairwiseKey: s.state.PairwiseKey, Users: users{s},
		PushedRequests: s.store, Replay: s.store, Logger: s.log,
	}, errors.Join(cerr, serr, terr, nerr)
}

// users finds what the register of health personnel holds about a user.
type users struct{ s *server }

// User implements token.UserSource.
func (u users) User(_ context.Context, subject string) (token.User, error) {
	found, ok := standin.Find(u.s.cfg.Users, func(one user) bool {
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
func (s *server) Serve(ctx context.Context) error {
	return s.sites.Serve(ctx, standin.Running{Log: s.log, Store: s.store, Keys: s.keys, Drain: s.opt.Drain})
}

// Greet implements standin.Server.
func (s *server) Greet(w io.Writer) {
	fmt.Fprintf(w, "portner: a local HelseID\n\n  issuer      %s\n  metadata    %s/.well-known/openid-configuration\n", s.issuer, s.issuer)
	if s.opt.demo {
		fmt.Fprintf(w, "\n  Open %s  (what a client does, step by step)\n  API  %s/journal\n", s.sites[1].Base, s.sites[2].Base)
	}
	if len(s.cfg.Users) > 0 {
		fmt.Fprintf(w, "\n  Users: %s\n", strings.Join(names(s.cfg.Users, func(u user) string { return u.Username }), ", "))
	} else {
		fmt.Fprint(w, "\n  No user can log in: the configuration has no users.\n")
	}
	fmt.Fprint(w, "\n  Ctrl-C stops it.\n\n")
}
