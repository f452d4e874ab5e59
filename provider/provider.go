package provider

import (
	"fmt"
	"net/http"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/logout"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/token"
)

// Provider is an OpenID provider. It is safe for concurrent use. Its state is in the stores of the Config, except the count
// of failed client authentications; see Config.Attempts.
type Provider struct {
	// Authorize is the authorization endpoint, with the methods for the host's pages and for pushed authorization requests. Its
	// paths are /authorize and /par.
	Authorize *authorize.Endpoint
	// Token is the token endpoint, with introspection, userinfo and revocation. Its paths are /token, /tokeninfo,
	// /introspect and /tokenintrospect, /userinfo, and /revoke.
	Token *token.Endpoint
	// Logout is the logout endpoint. Its paths are /logout and /endsession.
	Logout *logout.Endpoint
	// JWKS serves the key set at /jwks.json.
	JWKS http.Handler
	// OpenIDConfiguration serves the metadata of OIDC Discovery §4.
	OpenIDConfiguration http.Handler
	// ServerMetadata serves the metadata of RFC 8414.
	ServerMetadata http.Handler
	// Sessions keeps the SSO sessions, for pages of the host that show them.
	Sessions *session.Keeper
	// Vault decrypts identities in records of the store, for package digdir/authorizations.
	Vault *session.Vault

	paths  map[string]mounted
	report []Requirement
}

// New validates the configuration and returns a provider. It reports every problem at once, as portner.FieldErrors: "Secrets[1]" is
// the second secret. No method validates the configuration later, so a configuration that New accepts does not fail at the first
// request.
func New(cfg Config) (*Provider, error) {
	var p problems
	cfg = cfg.withDefaults(&p)
	cfg.check(&p)
	cfg.Clients = clientsOf(&cfg)
	b := &builder{cfg: cfg, p: &Provider{}, problems: &p}
	b.build()
	if err := p.Err(); err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	b.p.paths, b.p.report = b.mount(), cfg.Profile.report()
	return b.p, nil
}

// ServeHTTP serves every endpoint at its path in the metadata and the host's pages at theirs, and responds to other paths with 404. Browsers
// get a page of the configuration (Config.ErrorPage) for paths and methods that do not exist, others JSON. Use it, or [Provider.Handler], as
// the outermost handler: an http.ServeMux in front of it redirects //token to /token with status 307, and clients then post their
// credentials a second time.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.serve(w, r, nil) }

// Handler returns a handler that serves the paths of p, and with other every other path: pages and APIs of the host, for example of an
// http.ServeMux. It responds with 404 to paths that an http.ServeMux redirects to a path of p, such as //token and /x/../token.
func (p *Provider) Handler(other http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.serve(w, r, other) })
}

// Endpoint returns the name of what is served at a path, for metrics and traces: "authorize", "par", "token", "userinfo", "introspection",
// "revocation" and "logout", as in portner.Event; "jwks" and "metadata"; "login", "step_up", "consent" and "representation" for the host's
// pages. It returns "" for every other path.
func (p *Provider) Endpoint(path string) string { return p.paths[path].endpoint }

func (p *Provider) serve(w http.ResponseWriter, r *http.Request, other http.Handler) {
	if h, ok := p.paths[r.URL.Path]; ok {
		if opens(r) {
			w = &errorPages{ResponseWriter: w, p: p, r: r}
		}
		h.ServeHTTP(w, r)
		return
	}
	if other != nil && httpx.CleanPath(r.URL) {
		other.ServeHTTP(w, r)
		return
	}
	none := &portner.Error{
		Code: portner.InvalidRequest, Status: http.StatusNotFound, Description: "The path is not an endpoint of this provider.",
	}
	if opens(r) {
		httpx.WriteReply(w, p.Authorize.ErrorReply(r.Header, none))
		return
	}
	httpx.WriteError(w, none)
}

// opens reports whether a browser opens the address as a page.
func opens(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && httpx.AcceptsHTML(r.Header)
}

// errorPages replaces the JSON of an endpoint that a browser cannot open as a page, such as /token.
type errorPages struct {
	http.ResponseWriter

	p        *Provider
	r        *http.Request
	replaced bool
}

// WriteHeader implements http.ResponseWriter.
func (w *errorPages) WriteHeader(status int) {
	if status != http.StatusMethodNotAllowed || w.Header().Get("Content-Type") != "application/json" {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.replaced = true
	w.Header().Del("Content-Length")
	httpx.WriteReply(w.ResponseWriter, w.p.Authorize.ErrorReply(w.r.Header, &portner.Error{
		Code: portner.InvalidRequest, Status: status, Description: "The address exists, but not as a page that can be opened in a browser.",
	}))
}

// Write implements http.ResponseWriter. It drops the body that the page has replaced.
func (w *errorPages) Write(b []byte) (int, error) {
	if w.replaced {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *errorPages) Unwrap() http.ResponseWriter { return w.ResponseWriter }
