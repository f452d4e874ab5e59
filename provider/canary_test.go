package provider_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
)

// TestNothingPersonalLeaves runs whole flows, valid and invalid, and searches logs, URLs, headers and pages for identity numbers,
// credentials and login hints in several encodings (docs/threat-model.md H6, I4, I5).
func TestNothingPersonalLeaves(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	op := optest.New(t, optest.Options{Change: func(c *provider.Config) {
		c.Logger = slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}})
	b := op.Browser()
	var seen strings.Builder // all that a browser, a proxy or a history sees
	see := func(p optest.Page) optest.Page {
		fmt.Fprintln(&seen, p.URL, p.Left, p.Header, p.Body)
		return p
	}
	const hint, nonce = "26818000123", "nonce-canary"
	r := op.Request("tjeneste", "openid profile test:consent", "login_hint", hint, "nonce", nonce, "state", "state-canary", "prompt", "login")
	a := op.Call(t, "/par", "tjeneste", r.Params)
	uri := a.String("request_uri")
	require.NotEmpty(t, uri)
	p := see(b.Get(t, optest.Issuer+"/authorize?client_id=tjeneste&request_uri="+url.QueryEscape(uri)))
	require.Equal(t, "login", p.Step())
	see(op.Browser().Get(t, p.URL.String())) // another browser
	p = see(b.Post(t, p, url.Values{"user": {"kari"}}))
	require.Equal(t, "consent", p.Step())
	p = see(b.Post(t, p, url.Values{"scope": {"test:consent"}}))
	code := p.Code(t)
	tokens := op.Exchange(t, r, code)
	idToken, access, refresh := tokens.String("id_token"), tokens.String("access_token"), tokens.String("refresh_token")
	require.NotEmpty(t, idToken)
	op.Exchange(t, r, code) // replay
	op.UserInfo(t, access+"x")
	op.Refresh(t, "annen", refresh)
	var claims struct{ Sub string }
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(idToken, ".")[1])
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(payload, &claims))
	bad := op.Request("tjeneste", "openid", "login_hint", hint, "id_token_hint", idToken+"x", "state", "state-canary")
	see(b.Get(t, bad.URL()))
	see(b.Get(t, optest.Issuer+"/logout?id_token_hint="+idToken+"x&logout_hint="+hint+"&state=state-canary"))
	cookies := b.Cookies()
	require.Len(t, cookies, 2)
	see(b.Get(t, optest.Issuer+"/logout?id_token_hint="+idToken+"&logout_hint="+hint))

	never := map[string]string{ // neither in the log nor in what anybody sees
		"pid": optest.KariPID, "login_hint": hint, "sub": claims.Sub, "id_token": idToken[:60], "access token": access, "refresh token": refresh, "client secret": optest.Secret,
	}
	logOnly := map[string]string{"code": code, "state": "state-canary", "nonce": nonce, "request_uri": uri, "verifier": r.Verifier, "subject": `"kari"`}
	for name, value := range cookies {
		logOnly[name] = value
	}
	transcript := stripOwn(seen.String(), idToken)
	for name, secret := range never {
		for _, s := range spellings(secret) {
			require.NotContains(t, transcript, s, name)
			require.NotContains(t, out.String(), s, name)
		}
	}
	for name, secret := range logOnly {
		for _, s := range spellings(secret) {
			require.NotContains(t, out.String(), s, name)
		}
	}
	require.Greater(t, bytes.Count(out.Bytes(), []byte("\n")), 8, "the log was on")
}

// stripOwn removes the parameters that the test itself put into URLs.
func stripOwn(transcript, idToken string) string {
	for _, own := range []string{"id_token_hint=" + idToken, "login_hint=26818000123", "logout_hint=26818000123"} {
		transcript = strings.ReplaceAll(transcript, own, "")
	}
	return transcript
}

// spellings returns s in the encodings that are searched for.
func spellings(s string) []string {
	runes := []byte(s)
	for i, j := 0, len(runes)-1; i < j; i, j = i+1, j-1 {
		runes[i], runes[j] = runes[j], runes[i]
	}
	return []string{
		s, url.QueryEscape(s), hex.EncodeToString([]byte(s)), strings.ToUpper(hex.EncodeToString([]byte(s))), string(runes),
		strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(s)), "="), base64.RawURLEncoding.EncodeToString([]byte(s)),
	}
}
