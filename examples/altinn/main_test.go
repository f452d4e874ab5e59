package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/configtest"
	"github.com/portner-go/portner/examples/internal/programs"
	"github.com/portner-go/portner/internal/standin/altinn"
	"github.com/portner-go/portner/internal/standin/standintest"
	"github.com/portner-go/portner/keyset"
)

const (
	maskinportenIssuer = "https://test.maskinporten.no/"
	idportenIssuer     = "https://test.idporten.no"
	kari               = "21879498012"
)

// world is a running server with the keys of its two issuers.
type world struct {
	t                      *testing.T
	s                      *altinn.Server
	base                   string
	maskinporten, idporten *keyset.Set
	later                  atomic.Int64 // nanoseconds since start, by the clock of the server
}

// serveStopped serves until the end of the test.
func serveStopped(t *testing.T, s *altinn.Server) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
}

// publish serves the keys of an issuer.
func publish(t *testing.T) (keys *keyset.Set, uri string) {
	t.Helper()
	key, err := keyset.Generate(keyset.ES256)
	require.NoError(t, err)
	keys, err = keyset.New(keyset.Config{Keys: []keyset.Key{key}})
	require.NoError(t, err)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		doc, _ := keys.JWKS(start)
		_, _ = w.Write(doc)
	}))
	t.Cleanup(srv.Close)
	return keys, srv.URL
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	var at [2]string
	w.maskinporten, at[0] = publish(t)
	w.idporten, at[1] = publish(t)
	file, err := json.Marshal(map[string]any{
		"maskinporten": map[string]any{"issuers": []any{map[string]any{"issuer": maskinportenIssuer, "jwks_uri": at[0]}}},
		"idporten":     map[string]any{"issuers": []any{map[string]any{"issuer": idportenIssuer, "jwks_uri": at[1]}}},
	})
	require.NoError(t, err)
	prepared, err := standintest.Prepare(t, programs.Altinn().Command(), slog.DiscardHandler, "-addr", "localhost:0", "-config", write(t, string(file)))
	require.NoError(t, err)
	w.s = prepared.(*altinn.Server)
	w.s.Now = func() time.Time { return start.Add(time.Duration(w.later.Load())) }
	w.base = w.s.Base()
	serveStopped(t, w.s)
	return w
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.json")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// change replaces claims of a token; nil removes a claim.
type change = map[string]any

func org(id string) map[string]any {
	return map[string]any{"authority": "iso6523-actorid-upis", "ID": id}
}

func (w *world) sign(keys *keyset.Set, base map[string]any, changes []change) string {
	w.t.Helper()
	for _, ch := range changes {
		maps.Copy(base, ch)
	}
	maps.DeleteFunc(base, func(_ string, v any) bool { return v == nil })
	raw, err := json.Marshal(base)
	require.NoError(w.t, err)
	jwt, err := keys.Sign("", "", raw, start)
	require.NoError(w.t, err)
	return jwt
}

// machine returns the token of AX1 (docs/spec/altinn.md §6.5).
func (w *world) machine(changes ...change) string {
	return w.sign(w.maskinporten, map[string]any{
		"iss": maskinportenIssuer, "scope": "altinn:broker.read", "client_amr": "private_key_jwt", "client_id": "0b3c", "token_type": "Bearer",
		"iat": 1757498372, "exp": 1757498492, "jti": "a-jti", "consumer": org("0192:314240979"),
	}, changes)
}

// person returns a token similar to that of AX2.
func (w *world) person(changes ...change) string {
	return w.sign(w.idporten, map[string]any{
		"iss": idportenIssuer, "sub": "TWGi0", "scope": "openid altinn:instances.read", "client_amr": "private_key_jwt", "client_id": "portal",
		"iat": start.Unix() - 281, "exp": start.Unix() + 319, "jti": "a-jti", "acr": "idporten-loa-substantial", "pid": kari,
		"consumer": org("0192:910753614"), "token_type": "Bearer",
	}, changes)
}

