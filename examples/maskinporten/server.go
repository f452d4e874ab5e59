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

	"github.com/portner-go/portner/digdir/maskinporten"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
)

// server holds the parts of the program.
type server struct {
	opt    options
	log    *slog.Logger
	issuer string
	sites  standin.Sites
	state  *standin.State
	keys   *standin.Keys

	file config // as it was read
	cfg  config // with the built-in entries
}

// newServer opens the port and builds the server.
func newServer(ctx context.Context, opt options, log *slog.Logger) (*server, error) {
	s := &server{opt: opt, log: log}
	var err error
	if opt.ConfigFile != "" {
		if s.file, err = readConfig(opt.ConfigFile); err != nil {
			return nil, err
		}
	}
	s.cfg = s.file.with(s.builtin())
	if s.sites, err = standin.Listen(opt.Flags); err != nil {
		return nil, err
	}
	site := s.sites[0]
	s.issuer = cmp.Or(opt.Issuer, s.cfg.Issuer, s.ownIssuer())
	site.Accept(s.issuer)
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

// start makes the keys and the handler.
func (s *server) start(ctx context.Context) (err error) {
	if s.keys, err = s.cfg.Keys(ctx, s.state, s.issuer, s.cfg.Clients, false, s.log); err != nil {
		return err
	}
	return s.build()
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
	next.cfg = next.file.with(next.builtin())
	if err := s.keys.Extend(ctx, next.cfg.Signing, next.cfg.Clients); err != nil {
		return err
	}
	return next.build()
}

// keeps returns the members of a configuration that a running server cannot change.
func (s *server) keeps(c config) error {
	var p standin.Problems
	standin.NeedsRestart(&p, cmp.Or(s.opt.Issuer, c.Issuer, s.ownIssuer()) != s.issuer, "issuer")
	standin.NeedsRestart(&p, cmp.Or(s.opt.TestIssuer, c.TestIssuer) != cmp.Or(s.opt.TestIssuer, s.file.TestIssuer), "test_issuer")
	standin.NeedsRestart(&p, c.Skyporten != s.file.Skyporten, "skyporten")
	c.Signing.Keeps(&p, s.file.Signing)
	return p.Err()
}

// builtin returns the built-in configuration. It has no clients beside those of a configuration where other machines reach the server:
// anyone has the private key of the example.
func (s *server) builtin() config {
	b := builtin()
	if s.opt.ConfigFile != "" && cmp.Or(s.opt.TestIssuer, s.file.TestIssuer) != "" {
		b.Clients = nil
	}
	return b
}

// ownIssuer returns the issuer derived from -addr. Issuers of Skyporten have no trailing slash.
func (s *server) ownIssuer() string {
	if s.cfg.Skyporten {
		return s.sites[0].Base
	}
	return s.sites[0].Base + "/"
}

func (s *server) build() error {
	clients, err := s.cfg.clientRegistry(time.Now())
	if err != nil {
		return err
	}
	scopes, err := scope.NewRegistry(s.cfg.Scopes, s.cfg.ScopeAccess)
	if err != nil {
		return err
	}
	s.cfg.registered().WarnScopes(scopes, s.log)
	certs, err := s.certificates()
	if err != nil {
		return err
	}
	known := altinn{s.cfg}
	details, err := rar.NewRegistry(maskinporten.SystemUserType(known), maskinporten.ConsentType(known))
	if err != nil {
		return err
	}
	service, err := maskinporten.New(maskinporten.Config{
		Issuer: s.issuer, Clients: clients, Scopes: scopes, Replay: s.state.Store, Keys: s.keys.Set(), Certificates: certs,
		Delegations: s.delegationSources(known), Details: details, ErrorURI: s.at("errors/"),
		Skyporten: s.cfg.Skyporten, RequireJTI: s.cfg.RequireJTI, StrictIssuedAt: s.cfg.StrictIat, LegacyForbidden: s.cfg.LegacyForbidden,
		Logger: s.log,
	})
	if err != nil {
		return err
	}
	s.sites[0].Handle(s.routes(service))
	return nil
}

// at returns a URL below the issuer.
func (s *server) at(path string) string { return strings.TrimSuffix(s.issuer, "/") + "/" + path }

// metadata returns the URL of the metadata, which are in front of the path of the issuer (RFC 8414 §3.1).
func (s *server) metadata() string {
	path := standin.PathOf(s.issuer)
	return strings.TrimSuffix(strings.TrimSuffix(s.issuer, "/"), path) + "/.well-known/oauth-authorization-server" + path
}

// routes adds the pages of error_uri to the service.
func (s *server) routes(service http.Handler) http.Handler {
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
func (s *server) delegationSources(known altinn) map[string]maskinporten.DelegationSource {
	sources := map[string]maskinporten.DelegationSource{}
	for i := range s.cfg.Scopes {
		if name := s.cfg.Scopes[i].DelegationSource; name != "" {
			sources[name] = known
		}
	}
	return sources
}

// Serve implements standin.Server.
func (s *server) Serve(ctx context.Context) error {
	return s.sites.Serve(ctx, standin.Running{Log: s.log, Store: s.state.Store, Keys: s.keys, Drain: s.opt.Drain})
}

// Greet implements standin.Server.
func (s *server) Greet(w io.Writer) {
	fmt.Fprintf(w, "portner: a local Maskinporten\n\n  issuer      %s\n  metadata    %s\n  token       %s\n\n  Clients:\n",
		s.issuer, s.metadata(), s.at("token"))
	for _, e := range s.cfg.Clients {
		fmt.Fprintf(w, "    %-24s %s, %s: %s\n", e.ClientID, e.OrganisationNo, s.cfg.name(e.OrganisationNo), strings.Join(e.Scopes, " "))
	}
	if s.opt.testCA != "" {
		fmt.Fprintf(w, "\n  Business certificates: %s (client %s)\n", s.opt.testCA, demoCertificate)
	}
	fmt.Fprintf(w, "\n  A token: go run ./examples/maskinporten -print-token -issuer %s\n\n  Ctrl-C stops it.\n\n", s.issuer)
}
