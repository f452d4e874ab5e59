package token_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/portnertest"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

const (
	tokenURL    = issuer + "/token"
	userInfoURL = issuer + "/userinfo"
	mtlsURL     = "https://mtls.idporten.dev"
	parURL      = issuer + "/par"
)

// replays counts the proofs that are recorded.
type replays struct {
	dpop.ReplayStore
	mu    sync.Mutex
	count int
}

func (r *replays) ConsumeJTI(ctx context.Context, clientID string, key storage.Hash, expiresAt, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	return r.ReplayStore.ConsumeJTI(ctx, clientID, key, expiresAt, now)
}

func (r *replays) recorded() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

// dpopFixture is a fixture that accepts proofs.
type dpopFixture struct {
	*fixture
	replays *replays
}

func newDPoPFixture(t testing.TB, change ...func(*token.Config)) dpopFixture {
	t.Helper()
	r := &replays{}
	f := newFixture(t, append([]func(*token.Config){func(c *token.Config) {
		r.ReplayStore = c.Store.(dpop.ReplayStore)
		c.DPoP, c.TokenURL, c.UserInfoURL, c.MTLSURL = &dpop.Policy{Replay: r}, tokenURL, userInfoURL, mtlsURL
	}}, change...)...)
	return dpopFixture{f, r}
}

func withNonces() func(*token.Config) {
	return func(c *token.Config) {
		c.DPoP.Nonces = must(dpop.NewNonces(issuer, vaultSecret))
	}
}

// tokenProof returns a proof for the token endpoint.
func (f dpopFixture) tokenProof(p *portnertest.Prover) string {
	return p.Proof(http.MethodPost, tokenURL, "", f.clock(), nil)
}

// proved sends a form with the proofs and certificate of a client.
func (f dpopFixture) proved(clientID string, form url.Values, cert *x509.Certificate, proofs ...string) answer {
	f.t.Helper()
	return f.sendRequest(f.ep, withProof(f.request(clientID, form), cert, proofs...))
}

func withProof(r *http.Request, cert *x509.Certificate, proofs ...string) *http.Request {
	r.Header["Dpop"] = proofs
	if cert != nil {
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}
	}
	return r
}

// loginWith issues tokens to a client with a key.
func (f dpopFixture) loginWith(clientID string, p *portnertest.Prover, scopes ...string) answer {
	f.t.Helper()
	a := f.proved(clientID, codeForm(f.code(forClient(clientID, scopes...))), nil, f.tokenProof(p))
	require.Equal(f.t, http.StatusOK, a.Code, a.Body.String())
	return a
}

// bindings returns what the JWT, the record and introspection say that an access token is bound to.
func (f dpopFixture) bindings(at string) []any {
	f.t.Helper()
	_, claims := segments(f.t, at)
	record, _, err := f.store.AccessToken(f.t.Context(), storage.HashOf(at), f.clock())
	require.NoError(f.t, err)
	var stored any
	if m := map[string]any{"jkt": record.Confirmation.Key, "x5t#S256": record.Confirmation.Certificate}; record.Confirmation != (storage.Confirmation{}) {
		for name, v := range m {
			if v == "" {
				delete(m, name)
			}
		}
		stored = m
	}
	return []any{claims["cnf"], stored, f.introspect(claims["client_id"].(string), at).body["cnf"]}
}

// boundTo returns cnf three times.
func boundTo(members ...string) []any {
	if len(members) == 0 {
		return []any{nil, nil, nil}
	}
	m := map[string]any{}
	for i := 0; i < len(members); i += 2 {
		m[members[i]] = members[i+1]
	}
	return []any{m, m, m}
}

func certificate(name string) *x509.Certificate { return &x509.Certificate{Raw: []byte(name)} }

// reasons returns the reasons of the events and removes them.
func (f *fixture) reasons() (all []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.events {
		all = append(all, e.Reason)
	}
	f.events = nil
	return all
}

