package token_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/portnertest"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/token"
)

const algs = `algs="PS256 ES256 EdDSA"`

// TestUserInfoOfBoundToken: each rule about the scheme, the proof and the certificate of a token (RFC 9449 §7, RFC 8705 §3), and the challenge
// of each rejection.
func TestUserInfoOfBoundToken(t *testing.T) {
	t.Parallel()
	const bearer = `Bearer realm="` + issuer + `"`
	const noToken = bearer + ", DPoP " + algs
	key, other := portnertest.NewProver(), portnertest.NewProver()
	cert := certificate("client")
	type world struct {
		dpopFixture
		at, plain, certified, both string
	}
	at := func(w world, p *portnertest.Prover, url, token string, claims ...map[string]any) []string {
		all := map[string]any{}
		for _, c := range claims {
			for name, v := range c {
				all[name] = v
			}
		}
		return []string{p.Proof("GET", url, token, w.clock(), all)}
	}
	refused := func(scheme, code, description string) string {
		if scheme == "DPoP" {
			return `DPoP error="` + code + `", error_description="` + description + `", ` + algs
		}
		return bearer + `, error="` + code + `", error_description="` + description + `", DPoP ` + algs
	}
	const (
		unknown   = "The access token is not valid."
		downgrade = "The access token is bound to a key. Use the scheme DPoP."
		unbound   = "The access token is not bound to a key."
		without   = "The access token is bound to a certificate that the connection does not have."
		mismatch  = "The access token is bound to another certificate."
	)
	for name, tt := range map[string]struct {
		scheme string
		token  func(world) string
		proofs func(world) []string
		cert   *x509.Certificate
		status int
		code   portner.ErrorCode
		// challenge is the whole field; "" if only the code and the scheme matter
		challenge string
	}{
		"a proof":                             {"DPoP", func(w world) string { return w.at }, func(w world) []string { return at(w, key, userInfoURL, w.at) }, nil, 200, "", ""},
		"a proof for the mTLS alias":          {"DPoP", func(w world) string { return w.at }, func(w world) []string { return at(w, key, mtlsURL+"/userinfo", w.at) }, nil, 200, "", ""},
		"scheme in another case":              {"dPOP", func(w world) string { return w.at }, func(w world) []string { return at(w, key, userInfoURL, w.at) }, nil, 200, "", ""},
		"bearer token":                        {"Bearer", func(w world) string { return w.plain }, nil, nil, 200, "", ""},
		"bearer token with a proof":           {"Bearer", func(w world) string { return w.plain }, func(w world) []string { return at(w, key, userInfoURL, w.plain) }, nil, 200, "", ""},
		"no token":                            {"", nil, nil, nil, 401, "", noToken},
		"no token, a proof":                   {"", nil, func(w world) []string { return at(w, key, userInfoURL, w.at) }, nil, 401, "", noToken},
		"no proof":                            {"DPoP", func(w world) string { return w.at }, nil, nil, 401, portner.InvalidDPoPProof, ""},
		"two proofs":                          {"DPoP", func(w world) string { return w.at }, func(w world) []string { return append(at(w, key, userInfoURL, w.at), at(w, key, userInfoURL, w.at)...) }, nil, 401, portner.InvalidDPoPProof, ""},
		"a proof of another key":              {"DPoP", func(w world) string { return w.at }, func(w world) []string { return at(w, other, userInfoURL, w.at) }, nil, 401, portner.InvalidToken, ""},
		"a proof of the token endpoint":       {"DPoP", func(w world) string { return w.at }, func(w world) []string { return at(w, key, tokenURL, w.at) }, nil, 401, portner.InvalidDPoPProof, ""},
		"a proof for another token":           {"DPoP", func(w world) string { return w.at }, func(w world) []string { return at(w, key, userInfoURL, w.both) }, nil, 401, portner.InvalidDPoPProof, ""},
		"a proof without ath":                 {"DPoP", func(w world) string { return w.at }, func(w world) []string { return at(w, key, userInfoURL, "", map[string]any{"ath": nil}) }, nil, 401, portner.InvalidDPoPProof, ""},
		"a proof for POST":                    {"DPoP", func(w world) string { return w.at }, func(w world) []string { return at(w, key, userInfoURL, w.at, map[string]any{"htm": "POST"}) }, nil, 401, portner.InvalidDPoPProof, ""},
		"downgrade":                           {"Bearer", func(w world) string { return w.at }, nil, nil, 401, portner.InvalidToken, refused("Bearer", "invalid_token", downgrade)},
		"downgrade with a proof":              {"Bearer", func(w world) string { return w.at }, func(w world) []string { return at(w, key, userInfoURL, w.at) }, nil, 401, portner.InvalidToken, refused("Bearer", "invalid_token", downgrade)},
		"DPoP with a bearer token":            {"DPoP", func(w world) string { return w.plain }, func(w world) []string { return at(w, key, userInfoURL, w.plain) }, nil, 401, portner.InvalidToken, refused("DPoP", "invalid_token", unbound)},
		"DPoP with an unknown token":          {"DPoP", func(world) string { return "x" }, func(w world) []string { return at(w, key, userInfoURL, "x") }, nil, 401, portner.InvalidToken, refused("DPoP", "invalid_token", unknown)},
		"the certificate":                     {"Bearer", func(w world) string { return w.certified }, nil, cert, 200, "", ""},
		"no certificate":                      {"Bearer", func(w world) string { return w.certified }, nil, nil, 401, portner.InvalidToken, refused("Bearer", "invalid_token", without)},
		"another certificate":                 {"Bearer", func(w world) string { return w.certified }, nil, certificate("other"), 401, portner.InvalidToken, refused("Bearer", "invalid_token", mismatch)},
		"key and certificate":                 {"DPoP", func(w world) string { return w.both }, func(w world) []string { return at(w, key, userInfoURL, w.both) }, cert, 200, "", ""},
		"key and another certificate":         {"DPoP", func(w world) string { return w.both }, func(w world) []string { return at(w, key, userInfoURL, w.both) }, certificate("other"), 401, portner.InvalidToken, refused("DPoP", "invalid_token", mismatch)},
		"key without certificate":             {"DPoP", func(w world) string { return w.both }, func(w world) []string { return at(w, key, userInfoURL, w.both) }, nil, 401, portner.InvalidToken, refused("DPoP", "invalid_token", without)},
		"certificate without proof":           {"DPoP", func(w world) string { return w.both }, nil, cert, 401, portner.InvalidDPoPProof, ""},
		"downgrade with the certificate":      {"Bearer", func(w world) string { return w.both }, nil, cert, 401, portner.InvalidToken, refused("Bearer", "invalid_token", downgrade)},
		"DPoP without a token":                {"DPoP", func(world) string { return "" }, nil, nil, 400, portner.InvalidRequest, refused("DPoP", "invalid_request", "The Authorization header is malformed.")},
		"certificate of a token that has one": {"DPoP", func(w world) string { return w.certified }, func(w world) []string { return at(w, key, userInfoURL, w.certified) }, cert, 401, portner.InvalidToken, refused("DPoP", "invalid_token", unbound)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world{dpopFixture: newDPoPFixture(t)}
			w.at, w.plain = w.loginWith("web", key).str("access_token"), w.login("web").str("access_token")
			w.clients["web"].TLSClientCertificateBoundAccessTokens = true
			w.certified = w.proved("web", codeForm(w.code()), cert).str("access_token")
			w.both = w.proved("web", codeForm(w.code()), cert, w.tokenProof(key)).str("access_token")
			before := w.replays.recorded()
			r := httptest.NewRequest(http.MethodGet, userInfoURL, nil)
			if tt.scheme != "" {
				r.Header.Set("Authorization", tt.scheme+" "+tt.token(w))
			}
			var proofs []string
			if tt.proofs != nil {
				proofs = tt.proofs(w)
			}
			a := w.sendRequest(w.ep.UserInfo(), withProof(r, tt.cert, proofs...))
			require.Equal(t, tt.status, a.Code, a.Body.String())
			require.Equal(t, string(tt.code), a.str("error"))
			require.NotContains(t, a.Header(), "Dpop-Nonce")
			challenge := a.Header().Get("WWW-Authenticate")
			switch {
			case tt.status == http.StatusOK:
				require.Empty(t, challenge)
				if strings.EqualFold(tt.scheme, "DPoP") {
					require.Equal(t, before+1, w.replays.recorded())
					f := w.sendRequest(w.ep.UserInfo(), withProof(r, tt.cert, proofs...))
					w.requireError(f, http.StatusUnauthorized, portner.InvalidDPoPProof)
				}
				return
			case tt.challenge != "":
				require.Equal(t, tt.challenge, challenge)
			default:
				require.Regexp(t, `^DPoP error="`+string(tt.code)+`", error_description="[^"]+", `+algs+`$`, challenge)
			}
			require.Equal(t, before, w.replays.recorded(), "a rejected request records no proof")
		})
	}
}

