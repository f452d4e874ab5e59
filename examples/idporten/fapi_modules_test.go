package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/stretchr/testify/require"
)

// fapiModule is a module of the FAPI 2.0 plans. Variants without one of its marks leave it out.
type fapiModule struct {
	run   func(*fapiRun) string
	marks string // D: DPoP only, J: private_key_jwt only, O: openid_connect only, C: also with client_credentials, S: signed requests only
}

// has reports whether a variant has the module.
func (m fapiModule) has(v variant) bool {
	for mark, ok := range map[string]bool{"D": v.bind == "dpop", "J": v.auth == "pkjwt", "O": !v.oauth && !v.machine, "S": v.signed} {
		if strings.Contains(m.marks, mark) && !ok {
			return false
		}
	}
	return !v.machine || strings.Contains(m.marks, "C")
}

const fapiPrefix = "fapi2-security-profile-final-"

// securityModules are the modules of the Security Profile, without their prefix.
var securityModules = map[string]fapiModule{
	"discovery-end-point-verification": {(*fapiRun).discovery, "C"},
	"happy-flow":                       {(*fapiRun).happyFlow, "C"},
	"user-rejects-authentication":      {(*fapiRun).userRejects, ""},

	"ensure-authorization-request-without-state-success":      {fapiFlow("state", ""), ""},
	"ensure-authorization-request-without-nonce-success":      {fapiFlow("nonce", ""), "O"},
	"ensure-authorization-request-with-64-char-nonce-success": {fapiFlow("nonce", strings.Repeat("n4", 32)), "O"},
	"ensure-other-scope-order-succeeds":                       {fapiFlow("scope", "accounts openid"), "O"},
	"test-claims-parameter-identity-claims":                   {(*fapiRun).claimsParameter, "O"},
	"access-token-type-header-case-sensitivity":               {(*fapiRun).tokenTypeCase, "C"},

	"check-dpop-proof-nbf-exp":                                   {proofClaims("nbf", 0, "exp", 60), "DC"},
	"ensure-dpopproof-with-iat-10seconds-before-succeeds":        {proofClaims("iat", -10), "DC"},
	"ensure-dpopproof-with-iat-10seconds-after-succeeds":         {proofClaims("iat", 8), "DC"},
	"ensure-mismatched-dpop-jkt-fails":                           {(*fapiRun).mismatchedAtPAR, "D"},
	"ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt": {otherKeyAtToken(true), "D"},
	"ensure-token-endpoint-fails-with-mismatched-dpop-jkt":       {otherKeyAtToken(false), "D"},
	"ensure-dpopproof-at-par-endpoint-binding-success":           {boundCode(true), "D"},
	"ensure-dpop-auth-code-binding-success":                      {boundCode(false), "D"},

	"ensure-different-nonce-inside-and-outside-request-object": {outside("nonce"), "O"},
	"ensure-different-state-inside-and-outside-request-object": {outside("state"), ""},
	"ensure-authorization-request-with-long-nonce":             {fapiFlow("nonce", strings.Repeat("n", 384)), "O"},
	"ensure-authorization-request-with-long-state":             {fapiFlow("state", strings.Repeat("s", 1000)), ""},
	"state-only-outside-request-object-not-used":               {(*fapiRun).stateOutside, ""},

	"ensure-request-object-without-redirect-uri-fails":              {parFails("redirect_uri", "", "invalid_request", "invalid_request_object"), ""},
	"plain-fapi-tolerate-unregistered-redirect-uri":                 {parFails("redirect_uri", fapiCallback+"/other", "invalid_request"), ""},
	"ensure-unsigned-authorization-request-without-using-par-fails": {(*fapiRun).withoutPAR, ""},
	"ensure-redirect-uri-in-authorization-request":                  {parFails("redirect_uri", "", "invalid_request", "invalid_request_object"), ""},
	"ensure-response-type-code-idtoken-fails":                       {parFails("response_type", "code id_token", "unsupported_response_type", "invalid_request", "unauthorized_client"), ""},
	"ensure-response-type-token-fails":                              {parFails("response_type", "token", "unsupported_response_type", "invalid_request", "unauthorized_client"), ""},

	"ensure-client-id-in-token-endpoint":                          {(*fapiRun).otherClientID, "C"},
	"ensure-holder-of-key-required":                               {(*fapiRun).holderOfKey, "C"},
	"ensure-authorization-code-is-bound-to-client":                {(*fapiRun).codeOfOtherClient, ""},
	"attempt-reuse-authorization-code-after-one-second":           {(*fapiRun).codeTwice, ""},
	"ensure-token-endpoint-fails-with-expired-auth-code":          {(*fapiRun).codeExpired, ""},
	"ensure-signed-client-assertion-with-RS256-fails":             {tokenAssertion(func(s *sent) { s.assertion.header["alg"] = "RS256" }), "JC"},
	"ensure-client-assertion-in-token-endpoint":                   {tokenAssertion(func(s *sent) { s.assertion = nil }), "JC"},
	"ensure-client-assertion-with-exp-is-5-minutes-in-past-fails": {tokenAssertion(func(s *sent) { s.assertion.claims["exp"] = s.c.now().Unix() - 300 }), "JC"},
	"ensure-client-assertion-with-wrong-aud-fails":                {tokenAssertion(func(s *sent) { s.assertion.claims["aud"] = "https://other.example.no" }), "JC"},
	"ensure-client-assertion-with-no-sub-fails":                   {tokenAssertion(func(s *sent) { delete(s.assertion.claims, "sub") }), "JC"},

	"dpop-negative-tests": {(*fapiRun).proofsAtAPI, "DC"},
	"refresh-token":       {(*fapiRun).refreshes, ""},

	"par-ensure-reused-request-uri-prior-to-auth-completion-succeeds":          {(*fapiRun).openedTwice, ""},
	"par-attempt-reuse-request_uri":                                            {(*fapiRun).requestURITwice, ""},
	"par-attempt-to-use-expired-request_uri":                                   {(*fapiRun).requestURIExpired, ""},
	"par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted": {(*fapiRun).assertionAhead, "J"},
	"par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails": {parAssertion(func(s *sent) { s.assertion.claims["nbf"] = s.c.now().Unix() + 65 }), "J"},
	"par-attempt-to-use-request_uri-for-different-client":                      {(*fapiRun).requestURIOfOtherClient, ""},
	"par-authorization-request-containing-request_uri-form-param":              {(*fapiRun).requestURIAtPAR, ""},
	"par-attempt-invalid-http-method":                                          {(*fapiRun).parMethod, ""},
	"par-ensure-pkce-required":                                                 {(*fapiRun).withoutPKCE, ""},
	"par-plain-pkce-rejected":                                                  {parFails("code_challenge_method", "plain", "invalid_request"), ""},
	"ensure-pkce-code-verifier-required":                                       {verifier(""), ""},
	"incorrect-pkce-code-verifier-rejected":                                    {verifier(strings.Repeat("x", 64)), ""},
	"par-without-duplicate-parameters":                                         {(*fapiRun).withoutDuplicates, ""},
	"par-test-array-as-audience-fails":                                         {parAssertion(func(s *sent) { s.assertion.claims["aud"] = []string{s.c.issuer} }), "J"},
	"par-test-par-endpoint-url-as-audience-fails":                              {parAssertion(func(s *sent) { s.assertion.claims["aud"] = s.url }), "J"},
	"par-test-token-endpoint-url-as-audience-fails":                            {parAssertion(func(s *sent) { s.assertion.claims["aud"] = s.c.meta["token_endpoint"] }), "J"},
}

