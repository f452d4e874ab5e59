package resource_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/resource"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
)

// prover makes the proofs of one client.
type prover struct {
	key *ecdsa.PrivateKey
	jwk json.RawMessage
	jkt string
}

func newProver(t testing.TB) *prover {
	t.Helper()
	p := &prover{key: newECKey()}
	var err error
	p.jwk, err = jose.MarshalJWK(jose.PublicKey{Key: p.key.Public()})
	require.NoError(t, err)
	var members map[string]string
	require.NoError(t, json.Unmarshal(p.jwk, &members))
	sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":%q,"y":%q}`, members["x"], members["y"])) // RFC 7638 §3.2
	p.jkt = b64.EncodeToString(sum[:])
	return p
}

// sign returns a proof with these claims.
func (p *prover) sign(t testing.TB, c claims) string {
	t.Helper()
	return raw(`{"typ":"dpop+jwt","alg":"ES256","jwk":`+string(p.jwk)+`}`, c.json(t), func(signed []byte) []byte {
		digest := sha256.Sum256(signed)
		r, s, err := ecdsa.Sign(rand.Reader, p.key, digest[:])
		require.NoError(t, err)
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	})
}

// proof returns a proof for GET /v1/x with a token, at epoch.
func (p *prover) proof(t testing.TB, token string, pairs ...any) string {
	t.Helper()
	sum := sha256.Sum256([]byte(token))
	return p.sign(t, claims{
		"jti": rand.Text(), "htm": "GET", "htu": api + "/v1/x", "iat": epoch.Unix(), "ath": b64.EncodeToString(sum[:]),
	}.with(pairs...))
}

// bound returns a token that is bound as cnf says, for key "ec".
func bound(t testing.TB, cnf map[string]any, pairs ...any) string {
	t.Helper()
	return sign(t, "ec", "", person(t).with("cnf", cnf).with(pairs...).json(t))
}

// dpopConfig returns a configuration with a policy for proofs.
func dpopConfig(t testing.TB) resource.Config {
	t.Helper()
	cfg := config(t)
	cfg.DPoP = &dpop.Policy{Replay: memory.New()}
	return cfg
}