// TestUserInfoOfBoundTokenForAPI: a token for an API opens userinfo if it is bound to a key or certificate of the client, and the client proves
// it. The API that received the token has neither.
func TestUserInfoOfBoundTokenForAPI(t *testing.T) {
	t.Parallel()
	f := newDPoPFixture(t)
	key, cert := portnertest.NewProver(), certificate("client")
	forAPI := func(c *storage.AuthorizationCode) { c.Grant.Resources = []string{"https://api.example.no"} }
	redeem := func(cert *x509.Certificate, proofs ...string) string {
		a := f.proved("web", codeForm(f.code(forClient("web", "openid", "profile"), forAPI)), cert, proofs...)
		require.Equal(t, http.StatusOK, a.Code, a.Body.String())
		_, claims := segments(t, a.str("access_token"))
		require.Equal(t, "https://api.example.no", claims["aud"])
		return a.str("access_token")
	}
	userInfo := func(authorization string, cert *x509.Certificate, proofs ...string) answer {
		r := httptest.NewRequest(http.MethodGet, userInfoURL, nil)
		r.Header.Set("Authorization", authorization)
		return f.sendRequest(f.ep.UserInfo(), withProof(r, cert, proofs...))
	}
	unbound, keyed := redeem(nil), redeem(nil, f.tokenProof(key))
	f.clients["web"].TLSClientCertificateBoundAccessTokens = true
	certified := redeem(cert)

	proof := func(p *portnertest.Prover) string {
		return p.Proof("GET", userInfoURL, keyed, f.clock(), nil)
	}
	a := userInfo("DPoP "+keyed, nil, proof(key))
	require.Equal(t, http.StatusOK, a.Code, a.Body.String())
	require.Equal(t, pid, a.body["pid"])
	a = userInfo("Bearer "+certified, cert)
	require.Equal(t, http.StatusOK, a.Code, a.Body.String())

	for name, a := range map[string]answer{
		"unbound": userInfo("Bearer "+unbound, nil), "of a key, as Bearer": userInfo("Bearer "+keyed, nil),
		"of a key, with another": userInfo("DPoP "+keyed, nil, proof(portnertest.NewProver())),
		"of a certificate":       userInfo("Bearer "+certified, nil), "of a certificate, with another": userInfo("Bearer "+certified, certificate("other")),
	} {
		require.Equal(t, http.StatusUnauthorized, a.Code, name)
		require.Equal(t, "invalid_token", a.str("error"), name)
	}
	require.Equal(t, "The access token is for another resource server.", userInfo("Bearer "+unbound, nil).str("error_description"))
}

