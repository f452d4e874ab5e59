package idporten

import (
	"cmp"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/resource"
)

// dpopRules are the rules for DPoP proofs. Times are in seconds.
type dpopRules struct {
	Nonce    bool `json:"nonce,omitempty"`     // the token endpoint requires a nonce
	MaxAge   int  `json:"max_age,omitempty"`   // default 60
	MaxAhead int  `json:"max_ahead,omitempty"` // default 10
}

// policy returns the rules for package dpop.
func (d dpopRules) policy(issuer string, state *standin.State) (*dpop.Policy, error) {
	p := &dpop.Policy{Replay: state.Store, MaxAge: standin.Seconds(d.MaxAge), MaxAhead: standin.Seconds(d.MaxAhead)}
	if !d.Nonce {
		return p, nil
	}
	var err error
	p.Nonces, err = dpop.NewNonces(issuer, state.Secrets...)
	return p, err
}

// MTLS is the listener for clients with TLS certificates. Flags replace its members.
type MTLS struct {
	Addr     string `json:"addr,omitempty"`
	ClientCA string `json:"client_ca,omitempty"` // PEM, the authorities of tls_client_auth
}

// with returns m with the members of flags.
func (m MTLS) with(flags MTLS) MTLS {
	return MTLS{cmp.Or(flags.Addr, m.Addr), cmp.Or(flags.ClientCA, m.ClientCA)}
}

// resolve makes the path of the file relative to the folder of the configuration file.
func (m *MTLS) resolve(configFile string) {
	if m.ClientCA != "" && !filepath.IsAbs(m.ClientCA) {
		m.ClientCA = filepath.Join(filepath.Dir(configFile), m.ClientCA)
	}
}

// authorities reads the file of ClientCA. It returns nil if there is none.
func (m MTLS) authorities() (*x509.CertPool, error) {
	if m.ClientCA == "" {
		return nil, nil
	}
	text, err := os.ReadFile(m.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("-tls-client-ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("-tls-client-ca: %s has no certificate", m.ClientCA)
	}
	return pool, nil
}

// openMTLS opens the listener for clients with certificates, if there is one.
func (s *Server) openMTLS(p *standin.Parts[Config]) (err error) {
	addr := p.File.MTLS.with(s.Options.MTLS).Addr
	if addr == "" {
		return nil
	}
	if s.mtls, err = standin.ListenMTLS(s.Options.Flags, addr); err == nil {
		p.Sites = append(p.Sites, s.mtls)
	}
	return err
}

// mtlsURL returns the URL of the listener for clients with certificates: that of the issuer with the port of the listener. It returns ""
// if there is no listener.
func (s *Server) mtlsURL() string {
	u, err := url.Parse(s.Issuer)
	if s.mtls == nil || err != nil {
		return ""
	}
	own, err := url.Parse(s.mtls.Base)
	if err != nil {
		return ""
	}
	u.Host = net.JoinHostPort(u.Hostname(), own.Port())
	return u.String()
}

// setBinding sets the fields for tokens that are bound to a key of the client.
func (s *Server) setBinding(cfg *provider.Config) (err error) {
	cfg.MTLSURL = s.mtlsURL()
	if cfg.TLSClientCAs, err = s.Config.MTLS.authorities(); err != nil {
		return err
	}
	if cfg.TLSClientCAs != nil && cfg.MTLSURL == "" {
		return errors.New("-tls-client-ca: needs -mtls-addr (mtls.client_ca and mtls.addr in the configuration)")
	}
	cfg.DPoP, err = s.Config.DPoP.policy(s.Issuer, s.State)
	return err
}

// PathAccounts is an API for tests with the scope accounts.
const PathAccounts = "/accounts"

// withAccounts returns the handler of a base URL of the provider with the API for tests. It takes tokens that are bound to a key of the client,
// by both methods.
func (s *Server) withAccounts(base string, rest http.Handler) (http.Handler, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}

	jwks, _ := s.Keys.Set().JWKS(s.Now())
	v, err := resource.New(resource.Config{
		Issuer: s.Issuer, Keys: resource.StaticKeys(jwks), URL: base + PathAccounts, Audience: []string{s.Issuer}, Realm: "accounts",
		DPoP: &dpop.Policy{Replay: s.State.Store}, Now: s.Clock, Logger: s.Log,
	})
	if err != nil {
		return nil, err
	}
	accounts := v.Protect(resource.Rules{Scopes: []string{"accounts"}}, http.HandlerFunc(s.showAccounts))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == u.Path+PathAccounts {
			accounts.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	}), nil
}

// showAccounts responds with the fields of the FAPI conformance suite. A token that was revoked before its end is rejected.
func (s *Server) showAccounts(w http.ResponseWriter, r *http.Request) {
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	// Protect has checked the sender.
	if _, err := s.Provider.Token.Minter().LookupSubjectToken(r.Context(), strings.TrimSpace(token), s.Now()); err != nil {
		w.Header().Set("WWW-Authenticate", `DPoP error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if id := r.Header.Get("X-Fapi-Interaction-Id"); id != "" {
		w.Header().Set("X-Fapi-Interaction-Id", id)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"accounts": []string{}})
}
