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
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/resource"
)

// Server is the handler of the exchange, the metadata and the keys. It is safe for concurrent use.
type Server struct {
	cfg       Config
	log       audit.Log
	mux       http.ServeMux
	providers map[string]*provider
	metadata  []byte
}

// provider is one kind of token, ready for use.
type provider struct {
	name     string
	verifier *resource.Verifier // nil: nobody is trusted
	lifetime Lifetime
	convert  func(*exchange, *resource.Token) (claims, error)
}

// New reports all problems of the configuration at once, and fetches nothing.
func New(cfg Config) (*Server, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("altinn: %w", err)
	}
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
		name    string
		of      *Provider
		convert func(*exchange, *resource.Token) (claims, error)
	}{
		{"maskinporten", &cfg.Maskinporten, (*exchange).ofMaskinporten},
		{"id-porten", &cfg.IDPorten, (*exchange).ofIDPorten},
		{"altinnstudio", &cfg.Studio, (*exchange).ofStudio},
	} {
		v, err := cfg.verifier(p.of)
		if err != nil {
			return nil, fmt.Errorf("altinn: provider %s: %w", p.name, err)
		}
		s.providers[p.name] = &provider{name: p.name, verifier: v, lifetime: p.of.Lifetime, convert: p.convert}
	}
	return s, s.routes()
}

func (s *Server) routes() error {
	base, err := url.Parse(s.cfg.Issuer)
	if err != nil {
		return fmt.Errorf("altinn: field Issuer: %w", err)
	}
	const wellKnown = ".well-known/openid-configuration"
	if s.metadata, err = json.Marshal(map[string]any{
		"issuer": s.cfg.Issuer, "jwks_uri": s.cfg.Issuer + wellKnown + "/jwks",
		"response_types_supported": []string{"token"}, "subject_types_supported": []string{"pairwise"},
		"id_token_signing_alg_values_supported": s.cfg.Keys.Algs(s.cfg.Now()),
	}); err != nil {
		return fmt.Errorf("altinn: encoding the metadata: %w", err)
	}
	s.mux.HandleFunc(Path+"{tokenProvider}", s.exchange)
	s.mux.HandleFunc(base.Path+wellKnown, s.serveMetadata)
	s.mux.Handle(base.Path+wellKnown+"/jwks", discovery.JWKS(s.cfg.Keys.JWKS, s.cfg.Now))
	return nil
}

// ServeHTTP answers GET [Path]{maskinporten, id-porten, altinnstudio}, and below the issuer the metadata and
// the keys.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

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

// refusal is an answer without a token.
type refusal struct {
	status int
	reason string // for the log
	body   string // "": empty
	kind   string // of the body
}

// Error returns the reason.
func (r *refusal) Error() string { return "altinn: " + r.reason }

func unauthorized(reason string) *refusal {
	return &refusal{status: http.StatusUnauthorized, reason: reason}
}

// exchange answers in the order of maskinporten-altinn section 3.2.
func (s *Server) exchange(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet { // HEAD too: a token nobody gets is no use
		httpx.MethodNotAllowed(w, http.MethodGet)
		return
	}
	x := &exchange{Server: s, r: r, now: s.cfg.Now()}
	token, err := x.run()
	if err != nil {
		x.refuse(w, err)
		return
	}
	x.event(portner.EventTokenIssued, x.provider.name)
	kind, body := "text/plain; charset=utf-8", token
	if s.cfg.NegotiateJSON && wantsJSON(r.Header.Values("Accept")) {
		kind, body = "application/json; charset=utf-8", `"`+token+`"` // nothing in a token needs escaping
	}
	write(w, http.StatusOK, kind, body)
}

func write(w http.ResponseWriter, status int, kind, body string) {
	h := w.Header()
	httpx.Secure(h)
	if kind != "" {
		h["Content-Type"] = []string{kind}
	}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

// wantsJSON reports whether a caller asks for JSON and not for text.
func wantsJSON(accept []string) bool {
	json := false
	for _, header := range accept {
		for part := range strings.SplitSeq(header, ",") {
			kind, _, _ := strings.Cut(part, ";")
			switch strings.ToLower(strings.TrimSpace(kind)) {
			case "application/json", "text/json":
				json = true
			case "text/plain", "text/*", "*/*":
				return false
			}
		}
	}
	return json
}

// exchange is one request.
type exchange struct {
	*Server
	r        *http.Request
	now      time.Time
	provider *provider
}

// run decides in the order of section 3.2 and returns the new token.
func (x *exchange) run() (string, error) {
	token, err := httpx.BearerToken(x.r.Header["Authorization"])
	if err != nil {
		return "", unauthorized("no_token")
	}
	if !readable(token) { // before the provider's name is looked at
		return "", unauthorized("unreadable")
	}
	name := x.r.PathValue("tokenProvider")
	if x.provider = x.providers[strings.ToLower(name)]; x.provider == nil {
		return "", unknownProvider(name)
	}
	if x.provider.verifier == nil {
		return "", unauthorized("no_issuers")
	}
	t, err := x.provider.verifier.Verify(x.r.Context(), resource.RequestFrom(x.r))
	if err != nil {
		return "", err
	}
	made, err := x.provider.convert(x, t)
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

// readable reports whether a token is a JWT, whoever made it.
func readable(token string) bool {
	_, err := jose.ParseHeader(token, jose.MaxTokenX5C)
	if err != nil {
		return false
	}
	_, err = jose.PeekPayload(token, jose.MaxTokenX5C)
	return err == nil
}

// maxName bounds how much of an unknown provider's name is told back.
const maxName = 64

func unknownProvider(name string) *refusal {
	if len(name) > maxName {
		name = name[:maxName]
	}
	return &refusal{
		status: http.StatusBadRequest, reason: "unknown_provider", kind: "text/plain; charset=utf-8",
		body: "Invalid token provider: " + strings.ToValidUTF8(name, "?") + ". Trusted token providers are 'Maskinporten', 'Id-porten' and 'AltinnStudio'.",
	}
}

// refuse answers. What is no refusal is a fault, such as keys that cannot be fetched: the answer is the same
// 401 that Altinn gives, and the log has its text.
func (x *exchange) refuse(w http.ResponseWriter, err error) {
	r := unauthorized("fault")
	switch e := err.(type) {
	case *refusal:
		r = e
		x.event(portner.EventRefused, e.reason)
	case *resource.Error:
		r.reason = e.Reason
		x.event(portner.EventRefused, e.Reason)
	default:
		x.log.Fault(x.r.Context(), err, httpx.NewCorrelationID(), x.now)
	}
	if r.status == http.StatusUnauthorized {
		w.Header()["Www-Authenticate"] = []string{"Bearer"} // RFC 9110 section 11.6.1; no detail, as at Altinn
	}
	write(w, r.status, r.kind, r.body)
}

func (x *exchange) event(name portner.EventName, reason string) {
	if x.log.Active() {
		x.log.Emit(x.r.Context(), portner.Event{Name: name, Time: x.now, CorrelationID: httpx.NewCorrelationID(), Reason: reason})
	}
}
