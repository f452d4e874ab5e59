package main

import (
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/journey"
	"github.com/portner-go/portner/internal/standin/helseid"
	"github.com/portner-go/portner/pkce"
)

// Clients of the tests: of one organisation with a child, of a supplier, of an API, and one that is set up for no organisation.
const (
	single, multi, apiClient, plain = "single", "multi", "api", "plain"

	redirect = "https://journal.example.no/callback"
	verifier = "gEVARFlOi5LNYfVGSMHvhZCXoG_TPzdmXQQGqzKJkz0"
	sample   = "nhn:sample"
	other    = "nhn:other"
)

// world is a server with a configuration of the tests.
type world struct {
	t   *testing.T
	s   *helseid.Server
	key *ecdsa.PrivateKey
	at  journey.Endpoints
}

type object = map[string]any

// newWorld starts a server. more are further members of the configuration.
func newWorld(t *testing.T, more object) *world {
	t.Helper()
	key, err := journey.NewKey()
	require.NoError(t, err)
	jwks, err := journey.JWKS(key)
	require.NoError(t, err)
	entry := func(id, orgno string, change object) object {
		e := object{
			"client_id": id, "client_name": "System " + id, "client_orgno": orgno, "token_endpoint_auth_method": "private_key_jwt", "jwks": jwks,
			"grant_types": []string{"authorization_code", "refresh_token", "client_credentials"}, "redirect_uris": []string{redirect},
			"scopes": []string{
				"openid", "profile", "offline_access", "nhn:sample/read", "nhn:sample/write", "nhn:other/read", helseid.IdentityAll, helseid.ScopeHPR, "helseid://scopes/identity/pid",
			},
		}
		maps.Copy(e, change)
		return e
	}
	cfg := object{
		"clients": []object{
			entry(single, helseid.Hospital, object{"onbehalfof": []object{{"onbehalfof": helseid.Customer, "orgno": helseid.Customer}}}),
			entry(multi, helseid.Supplier, nil), entry(plain, helseid.Hospital, nil),
			entry("thick", helseid.Hospital, object{"application_type": "native", "redirect_uris": []string{"http://127.0.0.1/callback"}}),
			entry(apiClient, helseid.Supplier, object{"grant_types": []string{helseid.ExchangeFor}, "scopes": []string{"openid", helseid.IdentityAll, "nhn:other/read"}}),
		},
		"apis": []object{
			{"name": sample, "scopes": []string{"nhn:sample/read", "nhn:sample/write"}, "claims": helseid.APIClaims()},
			{"name": other, "scopes": []string{"nhn:other/read"}, "claims": []string{
				"helseid://claims/client/claims/orgnr_parent", "helseid://claims/identity/pid_pseudonym", "helseid://claims/client/on_behalf_of", "nhn:sfm:journal_id",
			}},
		},
		"organisations": []object{
			{"client_id": single, "tenancy": "single-tenant", "children": []string{helseid.Ward}},
			{
				"client_id": multi, "tenancy": "multi-tenant", "parents": []string{helseid.Customer, helseid.Hospital},
				"rejected_scopes": object{helseid.Hospital: []string{"nhn:sample/write"}},
			},
			{"client_id": apiClient, "tenancy": "single-tenant", "apis": []string{sample}},
		},
	}
	maps.Copy(cfg, more)
	text, err := json.Marshal(cfg)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "c.json")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	w := &world{t: t, s: start(t, "-config", file), key: key}
	w.at, err = w.client(single).Discover(t.Context())
	require.NoError(t, err)
	return w
}

func (w *world) client(id string) *journey.Client {
	return &journey.Client{Issuer: w.s.Issuer, ID: id, Key: w.key, HTTP: http.DefaultClient}
}

// answer is a response.
type answer struct {
	status int
	body   object
	header http.Header
}

func (a answer) str(name string) string { s, _ := a.body[name].(string); return s }

// claims returns the header and the claims of a token of the response.
func (a answer) claims(t *testing.T, name string) (header, claims object) {
	t.Helper()
	return decode(t, a.str(name))
}

func decode(t *testing.T, jwt string) (header, claims object) {
	t.Helper()
	parts := strings.Split(jwt, ".")
	require.Len(t, parts, 3, jwt)
	for i, into := range []*object{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, into))
	}
	return header, claims
}

// send sends a request.
func (w *world) send(method, to string, form url.Values, header map[string]string) answer {
	w.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, to, body)
	require.NoError(w.t, err)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(w.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	a := answer{status: res.StatusCode, header: res.Header}
	_ = json.Unmarshal(text, &a.body)
	return a
}

// authenticated returns a form with the authentication of a client; more are claims of the assertion.
func (w *world) authenticated(id string, form url.Values, more object) url.Values {
	w.t.Helper()
	assertion, err := w.client(id).Assertion(more)
	require.NoError(w.t, err)
	all := url.Values{
		"client_id": {id}, "client_assertion": {assertion}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}
	maps.Copy(all, form)
	return all
}

