package main

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// userPrefix is how the names of the users begin. Each login is that of another user.
const userPrefix = "user-"

// call is one request of the relying party or of its browser.
type call struct {
	Method, Path       string // Path with the query
	Form, Auth, Cookie string
	// Client, Nonce and Verifier are what the response is verified with, or what the next request needs.
	Client, Nonce, Verifier string
}

// request returns the call as a request that has no connection.
func (c *call) request() *http.Request {
	u, err := url.ParseRequestURI(c.Path)
	if err != nil {
		panic(err) // a path of this program or of a subject
	}
	r := &http.Request{
		Method: c.Method, URL: u, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header, 4), Body: http.NoBody,
		Host: strings.TrimPrefix(issuer, "https://"), RemoteAddr: "192.0.2.1:1234", RequestURI: c.Path,
	}
	c.header(r.Header)
	if c.Form != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(c.Form)), int64(len(c.Form))
	}
	return r
}

func (c *call) header(h http.Header) {
	if c.Form != "" {
		h["Content-Type"] = []string{"application/x-www-form-urlencoded"}
	}
	if c.Auth != "" {
		h["Authorization"] = []string{c.Auth}
	}
	if c.Cookie != "" {
		h["Cookie"] = []string{c.Cookie}
	}
}

// answer is a response.
type answer struct {
	Status        int
	Location      string
	Body          []byte
	Client, Nonce string // of the request
	cookies       []string
}

func (a *answer) redirects() bool { return a.Status/100 == 3 && a.Location != "" }

// transport sends a call. The Body of the answer is valid until the next call.
type transport interface {
	do(c *call, a *answer) error
}

// recorder is the transport without sockets, and its response writer. It is for one goroutine.
type recorder struct {
	handler http.Handler
	header  http.Header
	status  int
	body    bytes.Buffer
}

func newRecorder(h http.Handler) *recorder { return &recorder{handler: h, header: http.Header{}} }

// Header returns the header of the response, as http.ResponseWriter requires.
func (w *recorder) Header() http.Header { return w.header }

// WriteHeader keeps the first status that the handler writes.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

// Write appends to the body. The status is 200 if the handler wrote none.
func (w *recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// WriteString does what Write does, without a copy of s: io.WriteString calls it.
func (w *recorder) WriteString(s string) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.WriteString(s)
}

func (w *recorder) do(c *call, a *answer) error {
	w.serve(c.request(), a)
	return nil
}

// serve handles a request that was made before.
func (w *recorder) serve(r *http.Request, a *answer) {
	clear(w.header)
	w.status = 0
	w.body.Reset()
	w.handler.ServeHTTP(w, r)
	w.WriteHeader(http.StatusOK)
	a.Status, a.Location, a.Body, a.cookies = w.status, w.header.Get("Location"), w.body.Bytes(), w.header["Set-Cookie"]
}

// party is the relying party, and the browser of its users.
type party struct {
	via    transport
	srv    *server
	client crypto.Signer // of keyClient
	serial int
	// cookies of browsers with a live session, and opaque access tokens, which operations use in turn.
	cookies, opaque []string
}

// browse returns the first request of a login: an authorization request with the cookies of a browser.
func (p *party) browse(clientID, scopes, cookie string) call {
	p.serial++
	nonce, verifier := fmt.Sprintf("n-%d-%s", p.serial, rand.Text()), rand.Text()+rand.Text()
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {callback}, "scope": {scopes}, "state": {state}, "nonce": {nonce},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	return call{
		Method: http.MethodGet, Path: p.srv.paths.authorize + "?" + q.Encode(), Cookie: cookie, Client: clientID, Nonce: nonce, Verifier: verifier,
	}
}

// follow sends the first request of a login and follows the redirects until one leads to the client. It returns the code and the
// cookies of the browser.
func (p *party) follow(first *call, a *answer) (code, cookie string, err error) {
	c := *first
	for range 6 {
		if err := p.via.do(&c, a); err != nil {
			return "", "", err
		}
		for _, set := range a.cookies {
			c.Cookie = withCookie(c.Cookie, set)
		}
		if !a.redirects() {
			return "", "", fmt.Errorf("%s %s: status %d: %.300s", c.Method, c.Path, a.Status, a.Body)
		}
		if strings.HasPrefix(a.Location, callback) {
			code, err := codeOf(a.Location)
			return code, c.Cookie, err
		}
		c.Path = strings.TrimPrefix(a.Location, issuer)
	}
	return "", "", errors.New("too many redirects")
}

// withCookie returns the field Cookie after a Set-Cookie field.
func withCookie(cookies, set string) string {
	pair, attributes, _ := strings.Cut(set, ";")
	name, value, _ := strings.Cut(pair, "=")
	var kept []string
	if cookies != "" {
		for have := range strings.SplitSeq(cookies, "; ") {
			if other, _, _ := strings.Cut(have, "="); other != name {
				kept = append(kept, have)
			}
		}
	}
	if value != "" && !strings.Contains(attributes, "Max-Age=0") {
		kept = append(kept, pair)
	}
	return strings.Join(kept, "; ")
}

// codeOf returns the code of a redirect to the client.
func codeOf(location string) (string, error) {
	_, query, _ := strings.Cut(location, "?")
	code, ok := "", false
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		switch name {
		case "code":
			code = value
		case "state":
			ok = value == state
		}
	}
	if code == "" || !ok {
		return "", fmt.Errorf("a redirect to the client without code or state: %s", location)
	}
	return url.QueryUnescape(code)
}

// exchange returns the request that redeems a code.
func (p *party) exchange(first *call, code string) (call, error) {
	c := call{
		Method: http.MethodPost, Path: p.srv.paths.token, Client: first.Client, Nonce: first.Nonce,
		Form: "grant_type=authorization_code&code=" + url.QueryEscape(code) + "&redirect_uri=" + callbackEscaped + "&code_verifier=" + first.Verifier,
	}
	return p.authenticated(c)
}

var callbackEscaped = url.QueryEscape(callback)

// authenticated adds the authentication of the client to a request.
func (p *party) authenticated(c call) (call, error) {
	if c.Client != keyClient {
		c.Auth = "Basic " + base64.StdEncoding.EncodeToString([]byte(c.Client+":"+secret))
		return c, nil
	}
	now := time.Now()
	assertion, err := newJWT(p.client, map[string]any{"alg": es256, "typ": "JWT", "kid": clientKID}, map[string]any{
		"iss": c.Client, "sub": c.Client, "aud": p.srv.audience, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	})
	c.Form += "&client_assertion_type=" + url.QueryEscape("urn:ietf:params:oauth:client-assertion-type:jwt-bearer") + "&client_assertion=" + assertion
	if p.srv.clientIDWithAssertion {
		c.Form += "&client_id=" + c.Client
	}
	return c, err
}

// clientKID is the key ID of the key of keyClient.
const clientKID = "client-key"

// login logs a user in from a new browser and returns the tokens and the cookies.
func (p *party) login(clientID, scopes string) (t tokens, cookie string, err error) {
	first := p.browse(clientID, scopes, "")
	var a answer
	code, cookie, err := p.follow(&first, &a)
	if err != nil {
		return t, "", err
	}
	c, err := p.exchange(&first, code)
	if err != nil {
		return t, "", err
	}
	if err := p.via.do(&c, &a); err != nil {
		return t, "", err
	}
	t, err = readTokens(&a)
	return t, cookie, err
}