// TestTwoTokensAtUserInfo: a request with two tokens is rejected with both challenges (RFC 6750 §3.1).
func TestTwoTokensAtUserInfo(t *testing.T) {
	t.Parallel()
	f := newDPoPFixture(t)
	at := f.loginWith("web", portnertest.NewProver()).str("access_token")
	inForm := httptest.NewRequest(http.MethodPost, userInfoURL, strings.NewReader(url.Values{"access_token": {at}}.Encode()))
	inForm.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	inForm.Header.Set("Authorization", "DPoP "+at)
	twice := httptest.NewRequest(http.MethodGet, userInfoURL, nil)
	twice.Header["Authorization"] = []string{"Bearer " + at, "DPoP " + at}
	for name, r := range map[string]*http.Request{"header and form": inForm, "two header fields": twice} {
		a := f.sendRequest(f.ep.UserInfo(), r)
		f.requireError(a, http.StatusBadRequest, portner.InvalidRequest)
		require.Regexp(t, `^Bearer realm="[^"]+", error="invalid_request", error_description="[^"]+", DPoP error="invalid_request", error_description="[^"]+", `+algs+`$`,
			a.Header().Get("WWW-Authenticate"), name)
	}
	bound := httptest.NewRequest(http.MethodPost, userInfoURL, strings.NewReader(url.Values{"access_token": {at}}.Encode()))
	bound.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	f.requireError(f.sendRequest(f.ep.UserInfo(), bound), http.StatusUnauthorized, portner.InvalidToken) // a downgrade
}