// token sends a token request with a nonce; more are claims of the assertion.
func (w *world) token(id string, form url.Values, more object) answer {
	w.t.Helper()
	nonce := ""
	for {
		proof, err := w.client(id).Proof(http.MethodPost, w.at.Token, "", nonce)
		require.NoError(w.t, err)
		a := w.send(http.MethodPost, w.at.Token, w.authenticated(id, form, more), map[string]string{"DPoP": proof})
		if nonce != "" || a.str("error") != "use_dpop_nonce" {
			return a
		}
		nonce = a.header.Get("DPoP-Nonce")
	}
}

func (w *world) machine(id, scope string, more object) answer {
	w.t.Helper()
	return w.token(id, url.Values{"grant_type": {"client_credentials"}, "scope": {scope}}, more)
}

// params returns the parameters of an authorization request; change replaces some.
func params(scope string, change ...string) url.Values {
	p := url.Values{
		"response_type": {"code"}, "redirect_uri": {redirect}, "scope": {scope}, "state": {"state-1"}, "nonce": {"nonce-1"},
		"code_challenge": {pkce.Challenge(verifier)}, "code_challenge_method": {"S256"},
	}
	for i := 0; i+1 < len(change); i += 2 {
		p.Add(change[i], change[i+1])
	}
	return p
}

func (w *world) push(id string, p url.Values) answer {
	w.t.Helper()
	return w.send(http.MethodPost, w.at.Push, w.authenticated(id, p, nil), nil)
}

// visitor is a browser without pages: it keeps cookies and follows no redirects to clients.
type visitor struct {
	w    *world
	http *http.Client
}

func (w *world) visitor() *visitor {
	jar, err := cookiejar.New(nil)
	require.NoError(w.t, err)
	return &visitor{w, &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(r.URL.String(), w.s.Issuer) {
			return http.ErrUseLastResponse
		}
		return nil
	}}}
}

var (
	formAction = regexp.MustCompile(`id="user-form" method="post" action="([^"]*)"`)
	formCSRF   = regexp.MustCompile(`name="csrf" value="([^"]*)"`)
	userButton = regexp.MustCompile(`id="user-([a-z]+)"`)
)

// open opens a URL and returns the page with its address, or the address of a client that the browser is sent to.
func (v *visitor) open(to string) (page, at string) {
	v.w.t.Helper()
	res, err := v.http.Get(to)
	require.NoError(v.w.t, err)
	return v.read(res)
}

func (v *visitor) read(res *http.Response) (page, at string) {
	v.w.t.Helper()
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(v.w.t, err)
	if location := res.Header.Get("Location"); location != "" {
		return "", location
	}
	return string(text), res.Request.URL.String()
}

// users returns the users that a login page offers.
func usersOf(page string) (all []string) {
	for _, m := range userButton.FindAllStringSubmatch(page, -1) {
		if m[1] != "form" {
			all = append(all, m[1])
		}
	}
	return all
}

// choose clicks the button of a user, and returns where the browser is sent.
func (v *visitor) choose(page, at, user string) url.Values {
	v.w.t.Helper()
	action, csrf := formAction.FindStringSubmatch(page), formCSRF.FindStringSubmatch(page)
	require.NotNil(v.w.t, action, "no button of a user at %s", at)
	base, err := url.Parse(at)
	require.NoError(v.w.t, err)
	to, err := base.Parse(html.UnescapeString(action[1]))
	require.NoError(v.w.t, err)
	req, err := http.NewRequestWithContext(v.w.t.Context(), http.MethodPost, to.String(), strings.NewReader(url.Values{"csrf": {html.UnescapeString(csrf[1])}, "user": {user}}.Encode()))
	require.NoError(v.w.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", v.w.s.Issuer)
	res, err := v.http.Do(req)
	require.NoError(v.w.t, err)
	_, location := v.read(res)
	left, err := url.Parse(location)
	require.NoError(v.w.t, err)
	return left.Query()
}

// authorizeURL returns the address that a client sends the browser to.
func (w *world) authorizeURL(id, requestURI string) string {
	return w.at.Authorize + "?" + url.Values{"client_id": {id}, "request_uri": {requestURI}}.Encode()
}

// code pushes a request, logs a user in and returns the code.
func (w *world) code(id, user string, p url.Values) string {
	w.t.Helper()
	pushed := w.push(id, p)
	require.Equal(w.t, http.StatusCreated, pushed.status, pushed.body)
	v := w.visitor()
	page, at := v.open(w.authorizeURL(id, pushed.str("request_uri")))
	q := v.choose(page, at, user)
	require.Equal(w.t, []string{"state-1", w.s.Issuer}, []string{q.Get("state"), q.Get("iss")}, q)
	return q.Get("code")
}

func (w *world) redeem(id, code string, more object, extra ...string) answer {
	w.t.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}, "code_verifier": {verifier}}
	for i := 0; i+1 < len(extra); i += 2 {
		form.Add(extra[i], extra[i+1])
	}
	return w.token(id, form, more)
}

func (w *world) refresh(id, token string, more object, extra ...string) answer {
	w.t.Helper()
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
	for i := 0; i+1 < len(extra); i += 2 {
		form.Add(extra[i], extra[i+1])
	}
	return w.token(id, form, more)
}
