package altinn

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/discovery"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/resource"
)

// Server is the handler of exchange, refresh, introspection, metadata and keys. It is safe for concurrent use.
type Server struct {
	cfg       Config
	log       audit.Log
	mux       http.ServeMux
	providers map[string]*provider
	metadata  []byte

	own          *ownTokens
	introspected *resource.Verifier // nil without further issuers
}

// provider is a validated Provider.
type provider struct {
	name     string
	verifier *resource.Verifier // nil without issuers
	lifetime Lifetime
	claims   func(*exchange, *resource.Token) (claims, error)
}

// New returns a Server. It reports every problem of the configuration at once, as FieldErrors, and makes no request.
func New(cfg Config) (*Server, error) {
	var f fields.Checker
	cfg.validate(&f)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.PartnerScopes == nil {
		cfg.PartnerScopes = PartnerScopes()
	}
	cfg.PartnerScopes = slices.Clone(cfg.PartnerScopes)
	s := &Server{
		cfg: cfg, log: audit.Log{Endpoint: "altinn", Logger: cfg.Logger, OnEvent: cfg.OnEvent}, providers: map[string]*provider{},
	}
	for _, p := range []struct {
		name, field string
		*Provider
		claims func(*exchange, *resource.Token) (claims, error)
	}{
		{"maskinporten", "Maskinporten", &cfg.Maskinporten, (*exchange).maskinportenClaims},
		{"id-porten", "IDPorten", &cfg.IDPorten, (*exchange).idPortenClaims},
		{"altinnstudio", "Studio", &cfg.Studio, (*exchange).studioClaims},
	} {
		s.providers[p.name] = &provider{name: p.name, verifier: p.verifier(&cfg, p.field, &f), lifetime: p.Lifetime, claims: p.claims}
	}
	if cfg.Introspection != nil {
		s.introspected = cfg.Introspection.verifier(&cfg, &f)
	}
	if err := f.Err(); err != nil {
		return nil, fmt.Errorf("altinn: %w", err)
	}
	s.own = &ownTokens{cfg: &s.cfg}
	return s, s.mount()
}

// mount registers the handlers.
func (s *Server) mount() error {
	base, err := url.Parse(s.cfg.Issuer)
	if err != nil {
		return fmt.Errorf("altinn: %w", err)
	}
	const wellKnown = ".well-known/openid-configuration"
	if s.metadata, err = json.Marshal(map[string]any{
		"issuer": s.cfg.Issuer, "jwks_uri": s.cfg.Issuer + wellKnown + "/jwks",
		"response_types_supported": []string{"token"}, "subject_types_supported": []string{"pairwise"},
		"id_token_signing_alg_values_supported": s.cfg.Keys.Algs(s.cfg.Now()),
	}); err != nil {
		return fmt.Errorf("altinn: encoding the metadata: %w", err)
	}
	s.mux.HandleFunc(ExchangePath+"{tokenProvider}", s.serveExchange)
	if s.cfg.RefreshLength > 0 {
		s.mux.HandleFunc(RefreshPath, s.serveRefresh)
	}
	if s.cfg.Introspection != nil {
		s.mux.HandleFunc(IntrospectionPath, s.serveIntrospection)
	}
	s.mux.HandleFunc(base.Path+wellKnown, s.serveMetadata)
	s.mux.Handle(base.Path+wellKnown+"/jwks", discovery.JWKS(s.cfg.Keys.JWKS, s.cfg.Now))
	return nil
}

// ServeHTTP serves GET [ExchangePath]{maskinporten, id-porten, altinnstudio}, GET [RefreshPath], POST [IntrospectionPath], and metadata and keys below the path of Config.Issuer.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !httpx.CleanPath(r.URL) {
		httpx.Secure(w.Header())
		w.WriteHeader(http.StatusNotFound)
		return
	}
	s.mux.ServeHTTP(w, r)
}

func (s *Server) serveMetadata(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		httpx.MethodNotAllowed(w, http.MethodGet)
		return
	}
	h := w.Header()
	httpx.Secure(h)
	h["Cache-Control"] = []string{"public, max-age=3600"}
	delete(h, "Pragma")
	h["Content-Type"] = []string{"application/json"}
	_, _ = w.Write(s.metadata)
}

// rejection is a response without a token.
type rejection struct {
	status      int
	reason      string // for the log
	body        string
	contentType string // of body
}

// Error returns the reason.
func (r *rejection) Error() string { return "altinn: " + r.reason }

func unauthorized(reason string) *rejection {
	return &rejection{status: http.StatusUnauthorized, reason: reason}
}

// serveExchange responds with a new token, or rejects the request.
func (s *Server) serveExchange(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet { // HEAD is rejected too: it would issue a token without sending it
		httpx.MethodNotAllowed(w, http.MethodGet)
		return
	}
	x := &exchange{Server: s, r: r, now: s.cfg.Now()}
	token, err := x.issue()
	if err != nil {
		x.reject(w, err)
		return
	}
	x.event(portner.EventTokenIssued, x.provider.name)
	s.writeToken(w, r, token)
}