// TestUserInfoScopeOfBoundToken: the challenge of a bound token without the scope names it (RFC 9449 §7.1).
func TestUserInfoScopeOfBoundToken(t *testing.T) {
	t.Parallel()
	f := newDPoPFixture(t)
	key := portnertest.NewProver()
	at := f.loginWith("web", key, "openid", "api:read").str("access_token")
	a := f.userInfoWith("GET", "DPoP "+at, key.Proof("GET", userInfoURL, at, f.clock(), nil))
	f.requireError(a, http.StatusForbidden, portner.InsufficientScope)
	require.Regexp(t, `^DPoP error="insufficient_scope", error_description="[^"]+", scope="profile", `+algs+`$`, a.Header().Get("WWW-Authenticate"))
}

// TestUserInfoWithoutPolicy: a provider that accepts no proofs does not know the scheme DPoP, and rejects tokens that it bound before.
func TestUserInfoWithoutPolicy(t *testing.T) {
	t.Parallel()
	f := newDPoPFixture(t)
	key := portnertest.NewProver()
	at := f.loginWith("web", key).str("access_token")
	f.cfg.DPoP = nil
	f.ep = must(token.New(f.cfg))
	f.requireError(f.userInfo(at), http.StatusUnauthorized, portner.InvalidToken)
	a := f.userInfoWith("GET", "DPoP "+at, key.Proof("GET", userInfoURL, at, f.clock(), nil))
	require.Equal(t, http.StatusUnauthorized, a.Code)
	require.Equal(t, `Bearer realm="`+issuer+`"`, a.Header().Get("WWW-Authenticate"))
}

// TestUserInfoUnderSenderConstrained: a token from before the profile required bound tokens is rejected.
func TestUserInfoUnderSenderConstrained(t *testing.T) {
	t.Parallel()
	f := newDPoPFixture(t)
	at := f.login("web").str("access_token")
	require.Equal(t, http.StatusOK, f.userInfo(at).Code)
	f.cfg.SenderConstrained = true
	f.ep = must(token.New(f.cfg))
	f.requireError(f.userInfo(at), http.StatusUnauthorized, portner.InvalidToken)
}