func (m *fapiRun) discovery() string {
	t, meta := m.t, m.meta
	require.Equal(t, m.issuer, meta["issuer"])
	for name, value := range meta {
		if strings.HasSuffix(name, "_endpoint") {
			require.True(t, strings.HasPrefix(value.(string), "https://"), name)
		}
	}
	method := "private_key_jwt"
	if m.auth == "mtls" {
		method = "tls_client_auth"
		require.Contains(t, meta["token_endpoint_auth_methods_supported"], "self_signed_tls_client_auth")
		require.NotEmpty(t, meta["mtls_endpoint_aliases"])
	}
	for name, value := range map[string]string{
		"response_types_supported": "code", "code_challenge_methods_supported": "S256", "token_endpoint_auth_methods_supported": method,
		"token_endpoint_auth_signing_alg_values_supported": "PS256",
		"grant_types_supported":                            "refresh_token", "dpop_signing_alg_values_supported": "ES256",
	} {
		require.Contains(t, meta[name], value, name)
	}
	algorithms := []string{"token_endpoint_auth_signing_alg_values_supported", "request_object_signing_alg_values_supported", "dpop_signing_alg_values_supported"}
	if !m.oauth {
		require.Contains(t, meta["id_token_signing_alg_values_supported"], "PS256")
		algorithms = append(algorithms, "id_token_signing_alg_values_supported")
	}
	for _, name := range algorithms {
		for _, alg := range meta[name].([]any) {
			require.Contains(t, []string{"PS256", "ES256", "EdDSA"}, alg, name)
		}
	}
	for _, name := range []string{"none", "client_secret_basic", "client_secret_post"} {
		require.NotContains(t, meta["token_endpoint_auth_methods_supported"], name)
	}
	require.NotEmpty(t, meta["pushed_authorization_request_endpoint"])
	require.Equal(t, true, meta["authorization_response_iss_parameter_supported"])
	require.Equal(t, true, meta["tls_client_certificate_bound_access_tokens"])
	require.Equal(t, true, meta["require_pushed_authorization_requests"])
	if m.signed {
		require.Contains(t, meta["response_modes_supported"], "jwt")
		require.Contains(t, meta["response_modes_supported"], "query.jwt")
		require.Contains(t, meta["authorization_signing_alg_values_supported"], "PS256")
	}
	return passed
}

