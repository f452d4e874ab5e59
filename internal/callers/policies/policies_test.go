package policies

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/pkce"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/scope"
)

const testPID = "21879498012" // synthetic

func TestPKCE(t *testing.T) {
	t.Parallel()
	v := pkce.NewVerifier()
	stored, err := acceptChallenge(map[string]string{"code_challenge": pkce.Challenge(v), "code_challenge_method": "S256"}, false)
	require.NoError(t, err)
	require.NoError(t, redeem(stored, v))
	require.ErrorIs(t, redeem(stored, pkce.NewVerifier()), pkce.ErrMismatch)
	require.Error(t, redeem("", ""), "the challenge was removed from the authorization request")
	_, err = acceptChallenge(map[string]string{"code_challenge": v}, false)
	require.ErrorIs(t, err, pkce.ErrMethod, "the method of a request without one is plain")
	_, err = acceptChallenge(nil, false)
	require.ErrorIs(t, err, pkce.ErrChallengeRequired)
	_, err = acceptChallenge(nil, true)
	require.NoError(t, err)
}

func TestACR(t *testing.T) {
	t.Parallel()
	require.True(t, sufficient(acr.High, nil))
	require.False(t, sufficient(acr.Low, nil))
	require.False(t, sufficient("idporten-loa-hihg", nil))
	require.True(t, sufficient(acr.High, []string{acr.Substantial}))
	require.False(t, sufficient(acr.High, []string{"idporten-loa-hihg"}))
}

func TestScope(t *testing.T) {
	t.Parallel()
	records, err := scope.NewRegistry([]scope.Scope{
		{Name: "test:open", AccessibleForAll: true},
		{Name: "test:consent", AccessibleForAll: true, RequiresUserConsent: true, Description: "Samtykke"},
	}, nil)
	require.NoError(t, err)
	c := scope.Client{ID: "app", Organisation: "991825827", Scopes: []string{"openid", "test:open", "test:consent"}}
	granted, ask, err := decideScopes("openid test:open", c, records, nil, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"openid", "test:open"}, granted)
	require.Empty(t, ask)
	_, ask, err = decideScopes("openid test:consent", c, records, nil, nil)
	require.NoError(t, err)
	require.Len(t, ask, 1)
	granted, _, err = decideScopes("openid test:consent", c, records, nil, &scope.Answer{Shown: []string{"test:consent"}, Approved: []string{"test:consent"}})
	require.NoError(t, err)
	require.Equal(t, []string{"openid", "test:consent"}, granted)
	_, _, err = decideScopes("test:consent", c, records, nil, &scope.Answer{Shown: []string{"test:consent"}})
	require.ErrorIs(t, err, scope.ErrAllDeclined)
	_, _, err = decideScopes("openid  openid", c, records, nil, nil)
	require.ErrorIs(t, err, scope.ErrSyntax)
	_, _, err = decideScopes("test:other", c, records, nil, nil)
	var refused *scope.RefusedError
	require.ErrorAs(t, err, &refused)
}

func TestSession(t *testing.T) {
	t.Parallel()
	now := time.Now()
	require.True(t, loggedIn(now.Add(-7*time.Hour), now.Add(-29*time.Minute), now))
	require.False(t, loggedIn(now.Add(-7*time.Hour), now.Add(-30*time.Minute), now))
	require.False(t, loggedIn(now.Add(-8*time.Hour), now, now))
	require.False(t, loggedIn(time.Time{}, time.Time{}, now))
}

func TestPseudonym(t *testing.T) {
	t.Parallel()
	pairwise, err := pseudonym.NewPairwise(portner.NewSecret())
	require.NoError(t, err)
	pid, err := norway.ParsePID(testPID)
	require.NoError(t, err)
	decode := func(p pseudonym.Protection) (claims map[string]any) {
		text, err := claimsFor(p, pairwise, "app", pid, map[string]any{"acr": acr.High, "given_name": "Kari"})
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &claims))
		return claims
	}
	open, hidden := decode(pseudonym.Open), decode(pseudonym.Pseudonymous)
	require.NotEqual(t, open["sub"], hidden["sub"])
	require.Equal(t, testPID, open["pid"])
	require.NotContains(t, hidden, "pid")
	require.NotContains(t, hidden, "given_name")
	_, err = claimsFor(pseudonym.Pseudonymous, pairwise, "app", pid, map[string]any{"note": "nr " + testPID})
	require.ErrorIs(t, err, pseudonym.ErrLeak)
}

func TestNorway(t *testing.T) { // not parallel: it replaces the program's logger
	var log bytes.Buffer
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	pid, err := testUser(testPID, "991825827")
	require.NoError(t, err)
	require.Equal(t, testPID, pid.Reveal())
	require.Contains(t, log.String(), "pid=REDACTED employer=991825827")
	require.NotContains(t, log.String(), testPID)
	_, err = testUser("01010750160", "991825827") // valid check digits, not synthetic
	require.ErrorIs(t, err, errNotSynthetic)
	_, err = testUser(testPID, "991825828")
	require.ErrorIs(t, err, norway.ErrOrgno)
}
