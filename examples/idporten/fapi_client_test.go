package main

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/stretchr/testify/require"
)

const fapiCallback = "https://localhost.emobix.co.uk:8443/test/a/portner/callback"

// variant is a selection of the plan.
type variant struct {
	auth, bind string // pkjwt or mtls; dpop or mtls
	oauth      bool   // plain_oauth
	signed     bool   // signed_non_repudiation and jarm
	machine    bool   // fapi_client_credentials_grant
}

// String returns the values of the variant as the suite names them.
func (v variant) String() string {
	parts := []string{map[string]string{"pkjwt": "private_key_jwt", "mtls": "mtls"}[v.auth], v.bind, "openid_connect"}
	if v.oauth {
		parts[2] = "plain_oauth"
	}
	if v.machine {
		parts[2] = "fapi_client_credentials_grant"
	}
	return strings.Join(parts, ",")
}

// fapiRun is one run of a module.
type fapiRun struct {
	*fapiBed
	variant
	t       *testing.T
	meta    map[string]any
	browser *visitor
}

func (b *fapiBed) run(t *testing.T, v variant) *fapiRun {
	t.Helper()
	m := &fapiRun{fapiBed: b, variant: v, t: t, meta: b.metaOpenID, browser: b.browser(t, false)}
	if v.oauth {
		m.meta = b.metaOAuth
	}
	return m
}

// fapiClient is one of the two clients of a plan.
type fapiClient struct {
	*fapiRun
	id string
	n  int // 1 or 2
}

func (m *fapiRun) client(n int) *fapiClient {
	prefix := "conf-"
	if m.signed {
		prefix += "ms-"
	}
	return &fapiClient{m, prefix + m.auth + "-" + m.bind + "-" + string(rune('0'+n)), n}
}

// endpoint returns the URL of an endpoint: that of mtls_endpoint_aliases if the client uses its certificate.
func (c *fapiClient) endpoint(name string) string {
	if c.auth == "mtls" || c.bind == "mtls" {
		if aliases, ok := c.meta["mtls_endpoint_aliases"].(map[string]any); ok && aliases[name] != nil {
			return aliases[name].(string)
		}
	}
	address, _ := c.meta[name].(string)
	require.NotEmpty(c.t, address, name)
	return address
}

func (c *fapiClient) redirectURI() string {
	if c.n == 2 {
		return fapiCallback + "?dummy1=lorem&dummy2=ipsum"
	}
	return fapiCallback
}

// sent is a request before it is sent.
type sent struct {
	c           *fapiClient
	method, url string
	form        url.Values
	header      http.Header
	certificate int      // of the client; 0 is none
	assertion   *jws     // nil for none
	proof       *jws     // nil for none
	proofs      []string // replace proof
}

// edit changes a request before it is sent.
type edit func(*sent)

// post returns a request to an endpoint with the authentication of the client, and without a proof.
func (c *fapiClient) post(endpoint string, q url.Values) *sent {
	s := &sent{c: c, method: http.MethodPost, url: c.endpoint(endpoint), form: q, header: http.Header{}}
	if c.auth == "mtls" {
		q.Set("client_id", c.id)
		s.certificate = c.n
	} else {
		s.assertion = c.assertion()
	}
	if c.bind == "mtls" {
		s.certificate = c.n
	}
	return s
}

func (c *fapiClient) assertion() *jws {
	now := c.now().Unix()
	return &jws{header: map[string]any{"alg": "PS256", "kid": c.kid()}, key: c.private[c.id], claims: map[string]any{
		"iss": c.id, "sub": c.id, "aud": c.issuer, "jti": rand.Text(), "iat": now, "nbf": now, "exp": now + 60,
	}}
}

func (c *fapiClient) kid() string {
	return strings.TrimPrefix(strings.TrimPrefix(c.id, "conf-"), "ms-")
}

// prove adds a DPoP proof of the key of the client, if the variant has one.
func (s *sent) prove() *sent {
	if s.c.bind == "dpop" {
		s.proof = s.c.proofFor(s.method, s.url)
	}
	return s
}

