package portnertest_test

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/portnertest"
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

// TestStrict: each mistake of an app is found by the rule for it, and by no other one.
func TestStrict(t *testing.T) {
	t.Parallel()
	tests := map[string]portnertest.Rule{
		"no pkce": portnertest.PKCEMissing, "no state": portnertest.StateMissing, "no nonce": portnertest.NonceMissing,
		"short state": portnertest.StateShort, "constant state": portnertest.StateReused,
		"state": portnertest.StateUnchecked, "nonce": portnertest.NonceUnchecked, "acr": portnertest.ACRUnchecked,
		"signature": portnertest.SignatureUnchecked, "audience": portnertest.AudienceUnchecked, "issuer": portnertest.IssuerUnchecked,
		"expiry": portnertest.ExpiryUnchecked, "verifier": portnertest.VerifierWeak, "redirect http": portnertest.RedirectHTTP,
		"secret in url": portnertest.SecretInURL, "token in url": portnertest.TokenInURL, "code twice": portnertest.CodeReused,
		"id_token as access token": portnertest.IDTokenAsAccessToken, "refresh": portnertest.RefreshReused,
		"front-channel": portnertest.FrontchannelLogout,
	}
	for mistake, rule := range tests {
		t.Run(mistake, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, []string{string(rule)}, session(t, portnertest.Config{FrontchannelLogout: "/frontchannel"}, mistake))
		})
	}
}

// TestStrictWithoutMistakes: an app that does what ID-porten requires has no finding, and neither has one whose mistakes are allowed.
func TestStrictWithoutMistakes(t *testing.T) {
	t.Parallel()
	front, back := portnertest.Config{FrontchannelLogout: "/frontchannel"}, portnertest.Config{BackchannelLogout: "/backchannel"}
	require.Empty(t, session(t, front))
	require.Empty(t, session(t, back))
	require.Equal(t, []string{string(portnertest.BackchannelLogout)}, session(t, back, "back-channel"))
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
	for _, path := range []string{"/login", "/refresh"} {
		resp, err := browser.Get(a.url + path)
		if err == nil {
			require.NoError(t, resp.Body.Close())
		}
	}
	op.EndSession(r, "kari")
	resp, err := browser.Get(a.url + "/profile")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	if len(mistakes) == 0 && (cfg.FrontchannelLogout != "" || cfg.BackchannelLogout != "") {
		require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	}
	return r.rules()
}