// clientCertificate returns a certificate of a client that no authority issued.
func clientCertificate(t testing.TB) tls.Certificate {
	t.Helper()
	key := newECKey()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func x5t(cert tls.Certificate) string {
	sum := sha256.Sum256(cert.Certificate[0])
	return b64.EncodeToString(sum[:])
}

// get returns a request for /v1/x with these header fields.
func get(authorization string, proofs ...string) resource.Request {
	return resource.Request{Method: "GET", Path: "/v1/x", Authorization: []string{authorization}, DPoP: proofs}
}

// TestBoundTokens checks how bound tokens must be sent (RFC 9449 §7, RFC 8705 §3).
func TestBoundTokens(t *testing.T) {
	t.Parallel()
	p, other := newProver(t), newProver(t)
	cert, foreign := clientCertificate(t), clientCertificate(t)
	unbound := sign(t, "ec", "", person(t).json(t))
	byKey := bound(t, map[string]any{"jkt": p.jkt})
	typed := bound(t, map[string]any{"jkt": p.jkt}, "token_type", "DPoP")
	byCert := bound(t, map[string]any{"x5t#S256": x5t(cert)})
	byBoth := bound(t, map[string]any{"jkt": p.jkt, "x5t#S256": x5t(cert)})
	with := func(r resource.Request, cert tls.Certificate) resource.Request { r.Certificate = cert.Leaf; return r }
	for name, tt := range map[string]struct {
		request resource.Request
		reason  string
		code    portner.ErrorCode
	}{
		"bearer token":                         {get("Bearer " + unbound), "", ""},
		"bearer token, with a proof":           {get("Bearer "+unbound, p.proof(t, unbound)), "", ""},
		"key":                                  {get("DPoP "+byKey, p.proof(t, byKey)), "", ""},
		"key, scheme in another case":          {get("dPOP "+byKey, p.proof(t, byKey)), "", ""},
		"key, token_type DPoP":                 {get("DPoP "+typed, p.proof(t, typed)), "", ""},
		"key, token as bearer token":           {get("Bearer " + byKey), "bound_token_as_bearer", portner.InvalidToken},
		"key, as bearer token with a proof":    {get("Bearer "+byKey, p.proof(t, byKey)), "bound_token_as_bearer", portner.InvalidToken},
		"key, no proof":                        {get("DPoP " + byKey), "dpop_missing", portner.InvalidDPoPProof},
		"key, two proofs":                      {get("DPoP "+byKey, p.proof(t, byKey), p.proof(t, byKey)), "dpop_repeated", portner.InvalidDPoPProof},
		"key, two proofs in one field":         {get("DPoP "+byKey, p.proof(t, byKey)+", "+p.proof(t, byKey)), "*", portner.InvalidDPoPProof},
		"key, empty proof":                     {get("DPoP "+byKey, ""), "*", portner.InvalidDPoPProof},
		"key, proof of another key":            {get("DPoP "+byKey, other.proof(t, byKey)), "*", portner.InvalidToken},
		"key, proof of another token":          {get("DPoP "+byKey, p.proof(t, unbound)), "*", portner.InvalidDPoPProof},
		"key, certificate beside it":           {with(get("DPoP "+byKey, p.proof(t, byKey)), cert), "", ""},
		"bearer token as DPoP":                 {get("DPoP "+unbound, p.proof(t, unbound)), "token_not_bound", portner.InvalidToken},
		"certificate":                          {with(get("Bearer "+byCert), cert), "", ""},
		"certificate, none":                    {get("Bearer " + byCert), "certificate_missing", portner.InvalidToken},
		"certificate, another one":             {with(get("Bearer "+byCert), foreign), "certificate_mismatch", portner.InvalidToken},
		"certificate, with scheme DPoP":        {with(get("DPoP "+byCert, p.proof(t, byCert)), cert), "token_not_bound", portner.InvalidToken},
		"both":                                 {with(get("DPoP "+byBoth, p.proof(t, byBoth)), cert), "", ""},
		"both, no certificate":                 {get("DPoP "+byBoth, p.proof(t, byBoth)), "certificate_missing", portner.InvalidToken},
		"both, another certificate":            {with(get("DPoP "+byBoth, p.proof(t, byBoth)), foreign), "certificate_mismatch", portner.InvalidToken},
		"both, no proof":                       {with(get("DPoP "+byBoth), cert), "dpop_missing", portner.InvalidDPoPProof},
		"both, as bearer token":                {with(get("Bearer "+byBoth), cert), "bound_token_as_bearer", portner.InvalidToken},
		"token_type Bearer with a key":         {get("DPoP " + bound(t, map[string]any{"jkt": p.jkt}, "token_type", "Bearer")), "token_type_not_accepted", portner.InvalidToken},
		"token_type DPoP without a key":        {with(get("Bearer "+bound(t, map[string]any{"x5t#S256": x5t(cert)}, "token_type", "DPoP")), cert), "token_type_not_accepted", portner.InvalidToken},
		"a member that cannot be verified":     {get("DPoP " + bound(t, map[string]any{"jkt": p.jkt, "jku": "x"})), "token_sender_constrained", portner.InvalidToken},
		"no token after DPoP":                  {get("DPoP "), "authorization_malformed", portner.InvalidRequest},
		"two tokens in one field":              {get("DPoP "+byKey+", Bearer "+unbound, p.proof(t, byKey)), "authorization_malformed", portner.InvalidRequest},
		"no path":                              {resource.Request{Method: "GET", Authorization: []string{"DPoP " + byKey}, DPoP: []string{p.proof(t, byKey)}}, "request_malformed", portner.InvalidRequest},
		"path that continues the host":         {resource.Request{Method: "GET", Path: "@evil.example/", Authorization: []string{"DPoP " + byKey}, DPoP: []string{p.proof(t, byKey, "htu", api+"@evil.example/")}}, "request_malformed", portner.InvalidRequest},
		"path that holds a query":              {resource.Request{Method: "GET", Path: "/v1/x?a", Authorization: []string{"DPoP " + byKey}, DPoP: []string{p.proof(t, byKey)}}, "request_malformed", portner.InvalidRequest},
		"path that holds a fragment":           {resource.Request{Method: "GET", Path: "/v1/x#a", Authorization: []string{"DPoP " + byKey}, DPoP: []string{p.proof(t, byKey)}}, "request_malformed", portner.InvalidRequest},
		"token in the query, key in the field": {resource.Request{Method: "GET", Path: "/v1/x", Query: "access_token=x", Authorization: []string{"DPoP " + byKey}, DPoP: []string{p.proof(t, byKey)}}, "token_in_query", portner.InvalidRequest},
		"two Authorization fields":             {resource.Request{Method: "GET", Path: "/v1/x", Authorization: []string{"DPoP " + byKey, "Bearer " + unbound}, DPoP: []string{p.proof(t, byKey)}}, "authorization_repeated", portner.InvalidRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token, err := verifier(t, dpopConfig(t)).Verify(t.Context(), tt.request)
			if tt.reason == "" {
				require.NoError(t, err)
				require.Equal(t, "pairwise-1", token.Subject)
				require.Equal(t, token.Confirmation.Key != "" || token.Confirmation.Certificate != "",
					resource.Rules{AllowNoScope: true, SenderConstrained: true}.Check(token, epoch) == nil)
				return
			}
			require.Nil(t, token)
			e := rejection(t, err)
			require.Equal(t, tt.code, e.Code, e.Reason)
			if tt.reason == "*" {
				require.NotEmpty(t, e.Reason)
			} else {
				require.Equal(t, tt.reason, e.Reason)
			}
		})
	}
}

