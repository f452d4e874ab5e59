package compat

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/keyset"
)

// Config configures a Server. Plan and URL are required.
type Config struct {
	Plan *Plan
	// URL is the scheme and host of the issuers: the issuer default is URL + "/default". Required.
	URL string
	// Lenient are the switches that are on. Those of Plan are on, too.
	Lenient Switches
	// Now is the clock, unless the configuration has systemTime. If nil, it is time.Now.
	Now    func() time.Time
	Logger *slog.Logger // if nil, lines are discarded
	// Warnings receives the warnings of switches and members, at the start and at their use. If nil, it is Logger.
	Warnings *slog.Logger
	// OnProposal receives the registration of a client that is served by the switch any-client, as JSON without its secret, whenever another
	// request needs more. It may be nil.
	OnProposal func(registration string)
	// OnEvent receives the events of every issuer. It may be nil.
	OnEvent func(context.Context, portner.Event)
}

// Server serves the issuers of a configuration. It is safe for concurrent use.
type Server struct {
	plan    *Plan
	base    string
	on      Switches
	keys    *keyset.Set
	clients *clients
	now     func() time.Time
	log     *slog.Logger
	warn    *slog.Logger
	onEvent func(context.Context, portner.Event)
	// proposed is Config.OnProposal.
	proposed func(registration string)
	// assertions signs client assertions anew whose signature is not verified. It is nil without the switch.
	assertions *keyset.Set

	mu      sync.Mutex
	issuers map[string]*issuer
}

// maxIssuers bounds the issuers of the switch any-issuer.
const maxIssuers = 100

// New returns a Server. It logs a warning for each switch and each member of the configuration without effect.
func New(cfg Config) (*Server, error) {
	s := &Server{
		plan: cfg.Plan, base: strings.TrimSuffix(cfg.URL, "/"), on: Switches{}, now: cfg.Now, log: cfg.Logger, onEvent: cfg.OnEvent, proposed: cfg.OnProposal, issuers: map[string]*issuer{},
	}
	if s.plan == nil || s.base == "" {
		return nil, errors.New("compat: Config.Plan and Config.URL are required")
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.warn = cfg.Warnings; s.warn == nil {
		s.warn = s.log
	}
	if s.now == nil {
		s.now = time.Now
	}
	if !s.plan.time.IsZero() {
		s.now = func() time.Time { return s.plan.time }
	}
	named, err := ParseSwitches(s.plan.Lenient...)
	if err != nil {
		return nil, fmt.Errorf("compat: lenient: %w", err)
	}
	for _, list := range []Switches{named, cfg.Lenient} {
		for name, on := range list {
			if on {
				s.on[name] = true
			}
		}
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	s.on.warn(s.warn)
	for _, w := range s.plan.Warnings {
		s.warn.Warn("a member of the configuration has no effect", "member", w)
	}
	return s, nil
}

// open makes the keys, the source of clients and the issuers of the configuration.
func (s *Server) open() error {
	key, err := s.plan.signingKey()
	if err != nil {
		return fmt.Errorf("compat: %w", err)
	}
	if s.keys, err = keyset.New(keyset.Config{Keys: []keyset.Key{key}}); err != nil {
		return fmt.Errorf("compat: %w", err)
	}
	registry, err := client.NewRegistry(testEnvironment, s.plan.clients...)
	if err != nil {
		return fmt.Errorf("compat: %w", err)
	}
	s.clients = &clients{registry: registry, on: s.on, rotate: s.plan.rotate, now: s.now, log: s.warn, proposed: s.proposed, learned: map[string]*learned{}}
	if s.on[UnverifiedAssertion] {
		if err := s.openAssertions(); err != nil {
			return err
		}
	}
	for _, p := range s.plan.issuers {
		is, err := s.openIssuer(p)
		if err != nil {
			return err
		}
		s.issuers[p.id] = is
	}
	return nil
}

// openAssertions makes the key of assertions that are signed anew.
func (s *Server) openAssertions() error {
	key, err := keyset.Generate(keyset.ES256)
	if err == nil {
		s.assertions, err = keyset.New(keyset.Config{Keys: []keyset.Key{key}})
	}
	if err != nil {
		return fmt.Errorf("compat: %w", err)
	}
	jwks, _ := s.assertions.JWKS(s.now())
	s.clients.jwks = json.RawMessage(jwks)
	return nil
}

func (p *Plan) signingKey() (keyset.Key, error) {
	if p.key != nil {
		return *p.key, nil
	}
	return keyset.Generate(p.algorithm)
}

// Issuers returns the issuers of the configuration in its order.
func (s *Server) Issuers() []string {
	all := make([]string, len(s.plan.issuers))
	for i, p := range s.plan.issuers {
		all[i] = s.base + "/" + p.id
	}
	return all
}

// Lenient returns the names of the switches that are on.
func (s *Server) Lenient() []string {
	return slices.DeleteFunc(SwitchNames(), func(name string) bool { return !s.on[Switch(name)] })
}

// oauthMetadata is the path of RFC 8414 §3, before the path of the issuer.
const oauthMetadata = "/.well-known/oauth-authorization-server"

// ServeHTTP serves the issuers below their paths, and the probe.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/isalive" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("alive\n"))
		return
	}
	is, endpoint, err := s.route(r.URL.Path)
	if err != nil {
		httpx.WriteError(w, &portner.Error{
			Code: portner.InvalidRequest, Status: http.StatusNotFound, Err: err,
			Description: "No issuer of the configuration has the path. The members issuers and tokenCallbacks name the issuers.",
		})
		return
	}
	if endpoint == oauthMetadata { // mock-oauth2-server has it below the issuer
		r = r.Clone(r.Context())
		r.URL.Path = oauthMetadata + "/" + is.id
	}
	if s.on[AnyOrigin] {
		if w = allowOrigin(w, r); w == nil {
			return
		}
	}
	if !slices.Contains(requestEndpoints, endpoint) {
		is.provider.ServeHTTP(w, r)
		return
	}
	in, r, err := read(r, endpoint)
	if err != nil {
		httpx.WriteError(w, portner.AsError(err))
		return
	}
	s.sign(in, r)
	is.provider.ServeHTTP(w, r)
}

