// Package idporten is a stand-in for ID-porten (docs/spec/idporten.md).
package idporten

import (
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
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
)

// Server holds the parts of the program. The first ones last as long as the process; Config and those after current are made again from a reloaded
// configuration, in a copy of the server.
type Server struct {
	*standin.Parts[Config]

	Options  Options
	At       Addresses
	Outgoing *http.Client
	mtls     *standin.Site // nil without a listener for clients with certificates
	// machines verifies tokens of Maskinporten with which support staff call the authorizations API. It is nil without -machine-issuer.
	machines authorizations.Machines
	current  *atomic.Pointer[Server] // the copy whose handlers are in use

	Provider *provider.Provider
	clients  client.Source
	scopes   scope.Source
	granted  *authorizations.API
	Pages    *Pages
	Users    *Directory
}

// demoSites are the sites of the demo, in the order of their ports.
var DemoSiteNames = []string{"first", "second", "isolated", "api"}

// Open opens the ports and builds the server.
func Open(ctx context.Context, opt Options, log *slog.Logger) (*Server, error) {
	s := &Server{Options: opt, Outgoing: opt.Outgoing(), current: new(atomic.Pointer[Server])}
	spec := standin.Spec[Config]{
		Name: "ID-porten", Lists: lists(), Sessions: true, Authorizations: true, Listen: s.listen, With: s.with, Keeps: s.keeps,
		Parse:        func(d standin.Document, merge standin.Merge) (Config, error) { return parseConfig(d, merge, opt.Demo) },
		Certificates: func(c Config) bool { return opt.Demo && !c.openid() }, // as the tokens of ID-porten
		Endpoint:     func(path string) string { return s.current.Load().Provider.Endpoint(path) },
	}
	if opt.Demo {
		spec.Further = DemoSiteNames
	}
	return standin.Open(ctx, opt.Flags, log, s, spec, standin.Builder[Config, Server]{
		Set: func(s *Server, p *standin.Parts[Config]) { s.Parts = p }, Build: (*Server).build, Start: (*Server).start,
	})
}

// listen opens the listener for clients with certificates, and notes the sites of the demo.
func (s *Server) listen(p *standin.Parts[Config]) error {
	if s.Options.Demo {
		if p.File.fapi() {
			return fmt.Errorf("-demo: the services of the demo have secrets, which the profile %s does not allow", p.File.Profile)
		}
		s.At = Addresses{First: p.Sites[1].Base, Second: p.Sites[2].Base, Isolated: p.Sites[3].Base, API: p.Sites[4].Base}
	}
	return s.openMTLS(p)
}

// with returns a configuration with the flags and the entries of the demo.
func (s *Server) with(p *standin.Parts[Config], c Config) Config {
	c.MTLS = c.MTLS.with(s.Options.MTLS)
	if s.Options.Demo {
		c = c.with(builtin(s.At, c.Profile), p.Admin)
	}
	return c
}

// keeps records the members of a configuration that a running server cannot change.
func (s *Server) keeps(p *standin.Problems, c Config) {
	standin.NeedsRestart(p, c.Profile != s.Config.Profile, "profile")
	standin.NeedsRestart(p, c.MTLS.with(s.Options.MTLS).Addr != s.Config.MTLS.Addr, "mtls.addr")
}

// start builds what lasts as long as the process, and the handlers.
func (s *Server) start() (err error) {
	if s.machines, err = newMachines(s.Options.MachineIssuer, s.Issuer, s.Outgoing, s.Clock); err != nil {
		return err
	}
	if s.mtls != nil {
		s.mtls.Accept(s.mtlsURL())
	}
	if err := s.build(); err != nil {
		return err
	}
	if s.Options.Demo {
		err = s.buildDemo()
	}
	return err
}

// build builds what depends on the configuration, and hands over to its handlers.
func (s *Server) build() (err error) {
	if s.Users, err = NewDirectory(s.Config.Users, s.Config.TestLogin, s.State); err != nil {
		return err
	}
	s.Pages = NewPages(s)
	cfg, err := s.ProviderConfig(s.Now())
	if err != nil {
		return err
	}
	s.clients, s.scopes = cfg.Clients, cfg.Scopes
	if s.Provider, err = provider.New(cfg); err != nil {
		return err
	}
	if err := s.buildAuthorizations(); err != nil {
		return err
	}
	if err := s.route(); err != nil {
		return err
	}
	s.Config.WarnScopes(s.scopes, nil, s.Log)
	s.current.Store(s)
	s.Admin.Use(s.inUse())
	return nil
}

// route sets the handlers of the provider.
func (s *Server) route() error {
	rest := s.Pages.Routes()
	own, err := s.withAccounts(s.Issuer, rest)
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
	s.Sites[0].Handle(own)
	return nil
}