// TestChallengesOfBoundTokens checks status and WWW-Authenticate of an API with a policy for proofs (RFC 9449 §7.1 and §7.2).
func TestChallengesOfBoundTokens(t *testing.T) {
	t.Parallel()
	const algs = `algs="PS256 ES256 EdDSA"`
	p := newProver(t)
	plain := resource.Rules{Scopes: []string{"difitest:test2"}}
	strict := resource.Rules{Scopes: []string{"difitest:test2"}, SenderConstrained: true}
	unbound, byKey := sign(t, "ec", "", person(t).json(t)), bound(t, map[string]any{"jkt": p.jkt})
	expired := bound(t, map[string]any{"jkt": p.jkt}, "iat", 1, "exp", 2)
	for name, tt := range map[string]struct {
		rules         resource.Rules
		authorization []string
		proof         string
		status        int
		challenge     string
	}{
		"good":                          {strict, []string{"DPoP " + byKey}, p.proof(t, byKey), 200, ""},
		"no token":                      {plain, nil, "", 401, `Bearer realm="api", DPoP ` + algs},
		"no token, bound tokens only":   {strict, nil, "", 401, `DPoP ` + algs},
		"another scheme":                {plain, []string{"Basic YTpi"}, "", 401, `Bearer realm="api", DPoP ` + algs},
		"no proof":                      {plain, []string{"DPoP " + byKey}, "", 401, `DPoP error="invalid_dpop_proof", error_description="*", ` + algs},
		"expired":                       {plain, []string{"DPoP " + expired}, p.proof(t, expired), 401, `DPoP error="invalid_token", error_description="The access token has expired.", ` + algs},
		"bound token as a bearer token": {plain, []string{"Bearer " + byKey}, "", 401, `Bearer realm="api", error="invalid_token", error_description="The access token is bound to a key. Use the scheme DPoP.", DPoP ` + algs},
		"bearer token with DPoP":        {plain, []string{"DPoP " + unbound}, p.proof(t, unbound), 401, `DPoP error="invalid_token", error_description="The access token is not bound to a key.", ` + algs},
		"bearer token, only bound ones": {strict, []string{"Bearer " + unbound}, "", 401, `Bearer realm="api", error="invalid_token", error_description="The access token must be bound to a key or to a certificate.", DPoP ` + algs},
		"two methods at once":           {plain, []string{"DPoP " + byKey, "Bearer " + unbound}, p.proof(t, byKey), 400, `Bearer realm="api", error="invalid_request", error_description="There is more than one Authorization header.", DPoP error="invalid_request", error_description="There is more than one Authorization header.", ` + algs},
		"a scope is missing":            {resource.Rules{Scopes: []string{"a:b"}}, []string{"DPoP " + byKey}, p.proof(t, byKey), 403, `DPoP error="insufficient_scope", error_description="The access token lacks a scope.", scope="a:b", ` + algs},
		"step up":                       {resource.Rules{Scopes: plain.Scopes, ACR: acr.High}, []string{"DPoP " + byKey}, p.proof(t, byKey), 401, `DPoP error="insufficient_user_authentication", error_description="A higher level of assurance is required.", acr_values="idporten-loa-high", ` + algs},
		"step up of a bearer token":     {resource.Rules{Scopes: plain.Scopes, ACR: acr.High}, []string{"Bearer " + unbound}, "", 401, `Bearer realm="api", error="insufficient_user_authentication", error_description="A higher level of assurance is required.", acr_values="idporten-loa-high", DPoP ` + algs},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := serve(verifier(t, dpopConfig(t)), tt.rules, func(r *http.Request) {
				r.Header["Authorization"] = tt.authorization
				if tt.proof != "" {
					r.Header.Set("DPoP", tt.proof)
				}
			})
			require.Equal(t, tt.status, w.Code)
			require.Empty(t, w.Header()["Dpop-Nonce"])
			if tt.challenge == "" {
				require.Empty(t, w.Header()["Www-Authenticate"])
				return
			}
			require.Len(t, w.Header()["Www-Authenticate"], 1)
			got := w.Header().Get("Www-Authenticate")
			if before, after, ok := strings.Cut(tt.challenge, "*"); ok { // the sentence is that of the policy
				require.True(t, strings.HasPrefix(got, before) && strings.HasSuffix(got, after), got)
				return
			}
			require.Equal(t, tt.challenge, got)
		})
	}
}

// serve sends GET /v1/x to a resource with these rules.
func serve(v *resource.Verifier, rules resource.Rules, change func(*http.Request)) *httptest.ResponseRecorder {
	h := v.Protect(rules, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Subject", resource.FromContext(r.Context()).Subject)
	}))
	r := httptest.NewRequest(http.MethodGet, api+"/v1/x", nil)
	change(r)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestProofIsForTheRequest checks that a proof for another request is rejected: the URL is that of the configuration, whatever the Host
