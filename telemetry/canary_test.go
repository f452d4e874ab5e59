package telemetry_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/canary"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/telemetry"
)

const chosen = "kanarifugl-7391"

// flow uses a provider as clients, users and attackers do, and returns everything that telemetry must not have, by name. What an attacker
// can choose contains the constant chosen.
func flow(t testing.TB, op *optest.OP) map[string]string {
	t.Helper()
	const hint = "26818000123"
	b := op.Browser()
	r := op.Request("tjeneste", "openid profile test:consent", "login_hint", hint, "nonce", "nonce-"+chosen, "state", "state-"+chosen, "prompt", "login")
	uri := op.Call(t, "/par", "tjeneste", r.Params).String("request_uri")
	require.NotEmpty(t, uri)
	p := b.Get(t, optest.Issuer+"/authorize?client_id=tjeneste&request_uri="+url.QueryEscape(uri))
	p = b.Post(t, p, url.Values{"user": {"kari"}})
	code := b.Post(t, p, url.Values{"scope": {"test:consent"}}).Code(t)
	tokens := op.Exchange(t, r, code)
	idToken, access, refresh := tokens.String("id_token"), tokens.String("access_token"), tokens.String("refresh_token")
	require.NotEmpty(t, refresh)
	require.Equal(t, http.StatusOK, op.UserInfo(t, access).Status)
	require.Equal(t, http.StatusOK, op.Introspect(t, "owner", access).Status)
	rotated := op.Refresh(t, "tjeneste", refresh).String("refresh_token")
	op.Exchange(t, r, code)            // replay
	op.Refresh(t, "annen", rotated)    // of another client
	op.Refresh(t, "tjeneste", refresh) // reuse
	op.UserInfo(t, access+chosen)      // no such token
	op.Call(t, "/revoke", "tjeneste", url.Values{"token": {rotated}})
	cookies := b.Cookies()
	require.Len(t, cookies, 2)
	secret := map[string]string{
		"pid": optest.KariPID, "login_hint": hint, "sub": subject(t, idToken), "id_token": idToken[:60], "signature": idToken[len(idToken)-60:],
		"access token": access, "refresh token": refresh, "rotated refresh token": rotated, "client secret": optest.Secret,
		"code": code, "request_uri": uri, "verifier": r.Verifier, "what a caller chose": chosen,
	}
	for name, value := range cookies {
		secret["cookie "+name] = strings.Clone(value)
	}
	attacks(t, op)
	b.Get(t, optest.Issuer+"/logout?id_token_hint="+idToken+"x&logout_hint="+hint+"&state="+chosen)
	b.Get(t, optest.Issuer+"/logout?id_token_hint="+idToken+"&logout_hint="+hint)
	return secret
}

// attacks puts the value into everything that a caller chooses.
func attacks(t testing.TB, op *optest.OP) {
	t.Helper()
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(chosen+":"+chosen))
	for _, path := range []string{"/authorize", "/par", "/token", "/userinfo", "/tokeninfo", "/revoke", "/logout", "/jwks.json", "/login", "/" + chosen} {
		for _, method := range []string{http.MethodGet, http.MethodPost, strings.ToUpper("x" + chosen)} {
			form := url.Values{chosen: {chosen}}
			for _, name := range []string{
				"client_id", "redirect_uri", "scope", "state", "grant_type", "code", "token", "refresh_token", "response_type", "client_assertion",
				"client_assertion_type", "request", "request_uri", "id_token_hint", "login_hint", "acr_values", "ui_locales", "username",
			} {
				form.Set(name, chosen)
			}
			target := optest.Issuer + path + "?" + form.Encode()
			do(t, op, method, target, form, "User-Agent", chosen, "Cookie", chosen+"="+chosen, "X-Correlation-Id", chosen, "Origin", "https://"+chosen+".example.no")
			do(t, op, method, optest.Issuer+path, form, "Authorization", basic, "Traceparent", chosen, "Tracestate", "a="+chosen, "Baggage", "a="+chosen, "Dpop", chosen)
			do(t, op, method, optest.Issuer+path, url.Values{"client_id": {"tjeneste"}, "scope": {chosen}, "redirect_uri": {chosen}, "response_type": {chosen}, "grant_type": {chosen}})
		}
	}
	for _, form := range []url.Values{{"grant_type": {chosen}}, {"grant_type": {"refresh_token"}, "refresh_token": {chosen}, "scope": {chosen}}} {
		op.Call(t, "/token", "tjeneste", form)
	}
	op.Call(t, "/par", "tjeneste", op.Request("tjeneste", "openid "+chosen, "prompt", chosen, "acr_values", chosen, chosen, chosen).Params)
}

