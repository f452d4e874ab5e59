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

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/examples/internal/standin"
	"github.com/portner-go/portner/nhn/helseid"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/token"
)

// server holds the parts of the program.
type server struct {
	opt    options
	cfg    config
	log    *slog.Logger
	issuer string

	store *memory.Store
	rules *helseid.Service
	op    *provider.Provider
	sites standin.Sites // the provider, the walk-through and its API
}

// newServer opens the ports and builds the server.
func newServer(opt options, log *slog.Logger) (*server, error) {
	s := &server{opt: opt, log: log, store: memory.New()}
	var err error
	if opt.ConfigFile != "" {
		if s.cfg, err = readConfig(opt.ConfigFile); err != nil {
			return nil, err
		}
	}
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
		err = s.build()
	}
	if err != nil {
		s.sites.Close()
		return nil, err
	}
	return s, nil
}

func (s *server) build() error {
	var walk *walk
	if s.opt.demo {
		var err error
		if walk, err = newWalk(s.issuer, s.sites[1].Base, s.sites[2].Base+"/journal", s.opt.TLS.Outgoing(), s.log); err != nil {
			return err
		}
		s.cfg = s.cfg.with(walk)
	}
	var err error
	if s.rules, err = s.cfg.service(portner.NewSecret()); err != nil {
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
	s.sites[0].Handler = pages.routes()
	if walk == nil {
		return nil
	}
	s.sites[1].Handler = walk.handler()
	api, err := newHealthAPI(s.issuer, s.sites[2].Base, s.store, s.opt.TLS.Outgoing(), s.log)
	mux := http.NewServeMux()
	mux.Handle("GET /journal", api)
	s.sites[2].Handler = mux
	return err
}

func (s *server) providerConfig() (provider.Config, error) {
	env := environment(s.rules)
	clients, cerr := s.cfg.ClientRegistry(env, time.Now())
	scopes, serr := scope.NewRegistry(s.cfg.Scopes, s.cfg.ScopeAccess)
	types, terr := rar.NewRegistry(s.rules.DetailTypes()...)
	keys, kerr := s.cfg.Keys(s.issuer, s.cfg.Clients, true, time.Now())
	nonces, nerr := dpop.NewNonces(s.issuer, portner.NewSecret())
	return provider.Config{
		Issuer: s.issuer, Profile: s.rules.Profile(), Environment: env,
		Store: s.store, Keys: keys, Clients: clients, Origins: clients.HasOrigin, Scopes: scopes, AuthorizationDetails: types,
		DPoP:          &dpop.Policy{Replay: s.store, Algorithms: helseid.Algorithms(), Nonces: nonces},
		GrantHandlers: []token.GrantHandler{token.ClientCredentials(s.store), s.rules.TokenExchange(s.store)},
		Secrets:       []portner.Secret{portner.NewSecret()}, PairwiseKey: portner.NewSecret(), Users: users{s},
		PushedRequests: s.store, Replay: s.store, Logger: s.log,
	}, errors.Join(cerr, serr, terr, kerr, nerr)
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
func (s *server) Serve(ctx context.Context) error { return s.sites.Serve(ctx, s.log, s.store) }

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