// field says.
func TestProofIsForTheRequest(t *testing.T) {
	t.Parallel()
	p := newProver(t)
	token := bound(t, map[string]any{"jkt": p.jkt})
	for name, tt := range map[string]struct {
		proof  []any
		change func(*http.Request)
		status int
	}{
		"the request":                     {nil, nil, 200},
		"query":                           {nil, func(r *http.Request) { r.RequestURI, r.URL.RawQuery = "/v1/x?a=b", "a=b" }, 200},
		"another Host":                    {nil, func(r *http.Request) { r.Host = "evil.example" }, 200},
		"forwarded host":                  {[]any{"htu", "https://evil.example/v1/x"}, func(r *http.Request) { r.Header.Set("X-Forwarded-Host", "evil.example") }, 401},
		"proof for the Host of an attack": {[]any{"htu", "https://evil.example/v1/x"}, func(r *http.Request) { r.Host = "evil.example" }, 401},
		"proof for a subdomain":           {[]any{"htu", "https://api.example.no.evil.example/v1/x"}, nil, 401},
		"proof for another path":          {[]any{"htu", api + "/v1/y"}, nil, 401},
		"proof for another port":          {[]any{"htu", api + ":8443/v1/x"}, nil, 401},
		"proof for http":                  {[]any{"htu", "http://api.example.no/v1/x"}, nil, 401},
		"proof for another method":        {[]any{"htm", "POST"}, nil, 401},
		"method in small letters":         {[]any{"htm", "get"}, nil, 401},
		"another method":                  {nil, func(r *http.Request) { r.Method = "DELETE" }, 401},
		"another path":                    {nil, func(r *http.Request) { r.RequestURI, r.URL.Path = "/v1/y", "/v1/y" }, 401},
		"path below StripPrefix":          {nil, func(r *http.Request) { r.URL.Path = "/x" }, 200},
		"absolute-form of the target":     {nil, func(r *http.Request) { r.RequestURI = "https://evil.example/v1/x" }, 200},
		"escaped path":                    {[]any{"htu", api + "/v1/%2F"}, func(r *http.Request) { r.RequestURI, r.URL.Path, r.URL.RawPath = "/v1/%2F", "/v1//", "/v1/%2F" }, 200},
		"the same path, not escaped":      {[]any{"htu", api + "/v1//"}, func(r *http.Request) { r.RequestURI, r.URL.Path, r.URL.RawPath = "/v1/%2F", "/v1//", "/v1/%2F" }, 401},
		"old":                             {[]any{"iat", epoch.Unix() - 61}, nil, 401},
		"from the future":                 {[]any{"iat", epoch.Unix() + 61}, nil, 401},
		"of another token":                {[]any{"ath", thumbprint}, nil, 401},
		"without the hash of the token":   {[]any{"ath", nil}, nil, 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := serve(verifier(t, dpopConfig(t)), resource.Rules{Scopes: []string{"difitest:test2"}}, func(r *http.Request) {
				r.Header.Set("Authorization", "DPoP "+token)
				r.Header.Set("DPoP", p.proof(t, token, tt.proof...))
				if tt.change != nil {
					tt.change(r)
				}
			})
			require.Equal(t, tt.status, w.Code, w.Body.String())
			if tt.status != 200 {
				require.Contains(t, w.Header().Get("Www-Authenticate"), `DPoP error="invalid_dpop_proof"`)
			}
		})
	}
}

// TestProofIsUsedOnce checks that one of two requests with the same proof succeeds, and that a refused request does not use it up. The
// control is a store that forgets.
func TestProofIsUsedOnce(t *testing.T) {
	t.Parallel()
	p := newProver(t)
	token := bound(t, map[string]any{"jkt": p.jkt})
	accepted := func(store dpop.ReplayStore, rounds int) (most int32) {
		cfg := config(t)
		cfg.DPoP = &dpop.Policy{Replay: store}
		v := verifier(t, cfg)
		for range rounds {
			r := get("DPoP "+token, p.proof(t, token))
			wrong := r
			wrong.Path = "/v1/y"
			_, err := v.Verify(t.Context(), wrong)
			require.Error(t, err)
			var n atomic.Int32
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					if _, err := v.Verify(t.Context(), r); err == nil {
						n.Add(1)
					}
				})
			}
			wg.Wait()
			require.NotZero(t, n.Load())
			most = max(most, n.Load())
		}
		return most
	}
	require.EqualValues(t, 1, accepted(memory.New(), 500))
	require.Greater(t, accepted(forgetful{}, 1), int32(1), "the control")

	cfg := config(t)
	cfg.DPoP = &dpop.Policy{Replay: memory.New()}
	v, r := verifier(t, cfg), get("DPoP "+token, p.proof(t, token))
	_, err := v.Verify(t.Context(), r)
	require.NoError(t, err)
	_, err = v.Verify(t.Context(), r)
	require.Equal(t, portner.InvalidDPoPProof, rejection(t, err).Code)
}

