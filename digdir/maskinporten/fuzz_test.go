package maskinporten_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/slow"
)

// FuzzAssertion checks that only signed assertions yield a token, that every rejection is in the catalogue, and that no input
// causes a fault (docs/threat-model.md E9).
func FuzzAssertion(f *testing.F) {
	good := byKey(v4())
	for _, n := range rejectedVectors() {
		f.Add(n.assertion)
	}
	f.Add(good)
	f.Add(good + "\n")
	f.Add(strings.ReplaceAll(good, ".", ".."))
	known := map[string]bool{}
	for _, r := range catalogue {
		known[r.code] = true
	}
	w := newWorld(f, quiet)
	signed := map[string]bool{}
	for _, n := range rejectedVectors() {
		signed[n.assertion] = true
	}
	f.Fuzz(func(t *testing.T, assertion string) {
		a := w.send(t, assertion)
		if a.status == http.StatusOK {
			require.True(t, assertion == good || signed[assertion], "a token for %q", assertion)
			return
		}
		slow.Within(t, time.Second, func() { w.send(t, assertion) })
		require.Equal(t, http.StatusBadRequest, a.status, a.raw)
		require.True(t, known[a.str("error")], a.raw)
	})
}

// FuzzPayload checks signed assertions with any payload.
func FuzzPayload(f *testing.F) {
	for _, o := range []object{v4(), v5(), v6(), v1(), v4().with("authorization_details", []any{consent()}), v4().with("pid", pid)} {
		f.Add(o.json())
	}
	f.Add(`{"aud":"https://test.maskinporten.no/","aud":1}`)
	f.Add(`[]`)
	w := newWorld(f, quiet)
	f.Fuzz(func(t *testing.T, payload string) {
		a := w.send(t, sign(`{"alg":"RS256","kid":"k1"}`, payload))
		require.Contains(t, []int{http.StatusOK, http.StatusBadRequest}, a.status, a.raw)
		if a.status != http.StatusOK {
			require.Regexp(t, `^[\x20-\x21\x23-\x5B\x5D-\x7E]+$`, a.str("error_description"), "RFC 6749 §5.2")
			return
		}
		_, claims := w.claims(t, a)
		require.Equal(t, testIssuer, claims["iss"])
		require.Contains(t, []string{"my_client_id", "oidc_difi_delegering_altinn", "slow", "plain", "managed", "legacy-audience"}, claims["client_id"])
		require.NotContains(t, claims, "sub")
	})
}
