package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/digdir/ansattporten"
	"github.com/portner-go/portner/examples/internal/demo"
	"github.com/portner-go/portner/examples/internal/look"
	"github.com/portner-go/portner/examples/internal/standin"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage/memory"
)

// server holds the parts of the program.
type server struct {
	opt    options
	cfg    config
	log    *slog.Logger
	issuer string
	demoAt string // URL of the demo service; "" without it

	store     *memory.Store
	directory *directory
	op        *provider.Provider
	sites     standin.Sites // the provider, and the demo service
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
		further = []string{"demo"}
	}
	if s.sites, err = standin.Listen(opt.Flags, further...); err != nil {
		return nil, err
	}
	s.issuer = cmp.Or(opt.Issuer, s.cfg.Issuer, s.sites[0].Base)
	s.sites[0].Accept(s.issuer)
	if opt.demo {
		s.demoAt = s.sites[1].Base
	}
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
	if s.opt.demo {
		s.cfg = s.cfg.with(s.demoAt)
	}
	s.directory = &directory{s.cfg.Users, s.cfg.Resources}
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
	if s.opt.demo {
		s.sites[1].Handler = demo.NewService(demo.ServiceConfig{
			Name: "Tjeneste for ansatte", Class: "second", Text: "Logg inn på vegne av en virksomhet.", Provider: "Ansattporten",
			Base: s.demoAt, Issuer: s.issuer, ClientID: demoClient, Secret: demoSecret, Stories: stories(),
			HTTP: s.opt.TLS.Outgoing(), Log: s.log,
		}).Handler(look.Handler())
	}
	return nil
}

func (s *server) providerConfig() (provider.Config, error) {
	clients, cerr := s.cfg.ClientRegistry(environment, time.Now())
	scopes, serr := scope.NewRegistry(s.cfg.Scopes, s.cfg.ScopeAccess)
	types, terr := s.directory.types()
	keys, kerr := s.cfg.Keys(s.issuer, s.cfg.Clients, false, time.Now())
	profile := ansattporten.Profile()
	if s.cfg.ConfirmLogout != nil {
		profile.ConfirmLogout = *s.cfg.ConfirmLogout
	}
	certs, verr := s.cfg.Certificates.Verifier(s.log)
	return provider.Config{
		Issuer: s.issuer, Profile: profile, Environment: environment, Certificates: certs,
		Store: s.store, Keys: keys, Clients: clients, Origins: clients.HasOrigin, Scopes: scopes, AuthorizationDetails: types,
		Secrets: []portner.Secret{portner.NewSecret()}, PairwiseKey: portner.NewSecret(),
		PushedRequests: s.store, Replay: s.store, Logger: s.log,
	}, errors.Join(cerr, serr, terr, kerr, verr)
}

// Serve implements standin.Server.
func (s *server) Serve(ctx context.Context) error { return s.sites.Serve(ctx, s.log, s.store) }

// Greet implements standin.Server.
func (s *server) Greet(w io.Writer) {
	fmt.Fprintf(w, "portner: a local Ansattporten\n\n  issuer      %s\n  metadata    %s/.well-known/openid-configuration\n", s.issuer, s.issuer)
	if s.opt.demo {
		fmt.Fprintf(w, "\n  Open %s  (Tjeneste for ansatte)\n", s.demoAt)
	}
	var names []string
	for _, u := range s.cfg.Users {
		names = append(names, u.Username)
	}
	fmt.Fprintf(w, "\n  Users: %s\n\n  Ctrl-C stops it.\n\n", strings.Join(names, ", "))
}