// forgetful is a store of proofs that forgets.
type forgetful struct{}

func (forgetful) ConsumeJTI(context.Context, string, storage.Hash, time.Time, time.Time) error {
	return nil
}

// failing is a store of proofs that is not available.
type failing struct{ calls atomic.Int32 }

func (f *failing) ConsumeJTI(context.Context, string, storage.Hash, time.Time, time.Time) error {
	f.calls.Add(1)
	return errors.New("database: " + synthetic)
}

// TestReplayStoreFails checks that a fault of the store of proofs is no rejection, and that no other request reaches the store.
func TestReplayStoreFails(t *testing.T) {
	t.Parallel()
	p, store := newProver(t), &failing{}
	cfg := config(t)
	cfg.DPoP = &dpop.Policy{Replay: store}
	v, token := verifier(t, cfg), bound(t, map[string]any{"jkt": p.jkt})
	unsigned := token[:len(token)-4] + "AAAA"
	for name, r := range map[string]resource.Request{
		"no token": {Method: "GET", Path: "/v1/x", DPoP: []string{p.proof(t, token)}}, "token of nobody": get("DPoP "+unsigned, p.proof(t, unsigned)),
		"proof of another key": get("DPoP "+token, newProver(t).proof(t, token)), "bearer token": get("Bearer " + sign(t, "ec", "", person(t).json(t))),
	} {
		_, err := v.Verify(t.Context(), r)
		require.Equal(t, name != "bearer token", err != nil, name)
		require.Zero(t, store.calls.Load(), name)
	}
	_, err := v.Verify(t.Context(), get("DPoP "+token, p.proof(t, token)))
	require.ErrorIs(t, err, portner.ErrUnavailable)
	require.False(t, errors.As(err, new(*resource.Error)))
	reply := v.Reply(err)
	require.Equal(t, 503, reply.Status)
	require.NotContains(t, string(reply.Body), "database")
	require.NotContains(t, reply.Header, "Www-Authenticate")
}

// TestNoncesOfTheAPI checks the nonces of an API (RFC 9449 §9): one field, on use_dpop_nonce and on success only.
func TestNoncesOfTheAPI(t *testing.T) {
	t.Parallel()
	secret := portner.NewSecret()
	nonces := func(server string) *dpop.Nonces {
		n, err := dpop.NewNonces(server, secret)
		require.NoError(t, err)
		return n
	}
	own := nonces(api)
	cfg := config(t)
	cfg.DPoP = &dpop.Policy{Replay: memory.New(), Nonces: own}
	v := verifier(t, cfg)
	p := newProver(t)
	token := bound(t, map[string]any{"jkt": p.jkt})
	send := func(rules resource.Rules, pairs ...any) *httptest.ResponseRecorder {
		return serve(v, rules, func(r *http.Request) {
			r.Header.Set("Authorization", "DPoP "+token)
			r.Header.Set("DPoP", p.proof(t, token, pairs...))
		})
	}
	plain := resource.Rules{Scopes: []string{"difitest:test2"}}
	for name, nonce := range map[string]any{
		"missing": nil, "empty": "", "text": "n", "of another server": nonces("https://other.example").Current(epoch),
		"expired": own.Current(epoch.Add(-10 * time.Minute)), "from the future": own.Current(epoch.Add(10 * time.Minute)),
	} {
		w := send(plain, "nonce", nonce)
		require.Equal(t, 401, w.Code, name)
		require.Equal(t, []string{own.Current(epoch)}, w.Header()["Dpop-Nonce"], name)
		require.Regexp(t, `^DPoP error="use_dpop_nonce", error_description="[^"]+", algs="PS256 ES256 EdDSA"$`, w.Header().Get("Www-Authenticate"), name)
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"), name)
	}
	w := send(plain, "nonce", own.Current(epoch))
	require.Equal(t, 200, w.Code, w.Header())
	require.Equal(t, []string{own.Current(epoch)}, w.Header()["Dpop-Nonce"])
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"), "RFC 9449 §8.2")
	w = send(resource.Rules{Scopes: []string{"a:b"}}, "nonce", own.Current(epoch))
	require.Equal(t, 403, w.Code)
	require.Empty(t, w.Header()["Dpop-Nonce"], "clients take it for the reason of the error")
	w = send(plain, "nonce", own.Current(epoch), "htm", "POST")
	require.Equal(t, 401, w.Code)
	require.Empty(t, w.Header()["Dpop-Nonce"])

	_, err := v.Verify(t.Context(), get("DPoP "+token, p.proof(t, token)))
	reply := v.Reply(err)
	require.Equal(t, []string{own.Current(epoch)}, reply.Header["Dpop-Nonce"])
	verified, err := v.Verify(t.Context(), get("DPoP "+token, p.proof(t, token, "nonce", own.Current(epoch))))
	require.NoError(t, err)
	require.Equal(t, own.Current(epoch), verified.DPoPNonce)
}