// happyFlow runs both clients. The second one binds its code to its key by dpop_jkt.
func (m *fapiRun) happyFlow() string {
	for n := 1; n <= 2; n++ {
		c := m.client(n)
		var change []string
		if n == 2 && m.bind == "dpop" {
			change = []string{"dpop_jkt", thumbprint(m.proofs[1])}
		}
		got := c.flow(change...)
		requireEntropy(m.t, got.access[strings.LastIndexByte(got.access, '.')+1:])
		c.accounts(got.access).allowed(m.t)
	}
	return passed
}

func (m *fapiRun) userRejects() string {
	for n := 1; n <= 2; n++ {
		c := m.client(n)
		m.browser = m.fapiBed.browser(m.t, true)
		q := c.request()
		p := c.open(c.pushed(c.push(q)))
		got := c.response(c.browser.submit(p, "login-form", form("username", "", "password", "", "action", "cancel")), q)
		require.Equal(m.t, "access_denied", got.Get("error"))
		require.Empty(m.t, got.Get("code"))
	}
	return passed
}

// fapiFlow does a flow with a changed request.
func fapiFlow(change ...string) func(*fapiRun) string {
	return func(m *fapiRun) string {
		m.client(1).flow(change...)
		return passed
	}
}

// claimsParameter requests every supported claim, and one that does not exist.
func (m *fapiRun) claimsParameter() string {
	require.Equal(m.t, true, m.meta["claims_parameter_supported"])
	c := m.client(1)
	ids := map[string]any{"portner_unknown": nil}
	for _, name := range m.meta["claims_supported"].([]any) {
		ids[name.(string)] = nil
	}
	request, err := json.Marshal(map[string]any{"id_token": ids, "userinfo": ids})
	require.NoError(m.t, err)
	got := c.flow("claims", string(request))
	s := &sent{c: c, method: http.MethodGet, url: c.endpoint("userinfo_endpoint"), header: http.Header{}}
	scheme := "DPoP "
	if m.bind == "mtls" {
		s.certificate, scheme = c.n, "Bearer "
	}
	s.header.Set("Authorization", scheme+got.access)
	if s.prove(); s.proof != nil {
		s.proof.claims["ath"] = hash(got.access)
	}
	info := s.do()
	require.Equal(m.t, http.StatusOK, info.status, "%v", info.header)
	require.Equal(m.t, got.claims["sub"], info.body["sub"])
	for _, name := range slices.Concat(claimsOf["profile"], claimsOf["email"], claimsOf["address"], claimsOf["phone"]) {
		require.True(m.t, info.body[name] != nil || got.claims[name] != nil, name)
	}
	return passed
}