func (c *fapiClient) proofFor(method, address string) *jws {
	key := c.proofs[c.n-1]
	return &jws{
		header: map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": publicJWK(key)}, key: key,
		claims: map[string]any{"jti": rand.Text(), "htm": method, "htu": address, "iat": c.now().Unix()},
	}
}

// answer is a response to a client.
type answer struct {
	status int
	header http.Header
	body   map[string]any
}

// do signs and sends a request.
func (s *sent) do(edits ...edit) *answer {
	t := s.c.t
	t.Helper()
	for _, e := range edits {
		e(s)
	}
	if s.assertion != nil {
		s.form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		s.form.Set("client_assertion", s.assertion.sign(t))
	}
	r, err := http.NewRequestWithContext(t.Context(), s.method, s.url, strings.NewReader(s.form.Encode()))
	require.NoError(t, err)
	r.Header = s.header
	if s.form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if s.proof != nil {
		s.proofs = append([]string{s.proof.sign(t)}, s.proofs...)
	}
	for _, p := range s.proofs {
		r.Header.Add("DPoP", p)
	}
	res, err := s.c.http[s.certificate].Do(r)
	require.NoError(t, err)
	a := &answer{status: res.StatusCode, header: res.Header}
	body := bodyOf(t, res)
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		require.NoError(t, json.Unmarshal([]byte(body), &a.body))
	}
	return a
}

var printable = regexp.MustCompile(`^[\x20-\x21\x23-\x5b\x5d-\x7e]+$`) // RFC 6749 §5.2

// fails requires an error response of an endpoint with one of the codes. invalid_client may also have the status 401.
func (a *answer) fails(t *testing.T, codes ...string) string {
	t.Helper()
	code, _ := a.body["error"].(string)
	require.Contains(t, codes, code, "%d %v", a.status, a.body)
	if code != "invalid_client" || a.status != http.StatusUnauthorized {
		require.Equal(t, http.StatusBadRequest, a.status)
	}
	require.Regexp(t, printable, a.body["error_description"])
	return passed
}

// request returns the parameters of an authorization request. Parameters with an empty value are removed.
func (c *fapiClient) request(change ...string) url.Values {
	q := form("client_id", c.id, "redirect_uri", c.redirectURI(), "scope", c.scope(), "response_type", "code", "state", rand.Text(),
		"code_challenge", challenge(verifierOf(c)), "code_challenge_method", "S256")
	if !c.oauth {
		q.Set("nonce", rand.Text()[:10])
	}
	if c.n == 2 {
		q.Set("state", strings.Repeat("aZ09-._~", 16))
		if !c.oauth {
			q.Set("nonce", strings.Repeat("n", 43))
		}
	}
	if c.signed {
		q.Set("response_mode", "jwt")
	}
	for i := 0; i < len(change); i += 2 {
		if q.Set(change[i], change[i+1]); change[i+1] == "" {
			q.Del(change[i])
		}
	}
	return q
}

func (c *fapiClient) scope() string {
	if c.oauth || c.machine {
		return "accounts"
	}
	return "openid accounts"
}

// verifierOf returns the PKCE verifier of a client, which is the same in all its requests.
func verifierOf(c *fapiClient) string {
	sum := sha256.Sum256([]byte("verifier of " + c.id))
	return hex.EncodeToString(sum[:])
}

func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// object returns a request object with the parameters.
func (c *fapiClient) object(q url.Values) *jws {
	now := c.now().Unix()
	claims := map[string]any{"iss": c.id, "aud": c.issuer, "nbf": now, "iat": now, "exp": now + 300, "jti": rand.Text()}
	for name := range q {
		claims[name] = q.Get(name)
		if name == "claims" {
			claims[name] = json.RawMessage(q.Get(name))
		}
	}
	return &jws{header: map[string]any{"alg": "PS256", "kid": c.kid(), "typ": "oauth-authz-req+jwt"}, key: c.private[c.id], claims: claims}
}

// push sends a pushed authorization request. If requests are signed, it is a request object.
func (c *fapiClient) push(q url.Values, edits ...edit) *answer {
	c.t.Helper()
	if c.signed {
		return c.pushObject(c.object(q), edits...)
	}
	copied := url.Values{}
	for name, values := range q {
		copied[name] = values
	}
	return c.post("pushed_authorization_request_endpoint", copied).do(edits...)
}