// TestTokenOfAnotherIssuerWithTheKey checks that the same key proves tokens of accepted issuers only.
func TestTokenOfAnotherIssuerWithTheKey(t *testing.T) {
	t.Parallel()
	p := newProver(t)
	cfg := dpopConfig(t)
	second := cfg
	second.Issuer = "https://test.idporten.no"
	v, err := resource.Any(verifier(t, cfg), verifier(t, second))
	require.NoError(t, err)
	for iss, ok := range map[string]bool{maskinporten: true, "https://test.idporten.no": true, "https://evil.example": false} {
		token := bound(t, map[string]any{"jkt": p.jkt}, "iss", iss)
		_, err := v.Verify(t.Context(), get("DPoP "+token, p.proof(t, token)))
		require.Equal(t, ok, err == nil, iss)
	}
	foreign := signWith(t, jose.ES256, "ec", newECKey(), "", person(t).with("cnf", map[string]any{"jkt": p.jkt}).json(t))
	_, err = v.Verify(t.Context(), get("DPoP "+foreign, p.proof(t, foreign)))
	require.Equal(t, "signature_invalid", rejection(t, err).Reason)
}

// TestAnyHasOnePolicy checks that verifiers with different policies for proofs, or with different origins, are not combined.
func TestAnyHasOnePolicy(t *testing.T) {
	t.Parallel()
	plain, with, other := config(t), dpopConfig(t), dpopConfig(t)
	plain.Issuer, other.Issuer = "a", "b"
	moved := with
	moved.Issuer, moved.URL = "c", "https://other.example"
	for name, second := range map[string]resource.Config{"none": plain, "another one": other, "another origin": moved} {
		_, err := resource.Any(verifier(t, with), verifier(t, second))
		require.ErrorContains(t, err, "different policies", name)
	}
}

// TestPolicyIsValidated checks that New reports the problems of the policy, and a URL that proofs must not name.
func TestPolicyIsValidated(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.URL, cfg.DPoP = "http://api.example.no", &dpop.Policy{Algorithms: []string{"none"}}
	_, err := resource.New(cfg)
	require.Equal(t, []string{"URL", "DPoP.Replay", "DPoP.Algorithms[0]"}, fields.Names(err))
}

