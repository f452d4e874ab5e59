// Package maskinporten is a stand-in for Maskinporten (docs/spec/maskinporten.md).
package maskinporten

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/portner-go/portner/digdir/maskinporten"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
)

// Server holds the parts of the program.
type Server struct {
	Options Options
	log     *slog.Logger
	Issuer  string
	Now     func() time.Time
	Sites   standin.Sites
	State   *standin.State
	Keys    *standin.Keys

	source *standin.Source
	admin  *standin.Administration

	file   Config // as it was read
	Config Config // with the built-in entries
}

// Open opens the port and builds the server.
func Open(ctx context.Context, opt Options, log *slog.Logger) (*Server, error) {
	s := &Server{Options: opt, log: log, Now: opt.Clock(), source: standin.NewSource(opt.Flags)}
	d, err := opt.Document()
	if err != nil {
		return nil, err
	}
	if s.file, err = ParseConfig(d); err != nil {
		return nil, err
	}
	s.Config = s.file.with(s.builtin())
	if s.Sites, err = standin.Listen(opt.Flags, cmp.Or(opt.Issuer, s.Config.Issuer)); err != nil {
		return nil, err
	}
	site := s.Sites[0]
	s.Issuer = cmp.Or(opt.Issuer, s.Config.Issuer, s.ownIssuer())
	site.Accept(s.Issuer)
	if err = s.Sites.CheckTest(s.Issuer, cmp.Or(opt.TestIssuer, s.Config.TestIssuer)); err == nil {
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

// start makes the keys and the handler.
func (s *Server) start(ctx context.Context) (err error) {
	if s.Keys, err = s.Config.Keys(ctx, s.State, s.Issuer, s.Config.Clients, false, s.log); err != nil {
		return err
	}
	return s.build()
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
	return parseConfig(d, s.admin.Merge)
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
	next.Config = next.file.with(next.builtin())
	if err := s.Keys.Extend(ctx, next.Config.Signing, next.Config.Clients); err != nil {
		return err
	}
	return next.build()
}

// keeps returns the members of a configuration that a running server cannot change.
func (s *Server) keeps(c Config) error {
	var p standin.Problems
	standin.NeedsRestart(&p, cmp.Or(s.Options.Issuer, c.Issuer, s.ownIssuer()) != s.Issuer, "issuer")
	standin.NeedsRestart(&p, cmp.Or(s.Options.TestIssuer, c.TestIssuer) != cmp.Or(s.Options.TestIssuer, s.file.TestIssuer), "test_issuer")
	standin.NeedsRestart(&p, c.Skyporten != s.file.Skyporten, "skyporten")
	c.Signing.Keeps(&p, s.file.Signing)
	c.Settings.Keeps(&p, s.file.Settings)
	return p.Err()
}

// builtin returns the built-in configuration. It has no clients beside those of a configuration where other machines reach the server:
// anyone has the private key of the example.
func (s *Server) builtin() Config {
	b := builtin()
	if s.Options.HasConfig() && cmp.Or(s.Options.TestIssuer, s.file.TestIssuer) != "" {
		b.Clients = nil
	}
	return b
}

// ownIssuer returns the issuer derived from -addr. Issuers of Skyporten have no trailing slash.
func (s *Server) ownIssuer() string {
	if s.Config.Skyporten {
		return s.Sites[0].Base
	}
	return s.Sites[0].Base + "/"
}

func (s *Server) build() error {
	clients, err := s.Config.ClientRegistry(s.Now())
	if err != nil {
		return err
	}
	scopes, err := scope.NewRegistry(s.Config.Scopes, s.Config.ScopeAccess)
	if err != nil {
		return err
	}
	s.Config.registered().WarnScopes(scopes, s.Config.delegated(scopes), s.log)
	certs, err := s.certificates()
	if err != nil {
		return err
	}
	known := altinn{cfg: s.Config}
	if s.Config.Altinn != "" {
		known.remote = &lookup{s.Config.Altinn, s.Issuer, s.Keys, s.Options.Outgoing(), func() time.Time { return s.Now() }}
	}
	details, err := rar.NewRegistry(maskinporten.SystemUserType(known), maskinporten.ConsentType(known))
	if err != nil {
		return err
	}
	service, err := maskinporten.New(maskinporten.Config{
		Issuer: s.Issuer, Clients: clients, Scopes: scopes, Replay: s.State.Store, Keys: s.Keys.Set(), Certificates: certs,
		Delegations: s.delegationSources(known), AuthorizationDetails: details, ErrorURI: s.at("errors/"),
		Skyporten: s.Config.Skyporten, RequireJTI: s.Config.RequireJTI, StrictIssuedAt: s.Config.StrictIat, LegacyForbidden: s.Config.LegacyForbidden,
		Now: func() time.Time { return s.Now() }, Logger: s.log, OnEvent: s.admin.OnEvent(),
	})
	if err != nil {
		return err
	}
	s.Sites[0].Handle(s.routes(service))
	s.admin.Use(s.inUse())
	return nil
}

// at returns a URL below the issuer.
func (s *Server) at(path string) string { return strings.TrimSuffix(s.Issuer, "/") + "/" + path }

// metadata returns the URL of the metadata, which are in front of the path of the issuer (RFC 8414 §3.1).
func (s *Server) metadata() string {
	path := standin.PathOf(s.Issuer)
	return strings.TrimSuffix(strings.TrimSuffix(s.Issuer, "/"), path) + "/.well-known/oauth-authorization-server" + path
}

// routes adds the pages of error_uri to the service.
func (s *Server) routes(service http.Handler) http.Handler {
	prefix := standin.PathOf(s.at("errors")) + "/"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, prefix) {
			explain(w, r)
			return
		}
		service.ServeHTTP(w, r)
	})
}