// ProviderConfig returns the configuration of the provider, made from that of the server. now is the time at which the registrations are valid.
// Serve implements standin.Server.
func (s *Server) Serve(ctx context.Context) error {
	err := s.Parts.Serve(ctx)
	s.Outgoing.CloseIdleConnections()
	return err
}

// ProviderConfig returns the configuration of the provider at a time.
func (s *Server) ProviderConfig(now time.Time) (provider.Config, error) {
	clients, err := s.Config.ClientRegistry(s.Config.Environment(), now)
	if err != nil {
		return provider.Config{}, err
	}
	scopes, err := s.Config.ScopeRegistry()
	if err != nil {
		return provider.Config{}, err
	}
	certs, err := s.Config.Certificates.Verifier(s.Log)
	if err != nil {
		return provider.Config{}, err
	}
	var testLogin *authorize.TestLogin
	if s.Config.TestLogin {
		testLogin, err = authorize.NewTestLogin(authorize.TestLoginConfig{
			Issuer: s.Issuer, TestIssuer: s.TestIssuer(), Identity: s.Users.TestPerson, Named: s.Users.testUser,
		})
		if err != nil {
			return provider.Config{}, err
		}
	}
	cfg := provider.Config{
		Issuer: s.Issuer, Environment: s.Config.Environment(), Certificates: certs, Profile: s.Config.profile(), Store: s.State.Store, Keys: s.Keys.Set(), Clients: clients, Origins: clients.HasOrigin, Scopes: scopes,
		Page:    s.Pages.page,
		Secrets: s.State.Secrets, PairwiseKey: s.State.PairwiseKey,
		PushedRequests: s.State.Store, Replay: s.State.Store, Users: s.Users, History: s.State.Store,
		Session: s.Config.Session.rules(), Lifetimes: s.Config.Lifetimes.provider(),
		ErrorPage: s.Pages.AuthorizeError, LogoutPages: s.Pages.LogoutPages(), TestLogin: testLogin,
		Backchannel: s.Options.Backchannel(),
		Logger:      s.Log, OnEvent: s.Admin.OnEvent(),
		Now: s.Clock,
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

// Demo is what the sites of the demo know.
type Demo struct {
	Issuer    string
	OpenID    bool      // the profile is that of a plain OpenID provider
	At        Addresses // base URLs of the sites
	Secret    string    // of each service
	APIClient string    // client of the API
	APISecret string
	HTTP      *http.Client // for requests to the provider
	Log       *slog.Logger
	// Contact returns the entry of a person in the contact register.
	Contact func(norway.PID) Contact
}

// Contact is an entry of the contact register.
type Contact struct{ Email, Mobile string }

// buildDemo builds the demo services and their API.
func (s *Server) buildDemo() error {
	handlers, err := s.Options.NewDemo(Demo{
		Issuer: s.Issuer, OpenID: s.Config.openid(), At: s.At, Secret: DemoSecret, APIClient: DemoAPIClient, APISecret: DemoAPISecret,
		HTTP: s.Outgoing, Log: s.Log, Contact: func(pid norway.PID) Contact { return s.current.Load().Users.contact(pid) },
	})
	for i, h := range handlers {
		s.Sites[i+1].Handle(h)
	}
	return err
}

// Greet implements standin.Server.
func (s *Server) Greet(w io.Writer) {
	fmt.Fprintf(w, "portner: a local ID-porten\n\n  issuer      %s\n  metadata    %s/.well-known/openid-configuration\n", s.Issuer, s.Issuer)
	if aliases := s.mtlsURL(); aliases != "" {
		fmt.Fprintf(w, "  mutual TLS  %s\n", aliases)
	}
	if s.Options.Demo {
		fmt.Fprintf(w, "\n  Open %s  (Min tjeneste)\n", s.At.First)
		fmt.Fprintf(w, "       %s  (Annen tjeneste: single sign-on)\n", s.At.Second)
		fmt.Fprintf(w, "       %s  (Isolert tjeneste)\n", s.At.Isolated)
		fmt.Fprintf(w, "  API  %s/api/inntekt  (needs an access token)\n", s.At.API)
		if s.Sites[0].HasTLS() && !s.Options.TLS.InsecureTrustSelfSigned {
			fmt.Fprint(w, "\n  Is the certificate self-signed? The services trust it with -insecure-trust-self-signed only.\n")
		}
	}
	var names []string
	for _, u := range s.Users.Entries {
		names = append(names, u.Username)
	}
	switch {
	case len(names) > 0:
		fmt.Fprintf(w, "\n  Users: %s\n", strings.Join(names, ", "))
	case !s.Config.TestLogin:
		fmt.Fprint(w, "\n  No user can log in: the configuration has no users.\n")
	}
	s.Admin.Greet(w)
	fmt.Fprint(w, "\n  Ctrl-C stops it.\n\n")
}
