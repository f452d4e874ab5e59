package main

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin/standintest"
)

// suiteOrigin is the origin of the conformance suite in conformance.json.
const suiteOrigin = "https://localhost.emobix.co.uk:8443"

// Results of modules. A module with the result review leads to a page that a human looks at.
const (
	passed  = "PASS"
	review  = "REVIEW"
	skipped = "SKIPPED"
)

// bed is a server with conformance.json, reached over https only, and the endpoints of the suite.
type bed struct {
	t       *testing.T
	issuer  string
	roots   *x509.CertPool
	http    *http.Client // without cookies, for requests of clients
	now     func() time.Time
	advance func(time.Duration)
	suite   string // base URL of the client's endpoints
	meta    map[string]any
	keys    jose.JSONWebKeySet

	secrets map[string]string // by client_id
	private map[string]jose.JSONWebKeySet
	methods map[string]string

	mu       sync.Mutex
	received []url.Values // by the back-channel endpoint
}

// newBed starts the server with the configuration of the repository. Only the origin of the suite is replaced, so that the back channel
// reaches this test.
func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{t: t, secrets: map[string]string{}, methods: map[string]string{}, private: map[string]jose.JSONWebKeySet{}}
	suite := httptest.NewTLSServer(http.HandlerFunc(b.backchannel))
	t.Cleanup(suite.Close)
	text, err := os.ReadFile("conformance.json")
	require.NoError(t, err)
	require.Contains(t, string(text), suiteOrigin)
	file := write(t, strings.NewReplacer(suiteOrigin, suite.URL, "../../docs/", "").Replace(string(text)))
	b.suite = suite.URL + "/test/a/portner"
	cert, key := standintest.SelfSigned(t, nil)
	s, advance := startWithClock(t, "-demo=false", "-config", file, "-tls-cert", cert, "-tls-key", key, "-insecure-trust-self-signed")
	b.issuer, b.now, b.advance = s.Issuer, s.Now, advance
	pem, err := os.ReadFile(cert)
	require.NoError(t, err)
	b.roots = x509.NewCertPool()
	require.True(t, b.roots.AppendCertsFromPEM(pem))
	b.http = &http.Client{Transport: b.transport()}
	b.readClients(text)
	b.readMetadata()
	return b
}

func (b *bed) transport() *http.Transport {
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: b.roots, MinVersion: tls.VersionTLS12}}
	b.t.Cleanup(tr.CloseIdleConnections)
	return tr
}

func (b *bed) backchannel(_ http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost && r.URL.Path == "/test/a/portner/backchannel_logout" && r.ParseForm() == nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.received = append(b.received, r.PostForm)
	}
}

// readClients reads what the suite is configured with: secrets, methods and private keys.
func (b *bed) readClients(text []byte) {
	b.t.Helper()
	var file struct {
		Clients []struct {
			ID     string `json:"client_id"`
			Secret string `json:"client_secret"`
			Method string `json:"token_endpoint_auth_method"`
			JWKS   json.RawMessage
		}
	}
	require.NoError(b.t, json.Unmarshal(text, &file))
	keys, err := os.ReadFile("conformance-keys.json")
	require.NoError(b.t, err)
	require.NoError(b.t, json.Unmarshal(keys, &b.private))
	for _, c := range file.Clients {
		b.secrets[c.ID], b.methods[c.ID] = c.Secret, c.Method
		if len(c.JWKS) == 0 {
			continue
		}
		public, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{b.private[c.ID].Keys[0].Public()}})
		require.NoError(b.t, err)
		require.JSONEq(b.t, string(public), string(c.JWKS), "conformance-keys.json has the private key of %s", c.ID)
	}
}

func (b *bed) readMetadata() {
	b.t.Helper()
	res, err := b.http.Get(b.issuer + "/.well-known/openid-configuration")
	require.NoError(b.t, err)
	b.meta = jsonOf(b.t, res)
	res, err = b.http.Get(b.meta["jwks_uri"].(string))
	require.NoError(b.t, err)
	body := bodyOf(b.t, res)
	require.NoError(b.t, json.Unmarshal([]byte(body), &b.keys))
	seen := map[string]bool{}
	for _, k := range b.keys.Keys {
		require.True(b.t, k.IsPublic() && k.KeyID != "" && !seen[k.KeyID])
		seen[k.KeyID] = true
	}
}

func bodyOf(t *testing.T, res *http.Response) string {
	t.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return string(body)
}