func (c *fapiClient) pushObject(o *jws, edits ...edit) *answer {
	c.t.Helper()
	return c.post("pushed_authorization_request_endpoint", form("client_id", c.id, "request", o.sign(c.t))).do(edits...)
}

// pushed requires a request_uri.
func (c *fapiClient) pushed(a *answer) string {
	c.t.Helper()
	require.Equal(c.t, http.StatusCreated, a.status, a.body)
	uri, _ := a.body["request_uri"].(string)
	requireEntropy(c.t, uri[strings.LastIndexByte(uri, ':')+1:])
	life, _ := a.body["expires_in"].(float64)
	require.True(c.t, life >= 5 && life < 600, life)
	return uri
}

func requireEntropy(t *testing.T, value string) {
	t.Helper()
	random, err := base64.RawURLEncoding.DecodeString(value)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(random), 16)
}

// open sends the browser to the authorization endpoint with a request_uri, and the copies of parameters that the suite adds.
func (c *fapiClient) open(requestURI string, more ...string) *page {
	c.t.Helper()
	q := form("client_id", c.id, "request_uri", requestURI, "response_type", "code", "scope", c.scope(), "redirect_uri", c.redirectURI())
	for i := 0; i < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return c.goTo(q)
}

func (c *fapiClient) goTo(q url.Values) *page {
	c.t.Helper()
	return c.browser.get(c.meta["authorization_endpoint"].(string) + "?" + q.Encode())
}

// finish logs in and consents, if the provider asks.
func (c *fapiClient) finish(p *page) *page {
	c.t.Helper()
	for range 3 {
		switch {
		case p.left != nil:
			return p
		case p.id("login-form") != nil:
			p = c.browser.submit(p, "login-form", form("username", "conf", "password", "conf-pass", "action", "login"))
		case p.id("consent-form") != nil:
			p = c.browser.submit(p, "consent-form", form("action", "approve"))
		}
	}
	require.NotNil(c.t, p.left, "%d at %s\n%s", p.status, p.url, p.body)
	return p
}

// response returns the parameters of a response, which is the answer to q.
func (c *fapiClient) response(p *page, q url.Values) url.Values {
	c.t.Helper()
	require.NotNil(c.t, p.left, "%d at %s\n%s", p.status, p.url, p.body)
	target := *p.left
	target.RawQuery = ""
	require.Equal(c.t, fapiCallback, target.String())
	got := p.left.Query()
	if c.n == 2 {
		require.Equal(c.t, []string{"lorem", "ipsum"}, []string{got.Get("dummy1"), got.Get("dummy2")})
		got.Del("dummy1")
		got.Del("dummy2")
	}
	if c.signed {
		got = c.openResponse(got)
	}
	require.Equal(c.t, q["state"], got["state"])
	require.Equal(c.t, []string{c.issuer}, got["iss"])
	for name := range got {
		require.Contains(c.t, []string{"code", "state", "iss", "error", "error_description"}, name)
	}
	return got
}

// openResponse verifies a signed response (JARM §2.4), and returns its parameters.
func (c *fapiClient) openResponse(got url.Values) url.Values {
	c.t.Helper()
	require.Len(c.t, got, 1, "response is the only parameter: %v", got)
	claims := c.verified(c.t, got.Get("response"))
	require.Equal(c.t, c.id, claims["aud"])
	left := time.Unix(int64(claims["exp"].(float64)), 0).Sub(c.now())
	require.True(c.t, left > 10*time.Second && left <= 10*time.Minute, left)
	opened := url.Values{}
	for name, value := range claims {
		if !slices.Contains([]string{"aud", "exp", "iat", "nbf", "jti"}, name) {
			opened.Set(name, value.(string))
		}
	}
	return opened
}

// code requires a code in a response.
func (c *fapiClient) code(p *page, q url.Values) string {
	c.t.Helper()
	got := c.response(p, q)
	require.Empty(c.t, got.Get("error"), got)
	requireEntropy(c.t, got.Get("code"))
	return got.Get("code")
}