// TestUserInfoNonces: userinfo has nonces of its own, which the token endpoint does not accept, and the reverse (RFC 9449 §9).
func TestUserInfoNonces(t *testing.T) {
	t.Parallel()
	resource := must(dpop.NewNonces(userInfoURL, vaultSecret))
	f := newDPoPFixture(t, withNonces(), func(c *token.Config) { c.ResourceNonces = resource })
	key := portnertest.NewProver()
	ofToken := map[string]any{"nonce": f.cfg.DPoP.Nonces.Current(f.clock())}
	a := f.proved("web", codeForm(f.code()), nil, key.Proof("POST", tokenURL, "", f.clock(), ofToken))
	at := a.str("access_token")
	require.NotEmpty(t, at, a.Body.String())
	proof := func(nonce any) string {
		return key.Proof("GET", userInfoURL, at, f.clock(), map[string]any{"nonce": nonce})
	}
	for _, nonce := range []any{nil, ofToken["nonce"]} {
		a = f.userInfoWith("GET", "DPoP "+at, proof(nonce))
		f.requireError(a, http.StatusUnauthorized, portner.UseDPoPNonce)
		require.Regexp(t, `^DPoP error="use_dpop_nonce", error_description="[^"]+", `+algs+`$`, a.Header().Get("WWW-Authenticate"))
		require.Equal(t, []string{resource.Current(f.clock())}, a.Header().Values("DPoP-Nonce"))
	}
	a = f.userInfoWith("GET", "DPoP "+at, proof(resource.Current(f.clock())))
	require.Equal(t, http.StatusOK, a.Code, a.Body.String())
	require.Equal(t, []string{resource.Current(f.clock())}, a.Header().Values("DPoP-Nonce"))
	claims := map[string]any{"nonce": resource.Current(f.clock())}
	a = f.userInfoWith("GET", "DPoP "+at, portnertest.NewProver().Proof("GET", userInfoURL, at, f.clock(), claims))
	f.requireError(a, http.StatusUnauthorized, portner.InvalidToken)
	require.NotContains(t, a.Header(), "Dpop-Nonce", "some clients take the field for a challenge")
	a = f.userInfoWith("GET", "DPoP x", proof(nil))
	f.requireError(a, http.StatusUnauthorized, portner.InvalidToken)
	require.NotContains(t, a.Header(), "Dpop-Nonce")
	a = f.proved("web", codeForm(f.code()), nil, key.Proof("POST", tokenURL, "", f.clock(), map[string]any{"nonce": resource.Current(f.clock())}))
	f.requireError(a, http.StatusBadRequest, portner.UseDPoPNonce)
}

