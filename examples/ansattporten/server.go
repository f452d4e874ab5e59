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

	"github.com/portner-go/portner/digdir/ansattporten"
	"github.com/portner-go/portner/examples/internal/demo"
	"github.com/portner-go/portner/internal/standin/look"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
)

// server holds the parts of the program.
type server struct {
	opt    options
	log    *slog.Logger
	issuer string
	demoAt string        // URL of the demo service; "" without it
	sites  standin.Sites // the provider, and the demo service
	state  *standin.State
	keys   *standin.Keys

	file      config // as it was read
	cfg       config // with the entries of the demo
	directory *directory
	op        *provider.Provider
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
	if s.opt.demo {
		s.cfg = s.cfg.with(s.demoAt)
	}
	if s.keys, err = s.cfg.Keys(ctx, s.state, s.issuer, s.cfg.Clients, false, s.log); err != nil {
		return err
	}
	if err = s.build(); err == nil && s.opt.demo {
		s.sites[1].Handle(demo.NewService(demo.ServiceConfig{
			Name: "Tjeneste for ansatte", Class: "second", Text: "Logg inn på vegne av en virksomhet.", Provider: "Ansattporten",
			Base: s.demoAt, Issuer: s.issuer, ClientID: demoClient, Secret: demoSecret, Stories: stories(),
			HTTP: s.opt.TLS.Outgoing(), Log: s.log,
		}).Handler(look.Handler()))
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
	if s.opt.demo {
		next.cfg = next.cfg.with(s.demoAt)
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
	s.sites[0].Handle(pages.routes())
	return nil
}

func (s *server) providerConfig() (provider.Config, error) {
	clients, cerr := s.cfg.ClientRegistry(environment, time.Now())
	scopes, serr := scope.NewRegistry(s.cfg.Scopes, s.cfg.ScopeAccess)
	types, terr := s.directory.types()
	profile := ansattporten.Profile()
	if s.cfg.ConfirmLogout != nil {
		profile.ConfirmLogout = *s.cfg.ConfirmLogout
	}
	certs, verr := s.cfg.Certificates.Verifier(s.log)
	return provider.Config{
		Issuer: s.issuer, Profile: profile, Environment: environment, Certificates: certs,
		Store: s.state.Store, Keys: s.keys.Set(), Clients: clients, Origins: clients.HasOrigin, Scopes: scopes, AuthorizationDetails: types,
		Secrets: s.state.Secrets, PairwiseKey: s.state.PairwiseKey,
		PushedRequests: s.state.Store, Replay: s.state.Store, Logger: s.log,
	}, errors.Join(cerr, serr, terr, verr)
}

// Serve implements standin.Server.
func (s *server) Serve(ctx context.Context) error {
	return s.sites.Serve(ctx, standin.Running{Log: s.log, Store: s.state.Store, Keys: s.keys, Drain: s.opt.Drain})
}

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