// TestTokenEndpointProofs: each rule about the proofs of token requests (RFC 9449 §4.3, §5).
func TestTokenEndpointProofs(t *testing.T) {
	t.Parallel()
	key := portnertest.NewProver()
	for name, tt := range map[string]struct {
		proofs func(f dpopFixture) []string
		code   portner.ErrorCode // "" for a token that is bound to the key
	}{
		"a proof":                      {func(f dpopFixture) []string { return []string{f.tokenProof(key)} }, ""},
		"a proof for the mTLS alias":   {func(f dpopFixture) []string { return []string{key.Proof("POST", mtlsURL+"/token", "", f.clock(), nil)} }, ""},
		"two header fields":            {func(f dpopFixture) []string { return []string{f.tokenProof(key), f.tokenProof(key)} }, portner.InvalidDPoPProof},
		"two proofs in a header field": {func(f dpopFixture) []string { return []string{f.tokenProof(key) + ", " + f.tokenProof(key)} }, portner.InvalidDPoPProof},
		"an empty header field":        {func(dpopFixture) []string { return []string{""} }, portner.InvalidDPoPProof},
		"no JWT":                       {func(dpopFixture) []string { return []string{"proof"} }, portner.InvalidDPoPProof},
		"another method":               {func(f dpopFixture) []string { return []string{key.Proof("GET", tokenURL, "", f.clock(), nil)} }, portner.InvalidDPoPProof},
		"a proof of the PAR endpoint":  {func(f dpopFixture) []string { return []string{key.Proof("POST", parURL, "", f.clock(), nil)} }, portner.InvalidDPoPProof},
		"a proof of userinfo":          {func(f dpopFixture) []string { return []string{key.Proof("POST", userInfoURL, "", f.clock(), nil)} }, portner.InvalidDPoPProof},
		"a proof of another server": {func(f dpopFixture) []string {
			return []string{key.Proof("POST", "https://login.example.no/token", "", f.clock(), nil)}
		}, portner.InvalidDPoPProof},
		"an old proof": {func(f dpopFixture) []string {
			return []string{key.Proof("POST", tokenURL, "", f.clock().Add(-61*time.Second), nil)}
		}, portner.InvalidDPoPProof},
		"without jti": {func(f dpopFixture) []string {
			return []string{key.Proof("POST", tokenURL, "", f.clock(), map[string]any{"jti": nil})}
		}, portner.InvalidDPoPProof},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newDPoPFixture(t)
			code := f.code(forClient("web", "openid", "profile"))
			a := f.proved("web", codeForm(code), nil, tt.proofs(f)...)
			require.Empty(t, a.Header().Values("DPoP-Nonce"))
			if tt.code == "" {
				require.Equal(t, http.StatusOK, a.Code, a.Body.String())
				require.Equal(t, "DPoP", a.str("token_type"))
				at := a.str("access_token")
				require.Equal(t, boundTo("jkt", key.Thumbprint), f.bindings(at))
				require.Equal(t, "DPoP", f.introspect("web", at).str("token_type"), "RFC 9449 §6.2")
				require.Equal(t, 1, f.replays.recorded())
				return
			}
			f.requireError(a, http.StatusBadRequest, tt.code)
			require.Zero(t, f.replays.recorded())
			a = f.redeem("web", code)
			require.Equal(t, []any{http.StatusOK, "Bearer"}, []any{a.Code, a.str("token_type")}, "the code is not consumed")
			require.Equal(t, boundTo(), f.bindings(a.str("access_token")))
		})
	}
}

// TestProofsAreIgnored: without Config.DPoP the header field has no effect (RFC 9449 §5.1 is optional), whatever it holds.
func TestProofsAreIgnored(t *testing.T) {
	t.Parallel()
	f := dpopFixture{fixture: newFixture(t)}
	for _, proofs := range [][]string{{f.tokenProof(portnertest.NewProver())}, {"x"}, {"a", "b"}} {
		a := f.proved("web", codeForm(f.code()), nil, proofs...)
		require.Equal(t, []any{http.StatusOK, "Bearer"}, []any{a.Code, a.str("token_type")})
		require.Equal(t, boundTo(), f.bindings(a.str("access_token")))
		require.NotContains(t, a.Header(), "Dpop-Nonce")
	}
}

// TestReplayedProof: a proof is accepted once, also by another node that shares the store, and with another code and client.
func TestReplayedProof(t *testing.T) {
	t.Parallel()
	key := portnertest.NewProver()
	f := newDPoPFixture(t)
	proof := f.tokenProof(key)
	require.Equal(t, http.StatusOK, f.proved("web", codeForm(f.code()), nil, proof).Code)
	node := must(token.New(f.cfg))
	for _, id := range []string{"web", "other", "spa"} {
		code := f.code(forClient(id))
		for _, ep := range []*token.Endpoint{f.ep, node} {
			f.requireError(f.sendRequest(ep, withProof(f.request(id, codeForm(code)), nil, proof)), http.StatusBadRequest, portner.InvalidDPoPProof)
		}
		require.Equal(t, http.StatusOK, f.proved(id, codeForm(code), nil, f.tokenProof(key)).Code, "the code is not consumed")
	}
}

