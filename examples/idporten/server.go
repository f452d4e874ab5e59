package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/examples/internal/demo"
	"github.com/portner-go/portner/internal/standin/look"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/logout"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
)

// server holds the parts of the program. The first ones last as long as the process; those after cfg are made again from a reloaded
// configuration, in a copy of the server.
type server struct {
	opt      options
	log      *slog.Logger
	issuer   string
	at       addresses
	outgoing *http.Client
	now      func() time.Time
	sites    standin.Sites // the provider, and the sites of the demo
	mtls     *standin.Site // nil without a listener for clients with certificates
	state    *standin.State
	store    standin.Store // of state
	keys     *standin.Keys
	// machines verifies tokens of Maskinporten with which support staff call the authorizations API. It is nil without -machine-issuer.
	machines authorizations.Machines
	current  *atomic.Pointer[server] // the copy whose handlers are in use

	file    config // as it was read
	cfg     config // with the flags, and the entries of the demo
	op      *provider.Provider
	clients client.Source
	scopes  scope.Source
	granted *authorizations.API
	pages   *pages
	users   *directory
}

// demoSites are the sites of the demo, in the order of their ports.
var demoSites = []string{"first", "second", "isolated", "api"}

// newServer opens the ports and builds the server.
func newServer(ctx context.Context, opt options, log *slog.Logger) (*server, error) {
	s := &server{opt: opt, log: log, now: time.Now, outgoing: opt.TLS.Outgoing(), current: new(atomic.Pointer[server])}
	var err error
	if opt.ConfigFile != "" {
		if s.file, err = readConfig(opt.ConfigFile, opt.demo); err != nil {
			return nil, err
		}
	}
	s.cfg = s.file
	var further []string
	if opt.demo && s.cfg.fapi() {
		return nil, fmt.Errorf("-demo: the services of the demo have secrets, which the profile %s does not allow", s.cfg.Profile)
	}
	if opt.demo {
		further = demoSites
	}
	if s.sites, err = standin.Listen(opt.Flags, further...); err != nil {
		return nil, err
	}
	s.issuer = cmp.Or(opt.Issuer, s.cfg.Issuer, s.sites[0].Base)
	s.sites[0].Accept(s.issuer)
	if opt.demo {
		s.at = addresses{first: s.sites[1].Base, second: s.sites[2].Base, isolated: s.sites[3].Base, api: s.sites[4].Base}
	}
	if err = s.sites.CheckTest(s.issuer, s.testIssuer()); err == nil {
		err = s.openMTLS()
	}
	if err == nil {
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

// testIssuer returns the issuer again, if it is configured as that of a test environment.
func (s *server) testIssuer() string { return cmp.Or(s.opt.TestIssuer, s.cfg.TestIssuer) }

// start builds what lasts as long as the process, and the handlers.
func (s *server) start(ctx context.Context) (err error) {
	if s.opt.demo {
		s.cfg = s.cfg.with(builtin(s.at, s.cfg.Profile))
	}
	s.store = s.state.Store
	certificates := s.opt.demo && !s.cfg.openid() // as the tokens of ID-porten
	if s.keys, err = s.cfg.Keys(ctx, s.state, s.issuer, s.cfg.Clients, certificates, s.log); err != nil {
		return err
	}
	if s.machines, err = newMachines(s.opt.machineIssuer, s.issuer, s.outgoing); err != nil {
		return err
	}
	if s.mtls != nil {
		s.mtls.Accept(s.mtlsURL())
	}
	if err := s.build(); err != nil {
		return err
	}
	if s.opt.demo {
		err = s.buildDemo()
	}
	return err
}

// build builds what depends on the configuration, and hands over to its handlers.
func (s *server) build() (err error) {
	if s.users, err = newDirectory(s.cfg.Users, s.cfg.TestLogin, s.state); err != nil {
		return err
	}
	s.pages = newPages(s)
	cfg, err := s.providerConfig(s.now())
	if err != nil {
		return err
	}
	s.clients, s.scopes = cfg.Clients, cfg.Scopes
	if s.op, err = provider.New(cfg); err != nil {
		return err
	}
	if err := s.buildAuthorizations(); err != nil {
		return err
	}
	if err := s.route(); err != nil {
		return err
	}
	s.cfg.WarnScopes(s.scopes, s.log)
	s.current.Store(s)
	return nil
}

// Reload implements standin.Server.
func (s *server) Reload(ctx context.Context) error {
	next := *s
	var err error
	if next.file, err = readConfig(s.opt.ConfigFile, s.opt.demo); err != nil {
		return err
	}
	if err := s.keeps(next.file); err != nil {
		return fmt.Errorf("%s:\n%w", s.opt.ConfigFile, err)
	}
	next.cfg = next.file
	next.cfg.MTLS = next.cfg.MTLS.with(s.opt.mtls)
	if s.opt.demo {
		next.cfg = next.cfg.with(builtin(s.at, next.cfg.Profile))
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
	standin.NeedsRestart(&p, cmp.Or(s.opt.TestIssuer, c.TestIssuer) != s.testIssuer(), "test_issuer")
	standin.NeedsRestart(&p, c.Profile != s.cfg.Profile, "profile")
	standin.NeedsRestart(&p, c.MTLS.with(s.opt.mtls).Addr != s.cfg.MTLS.Addr, "mtls.addr")
	c.Signing.Keeps(&p, s.file.Signing)
	return p.Err()
}

// route sets the handlers of the provider.
func (s *server) route() error {
	rest := s.pages.routes()
	own, err := s.withAccounts(s.issuer, rest)
	if err != nil {
		return err
	}
	if s.mtls != nil {
		mtls, err := s.withAccounts(s.mtlsURL(), rest)
		if err != nil {
			return err
		}
		s.mtls.Handle(mtls)
	}
	s.sites[0].Handle(own)
	return nil
}

// Serve implements standin.Server.
func (s *server) Serve(ctx context.Context) error {
	err := s.sites.Serve(ctx, standin.Running{Log: s.log, Store: s.store, Keys: s.keys, Drain: s.opt.Drain})
	s.outgoing.CloseIdleConnections()
	return err
}

func (s *server) providerConfig(now time.Time) (provider.Config, error) {
	clients, err := s.cfg.ClientRegistry(s.cfg.environment(), now)
	if err != nil {
		return provider.Config{}, err
	}
	scopes, err := s.cfg.scopeRegistry()
	if err != nil {
		return provider.Config{}, err
	}
	certs, err := s.cfg.Certificates.Verifier(s.log)
	if err != nil {
		return provider.Config{}, err
	}
	var testLogin *authorize.TestLogin
	if s.cfg.TestLogin {
		testLogin, err = authorize.NewTestLogin(authorize.TestLoginConfig{
			Issuer: s.issuer, TestIssuer: s.testIssuer(), Identity: s.users.testPerson, Named: s.users.testUser,
		})
		if err != nil {
			return provider.Config{}, err
		}
	}
	cfg := provider.Config{
		Issuer: s.issuer, Environment: s.cfg.environment(), Certificates: certs, Profile: s.cfg.profile(), Store: s.store, Keys: s.keys.Set(), Clients: clients, Origins: clients.HasOrigin, Scopes: scopes,
		Page:    s.pages.page,
		Secrets: s.state.Secrets, PairwiseKey: s.state.PairwiseKey,
		PushedRequests: s.store, Replay: s.store, Users: s.users, History: s.store,
		Session: s.cfg.Session.rules(), Lifetimes: s.cfg.Lifetimes.provider(),
		ErrorPage: s.pages.authorizeError, LogoutPages: s.pages.LogoutPages(), TestLogin: testLogin,
		Backchannel: logout.NewSender(logout.SenderConfig{AllowHTTP: true, AllowPrivate: true, TLS: s.opt.TLS.Client()}), // services on this machine
		Logger:      s.log,
		Now:         func() time.Time { return s.now() },
	}
	if err = s.setBinding(&cfg); err != nil {
		return cfg, err
	}
	cfg.GrantHandlers, err = s.grantHandlers(&cfg)
	return cfg, err
}

func (l sessionLimits) rules() session.Rules {
	return session.Rules{Limits: session.Limits{Max: standin.Seconds(l.Max), Idle: standin.Seconds(l.Idle)}}
}

func (l lifetimes) provider() provider.Lifetimes {
	return provider.Lifetimes{
		AccessToken: standin.Seconds(l.AccessToken), RefreshToken: standin.Seconds(l.RefreshToken),
		Authorization: standin.Seconds(l.Authorization), IDToken: standin.Seconds(l.IDToken),
		Code: standin.Seconds(l.Code), PushedRequest: standin.Seconds(l.PushedRequest),
	}
}

// buildDemo builds the demo services and their API.
func (s *server) buildDemo() error {
	services := demoServices(s.cfg.Profile)
	for i, sv := range services {
		var others []demo.Link
		for j, o := range services {
			if j != i {
				others = append(others, demo.Link{Name: o.Name, URL: s.sites[j+1].Base})
			}
		}
		sv.Base, sv.Issuer, sv.Secret, sv.API = s.sites[i+1].Base, s.issuer, demoSecret, s.at.api
		sv.Others, sv.HTTP, sv.Log = others, s.outgoing, s.log
		s.sites[i+1].Handle(demo.NewService(sv).Handler(look.Handler()))
	}
	api, err := demo.NewAPI(demo.APIConfig{
		Issuer: s.issuer, Introspection: s.issuer + "/tokeninfo", JWKS: s.issuer + "/jwks.json",
		ClientID: demoAPIClient, Secret: demoAPISecret, HTTP: s.outgoing, Log: s.log,
		Contacts: func(pid norway.PID) demo.Contact { return s.current.Load().users.contact(pid) },
	})
	s.sites[4].Handle(api)
	return err
}

// Greet implements standin.Server.
func (s *server) Greet(w io.Writer) {
	fmt.Fprintf(w, "portner: a local ID-porten\n\n  issuer      %s\n  metadata    %s/.well-known/openid-configuration\n", s.issuer, s.issuer)
	if aliases := s.mtlsURL(); aliases != "" {
		fmt.Fprintf(w, "  mutual TLS  %s\n", aliases)
	}
	if s.opt.demo {
		fmt.Fprintf(w, "\n  Open %s  (Min tjeneste)\n", s.at.first)
		fmt.Fprintf(w, "       %s  (Annen tjeneste: single sign-on)\n", s.at.second)
		fmt.Fprintf(w, "       %s  (Isolert tjeneste)\n", s.at.isolated)
		fmt.Fprintf(w, "  API  %s/api/inntekt\n", s.at.api)
		if s.sites[0].HasTLS() && !s.opt.TLS.InsecureTrustSelfSigned {
			fmt.Fprint(w, "\n  Is the certificate self-signed? The services trust it with -insecure-trust-self-signed only.\n")
		}
	}
	var names []string
	for _, u := range s.users.entries {
		names = append(names, u.Username)
	}
	switch {
	case len(names) > 0:
		fmt.Fprintf(w, "\n  Users: %s\n", strings.Join(names, ", "))
	case !s.cfg.TestLogin:
		fmt.Fprint(w, "\n  No user can log in: the configuration has no users.\n")
	}
	fmt.Fprint(w, "\n  Ctrl-C stops it.\n\n")
}
