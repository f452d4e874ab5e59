package maskinporten

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/discovery"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/token"
)

// Server is the handler of the service: token endpoint, keys and metadata, below the path of the issuer. It is safe for
// concurrent use.
type Server struct {
	// Token is the token endpoint.
	Token *token.Endpoint

	paths map[string]http.Handler
}

// New returns the service. It reports every problem of the configuration at once, as FieldErrors.
func New(cfg Config) (*Server, error) {
	g, err := newGrant(cfg, (*Config).checkServer)
	if err != nil {
		return nil, err
	}
	cfg = g.cfg
	s := &Server{paths: map[string]http.Handler{}}
	s.Token, err = token.New(token.Config{
		Issuer: cfg.Issuer, Clients: cfg.Clients, Scopes: cfg.Scopes, Keys: cfg.Keys, GrantHandlers: []token.GrantHandler{g.handler()}, Claims: []token.ClaimsFunc{Claims},
		Lifetimes: token.Lifetimes{AccessToken: cfg.AccessTokenLifetime},
		Now:       cfg.Now, Logger: cfg.Logger, OnEvent: cfg.OnEvent,
	})
	if err != nil {
		return nil, fmt.Errorf("maskinporten: %w", err)
	}
	return s, s.mount(&cfg)
}

// mount registers the handlers (docs/spec/maskinporten.md §1.1).
func (s *Server) mount(cfg *Config) error {
	metadata, err := discovery.NewOAuth(discovery.Config{
		Issuer: cfg.Issuer, TokenEndpoint: cfg.endpoint("token"), JWKSURI: cfg.endpoint("jwk"),
		GrantTypesSupported:                        []string{client.JWTBearer},
		TokenEndpointAuthMethodsSupported:          []string{client.PrivateKeyJWT},
		TokenEndpointAuthSigningAlgValuesSupported: algorithms,
		AuthorizationDetailsTypesSupported:         cfg.AuthorizationDetails.Names(),
	})
	if err != nil {
		return fmt.Errorf("maskinporten: %w", err)
	}
	issuer, err := url.Parse(cfg.Issuer)
	if err != nil {
		return fmt.Errorf("maskinporten: %w", err)
	}
	base := strings.TrimSuffix(issuer.Path, "/")
	s.paths[base+"/token"] = s.Token
	s.paths[base+"/jwk"] = discovery.JWKS(cfg.Keys.JWKS, cfg.Now)
	s.paths[metadata.Path()] = metadata
	if cfg.Skyporten { // docs/spec/maskinporten.md §1.16
		s.paths[base+"/.well-known/openid-configuration"] = metadata
	}
	return nil
}

// ServeHTTP serves the paths that the metadata names. The status of every other path is 404.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := s.paths[r.URL.Path]; h != nil {
		h.ServeHTTP(w, r)
		return
	}
	httpx.WriteError(w, &portner.Error{Code: portner.InvalidRequest, Status: http.StatusNotFound, Description: "The path is unknown."})
}