// call sends a request with a token and returns the response.
func (w *world) call(path, token string, headers ...http.Header) (int, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.base+path, nil)
	require.NoError(w.t, err)
	for _, h := range headers {
		maps.Copy(r.Header, h)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(w.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(w.t, err)
	require.Equal(w.t, "no-store", resp.Header.Get("Cache-Control"))
	return resp.StatusCode, string(body)
}

func (w *world) exchange(provider, token string, headers ...http.Header) (int, string) {
	w.t.Helper()
	return w.call("/authentication/api/v1/exchange/"+provider, token, headers...)
}

func (w *world) refused(t *testing.T, status int, provider, token string) {
	t.Helper()
	got, body := w.exchange(provider, token)
	require.Equal(t, status, got)
	require.Empty(t, body)
}

func (w *world) claims(jwt string) map[string]any {
	w.t.Helper()
	parts := strings.Split(jwt, ".")
	require.Len(w.t, parts, 3, jwt)
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(w.t, err)
	var claims map[string]any
	require.NoError(w.t, json.Unmarshal(payload, &claims))
	return claims
}

// TestAPI checks which paths of the API accept the tokens of the exchange.
func TestAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	get := func(path, token string) (int, map[string]any) {
		status, body := w.call(path, token)
		var m map[string]any
		_ = json.Unmarshal([]byte(body), &m)
		require.NotContains(t, body, kari)
		return status, m
	}
	exchanged := func(provider, token string) string {
		status, body := w.exchange(provider, token)
		require.Equal(t, http.StatusOK, status)
		return body
	}

	person := exchanged("id-porten", w.person())
	status, got := get("/api/instanser", person)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "161488", got["bruker_id"])
	require.Equal(t, "kari", got["brukernavn"])
	require.Equal(t, 3.0, got["sikkerhetsniva"])
	status, _ = get("/api/tjenesteeier", person)
	require.Equal(t, http.StatusForbidden, status)

	machine := exchanged("maskinporten", w.machine())
	status, _ = get("/api/instanser", machine)
	require.Equal(t, http.StatusForbidden, status)
	status, got = get("/api/meg", machine)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "314240979", got["organisasjonsnummer"])

	owner := change{"scope": "altinn:serviceowner", "consumer": org("0192:974761076")}
	status, got = get("/api/tjenesteeier", exchanged("maskinporten", w.machine(owner)))
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "skd", got["tjenesteeier"])
	nobody := change{"scope": "altinn:serviceowner", "consumer": org("0192:910753614")}
	status, _ = get("/api/tjenesteeier", exchanged("maskinporten", w.machine(nobody)))
	require.Equal(t, http.StatusForbidden, status)

	delegated := change{"scope": "altinn:instances.read", "supplier": org("0192:991825827"), "delegation_source": "https://tt02.altinn.no/"}
	status, got = get("/api/instanser", exchanged("maskinporten", w.machine(delegated)))
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "991825827", got["leverandor"])
	status, _ = get("/api/instanser", exchanged("maskinporten", w.machine(delegated, change{"delegation_source": "https://elsewhere.example.no/"})))
	require.Equal(t, http.StatusForbidden, status)

	system := change{"scope": "altinn:instances.read", "authorization_details": []any{map[string]any{
		"type": "urn:altinn:systemuser", "systemuser_id": []any{"a545feee-38a1-45f5-b5b8-4f4b3bd2a4e0"},
		"systemuser_org": org("0192:910753614"), "system_id": "991825827_smartcloud",
	}}}
	status, got = get("/api/instanser", exchanged("maskinporten", w.machine(system)))
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "910753614", got["systembruker_hos"])

	for name, token := range map[string]string{"Maskinporten's own token": w.machine(), "ID-porten's own token": w.person(), "none": ""} {
		status, _ = get("/api/meg", token)
		require.Contains(t, []int{http.StatusUnauthorized, http.StatusBadRequest}, status, name)
	}
}