// delegationSources returns the sources of all scopes. They have the same delegations.
func (s *Server) delegationSources(known altinn) map[string]maskinporten.DelegationSource {
	sources := map[string]maskinporten.DelegationSource{}
	for i := range s.Config.Scopes {
		if name := s.Config.Scopes[i].DelegationSource; name != "" {
			sources[name] = known
		}
	}
	return sources
}

// endpoint returns the name of what is at a path, for metrics.
func (s *Server) endpoint(path string) string {
	switch {
	case path == standin.PathOf(s.at("token")):
		return "token"
	case path == standin.PathOf(s.at("jwk")):
		return "jwks"
	case strings.HasPrefix(path, standin.PathOf(s.at("errors"))+"/"):
		return "errors"
	case path == standin.PathOf(s.metadata()) || path == standin.PathOf(s.at(".well-known/openid-configuration")):
		return "metadata"
	}
	return ""
}

// running says how the server runs.
func (s *Server) running() standin.Running {
	return standin.Running{Log: s.log, Store: s.State.Store, Keys: s.Keys, Admin: s.admin, Endpoint: s.endpoint, Drain: s.Options.Drain}
}

// Handler returns the handler of the server, for a host that serves it in place of Serve.
func (s *Server) Handler() http.Handler { return s.Sites.Handler(s.running()) }

// Serve implements standin.Server.
func (s *Server) Serve(ctx context.Context) error {
	return s.Sites.Serve(ctx, s.running())
}

// Greet implements standin.Server.
func (s *Server) Greet(w io.Writer) {
	fmt.Fprintf(w, "portner: a local Maskinporten\n\n  issuer      %s\n  metadata    %s\n  token       %s\n\n  Clients:\n",
		s.Issuer, s.metadata(), s.at("token"))
	for _, e := range s.Config.Clients {
		fmt.Fprintf(w, "    %-24s %s, %s: %s\n", e.ClientID, e.OrganisationNo, s.Config.name(e.OrganisationNo), strings.Join(e.Scopes, " "))
	}
	if s.Options.TestCA != "" {
		fmt.Fprintf(w, "\n  Business certificates: %s (client %s)\n", s.Options.TestCA, DemoCertificate)
	}
	fmt.Fprintf(w, "\n  A token: go run ./examples/cmd/portner token maskinporten -issuer %s\n", s.Issuer)
	s.admin.Greet(w)
	fmt.Fprint(w, "\n  Ctrl-C stops it.\n\n")
}
