package provider_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/canary"
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

	text := stripOwn(seen.String(), idToken)
	for channel, values := range map[canary.Channel]map[canary.Kind]string{
		canary.Page: { // neither in what a browser sees, nor in the log
			canary.IdentityNumber: optest.KariPID, "login_hint": hint, canary.Subject: claims.Sub, canary.IDToken: idToken,
			canary.AccessToken: access, canary.RefreshToken: refresh, canary.ClientSecret: optest.Secret,
		},
		canary.Log: {"code": code, "state": "state-canary", "nonce": nonce, "request_uri": uri, "verifier": r.Verifier},
	} {
		scan := canary.New()
		for kind, value := range values {
			scan.Keep(kind, value)
		}
		scan.See(canary.Log, out.String())
		if channel == canary.Page {
			scan.See(canary.ErrorPage, text)
		} else {
			for name, value := range cookies {
				scan.Keep(canary.Kind(name), value)
			}
		}
		require.Empty(t, scan.Leaks())
	}
	require.NotContains(t, out.String(), `"kari"`)
	require.Greater(t, bytes.Count(out.Bytes(), []byte("\n")), 8, "the log was on")
}

// stripOwn removes the parameters that the test itself put into URLs.
func stripOwn(transcript, idToken string) string {
	for _, own := range []string{"id_token_hint=" + idToken, "login_hint=26818000123", "logout_hint=26818000123"} {
		transcript = strings.ReplaceAll(transcript, own, "")
	}
	return transcript
}

// TestCanaryControl: every test with a provider of package optest fails if the provider lets a value leave, here on an error page and in
// an address.
func TestCanaryControl(t *testing.T) {
	t.Parallel()
	for name, leak := range map[string]func(op *optest.OP, text string){
		"error page": func(op *optest.OP, text string) {
			op.Front = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, text, http.StatusBadRequest) })
		},
		"URL": func(op *optest.OP, text string) {
			op.Front = http.RedirectHandler("https://client.example.no/?error="+text, http.StatusSeeOther)
		},
		"nothing": func(*optest.OP, string) {},
	} {
		watched := &recordingTB{TB: t}
		op := optest.New(watched, optest.Options{})
		r := op.Request("tjeneste", "openid profile")
		tokens := op.Exchange(t, r, op.Browser().Login(t, r, "kari").Code(t))
		leak(op, hex.EncodeToString([]byte("x"+tokens.String("access_token"))))
		op.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, optest.Issuer+"/jwks.json", nil))
		for _, f := range watched.cleanup {
			f()
		}
		require.Equal(t, name != "nothing", strings.Contains(fmt.Sprint(watched.errors), name+": access token (hex)"), watched.errors)
		require.Equal(t, name == "nothing", len(watched.errors) == 0, watched.errors)
	}
}

// recordingTB keeps errors in place of failing.
type recordingTB struct {
	testing.TB

	errors  []string
	cleanup []func()
}

func (r *recordingTB) Cleanup(f func()) { r.cleanup = append(r.cleanup, f) }
func (r *recordingTB) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}