// TestUnauthenticatedProofWritesNothing: a proof is recorded when the client is authenticated. A client that is not authenticated learns only
// that, also with an invalid proof.
func TestUnauthenticatedProofWritesNothing(t *testing.T) {
	t.Parallel()
	f := newDPoPFixture(t)
	key := portnertest.NewProver()
	proof := f.tokenProof(key)
	for name, p := range map[string]string{"a valid proof": proof, "an invalid proof": "x"} {
		r := f.request("web", codeForm(f.code()))
		r.SetBasicAuth("web", "wrong")
		f.requireError(f.sendRequest(f.ep, withProof(r, nil, p)), http.StatusUnauthorized, portner.InvalidClient)
		form := codeForm(f.code())
		form.Set("client_id", "unknown")
		f.requireError(f.proved("unknown", form, nil, p), http.StatusUnauthorized, portner.InvalidClient)
		form = url.Values{"grant_type": {"password"}}
		f.requireError(f.proved("web", form, nil, p), http.StatusBadRequest, portner.UnsupportedGrantType)
		require.Zero(t, f.replays.recorded(), name)
	}
	require.Equal(t, http.StatusOK, f.proved("web", codeForm(f.code()), nil, proof).Code, "the proof is not used")
	require.Equal(t, 1, f.replays.recorded())
}

// TestProofFlood: anyone can send requests of a public client. A proof is recorded for a request whose evidence is valid, so that requests
// without one do not use up the room of the client in the replay store.
func TestProofFlood(t *testing.T) {
	t.Parallel()
	f := newDPoPFixture(t)
	thief, owner := portnertest.NewProver(), portnertest.NewProver()
	foreign, bound := f.code(forClient("web")), f.code(forClient("spa"), func(c *storage.AuthorizationCode) { c.DPoPKey = owner.Thumbprint })
	rt := f.loginWith("spa", owner).str("refresh_token")
	before := f.replays.recorded()
	wrongVerifier := codeForm(f.code(forClient("spa")))
	wrongVerifier.Set("code_verifier", portnertest.NewProver().Thumbprint)
	for name, form := range map[string]url.Values{
		"an unknown code": codeForm(seal.NewToken()), "no code": {"grant_type": {client.AuthorizationCode}}, "a malformed code": codeForm("x"),
		"a code of another client": codeForm(foreign), "a code of another key": codeForm(bound), "a wrong verifier": wrongVerifier,
		"an unknown refresh token": refreshForm(seal.NewToken()), "a refresh token of another key": refreshForm(rt),
		"a scope that was not granted": {"grant_type": {client.RefreshToken}, "refresh_token": {rt}, "scope": {"other"}},
	} {
		a := f.proved("spa", form, nil, f.tokenProof(thief))
		require.Equal(t, http.StatusBadRequest, a.Code, name)
		require.Equal(t, before, f.replays.recorded(), name)
	}
	require.Equal(t, http.StatusOK, f.proved("spa", refreshForm(rt), nil, f.tokenProof(owner)).Code)
}

// TestRecordedRequestEndsNoGrant: a whole request of a public client that was recorded and is sent again is rejected because of its proof. It is
// not taken for a second use of the code or refresh token by a thief, which ends the grant.
func TestRecordedRequestEndsNoGrant(t *testing.T) {
	t.Parallel()
	f := newDPoPFixture(t)
	key := portnertest.NewProver()
	form, proof := codeForm(f.code(forClient("spa"))), f.tokenProof(key)
	a := f.proved("spa", form, nil, proof)
	require.Equal(t, http.StatusOK, a.Code, a.Body.String())
	f.requireError(f.proved("spa", form, nil, proof), http.StatusBadRequest, portner.InvalidDPoPProof)
	form, proof = refreshForm(a.str("refresh_token")), f.tokenProof(key)
	b := f.proved("spa", form, nil, proof)
	require.Equal(t, http.StatusOK, b.Code, b.Body.String())
	f.requireError(f.proved("spa", form, nil, proof), http.StatusBadRequest, portner.InvalidDPoPProof)
	_, _, err := f.store.AccessToken(t.Context(), storage.HashOf(b.str("access_token")), f.clock())
	require.NoError(t, err)
	f.requireError(f.proved("spa", form, nil, f.tokenProof(key)), http.StatusBadRequest, portner.InvalidGrant)
	_, _, err = f.store.AccessToken(t.Context(), storage.HashOf(b.str("access_token")), f.clock())
	require.Error(t, err, "a second use with the key ends the grant")
}