// TestCertificateOfTheConnection checks bound tokens over TLS: the certificate is that of the connection, or the one that the host finds
// instead, never one of a header field.
func TestCertificateOfTheConnection(t *testing.T) {
	t.Parallel()
	cert := clientCertificate(t)
	token := bound(t, map[string]any{"x5t#S256": x5t(cert)})
	start := func(find func(*http.Request) ([]*x509.Certificate, error)) *httptest.Server {
		cfg := config(t)
		cfg.ClientCertificates = find
		s := httptest.NewUnstartedServer(verifier(t, cfg).Protect(resource.Rules{AllowNoScope: true, SenderConstrained: true},
			http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
		s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
		s.StartTLS()
		t.Cleanup(s.Close)
		return s
	}
	send := func(s *httptest.Server, certs ...tls.Certificate) int {
		transport := s.Client().Transport.(*http.Transport).Clone()
		transport.TLSClientConfig.Certificates = certs
		defer transport.CloseIdleConnections()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Client-Cert", ":"+b64.EncodeToString(cert.Certificate[0])+":")
		resp, err := (&http.Client{Transport: transport}).Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	own := start(nil)
	require.Equal(t, 200, send(own, cert))
	require.Equal(t, 401, send(own, clientCertificate(t)))
	require.Equal(t, 401, send(own))

	found := start(func(*http.Request) ([]*x509.Certificate, error) { return []*x509.Certificate{cert.Leaf}, nil })
	require.Equal(t, 200, send(found))
	none := start(func(*http.Request) ([]*x509.Certificate, error) { return nil, nil })
	require.Equal(t, 401, send(none, cert), "the certificate of the connection may be that of the proxy")
	broken := start(func(*http.Request) ([]*x509.Certificate, error) { return nil, errors.New("not a certificate") })
	require.Equal(t, 400, send(broken, cert))
}

// TestIntrospectedBinding checks cnf and token_type of introspection responses (RFC 9449 §6.2, RFC 8705 §3.2), also of cached ones: each
// request needs a proof of its own.
func TestIntrospectedBinding(t *testing.T) {
	t.Parallel()
	p := newProver(t)
	const opaque = "IxC0B76v_slPU="
	cert := clientCertificate(t)
	for name, tt := range map[string]struct {
		members []any
		scheme  string
		reason  string
	}{
		"key":                       {[]any{"cnf", map[string]any{"jkt": p.jkt}, "token_type", "DPoP"}, "DPoP", ""},
		"key, as a bearer token":    {[]any{"cnf", map[string]any{"jkt": p.jkt}, "token_type", "DPoP"}, "Bearer", "bound_token_as_bearer"},
		"key, token_type Bearer":    {[]any{"cnf", map[string]any{"jkt": p.jkt}}, "DPoP", "token_type_not_accepted"},
		"key of a refresh token":    {[]any{"cnf", map[string]any{"jkt": p.jkt}, "token_type", nil}, "DPoP", "token_type_not_accepted"},
		"token_type DPoP, no key":   {[]any{"token_type", "DPoP"}, "DPoP", "token_type_not_accepted"},
		"not bound":                 {nil, "DPoP", "token_not_bound"},
		"certificate":               {[]any{"cnf", map[string]any{"x5t#S256": x5t(cert)}}, "Bearer", ""},
		"another certificate":       {[]any{"cnf", map[string]any{"x5t#S256": thumbprint}}, "Bearer", "certificate_mismatch"},
		"a member of another kind":  {[]any{"cnf", map[string]any{"kid": "x"}}, "Bearer", "token_sender_constrained"},
		"cnf below another member":  {[]any{"token", map[string]any{"cnf": map[string]any{"jkt": p.jkt}}}, "Bearer", ""},
		"a key of another user":     {[]any{"cnf", map[string]any{"jkt": thumbprint}, "token_type", "DPoP"}, "DPoP", "*"},
		"cnf twice in the document": {nil, "twice", "*"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &endpoint{}
			doc := active(t, append([]any{"iat", epoch.Unix() - 10}, tt.members...)...)
			if tt.scheme == "twice" {
				tt.scheme, doc = "DPoP", strings.Replace(doc, "{", `{"cnf":{"jkt":"`+p.jkt+`"},"cnf":{"jkt":"`+thumbprint+`"},`, 1)
			}
			a.responds(200, doc)
			cfg := a.config(t)
			cfg.DPoP = &dpop.Policy{Replay: memory.New()}
			cfg.Now = at(epoch)
			cfg.Introspection.CacheFor = time.Minute
			v := verifier(t, cfg)
			for range 2 {
				r := get(tt.scheme+" "+opaque, p.proof(t, opaque))
				r.Certificate = cert.Leaf
				_, err := v.Verify(t.Context(), r)
				if tt.reason == "" {
					require.NoError(t, err)
					continue
				}
				require.Error(t, err)
				if tt.reason != "*" {
					require.Equal(t, tt.reason, rejection(t, err).Reason)
				}
			}
		})
	}
}

// TestSharedRejections checks that requests which wait for one introspection get challenges of their own schemes.
func TestSharedRejections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, release := &endpoint{}, make(chan struct{})
		a.answers(func(*http.Request) (*http.Response, error) {
			<-release
			return response(200, []byte(`{"active":false}`)), nil
		})
		cfg := a.config(t)
		cfg.DPoP, cfg.Introspection.CacheFor = &dpop.Policy{Replay: memory.New()}, time.Minute
		v := verifier(t, cfg)
		schemes := []string{"Bearer", "DPoP", "Bearer", "DPoP"}
		rejections := make([]error, len(schemes))
		for i, scheme := range schemes {
			go func() { _, rejections[i] = v.Verify(t.Context(), get(scheme+" abc", "x")) }()
		}
		synctest.Wait()
		close(release)
		synctest.Wait()
		require.Equal(t, int64(1), a.fetched.Load(), "one introspection for all")
		for i, scheme := range schemes {
			require.Equal(t, "token_inactive", rejection(t, rejections[i]).Reason)
			require.True(t, strings.HasPrefix(v.Reply(rejections[i]).Header["Www-Authenticate"][0], scheme), scheme)
		}
	})
}

// TestScopeArray checks that scope may be an array of names, as in tokens of HelseID.
func TestScopeArray(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.Audience = []string{"nhn:sample"}
	v := verifier(t, cfg)
	token, err := v.Verify(t.Context(), resource.Bearer(sign(t, "ec", "at+jwt", person(t).with(
		"scope", []string{"nhn:sample/read", "helseid://scopes/identity/pid"}, "aud", []string{"nhn:other", "nhn:sample"}).json(t))))
	require.NoError(t, err)
	require.Equal(t, []string{"nhn:sample/read", "helseid://scopes/identity/pid"}, token.Scopes)
	require.NoError(t, resource.Rules{Scopes: []string{"nhn:sample/read"}}.Check(token, epoch))
	require.Error(t, resource.Rules{Scopes: []string{"nhn:sample/rea"}}.Check(token, epoch))
}