// writeToken responds with a token.
func (s *Server) writeToken(w http.ResponseWriter, r *http.Request, token string) {
	contentType, body := "text/plain; charset=utf-8", token
	if s.cfg.NegotiateJSON && wantsJSON(r.Header.Values("Accept")) {
		contentType, body = "application/json; charset=utf-8", `"`+token+`"` // the characters of a JWT need no escaping
	}
	write(w, http.StatusOK, contentType, body)
}

func write(w http.ResponseWriter, status int, contentType, body string) {
	h := w.Header()
	httpx.Secure(h)
	if contentType != "" {
		h["Content-Type"] = []string{contentType}
	}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

// wantsJSON reports whether Accept has JSON and not text.
func wantsJSON(accept []string) bool {
	json := false
	for _, header := range accept {
		for part := range strings.SplitSeq(header, ",") {
			mediaType, _, _ := strings.Cut(part, ";")
			switch strings.ToLower(strings.TrimSpace(mediaType)) {
			case "application/json", "text/json":
				json = true
			case "text/plain", "text/*", "*/*":
				return false
			}
		}
	}
	return json
}

// exchange is the state of one request.
type exchange struct {
	*Server
	r        *http.Request
	now      time.Time
	provider *provider
}

// issue decides in the order of docs/spec/altinn.md §3.2 and returns the new token.
func (x *exchange) issue() (string, error) {
	token, err := httpx.BearerToken(x.r.Header["Authorization"])
	if err != nil {
		return "", unauthorized("token_missing")
	}
	if !readable(token) { // before the name of the provider is examined
		return "", unauthorized("token_malformed")
	}
	name := x.r.PathValue("tokenProvider")
	if x.provider = x.providers[strings.ToLower(name)]; x.provider == nil {
		return "", unknownProvider(name)
	}
	if x.provider.verifier == nil {
		return "", unauthorized("issuers_missing")
	}
	// Only the token, without what the sender proves: a token that is bound to its sender is rejected. The new token is a bearer token, as at
	// Altinn, so it would be of use to a thief.
	t, err := x.provider.verifier.Verify(x.r.Context(), resource.Request{Authorization: x.r.Header["Authorization"], Query: x.r.URL.RawQuery})
	if err != nil {
		return "", err
	}
	made, err := x.provider.claims(x, t)
	if err != nil {
		return "", err
	}
	if err := made.setTimes(x.provider.lifetime, t.ExpiresAt, x.now); err != nil {
		return "", err
	}
	return x.sign(made)
}

func (x *exchange) sign(made claims) (string, error) {
	payload, err := json.Marshal(made)
	if err != nil {
		return "", fmt.Errorf("altinn: encoding the claims: %w", err)
	}
	signed, err := x.cfg.Keys.Sign("", "JWT", payload, x.now)
	if err != nil {
		return "", fmt.Errorf("altinn: signing: %w", err)
	}
	return signed, nil
}

// readable reports whether a token is a JWT. It does not verify the signature.
func readable(token string) bool {
	_, err := jose.ParseHeader(token, jose.MaxTokenX5C)
	if err != nil {
		return false
	}
	_, err = jose.PeekPayload(token, jose.MaxTokenX5C)
	return err == nil
}

// maxName is the largest number of bytes of an unknown provider's name in the response.
const maxName = 64

func unknownProvider(name string) *rejection {
	if len(name) > maxName {
		name = name[:maxName]
	}
	return &rejection{
		status: http.StatusBadRequest, reason: "provider_unknown", contentType: "text/plain; charset=utf-8",
		body: "Invalid token provider: " + strings.ToValidUTF8(name, "?") + ". Trusted token providers are 'Maskinporten', 'Id-porten' and 'AltinnStudio'.",
	}
}

// reject writes the response for err. As at Altinn, a fault is answered with 401 like an invalid token; the log has its text.
func (x *exchange) reject(w http.ResponseWriter, err error) {
	r := unauthorized("fault")
	switch e := err.(type) {
	case *rejection:
		r = e
		x.event(portner.EventRefused, e.reason)
	case *resource.Error:
		r.reason = e.Reason
		x.event(portner.EventRefused, e.Reason)
	default:
		x.log.Fault(x.r.Context(), err, httpx.NewCorrelationID(), x.now)
	}
	if r.status == http.StatusUnauthorized {
		w.Header()["Www-Authenticate"] = []string{"Bearer"} // RFC 9110 §11.6.1; without an error code, as at Altinn
	}
	write(w, r.status, r.contentType, r.body)
}

func (x *exchange) event(name portner.EventName, reason string) {
	if x.log.Active() {
		x.log.Emit(x.r.Context(), portner.Event{Name: name, Time: x.now, CorrelationID: httpx.NewCorrelationID(), Reason: reason})
	}
}
