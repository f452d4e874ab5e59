package main

import (
	"crypto/rand"
	"crypto/tls"
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
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/logout"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/token"
)

// server is everything the command runs.
type server struct {
	opt      options
	cfg      config
	log      *slog.Logger
	cert     *tls.Certificate // nil: plain http
	issuer   string
	at       addresses
	outgoing *http.Client

	store   *memory.Store
	op      *provider.Provider
	clients client.Source
	scopes  scope.Source
	granted *authorizations.API

	// machines verifies Maskinporten's tokens for support staff; nil without -machine-issuer.
	machines authorizations.Machines

	pages *pages
	users *directory

	parts []part // the provider first
}

// newServer opens the ports and builds everything. It answers nobody yet.
func newServer(opt options, log *slog.Logger) (*server, error) {
	s := &server{opt: opt, log: log, outgoing: outgoing(opt.insecureTrustSelfSign)}
	var err error
	if s.cert, err = certificate(opt); err != nil {
		return nil, err
	}
	if opt.configFile != "" {
		if s.cfg, err = readConfig(opt.configFile, opt.demo); err != nil {
			return nil, err
		}
	}
	if err = s.listen(); err != nil {
		return nil, err
	}
	if err = s.build(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *server) build() error {
	if s.opt.demo {
		s.cfg = s.cfg.with(builtin(s.at, s.cfg.Profile))
	}
	s.store = memory.New()
	s.users = newDirectory(s.cfg.Users, s.cfg.TestLogin)
	s.pages = newPages(s)
	cfg, err := s.providerConfig(time.Now())
	if err != nil {
		return err
	}
	s.clients, s.scopes = cfg.Clients, cfg.Scopes
	s.cfg.warnScopes(s.scopes, s.log)
	if s.op, err = provider.New(cfg); err != nil {
		return err
	}
	if s.machines, err = newMachines(s.opt.machineIssuer, s.outgoing); err != nil {
		return err
	}
	if err := s.buildAuthorizations(); err != nil {
		return err
	}
	s.parts[0].handler = s.routes()
	if s.opt.demo {
		return s.buildDemo()
	}
	return nil
}

func (s *server) providerConfig(now time.Time) (provider.Config, error) {
	clients, err := s.cfg.clientRegistry(now)
	if err != nil {
		return provider.Config{}, err
	}
	scopes, err := s.cfg.scopeRegistry()
	if err != nil {
		return provider.Config{}, err
	}
	keys, err := generateKeys()
	if err != nil {
		return provider.Config{}, err
	}
	var testLogin *authorize.TestLogin
	if s.cfg.TestLogin {
		if testLogin, err = authorize.NewTestLogin(authorize.TestLoginConfig{Issuer: s.issuer, Identity: s.users.testPerson}); err != nil {
			return provider.Config{}, err
		}
	}
	return provider.Config{
		Issuer: s.issuer, Environment: client.Environment{Test: true}, Profile: s.cfg.rules(), Store: s.store, Keys: keys, Clients: clients, Scopes: scopes,
		Pages:   authorize.PageURLs{Login: "/login", Consent: "/consent"},
		Secrets: []portner.Secret{random()}, PairwiseKey: random(),
		PushedRequests: s.store, Consents: s.store, Replay: s.store, Users: s.users, History: s.store,
		Session: s.cfg.Session.rules(), Lifetimes: s.cfg.Lifetimes.provider(),
		ErrorPage: s.pages.authorizeError, LogoutPages: s.pages, TestLogin: testLogin,
		Backchannel: logout.NewSender(logout.SenderConfig{AllowHTTP: true, AllowPrivate: true, TLS: tlsConfig(s.opt.insecureTrustSelfSign)}), // services on this machine
		Logger:      s.log,
	}, nil
}

func (l sessionLimits) rules() session.Rules {
	return session.Rules{Limits: session.Limits{Max: seconds(l.Max), Idle: seconds(l.Idle)}}
}

func (l lifetimes) provider() provider.Lifetimes {
	return provider.Lifetimes{
		Lifetimes: token.Lifetimes{
			AccessToken: seconds(l.AccessToken), RefreshToken: seconds(l.RefreshToken),
			Authorization: seconds(l.Authorization), IDToken: seconds(l.IDToken),
		},
		Code: seconds(l.Code), PushedRequest: seconds(l.PushedRequest),
	}
}

// generateKeys makes a key of each algorithm, so that every id_token_signed_response_alg can be tried.
func generateKeys() (*keyset.Set, error) {
	var keys []keyset.Key
	for _, alg := range []string{keyset.RS256, keyset.ES256, keyset.PS256, keyset.EdDSA} {
		k, err := keyset.Generate(alg)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keyset.New(keyset.Config{Keys: keys})
}

func random() portner.Secret {
	b := make([]byte, 32)
	rand.Read(b)
	return b
}

// buildDemo makes the services and the API around the provider.
func (s *server) buildDemo() error {
	services := demoServices(s.cfg.Profile)
	for i, sv := range services {
		var others []demo.Link
		for j, o := range services {
			if j != i {
				others = append(others, demo.Link{Name: o.Name, URL: s.base(j + 1)})
			}
		}
		sv.Base, sv.Issuer, sv.Secret, sv.API = s.base(i+1), s.issuer, demoSecret, s.at.api
		sv.Others, sv.HTTP, sv.Log = others, s.outgoing, s.log
		s.parts[i+1].handler = demo.NewService(sv).Handler(look.Handler())
	}
	var err error
	s.parts[4].handler, err = demo.NewAPI(demo.APIConfig{
		Issuer: s.issuer, Introspection: s.issuer + "/tokeninfo", JWKS: s.issuer + "/jwks.json",
		ClientID: demoAPIClient, Secret: demoAPISecret, Contacts: s.users.contact, HTTP: s.outgoing, Log: s.log,
	})
	return err
}

// greet prints what to open.
func (s *server) greet(w io.Writer) {
	fmt.Fprintf(w, "portner: a local ID-porten\n\n  issuer      %s\n  metadata    %s/.well-known/openid-configuration\n", s.issuer, s.issuer)
	if s.opt.demo {
		fmt.Fprintf(w, "\n  Open %s  (Min tjeneste)\n", s.at.first)
		fmt.Fprintf(w, "       %s  (Annen tjeneste: single sign-on)\n", s.at.second)
		fmt.Fprintf(w, "       %s  (Isolert tjeneste)\n", s.at.isolated)
		fmt.Fprintf(w, "  API  %s/api/inntekt\n", s.at.api)
		if s.cert != nil && !s.opt.insecureTrustSelfSign {
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
		fmt.Fprint(w, "\n  Nobody can log in: -config names no users.\n")
	}
	fmt.Fprint(w, "\n  Ctrl-C stops it.\n\n")
}
