package altinn_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/digdir/altinn"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/portnertest"
	"github.com/portner-go/portner/resource"
)

// newNeighbour returns a world whose server refreshes and introspects tokens.
func newNeighbour(t *testing.T) *world {
	t.Helper()
	return newWorld(t, func(c *altinn.Config) {
		c.RefreshLength = altinn.DefaultLength
		jwks, _ := newKeys(t).JWKS(start)
		c.Introspection = &altinn.Introspection{Issuers: []altinn.Issuer{c.Maskinporten.Issuers[0], {Issuer: "platform", Keys: resource.StaticKeys(jwks)}}}
	})
}

// token returns the exchanged form of a token.
func (w *world) token(r *http.Request) string {
	w.t.Helper()
	a := w.send(r)
	require.Equal(w.t, http.StatusOK, a.Code)
	return a.Body.String()
}

func refreshing(token string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, altinn.RefreshPath, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

func introspecting(caller string, form url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, altinn.IntrospectionPath, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if caller != "" {
		r.Header.Set("Authorization", "Bearer "+caller)
	}
	return r
}

// TestRefresh checks docs/spec/altinn.md §3.8: the claims stay, and the times are new.
func TestRefresh(t *testing.T) {
	t.Parallel()
	w := newNeighbour(t)
	for name, first := range map[string]*http.Request{"machine": request("maskinporten", w.machine()), "person": request("id-porten", w.person())} {
		w.now = start
		token := w.token(first)
		before := w.exchanged(first)
		w.now = start.Add(5 * time.Minute)
		got := w.exchanged(refreshing(token))
		for _, renewed := range []string{"sid", "jti"} { // each exchange has its own
			delete(before, renewed)
			delete(got, renewed)
		}
		now := float64(w.now.Unix())
		before["iat"], before["nbf"], before["exp"] = now, now, now+1800
		require.Equal(t, before, got, name)
	}
	w.now = start
	token := w.token(request("maskinporten", w.machine()))
	for range 3 { // any number of times
		w.now = w.now.Add(29 * time.Minute)
		token = w.token(refreshing(token))
	}
	for name, r := range map[string]*http.Request{
		"tampered": refreshing(tampered(token)), "of Maskinporten": refreshing(w.machine()), "of ID-porten": refreshing(w.person()),
		"of Studio": refreshing(w.token(request("altinnstudio", sign(t, w.ofStudio, map[string]any{
			"iss": "studio", "aud": issuer, "iat": start.Unix(), "exp": w.now.Unix() + 60, "jti": "j", "sub": "dev", "urn:altinn:app": "studio",
		})))),
		"no token": httptest.NewRequest(http.MethodGet, altinn.RefreshPath, nil), "in the query": httptest.NewRequest(http.MethodGet, altinn.RefreshPath+"?access_token="+token, nil),
	} {
		t.Log(name)
		w.rejects(r, http.StatusUnauthorized)
	}
	w.now = w.now.Add(31 * time.Minute)
	w.rejects(refreshing(token), http.StatusUnauthorized)
	for _, method := range []string{http.MethodPost, http.MethodHead} {
		r := refreshing(token)
		r.Method = method
		require.Equal(t, http.StatusMethodNotAllowed, w.send(r).Code)
	}
}

// TestRefreshWithinLeeway: a token that has expired within the tolerance of the clock is refreshed, as at Altinn, and its times are in order.
func TestRefreshWithinLeeway(t *testing.T) {
	t.Parallel()
	w := newNeighbour(t)
	token := w.token(request("maskinporten", w.machine()))
	w.now = start.Add(30*time.Minute + 9*time.Second)
	got := w.exchanged(refreshing(token))
	require.Less(t, got["iat"], got["exp"])
}

// TestIntrospection checks docs/spec/altinn.md §3.9.
func TestIntrospection(t *testing.T) {
	t.Parallel()
	w := newNeighbour(t)
	own := w.token(request("id-porten", w.person()))
	caller := w.token(request("maskinporten", w.machine()))
	prover := portnertest.NewProver()
	const inactive = `{"active":false,"iss":null}`
	for name, tc := range map[string]struct{ token, want string }{
		"of the server":           {own, `{"active":true,"iss":"` + issuer + `"}`},
		"the caller's own":        {caller, `{"active":true,"iss":"` + issuer + `"}`},
		"of a configured issuer":  {w.machine(), `{"active":true,"iss":"` + maskinporten + `"}`},
		"of another issuer":       {w.person(), inactive},
		"tampered":                {tampered(own), inactive},
		"expired":                 {w.machine(change{"iat": start.Unix() - 131, "exp": start.Unix() - 11}), inactive},
		"bound to a key":          {w.machine(change{"cnf": map[string]any{"jkt": prover.Thumbprint}}), inactive},
		"for another API":         {w.machine(change{"aud": "https://api.example.no"}), inactive},
		"keys of another issuer":  {sign(t, w.ofIDPorten, map[string]any{"iss": maskinporten, "exp": start.Unix() + 60, "iat": start.Unix()}), inactive},
		"no token":                {"x", inactive},
		"larger than any token":   {strings.Repeat("a", 40<<10), inactive},
		"issuer without the keys": {sign(t, w.ofMaskinporten, map[string]any{"iss": "platform", "exp": start.Unix() + 60, "iat": start.Unix()}), inactive},
	} {
		a := w.send(introspecting(caller, url.Values{"token": {tc.token}, "token_type_hint": {"access_token"}}))
		require.Equal(t, http.StatusOK, a.Code, name)
		require.Equal(t, "application/json", a.Header().Get("Content-Type"), name)
		require.JSONEq(t, tc.want, a.Body.String(), name)
	}
	for name, form := range map[string]url.Values{"no token": {}, "an empty one": {"token": {""}}} {
		a := w.send(introspecting(caller, form))
		require.Equal(t, http.StatusBadRequest, a.Code, name)
		require.Equal(t, `"Token canot be empty."`, a.Body.String(), name)
	}
	for name, caller := range map[string]string{"none": "", "of Maskinporten": w.machine(), "tampered": tampered(caller)} {
		t.Log(name)
		w.rejects(introspecting(caller, url.Values{"token": {own}}), http.StatusUnauthorized)
		w.rejects(introspecting(caller, nil), http.StatusUnauthorized) // the caller is verified before the form
	}
	w.rejects(introspecting(caller, url.Values{"token": {own, own}}), http.StatusBadRequest)
	r := introspecting(caller, url.Values{"token": {own}})
	r.Header.Set("Content-Type", "application/json")
	w.rejects(r, http.StatusUnsupportedMediaType)
	r = introspecting(caller, nil)
	r.Method = http.MethodGet
	require.Equal(t, http.StatusMethodNotAllowed, w.send(r).Code)
}

// TestOwnTokensAfterRotation: the server accepts the tokens of each key of its set, also of one that it got while it runs.
func TestOwnTokensAfterRotation(t *testing.T) {
	t.Parallel()
	w := newNeighbour(t)
	old := w.token(request("maskinporten", w.machine()))
	key, err := keyset.Generate(keyset.ES256)
	require.NoError(t, err)
	require.NoError(t, w.keys.Add(key, 24*time.Hour, w.now))
	w.now = start.Add(time.Minute)
	require.Equal(t, http.StatusOK, w.send(refreshing(w.token(refreshing(old)))).Code)
	require.NoError(t, w.keys.Replace([]keyset.Key{key}))
	w.rejects(refreshing(old), http.StatusUnauthorized)
}

// TestWithoutNeighbours: without their fields the paths are unknown.
func TestWithoutNeighbours(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token(request("maskinporten", w.machine()))
	for _, r := range []*http.Request{refreshing(token), introspecting(token, url.Values{"token": {token}})} {
		a := httptest.NewRecorder()
		w.ServeHTTP(a, r)
		require.Equal(t, http.StatusNotFound, a.Code)
	}
	require.Empty(t, w.broken)
	var last portner.Event
	if len(w.events) > 0 {
		last = w.events[len(w.events)-1]
	}
	require.Equal(t, portner.EventTokenIssued, last.Name)
}
