package authorize

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/seal"
)

// Endpoint is the authorization endpoint. It is safe for concurrent use and keeps no state between requests.
type Endpoint struct {
	cfg      Config
	log      audit.Log
	parLog   audit.Log
	origin   string // of the pages: forms must come from it
	pageURLs Pages  // each lacks a sealed request
	browser  browserCookie
	pending  *seal.Box // pending requests
	posted   *seal.Box // requests that were posted without cookies
	pushed   *seal.Box // pushed requests in the store: a hint in one may name a user

	codes *seal.Tokens // one for each outcome of a request
	csrf  *seal.Tokens // of the forms of pages

	hasLevels bool // the provider has levels of assurance
}

// New validates the configuration and returns an Endpoint. It reports every problem at once, as portner.FieldErrors.
func New(cfg Config) (*Endpoint, error) {
	cfg = cfg.withDefaults()
	e := &Endpoint{
		cfg:    cfg,
		log:    audit.Log{Endpoint: "authorize", Logger: cfg.Logger, OnEvent: cfg.OnEvent},
		parLog: audit.Log{Endpoint: "par", Logger: cfg.Logger, OnEvent: cfg.OnEvent},
		origin: httpx.Origin(cfg.URL), browser: newBrowserCookie(cfg.base()),
		hasLevels: len(cfg.Levels.Values()) > 0,
	}
	var problems fields.Checker
	cfg.check(&problems)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	e.pageURLs = cfg.Pages.urls()
	keys, err := seal.NewKeys(cfg.Issuer, cfg.Secrets...)
	if err != nil {
		return nil, err
	}
	e.pending, e.posted, e.pushed = keys.Box("authorize waiting"), keys.Box("authorize posted"), keys.Box("authorize pushed")
	e.codes, e.csrf = keys.Tokens("authorization code"), keys.Tokens("authorize csrf")
	return e, nil
}

// Request is an authorization request, or the request for one of the host's pages.
type Request struct {
	Method string // GET or POST
	// Form holds the parameters: of the query for a GET, of the body for a POST.
	Form       client.Form
	Header     http.Header // Cookie, Origin, Sec-Fetch-Site and User-Agent are read
	RemoteAddr string      // host or host:port of the peer

	raw string // the text of Form; "" if it is not known
}

// Format writes "REDACTED" for every verb, because the header holds cookies.
func (Request) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("REDACTED")) }

// LogValue returns "REDACTED".
func (Request) LogValue() slog.Value { return slog.StringValue("REDACTED") }

// RequestFrom reads an authorization request from r. It limits the size of the body and rejects a POST with a query. Its errors
// are *portner.Error values; the Request then has no parameters. For the requests of pages see [Endpoint.Page].
func RequestFrom(w http.ResponseWriter, r *http.Request) (Request, error) {
	req := Request{Method: r.Method, Header: r.Header, RemoteAddr: r.RemoteAddr}
	var form httpx.Form
	var err error
	if r.Method == http.MethodPost {
		form, err = httpx.ReadPost(w, r)
	} else {
		req.raw = r.URL.RawQuery
		form, err = httpx.ParseQuery(req.raw)
	}
	req.Form = client.Form(form)
	return req, err
}

// Authorize validates an authorization request, and returns a redirect to the client, an interaction with the user, or an error page.
// If the session of the browser answers the request, the redirect has the code, and the store has it too.
func (e *Endpoint) Authorize(ctx context.Context, r Request) *Decision {
	return e.authorize(ctx, e.newExchange(r, http.Header{}), nil)
}

// ServeHTTP adapts Authorize to net/http.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req, err := RequestFrom(w, r)
	x := e.newExchange(req, w.Header())
	x.written = true
	httpx.WriteBody(w, e.authorize(r.Context(), x, err).render())
}
