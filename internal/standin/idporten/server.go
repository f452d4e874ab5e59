// Package idporten is a stand-in for ID-porten (docs/spec/idporten.md).
package idporten

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
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
)

// Server holds the parts of the program. The first ones last as long as the process; those after cfg are made again from a reloaded
// configuration, in a copy of the server.
type Server struct {
	Options  Options
	log      *slog.Logger
	Issuer   string
	At       Addresses
	Outgoing *http.Client
	Now      func() time.Time
	Sites    standin.Sites // the provider, and the sites of the demo
	mtls     *standin.Site // nil without a listener for clients with certificates
	State    *standin.State
	Store    standin.Store // of state
	Keys     *standin.Keys
	// machines verifies tokens of Maskinporten with which support staff call the authorizations API. It is nil without -machine-issuer.
	machines authorizations.Machines
	current  *atomic.Pointer[Server] // the copy whose handlers are in use
	source   *standin.Source
	admin    *standin.Administration

	file     Config // as it was read
	Config   Config // with the flags, and the entries of the demo
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
	s := &Server{Options: opt, log: log, Now: opt.Clock(), source: standin.NewSource(opt.Flags), Outgoing: opt.Outgoing(), current: new(atomic.Pointer[Server])}
	d, err := opt.Document()
	if err != nil {
		return nil, err
	}
	if s.file, err = ParseConfig(d, opt.Demo); err != nil {
		return nil, err
	}
	s.Config = s.file
	var further []string
	if opt.Demo && s.Config.fapi() {
		return nil, fmt.Errorf("-demo: the services of the demo have secrets, which the profile %s does not allow", s.Config.Profile)
	}
	if opt.Demo {
		further = DemoSiteNames
	}
	if s.Sites, err = standin.Listen(opt.Flags, cmp.Or(opt.Issuer, s.Config.Issuer), further...); err != nil {
		return nil, err
	}
	s.Issuer = cmp.Or(opt.Issuer, s.Config.Issuer, s.Sites[0].Base)
	s.Sites[0].Accept(s.Issuer)
	if opt.Demo {
		s.At = Addresses{First: s.Sites[1].Base, Second: s.Sites[2].Base, Isolated: s.Sites[3].Base, API: s.Sites[4].Base}
	}
	if err = s.Sites.CheckTest(s.Issuer, s.testIssuer()); err == nil {
		err = s.openMTLS()
	}
	if err == nil {
		s.State, err = opt.OpenState(ctx, log)
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
	if s.State != nil {
		_ = s.State.Store.Close()
	}
}

// testIssuer returns the issuer again, if it is configured as that of a test environment.
func (s *Server) testIssuer() string { return cmp.Or(s.Options.TestIssuer, s.Config.TestIssuer) }

// start builds what lasts as long as the process, and the handlers.
func (s *Server) start(ctx context.Context) (err error) {
	if s.Options.Demo {
		s.Config = s.Config.with(builtin(s.At, s.Config.Profile), s.admin)
	}
	s.Store = s.State.Store
	certificates := s.Options.Demo && !s.Config.openid() // as the tokens of ID-porten
	if s.Keys, err = s.Config.Keys(ctx, s.State, s.Issuer, s.Config.Clients, certificates, s.log); err != nil {
		return err
	}
	if s.machines, err = newMachines(s.Options.MachineIssuer, s.Issuer, s.Outgoing, func() time.Time { return s.Now() }); err != nil {
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
	s.Config.WarnScopes(s.scopes, nil, s.log)
	s.current.Store(s)
	s.admin.Use(s.inUse())
	return nil
}

// Reload implements standin.Server.
func (s *Server) Reload(ctx context.Context) error { return s.admin.Reload(ctx) }

// Configure replaces the configuration by a text, as Reload does with a changed file.
func (s *Server) Configure(ctx context.Context, text []byte) error {
	return s.source.Replace(text, func() error { return s.admin.Reload(ctx) })
}

// read reads the configuration with the changes of the administration.
func (s *Server) read() (Config, error) {
	d, err := s.source.Document()
	if err != nil {
		return Config{}, err
	}
	return parseConfig(d, s.admin.Merge, s.Options.Demo)
}

// apply replaces the configuration in use.
func (s *Server) apply(ctx context.Context) error {
	next := *s
	var err error
	if next.file, err = s.read(); err != nil {
		return err
	}
	if err := s.keeps(next.file); err != nil {
		return s.source.Wrap(err)
	}
	next.Config = next.file
	next.Config.MTLS = next.Config.MTLS.with(s.Options.MTLS)
	if s.Options.Demo {
		next.Config = next.Config.with(builtin(s.At, next.Config.Profile), s.admin)
	}
	if err := s.Keys.Extend(ctx, next.Config.Signing, next.Config.Clients); err != nil {
		return err
	}
	return next.build()
}

// keeps returns the members of a configuration that a running server cannot change.
func (s *Server) keeps(c Config) error {
	var p standin.Problems
	standin.NeedsRestart(&p, cmp.Or(s.Options.Issuer, c.Issuer, s.Sites[0].Base) != s.Issuer, "issuer")
	standin.NeedsRestart(&p, cmp.Or(s.Options.TestIssuer, c.TestIssuer) != s.testIssuer(), "test_issuer")
	standin.NeedsRestart(&p, c.Profile != s.Config.Profile, "profile")
	standin.NeedsRestart(&p, c.MTLS.with(s.Options.MTLS).Addr != s.Config.MTLS.Addr, "mtls.addr")
	c.Signing.Keeps(&p, s.file.Signing)
	c.Settings.Keeps(&p, s.file.Settings)
	return p.Err()
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

// running says how the server runs.
func (s *Server) running() standin.Running {
	return standin.Running{Log: s.log, Store: s.Store, Keys: s.Keys, Admin: s.admin, Endpoint: func(path string) string { return s.current.Load().Provider.Endpoint(path) }, Drain: s.Options.Drain}
}

// Handler returns the handler of the server, for a host that serves it in place of Serve.
func (s *Server) Handler() http.Handler { return s.Sites.Handler(s.running()) }

// Serve implements standin.Server.
func (s *Server) Serve(ctx context.Context) error {
	err := s.Sites.Serve(ctx, s.running())
	s.Outgoing.CloseIdleConnections()
	return err
}

// ProviderConfig returns the configuration of the provider, made from that of the server. now is the time at which the registrations are valid.
func (s *Server) ProviderConfig(now time.Time) (provider.Config, error) {
	clients, err := s.Config.ClientRegistry(s.Config.Environment(), now)
	if err != nil {
		return provider.Config{}, err
	}
	scopes, err := s.Config.ScopeRegistry()
	if err != nil {
		return provider.Config{}, err
	}
	certs, err := s.Config.Certificates.Verifier(s.log)
	if err != nil {
		return provider.Config{}, err
	}
	var testLogin *authorize.TestLogin
	if s.Config.TestLogin {
		testLogin, err = authorize.NewTestLogin(authorize.TestLoginConfig{
			Issuer: s.Issuer, TestIssuer: s.testIssuer(), Identity: s.Users.TestPerson, Named: s.Users.testUser,
		})
		if err != nil {
			return provider.Config{}, err
		}
	}
	cfg := provider.Config{
		Issuer: s.Issuer, Environment: s.Config.Environment(), Certificates: certs, Profile: s.Config.profile(), Store: s.Store, Keys: s.Keys.Set(), Clients: clients, Origins: clients.HasOrigin, Scopes: scopes,
		Page:    s.Pages.page,
		Secrets: s.State.Secrets, PairwiseKey: s.State.PairwiseKey,
		PushedRequests: s.Store, Replay: s.Store, Users: s.Users, History: s.Store,
		Session: s.Config.Session.rules(), Lifetimes: s.Config.Lifetimes.provider(),
		ErrorPage: s.Pages.AuthorizeError, LogoutPages: s.Pages.LogoutPages(), TestLogin: testLogin,
		Backchannel: s.Options.Backchannel(),
		Logger:      s.log, OnEvent: s.admin.OnEvent(),
		Now: func() time.Time { return s.Now() },
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
		HTTP: s.Outgoing, Log: s.log, Contact: func(pid norway.PID) Contact { return s.current.Load().Users.contact(pid) },
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
		fmt.Fprintf(w, "  API  %s/api/inntekt\n", s.At.API)
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
	s.admin.Greet(w)
	fmt.Fprint(w, "\n  Ctrl-C stops it.\n\n")
}