func subject(t testing.TB, idToken string) string {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(idToken, ".")[1])
	require.NoError(t, err)
	var claims struct{ Sub string }
	require.NoError(t, json.Unmarshal(payload, &claims))
	require.NotEmpty(t, claims.Sub)
	return claims.Sub
}

// leaked searches the exported metrics and spans for values.
func leaked(text string, values map[string]string) []canary.Leak {
	r := canary.New()
	for name, value := range values {
		r.Keep(canary.Kind(name), value)
	}
	r.See(canary.Metric, text)
	r.See(canary.Metric, strings.ToLower(text)) // attributes may be in lower case
	return r.Leaks()
}

// TestNothingPersonalInTelemetry runs whole flows, valid and invalid, and searches metrics and spans for identity numbers, credentials and
// what callers choose, in several encodings (docs/threat-model.md I9).
func TestNothingPersonalInTelemetry(t *testing.T) {
	t.Parallel()
	b := newBed(t, telemetry.Config{AcceptTraceparent: true})
	op := b.observe(t)
	secret := flow(t, op)
	do(t, b.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b.OnEvent(r.Context(), portner.Event{
			Name: portner.EventRefused, CorrelationID: chosen, GrantID: chosen, // a host can take the identifier from a request
			Explanation: portner.Explanation{Parameter: "state", Received: chosen, Expected: chosen, Property: chosen},
		})
	}), op.Endpoint), http.MethodGet, "/"+chosen, nil)
	text := b.exported(t)
	require.Empty(t, leaked(text, secret))
	require.Greater(t, b.count(t, "portner.events"), int64(50))
	require.Contains(t, text, "sec.code_replay")
	require.Contains(t, text, "tjeneste", "the exported text has the clients")
}

// TestCanaryControl: the search finds each value in several encodings, in a metric and in a span.
func TestCanaryControl(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{"pid": optest.KariPID, "client secret": optest.Secret, "a URL": "urn:ietf:params:oauth:request_uri:7+?=/x"} {
		for encoding, s := range map[string]string{
			"plain": value, "hex": hex.EncodeToString([]byte(value)), "URL-encoded": url.QueryEscape(value),
			"base64": base64.StdEncoding.EncodeToString([]byte("a" + value)), "base64 (URL)": base64.RawURLEncoding.EncodeToString([]byte("ab" + value)),
		} {
			values := map[string]string{name: value}
			b := newBed(t, telemetry.Config{})
			b.OnEvent(t.Context(), portner.Event{Name: portner.EventRefused, Reason: "x" + s + "y"})
			require.NotEmpty(t, leaked(b.exported(t), values), name+" "+encoding+" in a metric")

			b = newBed(t, telemetry.Config{})
			h := b.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				leak(r.Context(), "x"+s+"y")
			}), func(string) string { return "token" })
			do(t, h, http.MethodGet, "/token", nil)
			require.NotEmpty(t, leaked(b.exported(t), values), name+" "+encoding+" in a span")
		}
	}
}

func leak(ctx context.Context, value string) {
	trace.SpanFromContext(ctx).SetAttributes(attribute.String("leak", value))
}