// TestVerifyAccessToken: an API of the host accepts a bound token with its proof for the URL of the API only, and responds with the errors.
func TestVerifyAccessToken(t *testing.T) {
	t.Parallel()
	const api = "https://api.example.no/x"
	f := newDPoPFixture(t)
	key := portnertest.NewProver()
	cert := certificate("client")
	at, plain := f.loginWith("web", key).str("access_token"), f.login("web").str("access_token")
	f.clients["web"].TLSClientCertificateBoundAccessTokens = true
	certified := f.proved("web", codeForm(f.code()), cert).str("access_token")
	proof := func(p *portnertest.Prover, url string) []string {
		return []string{p.Proof("PATCH", url, at, f.clock(), nil)}
	}
	for name, tt := range map[string]struct {
		r         token.APIRequest
		code      portner.ErrorCode
		challenge string
	}{
		"a proof":                        {token.APIRequest{Authorization: []string{"DPoP " + at}, DPoP: proof(key, api), URL: api}, "", ""},
		"a proof for userinfo":           {token.APIRequest{Authorization: []string{"DPoP " + at}, DPoP: proof(key, userInfoURL), URL: api}, portner.InvalidDPoPProof, "DPoP error"},
		"a proof of another key":         {token.APIRequest{Authorization: []string{"DPoP " + at}, DPoP: proof(portnertest.NewProver(), api), URL: api}, portner.InvalidToken, "DPoP error"},
		"no proof":                       {token.APIRequest{Authorization: []string{"DPoP " + at}, URL: api}, portner.InvalidDPoPProof, "DPoP error"},
		"downgrade":                      {token.APIRequest{Authorization: []string{"Bearer " + at}, DPoP: proof(key, api), URL: api}, portner.InvalidToken, "Bearer realm"},
		"downgrade, bearer tokens only":  {token.APIRequest{Authorization: []string{"Bearer " + at}}, portner.InvalidToken, "Bearer realm"},
		"a proof, bearer tokens only":    {token.APIRequest{Authorization: []string{"DPoP " + at}, DPoP: proof(key, "")}, "", `Bearer realm="` + issuer + `"`},
		"bearer token":                   {token.APIRequest{Authorization: []string{"Bearer " + plain}, URL: api}, "", ""},
		"bearer token with DPoP":         {token.APIRequest{Authorization: []string{"DPoP " + plain}, DPoP: proof(key, api), URL: api}, portner.InvalidToken, "DPoP error"},
		"the certificate":                {token.APIRequest{Authorization: []string{"Bearer " + certified}, Certificate: cert}, "", ""},
		"another certificate":            {token.APIRequest{Authorization: []string{"Bearer " + certified}, Certificate: certificate("other")}, portner.InvalidToken, "Bearer realm"},
		"no certificate":                 {token.APIRequest{Authorization: []string{"Bearer " + certified}}, portner.InvalidToken, "Bearer realm"},
		"no token":                       {token.APIRequest{URL: api}, "", `Bearer realm="` + issuer + `", DPoP ` + algs},
		"two header fields":              {token.APIRequest{Authorization: []string{"Bearer " + at, "DPoP " + at}, URL: api}, portner.InvalidRequest, "Bearer realm"},
		"unknown token":                  {token.APIRequest{Authorization: []string{"Bearer x"}, URL: api}, portner.InvalidToken, "Bearer realm"},
		"not the syntax of a credential": {token.APIRequest{Authorization: []string{"DPoP a b"}, URL: api}, portner.InvalidRequest, "DPoP error"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.r.Method = "PATCH"
			live, err := f.ep.Minter().VerifyAccessToken(t.Context(), tt.r, f.clock())
			if tt.code == "" && tt.challenge == "" {
				require.NoError(t, err)
				require.Equal(t, "web", live.Client.ClientID)
				return
			}
			require.Nil(t, live)
			e, ok := errors.AsType[*portner.Error](err)
			require.True(t, ok, err)
			require.Equal(t, tt.code, e.Code)
			require.True(t, strings.HasPrefix(e.Header["Www-Authenticate"][0], tt.challenge), e.Header)
		})
	}
	forbidden := f.ep.Minter().Challenge(token.APIRequest{Authorization: []string{"DPoP " + at}, URL: api}, &portner.Error{Code: portner.InsufficientScope, Description: "x"})
	require.Equal(t, []string{`DPoP error="insufficient_scope", error_description="x", ` + algs}, forbidden.Header["Www-Authenticate"])
}

// TestAliasIsOfTheIssuerOnly: the alias for mutual TLS is that of the endpoints below the issuer. A proof for a URL that only begins with
// the same characters is for another server, whoever that is.
func TestAliasIsOfTheIssuerOnly(t *testing.T) {
	t.Parallel()
	f := newDPoPFixture(t)
	key := portnertest.NewProver()
	at := f.loginWith("web", key).str("access_token")
	for url, alias := range map[string]string{
		issuer + ".example.no/x": mtlsURL + ".example.no/x", issuer + "2/x": mtlsURL + "2/x", issuer + ":8443/x": mtlsURL + ":8443/x",
		"https://api.example.no/x": mtlsURL + "/x",
	} {
		r := token.APIRequest{Authorization: []string{"DPoP " + at}, Method: "GET", URL: url, DPoP: []string{key.Proof("GET", alias, at, f.clock(), nil)}}
		_, err := f.ep.Minter().VerifyAccessToken(t.Context(), r, f.clock())
		require.ErrorIs(t, err, portner.InvalidDPoPProof, alias)
	}
	r := token.APIRequest{Authorization: []string{"DPoP " + at}, Method: "GET", URL: issuer + "/x", DPoP: []string{key.Proof("GET", mtlsURL+"/x", at, f.clock(), nil)}}
	_, err := f.ep.Minter().VerifyAccessToken(t.Context(), r, f.clock())
	require.NoError(t, err)
}