// authorize pushes a request, sends the browser, and returns the code.
func (c *fapiClient) authorize(q url.Values, edits ...edit) string {
	c.t.Helper()
	return c.code(c.finish(c.open(c.pushed(c.push(q, edits...)))), q)
}

// redeem exchanges a code at the token endpoint.
func (c *fapiClient) redeem(code string, edits ...edit) *answer {
	c.t.Helper()
	return c.post("token_endpoint", form("grant_type", "authorization_code", "code", code, "redirect_uri", c.redirectURI(), "code_verifier", verifierOf(c))).
		prove().do(edits...)
}

// tokens requires a token response, and verifies it. q is the authorization request, nil after a refresh.
func (c *fapiClient) tokens(a *answer, q url.Values) tokens {
	c.t.Helper()
	require.Equal(c.t, http.StatusOK, a.status, a.body)
	require.Contains(c.t, a.header.Get("Cache-Control"), "no-store")
	want := "Bearer"
	if c.bind == "dpop" {
		want = "DPoP"
	}
	require.Equal(c.t, want, a.body["token_type"])
	require.Positive(c.t, a.body["expires_in"])
	got := tokens{access: a.body["access_token"].(string)}
	got.refresh, _ = a.body["refresh_token"].(string)
	got.idToken, _ = a.body["id_token"].(string)
	if q == nil || c.oauth || c.machine {
		require.True(c.t, q == nil || got.idToken == "", "there is no id_token without openid")
		return got
	}
	got.claims = c.verified(c.t, got.idToken)
	require.Equal(c.t, []any{c.issuer, c.id}, []any{got.claims["iss"], got.claims["aud"]})
	require.Equal(c.t, q.Get("nonce"), text(got.claims["nonce"]))
	require.InDelta(c.t, c.now().Unix(), got.claims["iat"], 300)
	require.NotEmpty(c.t, got.claims["sub"])
	return got
}

func text(v any) string { s, _ := v.(string); return s }

// flow does a whole flow.
func (c *fapiClient) flow(change ...string) tokens {
	c.t.Helper()
	if c.machine {
		return c.tokens(c.machineToken(), nil)
	}
	q := c.request(change...)
	return c.tokens(c.redeem(c.authorize(q)), q)
}

func (c *fapiClient) machineToken(edits ...edit) *answer {
	c.t.Helper()
	return c.post("token_endpoint", form("grant_type", "client_credentials", "scope", "accounts")).prove().do(edits...)
}

// accounts calls the API with a token.
func (c *fapiClient) accounts(token string, edits ...edit) *answer {
	c.t.Helper()
	base := c.issuer
	scheme := "DPoP"
	s := &sent{c: c, method: http.MethodGet, header: http.Header{"X-Fapi-Interaction-Id": {"c770aef3-6784-41f7-8e0e-ff5f97bddb3a"}}}
	if c.bind == "mtls" {
		base, scheme = strings.TrimSuffix(c.endpoint("token_endpoint"), "/token"), "Bearer"
		s.certificate = c.n
	}
	s.url = base + idporten.PathAccounts
	s.header.Set("Authorization", scheme+" "+token)
	if s.prove(); s.proof != nil {
		s.proof.claims["ath"] = hash(token)
	}
	return s.do(edits...)
}

func hash(token string) string {
	sum := crypto.SHA256.New()
	sum.Write([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum.Sum(nil))
}

// allowed requires a response of the API with the fields of FAPI.
func (a *answer) allowed(t *testing.T) string {
	t.Helper()
	require.Equal(t, http.StatusOK, a.status, "%v", a.header)
	require.Equal(t, "c770aef3-6784-41f7-8e0e-ff5f97bddb3a", a.header.Get("X-Fapi-Interaction-Id"))
	date, err := http.ParseTime(a.header.Get("Date"))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), date, 5*time.Minute)
	return passed
}

// denied requires that the API rejects a request.
func (a *answer) denied(t *testing.T) {
	t.Helper()
	require.Contains(t, []int{http.StatusBadRequest, http.StatusUnauthorized}, a.status)
	require.NotEmpty(t, a.header.Get("WWW-Authenticate"))
}
