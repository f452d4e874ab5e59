package maskinporten

import (
	"errors"
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

// Server is the whole service as one handler: the token endpoint, the keys and the metadata, below the path
// of the issuer. It is safe for concurrent use.
type Server struct {
	// Token is the token endpoint alone.
	Token *token.Endpoint

	paths map[string]http.Handler
}

// New reports all problems of the configuration at once.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.prepared()
	if cfg.Keys == nil {
		err = errors.Join(err, errors.New("field Keys is required"))
	}
	if err != nil {
		return nil, fmt.Errorf("maskinporten: %w", err)
	}
	g, err := newGrant(cfg)
	if err != nil {
		return nil, err
	}
	s := &Server{paths: map[string]http.Handler{}}
	s.Token, err = token.New(token.Config{
		Issuer: cfg.Issuer, Clients: cfg.Clients, Scopes: cfg.Scopes, Keys: cfg.Keys, Grants: []token.GrantHandler{g.handler()}, Claims: []token.ClaimsFunc{Claims},
		Lifetimes: token.Lifetimes{AccessToken: cfg.AccessTokenLifetime},
		Now:       cfg.Now, Logger: cfg.Logger, OnEvent: cfg.OnEvent,
	})
	if err != nil {
		return nil, fmt.Errorf("maskinporten: %w", err)
	}
	return s, s.mount(&cfg)
}

// mount puts the handlers under their paths (maskinporten-altinn section 1.1).
func (s *Server) mount(cfg *Config) error {
	metadata, err := discovery.NewOAuth(discovery.Config{
		Issuer: cfg.Issuer, TokenEndpoint: cfg.endpoint("token"), JWKSURI: cfg.endpoint("jwk"),
		GrantTypesSupported:                        []string{client.JWTBearer},
		TokenEndpointAuthMethodsSupported:          []string{client.PrivateKeyJWT},
		TokenEndpointAuthSigningAlgValuesSupported: algorithms,
		AuthorizationDetailsTypesSupported:         cfg.Details.Names(),
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
	if cfg.Skyporten { // clouds look there only (section 1.16)
		s.paths[base+"/.well-known/openid-configuration"] = metadata
	}
	return nil
}

// ServeHTTP answers at the paths of the metadata, and every other path with 404.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := s.paths[r.URL.Path]; h != nil {
		h.ServeHTTP(w, r)
		return
	}
	httpx.WriteError(w, &portner.Error{Code: portner.InvalidRequest, Status: http.StatusNotFound, Description: "There is nothing at this address."})
}
