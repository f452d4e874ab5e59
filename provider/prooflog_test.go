package provider_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/canary"
	"github.com/portner-go/portner/provider"
)

// lockedBuffer is a buffer for the logs of several nodes.
type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

// TestNothingOfProofsLeaves sends valid and invalid proofs, certificates and bound tokens to every endpoint, and searches the log and the
// responses for their parts (docs/threat-model.md I4, I5).
func TestNothingOfProofsLeaves(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	p, other := newProver(t, "ES256"), newProver(t, "EdDSA")
	n := newNodes(t, func(c *provider.Config) {
		c.MTLSURL = "https://mtls.example.no"
		c.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}, boundClients(t)...)
	access := n.boundTokens(t, "bundet", p).String("access_token")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	cert := newCertificate(t, key, 0x7a9c5512)

	secrets := map[string]string{"access token": access, "key": p.jwk["x"].(string), "other key": other.jwk["x"].(string), "thumbprint": p.thumbprint(), "certificate": b64(cert.Raw)}
	var seen strings.Builder
	call := func(r request) {
		for _, proof := range r.proofs {
			secrets[fmt.Sprint("proof ", len(secrets))] = proof
		}
		r.certificate = cert
		a := send(t, n.b, r)
		fmt.Fprintln(&seen, a.Header, a.JSON["error"], a.JSON["error_description"], a.JSON["request_uri"])
	}
	for i, set := range [][]any{
		{},
		{"jti", "jti-canary-1"},
		{"jti", "jti-canary-1"},
		{"jti", "jti-canary-2" + strings.Repeat("x", 300)},
		{"htu", "https://htu-canary.example/"},
		{"htm", "HTM-CANARY"},
		{"nonce", "nonce-canary"},
		{"iat", "iat-canary"},
		{"exp", "exp-canary"},
		{"ath", "ath-canary"},
		{"canary", object{"canary-a": "canary-b"}},
		{"iat", n.now().Add(-time.Hour).Unix()},
	} {
		for _, q := range []*prover{p, other} {
			call(machine(q.proof(n.now(), http.MethodPost, tokenURL, set...)))
			call(request{path: "/par", clientID: "bundet", form: n.a.Request("bundet", "openid").Params, proofs: []string{q.proof(n.now(), http.MethodPost, parURL, set...)}})
			call(infoRequest("DPoP", access, q.proof(n.now(), http.MethodGet, userInfoURL, append([]any{"ath", ath(access)}, set...)...)))
			call(infoRequest("Bearer", access, q.proof(n.now(), http.MethodGet, userInfoURL, "ath", ath(access))))
			bad := q.sign(object{"typ": "typ-canary", "alg": "alg-canary", "jwk": object{"kty": "kty-canary", "crv": "crv-canary"}, "kid": "kid-canary", "crit": []string{"crit-canary"}}, object{"jti": i})
			call(machine(bad, "raw-canary"))
			call(machine(bad))
		}
	}
	require.Contains(t, log.String(), "dpop_htu_mismatch", "the log was on")
	scan := canary.New()
	for name, secret := range secrets {
		scan.Keep(canary.Kind(name), secret)
	}
	scan.See(canary.Log, log.String())
	scan.See(canary.ErrorPage, seen.String())
	require.Empty(t, scan.Leaks())
	for _, s := range []string{"canary", "CANARY", url.QueryEscape("htu-canary"), "7a9c5512", "2057065746"} {
		require.NotContains(t, log.String(), s)
		require.NotContains(t, seen.String(), s)
	}
}