// TestAPIAfterNewKeys: the API accepts the tokens of a key that began to sign while the server runs.
func TestAPIAfterNewKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 3 {
		status, token := w.exchange("maskinporten", w.machine())
		require.Equal(t, http.StatusOK, status)
		status, _ = w.call("/api/meg", token)
		require.Equal(t, http.StatusOK, status)
		key, err := keyset.Generate(keyset.RS256)
		require.NoError(t, err)
		require.NoError(t, w.s.Keys.Set().Replace([]keyset.Key{key}))
		w.later.Add(int64(2 * time.Second))
	}
}

// TestMetadata checks that the endpoints of the metadata exist.
func TestMetadata(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fetch := func(uri string) map[string]any {
		resp, err := http.Get(uri)
		require.NoError(t, err)
		defer resp.Body.Close()
		require.Equal(t, http.StatusOK, resp.StatusCode)
		var m map[string]any
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&m))
		return m
	}
	m := fetch(w.s.Issuer + ".well-known/openid-configuration")
	require.Equal(t, w.s.Issuer, m["issuer"])
	require.True(t, strings.HasSuffix(w.s.Issuer, "/"))
	n := fetch(m["jwks_uri"].(string))["keys"].([]any)[0].(map[string]any)["n"].(string)
	require.NotContains(t, n, "=", "base64url")
	require.NotContains(t, n, "+")
}

// TestCommand checks the output and the errors of the program.
func TestCommand(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	require.Zero(t, run(ctx, []string{"-addr", "localhost:0", "-config", "../../docs/altinn-config.example.json"}, &out, &errs), errs.String())
	require.Contains(t, out.String(), "/authentication/api/v1/exchange/id-porten")
	require.Contains(t, out.String(), "/api/instanser")
	standintest.RequireFlags(t, run, append(standintest.ServerFlags, "-idporten", "-maskinporten")...)
	for _, args := range [][]string{
		{"-addr", "nonsense"},
		{"-config", "missing.json"},
		{"-x"},
		{"y"},
		{"-tls-cert", "x"},
		{"-addr", "localhost:0", "-issuer", "http://localhost:1"},
		{"-addr", "localhost:0", "-idporten", "http://elsewhere.example.no"}, // keys over http from another machine
	} {
		errs.Reset()
		require.Equal(t, 1, run(ctx, args, &out, &errs), "%v", args)
		require.NotEmpty(t, errs.String())
	}
}

// TestMistakes checks that every problem is reported at once with its path.
func TestMistakes(t *testing.T) {
	t.Parallel()
	_, err := altinn.ReadConfig(write(t, `{
		"issuer": "http://localhost:8100/openid", "partner_scopes": [""],
		"maskinporten": {"issuers": [{"issuer": ""}], "lifetime": "forever", "lifetime_seconds": -1},
		"idporten": {"issuers": [{"issuer": "https://idporten.no", "jwks_uri": "keys.json"}]},
		"altinnstudio": {"issuers": [{"issuer": "studio"}]},
		"organisations": [{"orgno": "123456789", "org": ""}, {"orgno": "991825827", "org": "digdir"}, {"orgno": "991825827", "org": "digdir"}],
		"users": [{"pid": "1", "user_id": 0, "party_id": 1, "party_uuid": "x"}]
	}`))
	for _, want := range []string{
		"issuer: must", "partner_scopes: ", "maskinporten.issuers[0].issuer: ", "maskinporten.lifetime: ", "maskinporten.lifetime_seconds: ",
		"idporten.issuers[0].jwks_uri: ", "altinnstudio.issuers[0].jwks_uri: ", "organisations[0].orgno: ", "organisations[0].org: ",
		"organisations[2].orgno: ", "users[0].pid: ", "users[0]: ",
	} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "organisations[1]")
	_, err = altinn.ReadConfig(write(t, `{"organizations": []}`))
	require.ErrorContains(t, err, "organizations: is an unknown member")
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	configtest.Check(t, "altinn", altinn.ReadConfig)
}
