package portnertest

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/portner-go/portner/digdir/altinn"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/storage"
)

// Request is one request of the tested app.
type Request struct {
	Time     time.Time // by the clock of the provider
	Endpoint string    // authorize, par, token, userinfo, introspect, revoke, logout, jwks, metadata or exchange
	Method   string    // HTTP method
	ClientID string    // of the credentials, the parameters or the assertion
	// Parameters are those of the query and the form. Secrets, codes, tokens and assertions are replaced by "REDACTED".
	Parameters url.Values
	Status     int    // of the response; 0 if the app received none
	Error      string // the OAuth error code of the response
	Fault      Fault  // of Fail
}

// Requests returns the requests of the tested app in the order of their responses, without those of probes. Requests for keys and metadata
// belong to no login, and are those of probes, too.
func (p *Provider) Requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// call is a request with what the checks need.
type call struct {
	Request

	query, form url.Values
	raw         url.Values // both
	bearer      string
	play        *play // the login of this package that it is part of; nil for others
	own         bool  // a request of this package, not of the tested app
	answer      *httptest.ResponseRecorder
	json        map[string]any // of the answer
	now         time.Time
}

// headerPlay names the login of this package that a request is part of.
const headerPlay = "Portnertest-Play"

// own is the value of headerPlay of requests that are not those of the tested app.
const own = "own"

// ServeHTTP serves the provider to the tested app and to browsers.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil || p.system.handler == nil {
		http.Error(w, "portnertest: the request cannot be read", http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	c := p.newCall(r, body)
	p.learn(c)
	fault := p.takeFault(c)
	c.Fault = fault.kind()
	if fault.before(p, w, r) {
		c.Status = http.StatusServiceUnavailable
		p.record(c)
		return
	}
	replaced, claims := p.unchange(c)
	if replaced != nil {
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(replaced)), int64(len(replaced))
	}
	c.answer = httptest.NewRecorder()
	p.system.handler.ServeHTTP(c.answer, r)
	c.read()
	c.addClaims(claims)
	p.follow(c)
	p.check(c)
	p.record(c)
	fault.write(w, c.answer)
}

// newCall parses a request.
func (p *Provider) newCall(r *http.Request, body []byte) *call {
	c := &call{query: r.URL.Query(), now: p.Now()}
	c.Time, c.Endpoint, c.Method = c.now, endpoint(r.URL.Path), r.Method
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		c.form, _ = url.ParseQuery(string(body))
	}
	c.raw = maps.Clone(c.query)
	for name, values := range c.form {
		c.raw[name] = append(slices.Clone(c.raw[name]), values...)
	}
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && !strings.EqualFold(scheme, "Basic") {
		c.bearer = token
	}
	c.ClientID = clientOf(r, c.raw)
	c.Parameters = redacted(c.raw)
	id := r.Header.Get(headerPlay)
	r.Header.Del(headerPlay)
	p.mu.Lock()
	defer p.mu.Unlock()
	c.own, c.play = id == own, p.plays[id]
	for _, value := range []string{c.raw.Get("code"), c.bearer, c.raw.Get("access_token")} {
		if c.play == nil && value != "" {
			c.play = p.playOf[storage.HashOf(value)]
		}
	}
	c.own = c.own || c.play != nil && c.play.own
	return c
}

// probing reports whether the request is part of a probe.
func (c *call) probing() bool { return c.play != nil && c.play.probe != "" }

// clientOf returns the client_id of a request.
func clientOf(r *http.Request, params url.Values) string {
	if user, _, ok := r.BasicAuth(); ok {
		if id, err := url.QueryUnescape(user); err == nil {
			return id
		}
	}
	if id := params.Get("client_id"); id != "" {
		return id
	}
	for _, name := range []string{"client_assertion", "assertion"} {
		if id := jose.Peek(params.Get(name), maxToken, "iss"); id != "" {
			return id
		}
	}
	return jose.Peek(params.Get("id_token_hint"), maxToken, "aud")
}

const maxToken = 64 << 10

// secretParams are parameters whose values are not shown.
var secretParams = []string{
	"code", "code_verifier", "client_secret", "client_assertion", "assertion", "refresh_token", "access_token", "token", "id_token_hint",
	"subject_token", "actor_token", "request", "login_hint", "password",
}

func redacted(params url.Values) url.Values {
	shown := url.Values{}
	for name, values := range params {
		shown[name] = slices.Clone(values)
		if slices.Contains(secretParams, name) {
			for i := range values {
				shown[name][i] = "REDACTED"
			}
		}
	}
	return shown
}

// endpoint returns the name of the endpoint of a path, or "" for pages.
func endpoint(path string) string {
	last := path[strings.LastIndex(strings.TrimSuffix(path, "/"), "/")+1:]
	switch {
	case strings.HasPrefix(path, altinn.ExchangePath):
		return "exchange"
	case last == "jwks.json" || last == "jwks" || last == "jwk":
		return "jwks"
	case strings.Contains(path, "/.well-known/"):
		return "metadata"
	}
	return map[string]string{
		"authorize": "authorize", "par": "par", "token": "token", "userinfo": "userinfo", "tokeninfo": "introspect", "introspect": "introspect",
		"tokenintrospect": "introspect", "revoke": "revoke", "revocation": "revoke", "logout": "logout", "endsession": "logout",
	}[last]
}

// learn adds loopback URIs of the request to the registration of a client without any.
func (p *Provider) learn(c *call) {
	switch c.Endpoint {
	case "authorize", "par":
		p.clients.learnRedirect(c.ClientID, c.raw.Get("redirect_uri"))
	case "logout":
		p.clients.learnLogout(c.ClientID, c.raw.Get("post_logout_redirect_uri"))
	}
}

// read reads the status and the error of the answer.
func (c *call) read() {
	c.Status = c.answer.Code
	if u, err := url.Parse(c.answer.Header().Get("Location")); err == nil && (c.Endpoint == "authorize" || c.Endpoint == "") {
		c.Error = u.Query().Get("error")
	}
	if strings.HasPrefix(c.answer.Header().Get("Content-Type"), "application/json") && json.Unmarshal(c.answer.Body.Bytes(), &c.json) == nil {
		c.Error, _ = c.json["error"].(string)
	}
}

// setBody replaces the JSON of the answer.
func (c *call) setBody(doc map[string]any) {
	body, err := json.Marshal(doc)
	if err != nil {
		return
	}
	c.answer.Body.Reset()
	c.answer.Body.Write(body)
	c.answer.Header().Set("Content-Length", strconv.Itoa(len(body)))
}

// text returns a string member of the answer.
func (c *call) text(name string) string { s, _ := c.json[name].(string); return s }

// record keeps a request of the tested app. The error that follows a page is that of the authorization request.
func (p *Provider) record(c *call) {
	if c.Endpoint == "" && c.Error != "" && c.play != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		if i := c.play.recorded; i > 0 {
			p.requests[i-1].Error = c.Error
		}
		return
	}
	if c.own || c.Endpoint == "" || c.probing() {
		return
	}
	if c.Fault == LostResponse || c.Fault == Slow && c.Status == 0 {
		c.Status = 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.play != nil && c.Endpoint == "authorize" {
		c.play.recorded = len(p.requests) + 1
	}
	p.requests = append(p.requests, c.Request)
}