// TestMachineWithoutSubject checks the RFC 9068 tokens of issuers that leave out the sub of machines.
func TestMachineWithoutSubject(t *testing.T) {
	t.Parallel()
	c := machine(t).with("consumer", nil, "token_type", nil, "aud", api)
	rules := resource.Rules{Scopes: []string{"difitest:test2"}, RequireMachine: true}
	for name, tt := range map[string]struct {
		typ     string
		allowed bool
		claims  claims
		reason  string
	}{
		"allowed":                 {"at+jwt", true, c, ""},
		"not allowed":             {"at+jwt", false, c, "claim_missing"},
		"no client_id":            {"at+jwt", true, c.with("client_id", nil), "claim_missing"},
		"no typ":                  {"", true, c, "consumer_missing"},
		"a consumer that differs": {"at+jwt", true, c.with("consumer", map[string]any{"authority": "x", "ID": "0192:991825827"}), "consumer_untrusted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t)
			cfg.AllowNoSubject = tt.allowed
			token, err := verifier(t, cfg).Verify(t.Context(), resource.Bearer(sign(t, "ec", tt.typ, tt.claims.json(t))))
			if err == nil {
				err = rules.Check(token, epoch)
			}
			if tt.reason == "" {
				require.NoError(t, err)
				require.False(t, token.HasUser())
				return
			}
			require.Equal(t, tt.reason, rejection(t, err).Reason)
		})
	}
}

// TestProofVectors verifies proofs that another program made, for one access token (testdata/dpop.json).
func TestProofVectors(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/dpop.json")
	require.NoError(t, err)
	var file struct {
		Now         int64           `json:"now"`
		AccessToken string          `json:"access_token"`
		IssuerKey   json.RawMessage `json:"issuer_key"`
		Vectors     []struct{ Name, Proof, Expect string }
	}
	require.NoError(t, json.Unmarshal(text, &file))
	require.Len(t, file.Vectors, 4)
	v := verifier(t, resource.Config{
		Issuer: "https://as.example", URL: "https://api.example", Keys: resource.StaticKeys(`{"keys":[` + string(file.IssuerKey) + `]}`),
		DPoP: &dpop.Policy{Replay: memory.New()}, Now: at(time.Unix(file.Now, 0)),
	})
	for _, vector := range file.Vectors {
		r := resource.Request{Method: "GET", Path: "/v1/x", Query: "q=1", Authorization: []string{"DPoP " + file.AccessToken}, DPoP: []string{vector.Proof}}
		token, err := v.Verify(t.Context(), r)
		if vector.Expect == "ok" {
			require.NoError(t, err, vector.Name)
			require.Equal(t, "u1", token.Subject)
			_, err = v.Verify(t.Context(), r)
			require.Equal(t, portner.InvalidDPoPProof, rejection(t, err).Code, "a second time")
			continue
		}
		require.Equal(t, portner.ErrorCode(vector.Expect), rejection(t, err).Code, vector.Name)
	}
	_, err = v.Verify(t.Context(), resource.Bearer(file.AccessToken))
	require.Equal(t, "bound_token_as_bearer", rejection(t, err).Reason)
}

// TestHugeFields checks that large header fields are rejected. Their cost is that of TestRejectionAllocations.
func TestHugeFields(t *testing.T) {
	t.Parallel()
	p := newProver(t)
	v, token := verifier(t, dpopConfig(t)), bound(t, map[string]any{"jkt": p.jkt})
	proof := p.proof(t, token)
	for name, r := range map[string]resource.Request{
		"token":       get("DPoP "+strings.Repeat("a", 1<<20), proof),
		"proof":       get("DPoP "+token, strings.Repeat("a", 1<<20)),
		"claim":       get("DPoP "+token, p.proof(t, token, "x", strings.Repeat("a", 16<<10))),
		"many proofs": get("DPoP "+token, slices.Repeat([]string{proof}, 1000)...),
		"dots":        get("DPoP "+token, strings.Repeat(".", 1<<20)),
		"spaces":      get("DPoP"+strings.Repeat(" ", 1<<20)+token, proof),
	} {
		_, err := v.Verify(t.Context(), r)
		require.Equal(t, name == "spaces", err == nil, name)
		if name != "spaces" {
			require.NotEmpty(t, rejection(t, err).Reason, name)
		}
	}
}

// TestTypIsRequired checks RequireTyp.
func TestTypIsRequired(t *testing.T) {
	t.Parallel()
	for typ, want := range map[string]bool{"": false, "JWT": true, "jwt": true, "at+jwt": true, "application/at+jwt": true, "foo+jwt": false} {
		token := sign(t, "ec", typ, person(t).with("aud", api).json(t))
		cfg := config(t)
		_, err := verifier(t, cfg).Verify(t.Context(), resource.Bearer(token))
		require.Equal(t, want || typ == "", err == nil, typ)
		cfg.RequireTyp = true
		_, err = verifier(t, cfg).Verify(t.Context(), resource.Bearer(token))
		require.Equal(t, want, err == nil, typ)
	}
}
