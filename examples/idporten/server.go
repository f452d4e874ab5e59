package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/examples/internal/demo"
	"github.com/portner-go/portner/examples/internal/look"
	"github.com/portner-go/portner/examples/internal/standin"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/logout"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage/memory"
)

// server holds the parts of the program.
type server struct {
	opt      options
	cfg      config
	log      *slog.Logger
	issuer   string
	at       addresses
	outgoing *http.Client
	now      func() time.Time

	store   *memory.Store
	op      *provider.Provider
	clients client.Source
	scopes  scope.Source
	granted *authorizations.API

	// machines verifies tokens of Maskinporten with which support staff call the authorizations API. It is nil without -machine-issuer.
	machines authorizations.Machines

	keys  *keyset.Set
	mtls  *standin.Site // nil without a listener for clients with certificates
	pages *pages
	users *directory

	sites standin.Sites // the provider, and the sites of the demo
}

// demoSites are the sites of the demo, in the order of their ports.
var demoSites = []string{"first", "second", "isolated", "api"}

// newServer opens the ports and builds the server.
func newServer(opt options, log *slog.Logger) (*server, error) {
	s := &server{opt: opt, log: log, now: time.Now, outgoing: opt.TLS.Outgoing()}
	var err error
	if opt.ConfigFile != "" {
		if s.cfg, err = readConfig(opt.ConfigFile, opt.demo); err != nil {
			return nil, err
		}
	}
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
		err = s.build()
	}
	if err != nil {
		s.sites.Close()
		return nil, err
	}
	return s, nil
}

// testIssuer returns the issuer again, if it is configured as that of a test environment.
func (s *server) testIssuer() string { return cmp.Or(s.opt.TestIssuer, s.cfg.TestIssuer) }

func (s *server) build() error {
	if s.opt.demo {
		s.cfg = s.cfg.with(builtin(s.at, s.cfg.Profile))
	}
	s.store = memory.New()
	var err error
	if s.users, err = newDirectory(s.cfg.Users, s.cfg.TestLogin); err != nil {
		return err
	}
	s.pages = newPages(s)
	cfg, err := s.providerConfig(s.now())
	if err != nil {
		return err
	}
	s.clients, s.scopes = cfg.Clients, cfg.Scopes
	s.cfg.WarnScopes(s.scopes, s.log)
	if s.op, err = provider.New(cfg); err != nil {
		return err
	}
	if s.machines, err = newMachines(s.opt.machineIssuer, s.issuer, s.outgoing); err != nil {
		return err
	}
	if err := s.buildAuthorizations(); err != nil {
		return err
	}
	if err := s.route(); err != nil {
		return err
	}
	if s.opt.demo {
		return s.buildDemo()
	}
	return nil
}

// route sets the handlers of the provider.
func (s *server) route() (err error) {
	rest := s.pages.routes()
	if s.sites[0].Handler, err = s.withAccounts(s.issuer, rest); err != nil || s.mtls == nil {
		return err
	}
	s.mtls.Accept(s.mtlsURL())
	s.mtls.Handler, err = s.withAccounts(s.mtlsURL(), rest)
	return err
}

// Serve implements standin.Server.
func (s *server) Serve(ctx context.Context) error {
	err := s.sites.Serve(ctx, s.log, s.store)
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
	keys, err := s.cfg.Keys(s.issuer, s.cfg.Clients, false, now)
	if err != nil {
		return provider.Config{}, err
	}
	s.keys = keys
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
		Issuer: s.issuer, Environment: s.cfg.environment(), Certificates: certs, Profile: s.cfg.profile(), Store: s.store, Keys: keys, Clients: clients, Origins: clients.HasOrigin, Scopes: scopes,
		Page:    s.pages.page,
		Secrets: []portner.Secret{portner.NewSecret()}, PairwiseKey: portner.NewSecret(),
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
		s.sites[i+1].Handler = demo.NewService(sv).Handler(look.Handler())
	}
	var err error
	s.sites[4].Handler, err = demo.NewAPI(demo.APIConfig{
		Issuer: s.issuer, Introspection: s.issuer + "/tokeninfo", JWKS: s.issuer + "/jwks.json",
		ClientID: demoAPIClient, Secret: demoAPISecret, Contacts: s.users.contact, HTTP: s.outgoing, Log: s.log,
	})
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