func (m *fapiRun) tokenTypeCase() string {
	c := m.client(1)
	token := c.flow().access
	for _, change := range []func(string) string{strings.ToLower, strings.ToUpper} {
		c.accounts(token, func(s *sent) {
			scheme, _, _ := strings.Cut(s.header.Get("Authorization"), " ")
			s.header.Set("Authorization", change(scheme)+" "+token)
		}).allowed(m.t)
	}
	return passed
}

// proofClaims sends proofs with times relative to now, to the token endpoint and the API.
func proofClaims(pairs ...any) func(*fapiRun) string {
	return func(m *fapiRun) string {
		c := m.client(1)
		change := func(s *sent) {
			for i := 0; i < len(pairs); i += 2 {
				s.proof.claims[pairs[i].(string)] = c.now().Unix() + int64(pairs[i+1].(int))
			}
		}
		var got tokens
		if m.machine {
			got = c.tokens(c.machineToken(change), nil)
		} else {
			q := c.request()
			got = c.tokens(c.redeem(c.authorize(q), change), q)
		}
		return c.accounts(got.access, change).allowed(m.t)
	}
}

// withProof adds the proof of a key to a pushed request.
func withProof(s *sent) { s.prove() }

func (m *fapiRun) mismatchedAtPAR() string {
	c := m.client(1)
	return c.push(c.request("dpop_jkt", thumbprint(m.proofs[2])), withProof).fails(m.t, "invalid_request", "invalid_dpop_proof")
}

// otherKey signs the proof with another key.
func otherKey(s *sent) {
	key := s.c.proofs[2]
	s.proof.header["jwk"], s.proof.key = publicJWK(key), key
}

// otherKeyAtToken redeems a code that is bound to a key, by a proof or by dpop_jkt, with another key.
func otherKeyAtToken(byProof bool) func(*fapiRun) string {
	return func(m *fapiRun) string {
		c := m.client(1)
		return c.redeem(c.boundCode(byProof), otherKey).fails(m.t, "invalid_dpop_proof", "invalid_grant", "invalid_request")
	}
}

func (c *fapiClient) boundCode(byProof bool) string {
	if byProof {
		return c.authorize(c.request(), withProof)
	}
	return c.authorize(c.request("dpop_jkt", thumbprint(c.proofs[0])))
}

func boundCode(byProof bool) func(*fapiRun) string {
	return func(m *fapiRun) string {
		c := m.client(1)
		a := c.redeem(c.boundCode(byProof))
		require.Equal(m.t, http.StatusOK, a.status, a.body)
		return c.accounts(text(a.body["access_token"])).allowed(m.t)
	}
}

// outside sends another value beside the request_uri: that of the pushed request wins.
func outside(name string) func(*fapiRun) string {
	return func(m *fapiRun) string {
		c := m.client(1)
		q := c.request()
		c.tokens(c.redeem(c.code(c.finish(c.open(c.pushed(c.push(q)), name, "outside")), q)), q)
		return passed
	}
}

func (m *fapiRun) stateOutside() string {
	c := m.client(1)
	q := c.request("state", "")
	c.tokens(c.redeem(c.code(c.finish(c.open(c.pushed(c.push(q)), "state", "outside")), q)), q)
	return passed
}

// parFails pushes a changed request.
func parFails(name, value string, codes ...string) func(*fapiRun) string {
	return func(m *fapiRun) string {
		c := m.client(1)
		allowed := codes // of this run: the module runs in several variants at the same time
		if m.signed {
			allowed = append(slices.Clone(codes), "invalid_request_object")
		}
		return c.push(c.request(name, value)).fails(m.t, allowed...)
	}
}