// TestUnauthenticatedGrantHandlerConsumesAtMint: a grant handler that authenticates the client itself records the proof when it mints.
func TestUnauthenticatedGrantHandlerConsumesAtMint(t *testing.T) {
	t.Parallel()
	authenticated := false
	f := newDPoPFixture(t)
	handler := token.GrantHandler{Type: "urn:example:own", Unauthenticated: true, Handle: func(ctx context.Context, r *token.Request, m *token.Minter) (*token.Response, error) {
		if !authenticated {
			return nil, &portner.Error{Code: portner.InvalidClient}
		}
		r.Client = client.Authenticated{Client: f.clients["web"]}
		return m.Mint(ctx, token.Contents{Client: r.Client, Scopes: []string{"api:read"}}, f.insert(r.Now))
	}}
	f.cfg.GrantHandlers = []token.GrantHandler{handler}
	f.ep = must(token.New(f.cfg))
	key := portnertest.NewProver()
	proof, form := f.tokenProof(key), url.Values{"grant_type": {handler.Type}}
	f.requireError(f.proved("", form, nil, proof), http.StatusUnauthorized, portner.InvalidClient)
	require.Zero(t, f.replays.recorded())
	authenticated = true
	a := f.proved("", form, nil, proof)
	require.Equal(t, "DPoP", a.str("token_type"), a.Body.String())
	require.Equal(t, boundTo("jkt", key.Thumbprint), f.bindings(a.str("access_token")))
	f.requireError(f.proved("", form, nil, proof), http.StatusBadRequest, portner.InvalidDPoPProof)
	f.requireError(f.proved("", form, nil, "x"), http.StatusBadRequest, portner.InvalidDPoPProof)
	require.Equal(t, 2, f.replays.recorded())
}

// insert commits what a grant handler mints.
func (f *fixture) insert(now time.Time) func(context.Context, *storage.Issuance) error {
	return func(ctx context.Context, i *storage.Issuance) error { return f.store.InsertGrant(ctx, i, now) }
}

// TestEveryGrantIsBound: the tokens of every grant type are bound by Mint, not by its handler.
func TestEveryGrantIsBound(t *testing.T) {
	t.Parallel()
	f := newDPoPFixture(t)
	f.cfg.GrantHandlers = []token.GrantHandler{
		token.ClientCredentials(f.store),
		{Type: "urn:example:own", Handle: func(ctx context.Context, r *token.Request, m *token.Minter) (*token.Response, error) {
			return m.Mint(ctx, token.Contents{Client: r.Client, Scopes: []string{"api:read"}}, f.insert(r.Now))
		}},
	}
	f.ep = must(token.New(f.cfg))
	f.clients["web"].GrantTypes = append(f.clients["web"].GrantTypes, client.ClientCredentials, "urn:example:own")
	first := portnertest.NewProver()
	rt := f.loginWith("web", first, "openid", "profile").str("refresh_token")
	for name, form := range map[string]url.Values{
		"code": codeForm(f.code()), "refresh": refreshForm(rt), "client credentials": {"grant_type": {client.ClientCredentials}, "scope": {"api:read"}},
		"handler of the host": {"grant_type": {"urn:example:own"}},
	} {
		key := portnertest.NewProver()
		a := f.proved("web", form, nil, f.tokenProof(key))
		require.Equal(t, "DPoP", a.str("token_type"), "%s: %s", name, a.Body.String())
		require.Equal(t, boundTo("jkt", key.Thumbprint), f.bindings(a.str("access_token")), name)
	}
}

// TestOpaqueTokenIsBound: an opaque token has its binding in the record, where introspection and userinfo find it.
func TestOpaqueTokenIsBound(t *testing.T) {
	t.Parallel()
	f := newDPoPFixture(t)
	key := portnertest.NewProver()
	at := f.loginWith("web", key, "openid", "profile", "api:opaque").str("access_token")
	in := f.introspect("api", at)
	require.Equal(t, []any{"DPoP", map[string]any{"jkt": key.Thumbprint}}, []any{in.str("token_type"), in.body["cnf"]})
	f.requireError(f.userInfo(at), http.StatusUnauthorized, portner.InvalidToken)
}