// TestCORSWithDPoP: a browser client may send proofs, and read nonces and challenges.
func TestCORSWithDPoP(t *testing.T) {
	t.Parallel()
	const own = "https://spa.example.no"
	f := newDPoPFixture(t, withNonces())
	preflight := func(ep *token.Endpoint) http.Header {
		r := httptest.NewRequest(http.MethodOptions, tokenURL, nil)
		r.Header.Set("Origin", own)
		r.Header.Set("Access-Control-Request-Method", "POST")
		r.Header.Set("Access-Control-Request-Headers", "dpop")
		return f.sendRequest(ep, r).Header()
	}
	require.Equal(t, "Authorization, Content-Type, DPoP", preflight(f.ep).Get("Access-Control-Allow-Headers"))
	require.Equal(t, "Authorization, Content-Type", preflight(newFixture(t).ep).Get("Access-Control-Allow-Headers"))
	key := portnertest.NewProver()
	send := func(origin string, claims map[string]any) answer {
		r := f.request("spa", codeForm(f.code(forClient("spa"))))
		r.Header.Set("Origin", origin)
		return f.sendRequest(f.ep, withProof(r, nil, key.Proof("POST", tokenURL, "", f.clock(), claims)))
	}
	a := send(own, nil)
	f.requireError(a, http.StatusBadRequest, portner.UseDPoPNonce)
	nonce := map[string]any{"nonce": a.Header().Get("DPoP-Nonce")}
	b := send(own, nonce)
	require.Equal(t, http.StatusOK, b.Code)
	r := httptest.NewRequest(http.MethodGet, userInfoURL, nil)
	r.Header.Set("Origin", own)
	for _, a := range []answer{a, b, f.sendRequest(f.ep.UserInfo(), r)} {
		require.Equal(t, own, a.Header().Get("Access-Control-Allow-Origin"))
		require.Equal(t, "DPoP-Nonce, WWW-Authenticate", a.Header().Get("Access-Control-Expose-Headers"))
	}
	require.NotContains(t, send("https://evil.example", nonce).Header(), "Access-Control-Expose-Headers")
	require.NotContains(t, send("https://spa2.example.no", nonce).Header(), "Access-Control-Expose-Headers", "the origin of another client")
}

// TestProofRace: of two nodes with one replay store that receive a proof at once, each with a code of its own, one accepts it. The control has a
// store whose check and record are two steps: both nodes accept the proof.
func TestProofRace(t *testing.T) {
	t.Parallel()
	t.Run("atomic store", func(t *testing.T) {
		t.Parallel()
		require.Zero(t, proofRace(t, nil))
	})
	t.Run("control: two steps", func(t *testing.T) {
		t.Parallel()
		require.NotZero(t, proofRace(t, func() dpop.ReplayStore { return &twoSteps{seen: map[storage.Hash]bool{}} }))
	})
}