// withoutPAR sends the request by the front channel. The error goes to the registered redirect URI.
func (m *fapiRun) withoutPAR() string {
	c := m.client(1)
	q := c.request()
	p := c.goTo(q)
	require.NotNil(m.t, p.left, "%d at %s\n%s", p.status, p.url, p.body)
	got := c.response(p, q)
	require.Equal(m.t, "invalid_request", got.Get("error"))
	return passed
}

func (m *fapiRun) otherClientID() string {
	c := m.client(1)
	other := m.client(2).id
	change := func(s *sent) { s.form.Set("client_id", other) }
	if m.machine {
		return c.machineToken(change).fails(m.t, "invalid_client", "invalid_grant")
	}
	return c.redeem(c.authorize(c.request()), change).fails(m.t, "invalid_client", "invalid_grant")
}

// withoutKey sends neither a proof nor a certificate.
func withoutKey(s *sent) { s.proof, s.certificate = nil, 0 }

func (m *fapiRun) holderOfKey() string {
	c := m.client(1)
	codes := []string{"invalid_dpop_proof", "invalid_request", "invalid_grant"}
	if m.bind == "mtls" {
		codes = []string{"invalid_client", "invalid_request"}
	}
	change := withoutKey
	if m.bind == "dpop" {
		change = func(s *sent) { s.proof = nil }
	}
	if m.machine {
		return c.machineToken(change).fails(m.t, codes...)
	}
	return c.redeem(c.authorize(c.request()), change).fails(m.t, codes...)
}

func (m *fapiRun) codeOfOtherClient() string {
	c, other := m.client(1), m.client(2)
	code := c.authorize(c.request())
	return other.post("token_endpoint", form("grant_type", "authorization_code", "code", code, "redirect_uri", c.redirectURI(), "code_verifier", verifierOf(c))).
		prove().do().fails(m.t, "invalid_grant")
}

// codeTwice: the second use of a code fails, and ends the first token.
func (m *fapiRun) codeTwice() string {
	c := m.client(1)
	q := c.request()
	code := c.authorize(q)
	got := c.tokens(c.redeem(code), q)
	c.accounts(got.access).allowed(m.t)
	m.advance(time.Second)
	c.redeem(code).fails(m.t, "invalid_grant")
	c.accounts(got.access).denied(m.t)
	return passed
}

func (m *fapiRun) codeExpired() string {
	c := m.client(1)
	code := c.authorize(c.request())
	m.advance(62 * time.Second)
	return c.redeem(code).fails(m.t, "invalid_grant")
}

// tokenAssertion sends a changed assertion to the token endpoint.
func tokenAssertion(change edit) func(*fapiRun) string {
	return func(m *fapiRun) string {
		c := m.client(1)
		if m.machine {
			return c.machineToken(change).fails(m.t, "invalid_client", "invalid_request")
		}
		return c.redeem(c.authorize(c.request()), change).fails(m.t, "invalid_client", "invalid_request")
	}
}

// parAssertion sends a changed assertion to the endpoint of pushed requests.
func parAssertion(change edit) func(*fapiRun) string {
	return func(m *fapiRun) string {
		c := m.client(1)
		return c.push(c.request(), change).fails(m.t, "invalid_client", "invalid_request")
	}
}

func (m *fapiRun) assertionAhead() string {
	c := m.client(1)
	c.pushed(c.push(c.request(), func(s *sent) { s.assertion.claims["nbf"] = c.now().Unix() + 8 }))
	return passed
}