// TestNonceChallenge: a proof without a nonce is answered at once, before the client is authenticated, with one DPoP-Nonce (RFC 9449 §8). No
// other error has the field.
func TestNonceChallenge(t *testing.T) {
	t.Parallel()
	f := newDPoPFixture(t, withNonces())
	sign, jwks := assertionKey(t)
	f.clients["jwt"] = &client.Client{
		ClientID: "jwt", OrganisationNo: consumerOrgno, TokenEndpointAuthMethod: client.PrivateKeyJWT, JWKS: jwks,
		RedirectURIs: []string{callback}, Scopes: []string{"openid"},
	}
	form := codeForm(f.code(forClient("jwt", "openid")))
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	form.Set("client_assertion", sign(map[string]any{
		"iss": "jwt", "sub": "jwt", "aud": issuer, "iat": f.clock().Unix(), "exp": f.clock().Unix() + 60, "jti": "a",
	}))
	send := func(proof string) answer {
		r := f.request("unknown", form)
		r.Header.Del("Authorization")
		return f.sendRequest(f.ep, withProof(r, nil, proof))
	}
	key := portnertest.NewProver()
	var nonce string
	for _, claims := range []map[string]any{nil, {"nonce": "old"}} {
		a := send(key.Proof("POST", tokenURL, "", f.clock(), claims))
		f.requireError(a, http.StatusBadRequest, portner.UseDPoPNonce)
		require.Len(t, a.Header().Values("DPoP-Nonce"), 1)
		require.Equal(t, "no-store", a.Header().Get("Cache-Control"))
		nonce = a.Header().Get("DPoP-Nonce")
	}
	require.Zero(t, f.replays.recorded())
	with := func() map[string]any { return map[string]any{"nonce": nonce} }

	a := send(key.Proof("POST", parURL, "", f.clock(), with()))
	f.requireError(a, http.StatusBadRequest, portner.InvalidDPoPProof)
	require.Empty(t, a.Header().Values("DPoP-Nonce"), "some clients take the field for a challenge")

	f.requireError(send(key.Proof("POST", tokenURL, "", f.clock(), with())), http.StatusUnauthorized, portner.InvalidClient)
	form.Set("client_assertion", sign(map[string]any{
		"iss": "jwt", "sub": "jwt", "aud": issuer, "iat": f.clock().Unix(), "exp": f.clock().Unix() + 60, "jti": "b",
	}))
	a = send(key.Proof("POST", tokenURL, "", f.clock(), nil))
	f.requireError(a, http.StatusBadRequest, portner.UseDPoPNonce)
	a = send(key.Proof("POST", tokenURL, "", f.clock(), with()))
	require.Equal(t, http.StatusOK, a.Code, "the challenge does not spend the assertion: "+a.Body.String())
	require.Len(t, a.Header().Values("DPoP-Nonce"), 1, "the nonce of the next proof")
	require.Equal(t, "no-store", a.Header().Get("Cache-Control"))

	a = f.redeem("web", f.code())
	require.Equal(t, []any{http.StatusOK, "Bearer"}, []any{a.Code, a.str("token_type")})
	require.NotContains(t, a.Header(), "Dpop-Nonce", "the client has no proof")
	a = f.proved("web", codeForm("x"), nil, key.Proof("POST", tokenURL, "", f.clock(), with()))
	f.requireError(a, http.StatusBadRequest, portner.InvalidGrant)
	require.NotContains(t, a.Header(), "Dpop-Nonce")
}

// TestIssueReply: the response of the core has the nonce too.
func TestIssueReply(t *testing.T) {
	t.Parallel()
	f := newDPoPFixture(t, withNonces())
	key := portnertest.NewProver()
	request := func(claims map[string]any) client.Request {
		r := must(client.RequestFrom(httptest.NewRecorder(), f.request("web", codeForm(f.code())), nil))
		r.Header["Dpop"] = []string{key.Proof("POST", tokenURL, "", f.clock(), claims)}
		return r
	}
	_, err := f.ep.Issue(t.Context(), request(nil))
	nonce := portner.ErrorReply(err).Header["Dpop-Nonce"]
	require.Len(t, nonce, 1)
	res, err := f.ep.Issue(t.Context(), request(map[string]any{"nonce": nonce[0]}))
	require.NoError(t, err)
	require.Equal(t, nonce, res.Reply().Header["Dpop-Nonce"])
}