func jsonOf(t *testing.T, res *http.Response) map[string]any {
	t.Helper()
	var m map[string]any
	require.NoError(t, json.Unmarshal([]byte(bodyOf(t, res)), &m))
	require.Equal(t, "application/json", strings.Split(res.Header.Get("Content-Type"), ";")[0])
	return m
}

// module is one run of a module: a browser without cookies, and the clients of the plan.
type module struct {
	*bed
	t             *testing.T
	v             *visitor
	client, other string
	formPost      bool
}

func (b *bed) module(t *testing.T, p *plan) *module {
	t.Helper()
	cookies, err := cookiejar.New(nil)
	require.NoError(t, err)
	v := &visitor{t: t, home: []string{b.issuer}}
	v.http = &http.Client{Jar: cookies, Transport: b.http.Transport, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if !v.at(r.URL) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	return &module{bed: b, t: t, v: v, client: p.client, other: p.other, formPost: p.formPost}
}

func (m *module) callback() string { return m.suite + "/callback" }

// request returns an authorization request without PKCE. Parameters with an empty value are removed.
func (m *module) request(change ...string) url.Values {
	q := url.Values{
		"client_id": {m.client}, "redirect_uri": {m.callback()}, "scope": {"openid"}, "response_type": {"code"},
		"state": {rand.Text()}, "nonce": {rand.Text()[:10]},
	}
	if m.formPost {
		q.Set("response_mode", "form_post")
	}
	for i := 0; i < len(change); i += 2 {
		if q.Set(change[i], change[i+1]); change[i+1] == "" {
			q.Del(change[i])
		}
	}
	return q
}

// open sends the browser to the authorization endpoint.
func (m *module) open(q url.Values) *page {
	m.t.Helper()
	return m.v.get(m.meta["authorization_endpoint"].(string) + "?" + q.Encode())
}

// login logs in at a page.
func (m *module) login(p *page) *page {
	m.t.Helper()
	require.NotNil(m.t, p.id("login-form"), "no login page: %d %v\n%s", p.status, p.left, p.body)
	return m.v.submit(p, "login-form", url.Values{"username": {"conf"}, "password": {"conf-pass"}, "action": {"login"}})
}

// response returns the parameters of a response to the client: those of a redirect, or those of the form that posts itself.
func (m *module) response(p *page, q url.Values) url.Values {
	m.t.Helper()
	var answer url.Values
	if m.formPost {
		form := p.id("form-post")
		require.NotNil(m.t, form, "%d %v\n%s", p.status, p.left, p.body)
		require.Equal(m.t, []string{"post", m.callback()}, []string{attr(form, "method"), attr(form, "action")})
		require.Equal(m.t, http.StatusOK, p.status)
		_, nonce, _ := strings.Cut(p.header.Get("Content-Security-Policy"), "'nonce-")
		nonce, _, _ = strings.Cut(nonce, "'")
		require.Contains(m.t, p.body, `<script nonce="`+nonce+`">`)
		answer = fields(form)
	} else {
		require.NotNil(m.t, p.left, "%d at %s\n%s", p.status, p.url, p.body)
		require.True(m.t, strings.HasPrefix(p.left.String(), m.callback()+"?"), p.left)
		answer = p.left.Query()
	}
	require.Equal(m.t, q["state"], answer["state"])
	require.Equal(m.t, m.issuer, answer.Get("iss"))
	for name := range answer {
		require.Contains(m.t, []string{"code", "state", "iss", "error", "error_description"}, name)
	}
	return answer
}

// refused returns the error of a response.
func (m *module) refused(p *page, q url.Values) string {
	m.t.Helper()
	answer := m.response(p, q)
	require.Empty(m.t, answer.Get("code"))
	return answer.Get("error")
}

// code returns the code of a response: at least 128 bits.
func (m *module) code(p *page, q url.Values) string {
	m.t.Helper()
	answer := m.response(p, q)
	require.Empty(m.t, answer.Get("error"), answer)
	random, err := base64.RawURLEncoding.DecodeString(answer.Get("code"))
	require.NoError(m.t, err)
	require.GreaterOrEqual(m.t, len(random), 16)
	return answer.Get("code")
}

// post sends a request of a client to the token endpoint, authenticated by its registered method.
func (m *module) post(client string, form url.Values) (*http.Response, map[string]any) {
	m.t.Helper()
	endpoint := m.meta["token_endpoint"].(string)
	basic := false
	switch m.methods[client] {
	case "client_secret_post":
		form.Set("client_id", client)
		form.Set("client_secret", m.secrets[client])
	case "private_key_jwt": // without client_id, as the suite sends it
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", m.assertion(client, endpoint))
	default:
		basic = true
	}
	r, err := http.NewRequestWithContext(m.t.Context(), http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	require.NoError(m.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if basic {
		r.SetBasicAuth(url.QueryEscape(client), url.QueryEscape(m.secrets[client]))
	}
	res, err := m.http.Do(r)
	require.NoError(m.t, err)
	body := jsonOf(m.t, res)
	require.Contains(m.t, res.Header.Get("Cache-Control"), "no-store")
	require.Equal(m.t, "no-cache", res.Header.Get("Pragma"))
	return res, body
}

func (m *module) assertion(client, audience string) string {
	m.t.Helper()
	key := m.private[client].Keys[0]
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, nil)
	require.NoError(m.t, err)
	claims, err := json.Marshal(map[string]any{
		"iss": client, "sub": client, "aud": audience, "jti": rand.Text(), "iat": m.now().Unix(), "exp": m.now().Add(time.Minute).Unix(),
	})
	require.NoError(m.t, err)
	signed, err := signer.Sign(claims)
	require.NoError(m.t, err)
	text, err := signed.CompactSerialize()
	require.NoError(m.t, err)
	return text
}

// tokens is a token response with the claims of its id_token.
type tokens struct {
	access, refresh, idToken string
	claims                   map[string]any
}

// redeem exchanges a code for tokens, and verifies them.
func (m *module) redeem(code string, q url.Values, more ...string) tokens {
	m.t.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {m.callback()}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	res, body := m.post(m.client, form)
	require.Equal(m.t, http.StatusOK, res.StatusCode, body)
	return m.read(body, q.Get("nonce"))
}

func (m *module) read(body map[string]any, nonce string) tokens {
	m.t.Helper()
	require.Equal(m.t, "Bearer", body["token_type"])
	require.Positive(m.t, body["expires_in"])
	got := tokens{access: body["access_token"].(string)}
	got.refresh, _ = body["refresh_token"].(string)
	got.idToken, _ = body["id_token"].(string)
	require.NotEmpty(m.t, got.idToken)
	got.claims = m.verify(got.idToken)
	for name, want := range map[string]any{"iss": m.issuer, "aud": m.client, "nonce": any(nonce)} {
		if want != "" {
			require.Equal(m.t, want, got.claims[name], name)
		}
	}
	require.Empty(m.t, foreign(got.claims, "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "at_hash", "jti", "sid"),
		"no claims that were not requested")
	require.InDelta(m.t, m.now().Unix(), got.claims["iat"], 300)
	require.Greater(m.t, got.claims["exp"], float64(m.now().Unix()))
	return got
}

// verify verifies a JWT of the provider with its JWKS.
func (m *module) verify(token string) map[string]any {
	m.t.Helper()
	signed, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	require.NoError(m.t, err)
	keys := m.keys.Key(signed.Signatures[0].Header.KeyID)
	require.Len(m.t, keys, 1)
	payload, err := signed.Verify(keys[0])
	require.NoError(m.t, err)
	var claims map[string]any
	require.NoError(m.t, json.Unmarshal(payload, &claims))
	return claims
}

// flow logs in with a changed request, and redeems the code.
func (m *module) flow(change ...string) tokens {
	m.t.Helper()
	q := m.request(change...)
	return m.redeem(m.code(m.login(m.open(q)), q), q)
}

// again repeats the request without a page.
func (m *module) again(change ...string) tokens {
	m.t.Helper()
	q := m.request(change...)
	return m.redeem(m.code(m.open(q), q), q)
}

// userInfo calls the userinfo endpoint by the method, with the token in the header or, for "form", in the body.
func (m *module) userInfo(method string, token string) (int, map[string]any) {
	m.t.Helper()
	body, header := "", "Bearer "+token
	if method == "form" {
		method, header, body = http.MethodPost, "", url.Values{"access_token": {token}}.Encode()
	}
	r, err := http.NewRequestWithContext(m.t.Context(), method, m.meta["userinfo_endpoint"].(string), strings.NewReader(body))
	require.NoError(m.t, err)
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if header != "" {
		r.Header.Set("Authorization", header)
	}
	res, err := m.http.Do(r)
	require.NoError(m.t, err)
	if res.StatusCode != http.StatusOK {
		require.NotEmpty(m.t, res.Header.Get("WWW-Authenticate"))
		_ = res.Body.Close()
		return res.StatusCode, nil
	}
	return res.StatusCode, jsonOf(m.t, res)
}
