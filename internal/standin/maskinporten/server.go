// Package maskinporten is a stand-in for Maskinporten (docs/spec/maskinporten.md).
package maskinporten

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/portner-go/portner/digdir/maskinporten"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
)

// Server holds the parts of the program.
type Server struct {
	*standin.Parts[Config]

	Options Options
}

// Open opens the port and builds the server.
func Open(ctx context.Context, opt Options, log *slog.Logger) (*Server, error) {
	s := &Server{Options: opt}
	spec := standin.Spec[Config]{
		Name: "Maskinporten", Lists: lists(), Parse: parseConfig, Issuer: ownIssuer, Endpoint: s.endpoint,
		With: func(p *standin.Parts[Config], file Config) Config { return file.with(s.builtin(p.TestIssuer())) },
		Keeps: func(p *standin.Problems, file Config) {
			standin.NeedsRestart(p, file.Skyporten != s.File.Skyporten, "skyporten")
		},
	}
	return standin.Open(ctx, opt.Flags, log, s, spec, standin.Builder[Config, Server]{
		Set: func(s *Server, p *standin.Parts[Config]) { s.Parts = p }, Build: (*Server).build,
	})
}

// builtin returns the built-in configuration. It has no clients beside those of a configuration where other machines reach the server:
// anyone has the private key of the example.
func (s *Server) builtin(testIssuer string) Config {
	b := builtin()
	if s.Options.HasConfig() && testIssuer != "" {
		b.Clients = nil
	}
	return b
}

// ownIssuer returns the issuer derived from -addr. Issuers of Skyporten have no trailing slash.
func ownIssuer(file Config, base string) string {
	if file.Skyporten {
		return base
	}
	return base + "/"
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
	s.Config.registered().WarnScopes(scopes, s.Config.delegated(scopes), s.Log)
	certs, err := s.certificates()
	if err != nil {
		return err
	}
	known := altinn{cfg: s.Config}
	if s.Config.Altinn != "" {
		known.remote = &lookup{s.Config.Altinn, s.Issuer, s.Keys, s.Options.Outgoing(), s.Clock}
	}
	details, err := rar.NewRegistry(maskinporten.SystemUserType(known), maskinporten.ConsentType(known))
	if err != nil {
		return err
	}
	service, err := maskinporten.New(maskinporten.Config{
		Issuer: s.Issuer, Clients: clients, Scopes: scopes, Replay: s.State.Store, Keys: s.Keys.Set(), Certificates: certs,
		Delegations: s.delegationSources(known), AuthorizationDetails: details, ErrorURI: s.at("errors/"),
		Skyporten: s.Config.Skyporten, RequireJTI: s.Config.RequireJTI, StrictIssuedAt: s.Config.StrictIat, LegacyForbidden: s.Config.LegacyForbidden,
		Now: s.Clock, Logger: s.Log, OnEvent: s.Admin.OnEvent(),
	})
	if err != nil {
		return err
	}
	s.Sites[0].Handle(s.routes(service))
	s.Admin.Use(s.inUse())
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
	s.Admin.Greet(w)
	fmt.Fprint(w, "\n  Ctrl-C stops it.\n\n")
}