// TestClientRules: what the registration of a client and the profile require of a token request.
func TestClientRules(t *testing.T) {
	t.Parallel()
	key, cert := portnertest.NewProver(), certificate("client")
	x5t := client.CertificateThumbprint(cert)
	for name, tt := range map[string]struct {
		dpop, mtls, profile bool
		proof, certificate  bool
		code                portner.ErrorCode
		cnf                 []any
		tokenType           string
	}{
		"nothing required, nothing sent":                {cnf: boundTo(), tokenType: "Bearer"},
		"a certificate that is not registered":          {certificate: true, cnf: boundTo(), tokenType: "Bearer"},
		"a proof that is not required":                  {proof: true, cnf: boundTo("jkt", key.Thumbprint), tokenType: "DPoP"},
		"DPoP required, no proof":                       {dpop: true, code: portner.InvalidDPoPProof},
		"DPoP required, a certificate":                  {dpop: true, certificate: true, code: portner.InvalidDPoPProof},
		"DPoP required, a proof":                        {dpop: true, proof: true, cnf: boundTo("jkt", key.Thumbprint), tokenType: "DPoP"},
		"certificate required, none":                    {mtls: true, code: portner.InvalidRequest},
		"certificate required, a proof":                 {mtls: true, proof: true, code: portner.InvalidRequest},
		"certificate required, sent":                    {mtls: true, certificate: true, cnf: boundTo("x5t#S256", x5t), tokenType: "Bearer"},
		"certificate required, both sent":               {mtls: true, proof: true, certificate: true, cnf: boundTo("jkt", key.Thumbprint, "x5t#S256", x5t), tokenType: "DPoP"},
		"both required, both sent":                      {dpop: true, mtls: true, proof: true, certificate: true, cnf: boundTo("jkt", key.Thumbprint, "x5t#S256", x5t), tokenType: "DPoP"},
		"both required, only a proof":                   {dpop: true, mtls: true, proof: true, code: portner.InvalidRequest},
		"profile, neither":                              {profile: true, code: portner.InvalidDPoPProof},
		"profile, a certificate that is not registered": {profile: true, certificate: true, code: portner.InvalidDPoPProof},
		"profile, a certificate":                        {profile: true, mtls: true, certificate: true, cnf: boundTo("x5t#S256", x5t), tokenType: "Bearer"},
		"profile, a proof":                              {profile: true, proof: true, cnf: boundTo("jkt", key.Thumbprint), tokenType: "DPoP"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newDPoPFixture(t, func(c *token.Config) { c.SenderConstrained = tt.profile })
			f.clients["web"].DPoPBoundAccessTokens, f.clients["web"].TLSClientCertificateBoundAccessTokens = tt.dpop, tt.mtls
			var proofs []string
			if tt.proof {
				proofs = []string{f.tokenProof(key)}
			}
			var sent *x509.Certificate
			if tt.certificate {
				sent = cert
			}
			code := f.code()
			a := f.proved("web", codeForm(code), sent, proofs...)
			if tt.code != "" {
				f.requireError(a, http.StatusBadRequest, tt.code)
				_, err := f.store.Code(t.Context(), storage.HashOf(code), f.clock())
				require.NoError(t, err, "the code is not consumed")
				return
			}
			require.Equal(t, []any{http.StatusOK, tt.tokenType}, []any{a.Code, a.str("token_type")}, a.Body.String())
			require.Equal(t, tt.cnf, f.bindings(a.str("access_token")))
			require.Equal(t, tt.tokenType, f.introspect("web", a.str("access_token")).str("token_type"))
		})
	}
}

// TestClientThatRequiresDPoPWithoutPolicy: a provider that accepts no proofs issues no token to a client that requires them.
func TestClientThatRequiresDPoPWithoutPolicy(t *testing.T) {
	t.Parallel()
	f := dpopFixture{fixture: newFixture(t)}
	f.clients["web"].DPoPBoundAccessTokens = true
	f.requireError(f.redeem("web", f.code()), http.StatusBadRequest, portner.InvalidDPoPProof)
	f.requireError(f.proved("web", codeForm(f.code()), nil, f.tokenProof(portnertest.NewProver())), http.StatusBadRequest, portner.InvalidDPoPProof)
}

// TestSenderConstrainedByCertificatesOnly: a provider that accepts no proofs asks for the certificate.
func TestSenderConstrainedByCertificatesOnly(t *testing.T) {
	t.Parallel()
	f := dpopFixture{fixture: newFixture(t, func(c *token.Config) { c.SenderConstrained = true })}
	f.requireError(f.redeem("web", f.code()), http.StatusBadRequest, portner.InvalidRequest)
	f.clients["web"].TLSClientCertificateBoundAccessTokens = true
	cert := certificate("client")
	a := f.proved("web", codeForm(f.code()), cert)
	require.Equal(t, boundTo("x5t#S256", client.CertificateThumbprint(cert)), f.bindings(a.str("access_token")))
}

// TestCodeBoundToKey: a code with dpop_jkt is redeemed with a proof of that key only (RFC 9449 §10). Whoever lacks the key, also with everything
// else, takes nothing from the owner.
func TestCodeBoundToKey(t *testing.T) {
	t.Parallel()
	f := newDPoPFixture(t)
	owner, thief := portnertest.NewProver(), portnertest.NewProver()
	bound := func(c *storage.AuthorizationCode) { c.DPoPKey = owner.Thumbprint }
	for _, id := range []string{"web", "spa"} {
		code := f.code(forClient(id), bound)
		f.reasons()
		for name, proofs := range map[string][]string{"no proof": nil, "another key": {f.tokenProof(thief)}} {
			f.requireError(f.proved(id, codeForm(code), nil, proofs...), http.StatusBadRequest, portner.InvalidGrant)
			require.Equal(t, []string{"dpop_key_mismatch"}, f.reasons(), name)
		}
		a := f.proved(id, codeForm(code), nil, f.tokenProof(owner))
		require.Equal(t, http.StatusOK, a.Code, "the code is not burned: "+a.Body.String())
		f.requireError(f.proved(id, codeForm(code), nil, f.tokenProof(thief)), http.StatusBadRequest, portner.InvalidGrant)
		require.True(t, f.active(a.str("access_token")), "a used code without the key does not revoke the tokens of the owner")
		f.requireError(f.proved(id, codeForm(code), nil, f.tokenProof(owner)), http.StatusBadRequest, portner.InvalidGrant)
		require.False(t, f.active(a.str("access_token")), "a second use with the key does (RFC 6749 §4.1.2)")
	}
}