// proofsAtAPI sends proofs that the API must reject, and unusual ones that it must accept.
func (m *fapiRun) proofsAtAPI() string {
	c := m.client(1)
	token := c.flow().access
	header := func(name string, value any) edit { return func(s *sent) { set(s.proof.header, name, value) } }
	claim := func(name string, value any) edit { return func(s *sent) { set(s.proof.claims, name, value) } }
	now := c.now().Unix()
	for name, change := range map[string]edit{
		"malformed":  func(s *sent) { s.proof, s.proofs = nil, []string{"not.a.proof"} },
		"two proofs": func(s *sent) { s.proofs = []string{s.c.proofFor(s.method, s.url).sign(m.t)} },
		"no typ":     header("typ", nil), "no alg": header("alg", nil), "no jwk": header("jwk", nil),
		"no jti": claim("jti", nil), "no htm": claim("htm", nil), "no htu": claim("htu", nil), "no iat": claim("iat", nil), "no ath": claim("ath", nil),
		"typ": header("typ", "JWT"), "RS256": rs256Proof, "none": header("alg", "none"), "signature": func(s *sent) { s.proof.key = s.c.proofs[2] },
		"private key": func(s *sent) {
			jwk := publicJWK(c.proofs[0])
			d, err := c.proofs[0].Bytes()
			require.NoError(m.t, err)
			jwk["d"] = base64.RawURLEncoding.EncodeToString(d)
			s.proof.header["jwk"] = jwk
		},
		"htm": claim("htm", "POST"), "htu": claim("htu", c.issuer+"/other"), "stale": claim("iat", now-3600), "future": claim("iat", now+3600),
		"ath": claim("ath", hash("another token")), "other key": otherKey, "no proof": func(s *sent) { s.proof = nil },
		"Bearer":         func(s *sent) { s.header.Set("Authorization", "Bearer "+token) },
		"Bearer, no key": func(s *sent) { s.proof = nil; s.header.Set("Authorization", "Bearer "+token) },
	} {
		a := c.accounts(token, change)
		require.Contains(m.t, []int{http.StatusBadRequest, http.StatusUnauthorized}, a.status, name)
		a.denied(m.t)
	}
	for _, change := range []edit{
		func(s *sent) { s.proof.claims["htu"] = s.url + "?a=b#c" }, claim("unknown", "x"), func(s *sent) { s.proof.header["jwk"].(map[string]any)["kid"] = "x" },
		func(s *sent) { s.proof.claims["htu"] = strings.Replace(s.url, "localhost", "LOCALHOST", 1) },
	} {
		c.accounts(token, change).allowed(m.t)
	}
	// A proof is accepted once.
	used := c.proofFor(http.MethodGet, c.issuer+idporten.PathAccounts)
	used.claims["ath"] = hash(token)
	again := func(s *sent) { s.proof, s.proofs = nil, []string{used.sign(m.t)} }
	c.accounts(token, again).allowed(m.t)
	c.accounts(token, again).denied(m.t)
	return passed
}

