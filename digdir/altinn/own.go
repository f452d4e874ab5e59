package altinn

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/resource"
)

// Paths of the endpoints that accept the tokens of the server itself.
const (
	RefreshPath       = "/authentication/api/v1/refresh"
	IntrospectionPath = "/authentication/api/v1/introspection"
)

// Introspection configures the introspection endpoint. The tokens of the server itself are active.
type Introspection struct {
	// Issuers are further issuers whose tokens are active.
	Issuers []Issuer
}

// verifier returns the verifier of the further issuers' tokens, nil without issuers. It reports the invalid fields.
func (i *Introspection) verifier(c *Config, f *fields.Checker) *resource.Verifier {
	p := Provider{Issuers: i.Issuers}
	return p.verifier(c, "Introspection", f)
}

// ownTokens verifies the tokens of the server. The keys of a set change while it is in use.
type ownTokens struct {
	cfg *Config

	mu       sync.Mutex
	etag     string // of the keys of verifier
	verifier *resource.Verifier
}

// current returns the verifier with the public keys of now.
func (o *ownTokens) current(now time.Time) (*resource.Verifier, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	jwks, etag := o.cfg.Keys.JWKS(now)
	if o.verifier != nil && o.etag == etag {
		return o.verifier, nil
	}
	v, err := resource.New(resource.Config{
		Issuer: o.cfg.Issuer, Keys: resource.StaticKeys(jwks), URL: o.cfg.Issuer, AllowNoScope: true, Now: o.cfg.Now,
		AllowLegacyRegister: o.cfg.AllowLegacyRegister,
	})
	if err != nil {
		return nil, fmt.Errorf("altinn: the keys of the server: %w", err)
	}
	o.verifier, o.etag = v, etag
	return v, nil
}

// caller verifies the token of a request, which is one of the server itself.
func (x *exchange) caller() (*resource.Token, error) {
	if _, err := httpx.BearerToken(x.r.Header["Authorization"]); err != nil {
		return nil, unauthorized("token_missing")
	}
	v, err := x.own.current(x.now)
	if err != nil {
		return nil, err
	}
	return v.Verify(x.r.Context(), resource.Request{Authorization: x.r.Header["Authorization"], Query: x.r.URL.RawQuery})
}

// serveRefresh responds with a token that has the claims of the one in the request and ends later.
func (s *Server) serveRefresh(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		httpx.MethodNotAllowed(w, http.MethodGet)
		return
	}
	x := &exchange{Server: s, r: r, now: s.cfg.Now()}
	token, err := x.refresh()
	if err != nil {
		x.reject(w, err)
		return
	}
	x.event(portner.EventTokenIssued, "refresh")
	s.writeToken(w, r, token)
}

// refresh returns the new token (docs/spec/altinn.md §3.8).
func (x *exchange) refresh() (string, error) {
	t, err := x.caller()
	if err != nil {
		return "", err
	}
	made := claims{}
	for _, name := range t.Claims() {
		made[name], _ = t.Claim(name)
	}
	if err := made.setTimes(Lifetime{Rule: Fixed, Length: x.cfg.RefreshLength}, t.ExpiresAt, x.now); err != nil {
		return "", err
	}
	return x.sign(made)
}

// serveIntrospection responds with whether a token is active, and its issuer.
func (s *Server) serveIntrospection(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		httpx.MethodNotAllowed(w, http.MethodPost)
		return
	}
	form, malformed := httpx.ReadPost(w, r) // before the clock is read: the caller decides when the body ends
	x := &exchange{Server: s, r: r, now: s.cfg.Now()}
	body, err := x.introspect(form, malformed)
	if err != nil {
		x.reject(w, err)
		return
	}
	httpx.WriteJSON(w, http.StatusOK, body)
}

// introspect returns the response (docs/spec/altinn.md §3.9).
func (x *exchange) introspect(form httpx.Form, malformed error) ([]byte, error) {
	if _, err := x.caller(); err != nil {
		return nil, err
	}
	token := form.Get("token")
	switch {
	case isMediaType(malformed):
		return nil, &rejection{status: http.StatusUnsupportedMediaType, reason: "content_type"}
	case malformed != nil || form.Unique() != nil:
		return nil, &rejection{status: http.StatusBadRequest, reason: "form_malformed"}
	case token == "":
		return nil, errNoToken
	}
	issuer, err := x.activeIssuer(token)
	if err != nil {
		return nil, err
	}
	if issuer == "" {
		x.event(portner.EventRefused, "introspected_token_inactive")
		return []byte(`{"active":false,"iss":null}`), nil
	}
	body, err := json.Marshal(map[string]any{"active": true, "iss": issuer})
	if err != nil {
		return nil, fmt.Errorf("altinn: encoding the response: %w", err)
	}
	return body, nil
}

// isMediaType reports whether the body of a request is no form.
func isMediaType(malformed error) bool {
	e, ok := errors.AsType[*httpx.FormError](malformed)
	return ok && e.Reason == "content_type"
}

// errNoToken has the text of Altinn, with its spelling.
var errNoToken = &rejection{
	status: http.StatusBadRequest, reason: "token_parameter_missing", contentType: "application/json; charset=utf-8", body: `"Token canot be empty."`,
}

// activeIssuer returns the issuer of an active token, "" for every other text. A token that is bound to its sender is not active: the
// response does not say to whom.
func (x *exchange) activeIssuer(token string) (string, error) {
	own, err := x.own.current(x.now)
	if err != nil {
		return "", err
	}
	for _, v := range []*resource.Verifier{own, x.introspected} {
		if v == nil {
			continue
		}
		t, err := v.Verify(x.r.Context(), resource.Bearer(token))
		if err == nil {
			return t.Issuer, nil
		}
		if _, rejected := errors.AsType[*resource.Error](err); !rejected {
			return "", err
		}
	}
	return "", nil
}