// TestCodeBoundToKeyWithoutPolicy: a provider that accepts no proofs any more does not redeem a code that is bound to a key.
func TestCodeBoundToKeyWithoutPolicy(t *testing.T) {
	t.Parallel()
	f := dpopFixture{fixture: newFixture(t)}
	key := portnertest.NewProver()
	code := f.code(func(c *storage.AuthorizationCode) { c.DPoPKey = key.Thumbprint })
	f.requireError(f.proved("web", codeForm(code), nil, f.tokenProof(key)), http.StatusBadRequest, portner.InvalidGrant)
}

// TestRefreshBinding: the refresh tokens of public clients are bound to the first key and certificate (RFC 9449 §5, RFC 8705 §4), rotated or
// not. Those of clients that authenticate are not.
func TestRefreshBinding(t *testing.T) {
	t.Parallel()
	first, other := portnertest.NewProver(), portnertest.NewProver()
	cert, wrong := certificate("first"), certificate("other")
	for _, id := range []string{"spa", "spa2"} { // Reuse and rotation
		for name, tt := range map[string]struct {
			mtls        bool
			redeemed    *portnertest.Prover
			refreshed   *portnertest.Prover
			certificate *x509.Certificate
			ok          bool
		}{
			"unbound, no proof":                  {ok: true},
			"unbound, a proof":                   {refreshed: first, ok: true},
			"the key":                            {redeemed: first, refreshed: first, ok: true},
			"another key":                        {redeemed: first, refreshed: other},
			"no proof":                           {redeemed: first},
			"the certificate":                    {mtls: true, certificate: cert, ok: true},
			"another certificate":                {mtls: true, certificate: wrong},
			"both":                               {mtls: true, redeemed: first, refreshed: first, certificate: cert, ok: true},
			"the certificate, no proof":          {mtls: true, redeemed: first, certificate: cert},
			"the certificate, another key":       {mtls: true, redeemed: first, refreshed: other, certificate: cert},
			"the key, another certificate":       {mtls: true, redeemed: first, refreshed: first, certificate: wrong},
			"the certificate, a first proof now": {mtls: true, refreshed: first, certificate: cert, ok: true},
		} {
			t.Run(id+", "+name, func(t *testing.T) {
				t.Parallel()
				f := newDPoPFixture(t)
				f.clients[id].TLSClientCertificateBoundAccessTokens = tt.mtls
				proof := func(p *portnertest.Prover) []string {
					if p == nil {
						return nil
					}
					return []string{f.tokenProof(p)}
				}
				a := f.proved(id, codeForm(f.code(forClient(id))), cert, proof(tt.redeemed)...)
				rt := a.str("refresh_token")
				require.NotEmpty(t, rt, a.Body.String())
				b := f.proved(id, refreshForm(rt), tt.certificate, proof(tt.refreshed)...)
				if tt.ok {
					require.Equal(t, http.StatusOK, b.Code, b.Body.String())
					if tt.refreshed != nil {
						_, claims := segments(t, b.str("access_token"))
						require.Equal(t, tt.refreshed.Thumbprint, claims["cnf"].(map[string]any)["jkt"])
					}
					return
				}
				f.requireError(b, http.StatusBadRequest, portner.InvalidGrant)
				require.True(t, f.active(a.str("access_token")), "the family is not revoked")
				b = f.proved(id, refreshForm(rt), cert, proof(tt.redeemed)...)
				require.Equal(t, http.StatusOK, b.Code, "the token is not rotated: "+b.Body.String())
			})
		}
	}
}