// requestEndpoints are the endpoints whose requests this package reads beside the provider.
var requestEndpoints = []string{"/authorize", "/token", "/introspect", "/revoke", "/endsession"}

// route returns the issuer of a path and the rest of the path.
func (s *Server) route(path string) (*issuer, string, error) {
	if id, ok := strings.CutPrefix(path, oauthMetadata+"/"); ok {
		is, err := s.issuer(id)
		return is, oauthMetadata, err
	}
	for _, endpoint := range endpoints {
		if id, ok := strings.CutSuffix(path, endpoint); ok && strings.HasPrefix(id, "/") {
			is, err := s.issuer(id[1:])
			return is, endpoint, err
		}
	}
	return nil, "", errNoIssuer
}

// issuer returns the issuer with an identifier. With the switch any-issuer it makes one.
func (s *Server) issuer(id string) (*issuer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if is := s.issuers[id]; is != nil {
		return is, nil
	}
	if !s.on[AnyIssuer] || checkIssuerID(id) != nil || len(s.issuers) >= maxIssuers {
		return nil, errNoIssuer
	}
	is, err := s.openIssuer(issuerPlan{id: id, expiry: defaultExpiry})
	if err != nil {
		return nil, err
	}
	s.issuers[id] = is
	s.warn.Warn("lenient: an unknown issuer is served; add it to issuers of the configuration", "switch", string(AnyIssuer), "issuer", is.url)
	return is, nil
}

// opened returns the issuers that exist.
func (s *Server) opened() []*issuer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.issuers))
}

// issuerOf returns the issuer with the URL, nil if there is none.
func (s *Server) issuerOf(url string) *issuer {
	id, ok := strings.CutPrefix(url, s.base+"/")
	if !ok {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issuers[id]
}

// sign signs a client assertion anew, with the key that the source of clients then has for the client: every claim of it is checked as always.
func (s *Server) sign(in *request, r *http.Request) {
	if s.assertions == nil || in.method != client.PrivateKeyJWT || !in.authenticates() {
		return
	}
	header, err := jose.ParseHeader(in.form.Get("client_assertion"), httpx.MaxBody)
	if err != nil {
		return
	}
	payload, ok := payloadOf(in.form.Get("client_assertion"))
	if !ok {
		return
	}
	if signed, err := s.assertions.Sign("", header.Typ, payload, s.now()); err == nil {
		in.replace(r, "client_assertion", signed)
	}
}

// payloadOf returns the payload of a compact JWS, not verified.
func payloadOf(token string) ([]byte, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	return payload, err == nil
}

// originWriter lets scripts of an origin read the response, without cookies.
type originWriter struct {
	http.ResponseWriter

	origin string
	begun  bool
}

// allowOrigin returns a writer of a response that scripts of the origin of the request may read. It returns nil for a preflight request, which it has
// answered.
func allowOrigin(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	origin := r.Header.Get("Origin")
	if origin == "" || origin == "null" {
		return w
	}
	out := &originWriter{ResponseWriter: w, origin: origin}
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return out
	}
	w.Header().Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
	w.Header().Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
	out.WriteHeader(http.StatusNoContent)
	return nil
}

// WriteHeader adds the field of the origin.
func (w *originWriter) WriteHeader(status int) {
	if !w.begun {
		w.begun = true
		w.Header().Set("Access-Control-Allow-Origin", w.origin)
		w.Header().Add("Vary", "Origin")
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write begins the response with the status 200.
func (w *originWriter) Write(b []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(b)
}
