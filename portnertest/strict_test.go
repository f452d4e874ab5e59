package portnertest_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/portnertest"
	"github.com/portner-go/portner/scope"
)

// reports is a test that keeps the errors that it is given.
type reports struct {
	testing.TB

	mu    sync.Mutex
	text  []string
	fatal []string
}

// Fatalf panics in place of ending the goroutine.
func (r *reports) Fatalf(format string, args ...any) {
	r.fatal = append(r.fatal, fmt.Sprintf(format, args...))
	panic("Fatalf")
}

func (r *reports) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text = append(r.text, fmt.Sprintf(format, args...))
}

// rules returns the names of the reported rules.
func (r *reports) rules() (names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, text := range r.text {
		rest, _ := strings.CutPrefix(text, "portnertest: ")
		name, _, _ := strings.Cut(rest, ":")
		names = append(names, name)
	}
	return names
}

// TestStrict: each mistake of an app is found by the rule for it, and by no other one. The mistakes that need no probe run without probes,
// which would take most of the time.
func TestStrict(t *testing.T) {
	t.Parallel()
	withProbes := map[string]portnertest.Rule{
		"state": portnertest.StateUnchecked, "nonce": portnertest.NonceUnchecked, "acr": portnertest.ACRUnchecked,
		"signature": portnertest.SignatureUnchecked, "audience": portnertest.AudienceUnchecked, "issuer": portnertest.IssuerUnchecked,
		"expiry": portnertest.ExpiryUnchecked, "no state": portnertest.StateMissing, "no nonce": portnertest.NonceMissing,
		"verifier": portnertest.VerifierWeak, "constant state": portnertest.StateReused,
	}
	withoutProbes := map[string]portnertest.Rule{
		"no pkce": portnertest.PKCEMissing, "short state": portnertest.StateShort, "redirect http": portnertest.RedirectHTTP,
		"constant nonce": portnertest.NonceReused, "constant verifier": portnertest.VerifierReused, "secret in url": portnertest.SecretInURL, "token in url": portnertest.TokenInURL, "code twice": portnertest.CodeReused,
		"id_token as access token": portnertest.IDTokenAsAccessToken, "refresh": portnertest.RefreshReused,
		"front-channel": portnertest.FrontchannelLogout,
	}
	for _, group := range []struct {
		tests map[string]portnertest.Rule
		allow []portnertest.Rule
	}{{withProbes, nil}, {withoutProbes, portnertest.Probed()}} {
		for mistake, rule := range group.tests {
			t.Run(mistake, func(t *testing.T) {
				t.Parallel()
				cfg := portnertest.Config{FrontchannelLogoutPath: "/frontchannel", Allow: group.allow}
				require.Equal(t, []string{string(rule)}, session(t, cfg, mistake))
			})
		}
	}
}

// TestAssertions: the mistakes of a client of Maskinporten are found, and a right grant has no finding.
func TestAssertions(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		claims map[string]any
		rule   portnertest.Rule
	}{
		"right":     {map[string]any{}, ""},
		"audience":  {map[string]any{"aud": "https://maskinporten.no/"}, portnertest.AssertionAudience},
		"no jti":    {map[string]any{"jti": nil}, portnertest.AssertionWithoutJTI},
		"one jti":   {map[string]any{"jti": "1"}, portnertest.AssertionReused},
		"an hour":   {map[string]any{"exp": int64(3600)}, portnertest.AssertionLifetime},
		"two hours": {map[string]any{"exp": int64(7200), "aud": "other"}, portnertest.AssertionLifetime},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &reports{TB: t}
			mp := portnertest.NewMaskinporten(r, portnertest.Config{Scopes: []scope.Scope{{Name: "skatt:les"}}, Allow: map[string][]portnertest.Rule{
				"two hours": {portnertest.AssertionAudience},
			}[name]})
			for range 2 {
				grant(t, mp, tt.claims)
			}
			if tt.rule == "" {
				require.Empty(t, r.rules())
				return
			}
			require.Equal(t, []string{string(tt.rule)}, r.rules())
		})
	}
}

// grant sends a grant of the client app, with further claims: nil removes one, and exp is relative to now.
func grant(t *testing.T, mp *portnertest.Provider, further map[string]any) {
	t.Helper()
	key, kid := mp.ClientKey()
	now := mp.Now().Unix()
	claims := map[string]any{"iss": portnertest.ClientID, "aud": mp.Issuer, "scope": "skatt:les", "iat": now, "exp": now + 60, "jti": rand.Text()}
	maps.Copy(claims, further)
	if seconds, ok := further["exp"].(int64); ok {
		claims["exp"] = now + seconds
	}
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	payload, err := json.Marshal(claims)
	require.NoError(t, err)
	signer, err := jose.NewSigner("RS256", kid, key, nil)
	require.NoError(t, err)
	assertion, err := signer.Sign("", payload)
	require.NoError(t, err)
	resp, err := mp.HTTP.PostForm(mp.Issuer+"token", url.Values{"grant_type": {client.JWTBearer}, "assertion": {assertion}})
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
}

// TestStrictWithoutMistakes: an app that does what ID-porten requires has no finding, and neither has one whose mistakes are allowed.
func TestStrictWithoutMistakes(t *testing.T) {
	t.Parallel()
	front, back := portnertest.Config{FrontchannelLogoutPath: "/frontchannel"}, portnertest.Config{BackchannelLogoutPath: "/backchannel"}
	require.Empty(t, session(t, front))
	require.Empty(t, session(t, back))
	for _, mistake := range []string{"back-channel", "back-channel status"} {
		require.Equal(t, []string{string(portnertest.BackchannelLogout)}, session(t, back, mistake), mistake)
	}
	require.Equal(t, []string{string(portnertest.LogoutUnregistered)}, session(t, portnertest.Config{}))
	front.Allow = []portnertest.Rule{portnertest.NonceUnchecked, portnertest.StateUnchecked}
	require.Equal(t, []string{string(portnertest.ACRUnchecked)}, session(t, front, "nonce", "state", "acr"))
	front.Lenient = true
	require.Empty(t, session(t, front, "nonce", "state", "acr", "front-channel", "verifier"))
}

// TestRulesAreDocumented: docs/testing.md has a row for each rule, with its source.
func TestRulesAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/testing.md")
	require.NoError(t, err)
	for rule, source := range portnertest.Sources() {
		require.Regexp(t, "(?m)^\\| `"+string(rule)+"` \\| .* \\| "+regexp.QuoteMeta(source)+" \\|$", string(text))
	}
	var rows []portnertest.Rule
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z]+(?:_[a-z]+)+)` \\|").FindAllStringSubmatch(string(text), -1) {
		rows = append(rows, portnertest.Rule(m[1]))
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(portnertest.Sources())), rows)
}

// session logs in, opens pages, and ends the session. It returns the reported rules.
func session(t *testing.T, cfg portnertest.Config, mistakes ...string) []string {
	t.Helper()
	r := &reports{TB: t}
	op := portnertest.New(r, cfg)
	a := newApp(t, op, mistakes...)
	browser := op.Browser(r, portnertest.Login{})
	for _, path := range []string{"/login", "/login", "/refresh"} {
		resp, err := browser.Get(a.url + path)
		if err == nil {
			require.NoError(t, resp.Body.Close())
		}
	}
	op.EndSession(r, "kari")
	resp, err := browser.Get(a.url + "/profile")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	if len(mistakes) == 0 && (cfg.FrontchannelLogoutPath != "" || cfg.BackchannelLogoutPath != "") {
		require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	}
	return r.rules()
}
