package realclients_test

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

// otherAPIs are the resource servers of other projects. Each answers GET /who with the claims of the token, and status 401 without a valid one.
var otherAPIs = []struct {
	name      string
	command   func(t *testing.T, dir string) *exec.Cmd
	remembers bool          // the API rejects a proof that it has seen
	window    time.Duration // the largest difference between the clock of the API and the iat of a proof
}{
	{"Spring Security", func(_ *testing.T, dir string) *exec.Cmd {
		return exec.Command("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-jar", filepath.Join(dir, "spring", "api.jar"))
	}, true, time.Minute},
	{"oauth4webapi", nodeProgram("oauth.mjs"), false, 5 * time.Minute},
}

// TestOtherAPIs presents tokens of the provider to resource servers of other projects: they accept a token that is bound to a key, with a proof,
// and nothing else.
func TestOtherAPIs(t *testing.T) {
	t.Parallel()
	dir := installed(t)
	for _, a := range otherAPIs {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			listen := w.free()
			who := "https://" + listen + "/who"
			w.startFAPI("fapi2", who, w.boundClient("https://127.0.0.1", object{"dpop_bound_access_tokens": true}))
			w.service(a.name, a.command(t, dir), listen, "AUDIENCE="+who)

			p := newProver(t)
			token := w.machineToken(p)
			proof := func(set object) string { return p.proof(http.MethodGet, who, token, set) }
			now := time.Now()

			accepted := w.ask(who, "DPoP", token, proof(nil))
			require.Equal(t, http.StatusOK, accepted.status, "%+v", accepted)
			var claims object
			require.NoError(t, json.Unmarshal([]byte(accepted.body), &claims))
			require.Equal(t, object{"jkt": p.thumbprint()}, claims["cnf"])
			require.Equal(t, "tjeneste", claims["client_id"])
			require.Equal(t, http.StatusOK, w.ask(who+"?page=2", "dpop", token, proof(nil)).status, "query, and the case of the scheme")

			for name, refused := range map[string]answer{
				"as Bearer":                  w.ask(who, "Bearer", token, ""),
				"as Bearer with a proof":     w.ask(who, "Bearer", token, proof(nil)),
				"without a proof":            w.ask(who, "DPoP", token, ""),
				"with a proof of another":    w.ask(who, "DPoP", token, newProver(t).proof(http.MethodGet, who, token, nil)),
				"with the proof of a POST":   w.ask(who, "DPoP", token, proof(object{"htm": http.MethodPost})),
				"with the proof of a URL":    w.ask(who, "DPoP", token, proof(object{"htu": who + "/else"})),
				"with the proof of a token":  w.ask(who, "DPoP", token, p.proof(http.MethodGet, who, token+"x", nil)),
				"with a proof for endpoints": w.ask(who, "DPoP", token, p.proof(http.MethodGet, who, "", nil)),
				"with an old proof":          w.ask(who, "DPoP", token, proof(object{"iat": now.Add(-a.window - time.Minute).Unix()})),
				"with a proof of the future": w.ask(who, "DPoP", token, proof(object{"iat": now.Add(a.window + time.Minute).Unix()})),
			} {
				require.Equal(t, http.StatusUnauthorized, refused.status, "%s: %+v", name, refused)
			}

			once := proof(nil)
			require.Equal(t, http.StatusOK, w.ask(who, "DPoP", token, once).status)
			if again := w.ask(who, "DPoP", token, once); a.remembers {
				require.Equal(t, http.StatusUnauthorized, again.status)
			} else {
				require.Equal(t, http.StatusOK, again.status, "the replay check is the task of its caller")
			}
		})
	}
}

// machineToken gets an access token of "tjeneste" with client_credentials, bound to the key of p.
func (w *world) machineToken(p *prover) string {
	w.t.Helper()
	endpoint := w.issuer + "/token"
	post := func(set object) (*http.Response, object) {
		form := url.Values{
			"grant_type": {"client_credentials"}, "scope": {apiScope}, "client_id": {"tjeneste"}, "client_assertion": {w.assertion()},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		}
		r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, endpoint, strings.NewReader(form.Encode()))
		require.NoError(w.t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("DPoP", p.proof(http.MethodPost, endpoint, "", set))
		resp, err := w.browser().http.Do(r)
		require.NoError(w.t, err)
		var o object
		require.NoError(w.t, json.Unmarshal([]byte(readAll(w.t, resp.Body)), &o))
		return resp, o
	}
	resp, o := post(nil)
	if o["error"] == "use_dpop_nonce" {
		resp, o = post(object{"nonce": resp.Header.Get("DPoP-Nonce")})
	}
	require.Equal(w.t, http.StatusOK, resp.StatusCode, "%v", o)
	require.Equal(w.t, "DPoP", o["token_type"])
	return o["access_token"].(string)
}

// assertion authenticates "tjeneste" once.
func (w *world) assertion() string {
	w.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: w.key, KeyID: keyID}}, nil)
	require.NoError(w.t, err)
	now := time.Now()
	claims, err := json.Marshal(object{
		"iss": "tjeneste", "sub": "tjeneste", "aud": w.issuer, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	})
	require.NoError(w.t, err)
	signed, err := signer.Sign(claims)
	require.NoError(w.t, err)
	compact, err := signed.CompactSerialize()
	require.NoError(w.t, err)
	return compact
}
