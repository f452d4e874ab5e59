package optest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/portner-go/portner/pkce"
)

// Browser keeps cookies and follows redirects within the provider's origin.
type Browser struct {
	op      *OP
	cookies map[string]string
}

// Browser returns a browser without cookies.
func (op *OP) Browser() *Browser { return &Browser{op: op, cookies: map[string]string{}} }

// Page is the last response of a browser: a page of the provider, or a redirect to another origin.
type Page struct {
	URL    *url.URL
	Status int
	Body   string
	Header http.Header
	Left   *url.URL // URL of the client; nil at the provider
}

// Step is the step of the page: "login", "step-up", "representation", "consent" or "".
func (p Page) Step() string { return p.Header.Get(headerStep) }

// Choices returns the IDs on a representation page.
func (p Page) Choices() []string { return p.Header[headerChoice] }

// Reason is why the page is shown.
func (p Page) Reason() string { return p.Header.Get(headerReason) }

// Get opens an address.
func (b *Browser) Get(tb testing.TB, rawURL string) Page {
	tb.Helper()
	return b.do(tb, http.MethodGet, rawURL, nil)
}

// Post submits the form of a page.
func (b *Browser) Post(tb testing.TB, p Page, form url.Values) Page {
	tb.Helper()
	form.Set("csrf", p.Header.Get(headerCSRF))
	return b.do(tb, http.MethodPost, p.URL.String(), form)
}

func (b *Browser) do(tb testing.TB, method, rawURL string, form url.Values) Page {
	tb.Helper()
	for range 10 {
		r := httptest.NewRequestWithContext(tb.Context(), method, rawURL, strings.NewReader(form.Encode()))
		if method == http.MethodPost {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Origin", Issuer)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
		}
		for name, value := range b.cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		w := httptest.NewRecorder()
		b.op.ServeHTTP(w, r)
		b.keep(w.Result().Cookies())
		location := w.Header().Get("Location")
		if location == "" {
			return Page{URL: r.URL, Status: w.Code, Body: w.Body.String(), Header: w.Header()}
		}
		next, err := r.URL.Parse(location)
		if err != nil {
			tb.Fatal(err)
		}
		if !strings.HasPrefix(next.String(), Issuer+"/") {
			return Page{URL: r.URL, Status: w.Code, Header: w.Header(), Left: next}
		}
		method, rawURL, form = http.MethodGet, next.String(), nil
	}
	tb.Fatal("too many redirects")
	return Page{}
}

func (b *Browser) keep(cookies []*http.Cookie) {
	for _, c := range cookies {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
}

// Cookies returns the cookies of the browser by name.
func (b *Browser) Cookies() map[string]string { return b.cookies }

// Request is an authorization request and the verifier for its code.
type Request struct {
	ClientID string
	Verifier string
	Params   url.Values
}

// Request returns an authorization request of a client for scopes, with PKCE, state and nonce.
func (op *OP) Request(clientID, scopes string, extra ...string) Request {
	v := pkce.NewVerifier()
	q := url.Values{
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {RedirectURI(clientID)}, "scope": {scopes},
		"state": {"state-" + clientID}, "nonce": {"nonce-" + clientID}, "code_challenge": {pkce.Challenge(v)}, "code_challenge_method": {"S256"},
	}
	for i := 0; i+1 < len(extra); i += 2 {
		q.Set(extra[i], extra[i+1])
	}
	return Request{ClientID: clientID, Verifier: v, Params: q}
}

// RedirectURI returns the registered redirect URI of a test client.
func RedirectURI(clientID string) string { return strings.Replace(Callback, "tjeneste", clientID, 1) }

// URL returns the URL of the request.
func (r Request) URL() string { return Issuer + "/authorize?" + r.Params.Encode() }

// Login opens the request, and logs in as user if the login page is shown.
func (b *Browser) Login(tb testing.TB, r Request, user string) Page {
	tb.Helper()
	p := b.Get(tb, r.URL())
	if p.Step() == "login" {
		p = b.Post(tb, p, url.Values{"user": {user}})
	}
	return p
}

// Code returns the code of a redirect to the client.
func (p Page) Code(tb testing.TB) string {
	tb.Helper()
	if p.Left == nil || p.Left.Query().Get("code") == "" {
		tb.Fatalf("no code: status %d, step %q, left %v", p.Status, p.Step(), p.Left)
	}
	return p.Left.Query().Get("code")
}

// Answer is the response of a direct endpoint.
type Answer struct {
	Status int
	JSON   map[string]any
	Header http.Header
}

// String returns a string member.
func (a Answer) String(name string) string { s, _ := a.JSON[name].(string); return s }

// Exchange redeems a code.
func (op *OP) Exchange(tb testing.TB, r Request, code string) Answer {
	tb.Helper()
	return op.Call(tb, "/token", r.ClientID, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {RedirectURI(r.ClientID)}, "code_verifier": {r.Verifier},
	})
}

// Refresh uses a refresh token.
func (op *OP) Refresh(tb testing.TB, clientID, refreshToken string) Answer {
	tb.Helper()
	return op.Call(tb, "/token", clientID, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}})
}

// Introspect introspects a token as a client.
func (op *OP) Introspect(tb testing.TB, clientID, token string) Answer {
	tb.Helper()
	return op.Call(tb, "/tokeninfo", clientID, url.Values{"token": {token}})
}

// Call posts a form as a client with its secret, and with DPoP proofs.
func (op *OP) Call(tb testing.TB, path, clientID string, form url.Values, proofs ...string) Answer {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodPost, Issuer+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(url.QueryEscape(clientID), url.QueryEscape(Secret))
	if len(proofs) > 0 {
		r.Header["Dpop"] = proofs
	}
	return op.answer(tb, r)
}

// UserInfo calls userinfo with an access token.
func (op *OP) UserInfo(tb testing.TB, token string) Answer {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodGet, Issuer+"/userinfo", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return op.answer(tb, r)
}

func (op *OP) answer(tb testing.TB, r *http.Request) Answer {
	tb.Helper()
	w := httptest.NewRecorder()
	op.ServeHTTP(w, r)
	a := Answer{Status: w.Code, Header: w.Header()}
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &a.JSON); err != nil {
			tb.Fatalf("%s: %v: %s", r.URL.Path, err, w.Body)
		}
	}
	return a
}