// TestStolenRefreshToken: whoever has the refresh token of a public client without its key can neither use it nor its predecessor, and does
// not end the family, within and after the grace of a rotation.
func TestStolenRefreshToken(t *testing.T) {
	t.Parallel()
	for _, grace := range []time.Duration{0, token.MaxRotationGrace} {
		f := newDPoPFixture(t, func(c *token.Config) { c.RotationGrace = grace })
		owner, thief := portnertest.NewProver(), portnertest.NewProver()
		old := f.loginWith("spa2", owner).str("refresh_token")
		a := f.proved("spa2", refreshForm(old), nil, f.tokenProof(owner))
		successor := a.str("refresh_token")
		require.NotEqual(t, old, successor)
		for _, rt := range []string{old, successor} {
			f.requireError(f.refresh("spa2", rt), http.StatusBadRequest, portner.InvalidGrant)
			f.requireError(f.proved("spa2", refreshForm(rt), nil, f.tokenProof(thief)), http.StatusBadRequest, portner.InvalidGrant)
		}
		require.True(t, f.active(a.str("access_token")))
		if grace > 0 {
			b := f.proved("spa2", refreshForm(old), nil, f.tokenProof(owner))
			require.Equal(t, successor, b.str("refresh_token"), "a retry of the owner")
		}
		require.Equal(t, http.StatusOK, f.proved("spa2", refreshForm(successor), nil, f.tokenProof(owner)).Code)
	}
}

// TestRefreshOfConfidentialClient: a client that authenticates may take a new key, and receives a token that is bound to it, or without a proof
// one that is not, unless its registration or the profile requires one (RFC 9449 §5).
func TestRefreshOfConfidentialClient(t *testing.T) {
	t.Parallel()
	f := newDPoPFixture(t)
	for _, id := range []string{"web", "reuse"} {
		first, second := portnertest.NewProver(), portnertest.NewProver()
		rt := f.loginWith(id, first).str("refresh_token")
		a := f.proved(id, refreshForm(rt), nil, f.tokenProof(second))
		require.Equal(t, boundTo("jkt", second.Thumbprint), f.bindings(a.str("access_token")))
		a = f.refresh(id, a.str("refresh_token"))
		require.Equal(t, []any{http.StatusOK, "Bearer"}, []any{a.Code, a.str("token_type")})
		f.clients[id].DPoPBoundAccessTokens = true
		rt = a.str("refresh_token")
		f.requireError(f.refresh(id, rt), http.StatusBadRequest, portner.InvalidDPoPProof)
		require.Equal(t, http.StatusOK, f.proved(id, refreshForm(rt), nil, f.tokenProof(first)).Code, "it is not rotated")
	}
}

// TestIntrospectionOfBoundToken: introspection and revocation need no proof (RFC 9449 §6.2).
func TestIntrospectionOfBoundToken(t *testing.T) {
	t.Parallel()
	f := newDPoPFixture(t)
	key := portnertest.NewProver()
	at := f.loginWith("web", key, "openid", "api:read").str("access_token")
	for _, id := range []string{"web", "api", "listed"} {
		a := f.introspect(id, at)
		require.Equal(t, []any{true, "DPoP", map[string]any{"jkt": key.Thumbprint}}, []any{a.body["active"], a.str("token_type"), a.body["cnf"]}, id)
	}
	require.Equal(t, http.StatusOK, f.send(f.ep.Revocation(), "web", url.Values{"token": {at}}).Code)
	require.False(t, f.active(at), "revocation needs no proof")
}

// TestClaimsFunctionSeesBinding: a claims function sees what the token is bound to, and cannot set cnf.
func TestClaimsFunctionSeesBinding(t *testing.T) {
	t.Parallel()
	set := ""
	f := newDPoPFixture(t, func(c *token.Config) {
		c.Claims = append(c.Claims, func(_ context.Context, d *token.Document) error {
			if set != "" {
				d.SetString(set, "x")
			}
			d.SetString("key_of_"+d.Kind.String(), d.Confirmation.Key)
			return nil
		})
	})
	key := portnertest.NewProver()
	at := f.loginWith("web", key, "openid", "profile").str("access_token")
	_, claims := segments(t, at)
	require.Equal(t, key.Thumbprint, claims["key_of_access token"])
	require.Equal(t, key.Thumbprint, f.introspect("web", at).body["key_of_introspection response"])
	require.Equal(t, key.Thumbprint, f.userInfoWith("GET", "DPoP "+at, key.Proof("GET", userInfoURL, at, f.clock(), nil)).body["key_of_userinfo response"])
	set = "cnf"
	require.Equal(t, http.StatusServiceUnavailable, f.proved("web", codeForm(f.code()), nil, f.tokenProof(key)).Code)
}

// userInfoWith sends a userinfo request with the values of Authorization and DPoP.
func (f dpopFixture) userInfoWith(method, authorization string, proofs ...string) answer {
	f.t.Helper()
	r := httptest.NewRequest(method, userInfoURL, nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return f.sendRequest(f.ep.UserInfo(), withProof(r, nil, proofs...))
}
