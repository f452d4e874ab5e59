// Package altinn is a stand-in for Altinn (docs/spec/altinn.md).
package altinn

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/portner-go/portner/digdir/altinn"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/changes"
	"github.com/portner-go/portner/internal/standin/look"
	"github.com/portner-go/portner/internal/standin/systemuser"
	"github.com/portner-go/portner/resource"
)

// Server holds the parts of the program.
type Server struct {
	*standin.Parts[Config]

	Options Options
	// outgoing requests the keys of the providers.
	outgoing *http.Client
}

// path is that of the issuer of Altinn.
const path = "/authentication/api/v1/openid/"

// Open opens the port and builds the server.
func Open(ctx context.Context, opt Options, log *slog.Logger) (*Server, error) {
	s := &Server{Options: opt, outgoing: opt.Outgoing()}
	builtin := builtin(opt)
	spec := standin.Spec[Config]{
		Name: "Altinn", Lists: lists(), Parse: parseConfig, Endpoint: s.endpoint,
		Issuer: func(_ Config, base string) string { return base + path },
		With:   func(_ *standin.Parts[Config], file Config) Config { return file.with(builtin) },
	}
	return standin.Open(ctx, opt.Flags, log, s, spec, standin.Builder[Config, Server]{
		Set: func(s *Server, p *standin.Parts[Config]) { s.Parts = p }, Build: (*Server).build,
	})
}

// build builds the exchange and the API.
func (s *Server) build() error {
	exchange, err := altinn.New(s.exchangeConfig())
	if err != nil {
		return err
	}
	api, err := s.api()
	if err != nil {
		return err
	}
	users, err := s.systemUsers()
	if err != nil {
		return err
	}
	confirm, look := s.confirmPage(users), look.Handler()
	s.Sites[0].Handle(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case strings.HasPrefix(path, "/api/"):
			api.ServeHTTP(w, r)
		case path == confirmPath:
			confirm.ServeHTTP(w, r)
		case strings.HasPrefix(path, systemuser.Root+"system"), strings.HasPrefix(path, systemuser.AccessManagement):
			users.ServeHTTP(w, r)
		case strings.HasPrefix(path, "/static/"):
			look.ServeHTTP(w, r)
		default:
			exchange.ServeHTTP(w, r)
		}
	}))
	s.Admin.Use(s.inUse())
	return nil
}

// systemUsers returns the register of systems and system users. Its records are in the store.
func (s *Server) systemUsers() (*systemuser.API, error) {
	tokens, err := s.tokens()
	if err != nil {
		return nil, err
	}
	log, err := changes.NewLog(s.State.Store, s.Issuer+" system users", s.State.Secrets...)
	if err != nil {
		return nil, err
	}
	return systemuser.New(systemuser.Config{
		Tokens: tokens, Issuer: s.Issuer, DelegationSources: s.Config.DelegationSources, Platform: s.Base() + "/", ConfirmURL: s.Base() + confirmPath + "?id=",
		Parties: registers{s.Config}, Log: log, Systems: s.Config.systems(), Users: s.Config.systemUsers(), Now: s.Clock, Logger: s.Log, OnEvent: s.Admin.OnEvent(),
	})
}

// exchangeConfig returns the configuration of the exchange. The default lifetimes are those of Altinn.
func (s *Server) exchangeConfig() altinn.Config {
	c := s.Config
	return altinn.Config{
		Issuer: s.Issuer, Keys: s.Keys.Set(),
		Maskinporten:  c.Maskinporten.provider(s.Issuer, "/jwk", "fixed", s.outgoing),
		IDPorten:      c.IDPorten.provider(s.Issuer, "/jwks.json", "copy", s.outgoing),
		Studio:        c.Studio.provider(s.Issuer, "", "fixed", s.outgoing),
		Organisations: registers{c}, Users: registers{c}, PartnerScopes: c.PartnerScopes,
		AllowLegacyRegister: c.LegacyRegister == nil || *c.LegacyRegister, KeepJTI: c.KeepJTI, NegotiateJSON: c.NegotiateJSON,
		RefreshLength: altinn.DefaultLength, Introspection: &altinn.Introspection{Issuers: providerEntry{Issuers: c.IntrospectionIssuers}.provider(s.Issuer, "", "", s.outgoing).Issuers},
		Now: s.Clock, Logger: s.Log, OnEvent: s.Admin.OnEvent(),
	}
}

// endpoint returns the name of what is at a path, for metrics. The paths of the API are not told apart.
func (s *Server) endpoint(path string) string {
	metadata := standin.PathOf(s.Issuer) + "/.well-known/openid-configuration"
	switch {
	case strings.HasPrefix(path, altinn.ExchangePath):
		return "exchange"
	case path == altinn.RefreshPath:
		return "refresh"
	case path == altinn.IntrospectionPath:
		return "introspection"
	case strings.HasPrefix(path, "/api/"):
		return "api"
	case path == metadata:
		return "metadata"
	case path == metadata+"/jwks":
		return "jwks"
	}
	return ""
}

// Base returns the base URL of the paths that are not below the issuer.
func (s *Server) Base() string {
	u, err := url.Parse(s.Issuer)
	if err != nil {
		return s.Sites[0].Base // altinn.New validated the issuer
	}
	return u.Scheme + "://" + u.Host
}

// Greet implements standin.Server.
func (s *Server) Greet(w io.Writer) {
	fmt.Fprintf(w, "portner: a local Altinn\n\n  issuer      %s\n  metadata    %s.well-known/openid-configuration\n", s.Issuer, s.Issuer)
	for _, p := range []struct {
		name string
		of   providerEntry
	}{{"id-porten", s.Config.IDPorten}, {"maskinporten", s.Config.Maskinporten}, {"altinnstudio", s.Config.Studio}} {
		for _, i := range p.of.Issuers {
			fmt.Fprintf(w, "  exchange    %s%s%s  (tokens of %s)\n", s.Base(), altinn.ExchangePath, p.name, i.Issuer)
		}
	}
	fmt.Fprintf(w, "  refresh     %s%s\n  introspect  %s%s\n  systems     %s%ssystemregister/vendor\n  parties     %s%sauthorizedparties\n",
		s.Base(), altinn.RefreshPath, s.Base(), altinn.IntrospectionPath, s.Base(), systemuser.Root, s.Base(), systemuser.AccessManagement)
	for _, path := range apiPaths() {
		fmt.Fprintf(w, "  API         %s%s\n", s.Base(), path)
	}
	fmt.Fprintf(w, "  ApiKey      %s\n", s.Config.APIKeys[0])
	s.Admin.Greet(w)
	fmt.Fprint(w, "\n  Ctrl-C stops it.\n\n")
}

// verifier returns the verifier of Altinn's tokens. It loads the keys as an API in another process does, because they change.
func (s *Server) verifier() (*resource.Verifier, error) {
	keys := resource.RemoteKeys{URI: "http://localhost/jwks", HTTP: &http.Client{Transport: ownKeys{s}}, Refetch: time.Second}
	return resource.New(resource.Config{
		Issuer: s.Issuer, Keys: keys, URL: s.Issuer, AllowNoScope: true, Realm: "altinn", Now: s.Clock, Logger: s.Log, OnEvent: s.Admin.OnEvent(),
	})
}

// ownKeys answers every request with the keys of the server.
type ownKeys struct{ s *Server }

// RoundTrip implements http.RoundTripper.
func (k ownKeys) RoundTrip(r *http.Request) (*http.Response, error) {
	jwks, _ := k.s.Keys.Set().JWKS(k.s.Now())
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(jwks)), Request: r}, nil
}