// proofRace returns in how many rounds both nodes accepted a proof. It stops at the first one.
func proofRace(t *testing.T, store func() dpop.ReplayStore) (both int) {
	f := fastFixture(t, nil)
	for range rounds() {
		cfg := f.cfg
		replay := dpop.ReplayStore(f.store)
		if store != nil {
			replay = store()
		}
		cfg.TokenURL, cfg.UserInfoURL, cfg.DPoP = tokenURL, userInfoURL, &dpop.Policy{Replay: replay}
		a, b := must(token.New(cfg)), must(token.New(cfg))
		proof := portnertest.NewProver().Proof("POST", tokenURL, "", f.clock(), nil)
		statuses := [2]int{}
		var done sync.WaitGroup
		gate := make(chan struct{})
		for i, ep := range []*token.Endpoint{a, b} {
			r := withProof(f.request("web", codeForm(f.code(forClient("web", "openid", "api:opaque")))), nil, proof)
			done.Go(func() {
				w := httptest.NewRecorder()
				<-gate
				ep.ServeHTTP(w, r)
				statuses[i] = w.Code
			})
		}
		close(gate)
		done.Wait()
		switch statuses {
		case [2]int{200, 400}, [2]int{400, 200}:
		case [2]int{200, 200}:
			return 1
		default:
			t.Fatal(statuses)
		}
	}
	return 0
}

// twoSteps is a replay store that looks first, and records then.
type twoSteps struct {
	mu   sync.Mutex
	seen map[storage.Hash]bool
}

func (s *twoSteps) ConsumeJTI(_ context.Context, _ string, key storage.Hash, _, _ time.Time) error {
	s.mu.Lock()
	seen := s.seen[key]
	s.mu.Unlock()
	if seen {
		return storage.ErrConsumed
	}
	runtime.Gosched()
	s.mu.Lock()
	s.seen[key] = true
	s.mu.Unlock()
	return nil
}

// TestFaultOfReplayStore: a store that fails makes a fault, and no token.
func TestFaultOfReplayStore(t *testing.T) {
	t.Parallel()
	f := newDPoPFixture(t)
	key := portnertest.NewProver()
	at := f.loginWith("web", key).str("access_token")
	f.replays.ReplayStore = failingStore{}
	code := f.code()
	a := f.proved("web", codeForm(code), nil, f.tokenProof(key))
	f.requireError(a, http.StatusServiceUnavailable, portner.TemporarilyUnavailable)
	a = f.userInfoWith("GET", "DPoP "+at, key.Proof("GET", userInfoURL, at, f.clock(), nil))
	f.requireError(a, http.StatusServiceUnavailable, portner.TemporarilyUnavailable)
	f.replays.ReplayStore = memory.New()
	require.Equal(t, http.StatusOK, f.proved("web", codeForm(code), nil, f.tokenProof(key)).Code)
}

type failingStore struct{}

func (failingStore) ConsumeJTI(context.Context, string, storage.Hash, time.Time, time.Time) error {
	return errors.New("no database")
}

// TestNewReportsDPoPFields: the fields about DPoP and mutual TLS.
func TestNewReportsDPoPFields(t *testing.T) {
	t.Parallel()
	valid := newDPoPFixture(t).cfg
	for field, breaks := range map[string]func(*token.Config){
		"DPoP.Replay": func(c *token.Config) { c.DPoP = &dpop.Policy{} },
		"TokenURL":    func(c *token.Config) { c.TokenURL = "" },
		"UserInfoURL": func(c *token.Config) { c.UserInfoURL = "/userinfo" },
		"MTLSURL":     func(c *token.Config) { c.MTLSURL = "mtls.idporten.dev" },
		"ResourceNonces": func(c *token.Config) {
			n := must(dpop.NewNonces(issuer, vaultSecret))
			c.DPoP, c.ResourceNonces = &dpop.Policy{AllowReplay: true, Nonces: n}, n
		},
	} {
		cfg := valid
		breaks(&cfg)
		_, err := token.New(cfg)
		require.Equal(t, []string{field}, fieldNames(err))
	}
	valid.DPoP, valid.ResourceNonces = nil, must(dpop.NewNonces(issuer, vaultSecret))
	_, err := token.New(valid)
	require.Equal(t, []string{"ResourceNonces"}, fieldNames(err))
}