func rs256Proof(s *sent) {
	key := s.c.private[s.c.id]
	s.proof.header["alg"], s.proof.key = "RS256", key
	s.proof.header["jwk"] = map[string]any{"kty": "RSA", "n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()), "e": "AQAB"}
}

// set sets a member, or deletes it if value is nil.
func set(members map[string]any, name string, value any) {
	if members[name] = value; value == nil {
		delete(members, name)
	}
}

// refreshes: a refresh token works for its client with a new key, and also half a minute after its first use.
func (m *fapiRun) refreshes() string {
	issued := map[int]tokens{}
	for n := 1; n <= 2; n++ {
		c := m.client(n)
		got := c.flow("scope", c.scope()+" offline_access", "prompt", "consent")
		require.NotEmpty(m.t, got.refresh)
		issued[n] = got
	}
	c, refresh := m.client(1), issued[1].refresh
	send := func(c *fapiClient, token string, edits ...edit) *answer {
		return c.post("token_endpoint", form("grant_type", "refresh_token", "refresh_token", token)).prove().do(edits...)
	}
	newKey := []edit{}
	if m.bind == "dpop" {
		newKey = append(newKey, otherKey)
	}
	next := c.tokens(send(c, refresh, newKey...), nil)
	require.NotEqual(m.t, issued[1].access, next.access)
	c.accounts(next.access, newKey...).allowed(m.t)
	m.advance(31 * time.Second)
	c.accounts(c.tokens(send(c, refresh), nil).access).allowed(m.t)

	send(c, refresh, func(s *sent) {
		s.assertion = nil
		if m.auth == "mtls" {
			s.certificate = 0
		}
		s.form.Set("client_id", c.id)
	}).fails(m.t, "invalid_client", "invalid_request", "invalid_grant")
	a := send(c, refresh, func(s *sent) {
		if s.proof = nil; m.bind == "mtls" {
			s.certificate = 0
		}
	})
	a.fails(m.t, "invalid_dpop_proof", "invalid_request", "invalid_grant", "invalid_client")
	if m.auth != "mtls" || m.bind != "mtls" {
		require.Equal(m.t, http.StatusBadRequest, a.status)
	}
	send(m.client(2), refresh).fails(m.t, "invalid_grant")
	return passed
}

// openedTwice opens a request_uri a second time before the user logged in.
func (m *fapiRun) openedTwice() string {
	c := m.client(1)
	m.browser = m.fapiBed.browser(m.t, true)
	q := c.request()
	uri := c.pushed(c.push(q))
	require.NotNil(m.t, c.open(uri).id("login-form"))
	c.tokens(c.redeem(c.code(c.finish(c.open(uri)), q)), q)
	return passed
}

// unknownURI requires the error for a request_uri that the provider does not know. It goes to the registered redirect URI that the suite
// repeats beside the request_uri. Without one it is a page.
func (c *fapiClient) unknownURI(uri string) string {
	c.t.Helper()
	require.Equal(c.t, "invalid_request_uri", c.response(c.open(uri), url.Values{}).Get("error"))
	p := c.goTo(form("client_id", c.id, "request_uri", uri))
	require.Nil(c.t, p.left, "%v", p.left)
	require.Equal(c.t, http.StatusBadRequest, p.status)
	require.NotNil(c.t, p.id("error-page"), p.body)
	require.Contains(c.t, p.text("main"), "request_uri")
	return passed
}

func (m *fapiRun) requestURITwice() string {
	c := m.client(1)
	q := c.request()
	uri := c.pushed(c.push(q))
	c.code(c.finish(c.open(uri)), q)
	return c.unknownURI(uri)
}

func (m *fapiRun) requestURIExpired() string {
	c := m.client(1)
	a := c.push(c.request())
	uri := c.pushed(a)
	m.advance(time.Duration(a.body["expires_in"].(float64))*time.Second + time.Second)
	return c.unknownURI(uri)
}

func (m *fapiRun) requestURIOfOtherClient() string {
	c, other := m.client(1), m.client(2)
	return other.unknownURI(c.pushed(c.push(c.request())))
}

func (m *fapiRun) requestURIAtPAR() string {
	c := m.client(1)
	uri := c.pushed(c.push(c.request()))
	q := c.request("request_uri", uri)
	return c.post("pushed_authorization_request_endpoint", q).do().fails(m.t, "invalid_request", "invalid_request_object", "request_uri_not_supported")
}

func (m *fapiRun) parMethod() string {
	c := m.client(1)
	a := c.push(c.request(), func(s *sent) { s.method = http.MethodPut })
	require.Equal(m.t, http.StatusMethodNotAllowed, a.status)
	return passed
}

func (m *fapiRun) withoutPKCE() string {
	c := m.client(1)
	return c.push(c.request("code_challenge", "", "code_challenge_method", "")).fails(m.t, "invalid_request")
}

// verifier redeems a code with a wrong code_verifier, or with none.
func verifier(value string) func(*fapiRun) string {
	return func(m *fapiRun) string {
		c := m.client(1)
		return c.redeem(c.authorize(c.request()), func(s *sent) {
			if s.form.Set("code_verifier", value); value == "" {
				s.form.Del("code_verifier")
			}
		}).fails(m.t, "invalid_grant")
	}
}

func (m *fapiRun) withoutDuplicates() string {
	c := m.client(1)
	q := c.request()
	p := c.goTo(url.Values{"client_id": {c.id}, "request_uri": {c.pushed(c.push(q))}})
	c.tokens(c.redeem(c.code(c.finish(p), q)), q)
	return passed
}
