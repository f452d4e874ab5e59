package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/portner-go/portner/pkce"
)

// reply is the response to one request, or the error of the connection.
type reply struct {
	status int
	header http.Header
	body   []byte
	took   time.Duration
	err    error
}

// field returns a string member of a JSON body.
func (r *reply) field(name string) string {
	var m map[string]any
	if json.Unmarshal(r.body, &m) != nil {
		return ""
	}
	s, _ := m[name].(string)
	return s
}

// active reports whether the body is that of an introspection of an active token.
func (r *reply) active() bool {
	var m struct{ Active bool }
	return json.Unmarshal(r.body, &m) == nil && m.Active
}

// String describes the response without its values.
func (r *reply) String() string {
	var u *url.Error
	switch {
	case errors.As(r.err, &u):
		return u.Err.Error() // without the URL, which may hold a code
	case r.err != nil:
		return r.err.Error()
	}
	return fmt.Sprintf("%d %s", r.status, r.field("error"))
}

func (r *reply) ok() bool { return r.err == nil && r.status == http.StatusOK }

// refused reports whether the response is 400 invalid_grant.
func (r *reply) refused() bool {
	return r.err == nil && r.status == http.StatusBadRequest && r.field("error") == "invalid_grant"
}

// unavailable reports whether the response is a 503, or there is none.
func (r *reply) unavailable() bool { return r.err != nil || r.status == http.StatusServiceUnavailable }

// do sends one request. A response is complete or an error.
func (c *cluster) do(method, address string, form url.Values, prepare func(*http.Request)) *reply {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(c, method, address, body)
	if err != nil {
		return &reply{err: err}
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if prepare != nil {
		prepare(r)
	}
	begin := time.Now()
	resp, err := c.http.Do(r)
	if err != nil {
		return &reply{err: err, took: time.Since(begin)}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return &reply{status: resp.StatusCode, header: resp.Header, body: text, took: time.Since(begin), err: err}
}

// call posts a form as the client at one of the nodes.
func (c *cluster) call(path string, form url.Values) *reply { return c.callAt(c.next(), path, form) }

func (c *cluster) callAt(base, path string, form url.Values) *reply {
	return c.do(http.MethodPost, base+path, form, func(r *http.Request) { r.SetBasicAuth(clientID, clientSecret) })
}

// authorization is a code and what its redemption needs.
type authorization struct{ code, verifier string }

func (a authorization) form() url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {a.code}, "redirect_uri": {callback}, "code_verifier": {a.verifier}}
}

func (c *cluster) redeem(a authorization) *reply { return c.call("/token", a.form()) }

func (c *cluster) refresh(value string) *reply {
	return c.call("/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {value}})
}

func (c *cluster) introspect(value string) *reply {
	return c.call("/introspect", url.Values{"token": {value}})
}

func (c *cluster) revoke(value string) *reply {
	return c.call("/revoke", url.Values{"token": {value}})
}

// control calls a control path of a node.
func (c *cluster) control(n *node, path string) *reply {
	return c.do(http.MethodGet, n.base+"/control/"+path, nil, nil)
}

// stats returns the numbers of a node.
func (c *cluster) stats(n *node) (s nodeStats) {
	r := c.control(n, "stats")
	if r.ok() {
		_ = json.Unmarshal(r.body, &s)
	}
	return s
}

// browser is the browser of one user.
type browser struct {
	*cluster
	user    string
	cookies map[string]string
	steps   int // requests so far
}

func (c *cluster) browser(user string) *browser {
	return &browser{cluster: c, user: user, cookies: map[string]string{}}
}

// visit sends one request of the browser to one of the nodes. location is absolute or a path.
func (b *browser) visit(method, location string, form url.Values) *reply {
	u, err := url.Parse(location)
	if err != nil {
		return &reply{err: err}
	}
	b.steps++
	r := b.do(method, b.next()+u.RequestURI(), form, func(r *http.Request) {
		r.Header.Set("Origin", b.issuer)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		for name, value := range b.cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
	})
	if r.err == nil {
		for _, k := range (&http.Response{Header: r.header}).Cookies() {
			if k.MaxAge < 0 {
				delete(b.cookies, k.Name)
			} else {
				b.cookies[k.Name] = k.Value
			}
		}
	}
	return r
}

// errNoCode is the error of a flow that led to no code. The reply is the last one.
var errNoCode = errors.New("no code")

// authorize sends an authorization request, and logs in if the login page is shown and interactive.
func (b *browser) authorize(scopes string, interactive bool) (a authorization, last *reply, err error) {
	a.verifier = pkce.NewVerifier()
	q := url.Values{
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {callback}, "scope": {scopes}, "state": {"s"}, "nonce": {"n"},
		"code_challenge": {pkce.Challenge(a.verifier)}, "code_challenge_method": {"S256"},
	}
	if !interactive {
		q.Set("prompt", "none")
	}
	last = b.visit(http.MethodGet, "/authorize?"+q.Encode(), nil)
	for range 6 {
		location := ""
		switch {
		case last.err != nil:
			return a, last, last.err
		case last.status == http.StatusSeeOther:
			location = last.header.Get("Location")
		}
		switch {
		case location == "":
			return a, last, errNoCode
		case strings.HasPrefix(location, callback):
			u, _ := url.Parse(location)
			if a.code = u.Query().Get("code"); a.code == "" {
				return a, last, fmt.Errorf("%w: %s", errNoCode, u.Query().Get("error"))
			}
			return a, last, nil
		}
		page := b.visit(http.MethodGet, location, nil)
		if page.err != nil || page.header.Get(headerCSRF) == "" {
			last = page
			continue
		}
		last = b.visit(http.MethodPost, location, url.Values{"csrf": {page.header.Get(headerCSRF)}, "user": {b.user}})
	}
	return a, last, errNoCode
}

// logout ends the session. It returns the last reply: a redirect to the client if the session has ended.
func (b *browser) logout(idToken string) *reply {
	return b.visit(http.MethodGet, "/logout?"+url.Values{"id_token_hint": {idToken}, "post_logout_redirect_uri": {callback}}.Encode(), nil)
}
