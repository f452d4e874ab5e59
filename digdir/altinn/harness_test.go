package altinn_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/digdir/altinn"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/resource"
	"github.com/portner-go/portner/storage"
)

const (
	issuer       = "https://platform.tt02.altinn.no/authentication/api/v1/openid/"
	maskinporten = "https://test.maskinporten.no/"
	idporten     = "https://test.idporten.no"
	pid          = "21879498012"
	unknownPID   = "45840375084"
)

// start is the iat of docs/spec/altinn.md §6.5, AX1.
var start = time.Unix(1757498372, 0)

func newKeys(t testing.TB) *keyset.Set {
	t.Helper()
	key, err := keyset.Generate(keyset.ES256)
	require.NoError(t, err)
	keys, err := keyset.New(keyset.Config{Keys: []keyset.Key{key}})
	require.NoError(t, err)
	return keys
}

// world is a server with the keys of its issuers.
type world struct {
	*altinn.Server
	t                                    testing.TB
	keys                                 *keyset.Set
	ofMaskinporten, ofIDPorten, ofStudio *keyset.Set
	now                                  time.Time
	events                               []portner.Event
	broken                               bool // the registers fail
}

// Code implements altinn.OrganisationSource.
func (w *world) Code(_ context.Context, orgno string) (string, error) {
	if w.broken {
		return "", errors.New("register down")
	}
	code, ok := map[string]string{"991825827": "digdir", "974760223": "dibk", "974761076": "skd"}[orgno]
	if !ok {
		return "", storage.ErrNotFound
	}
	return code, nil
}

// User implements altinn.UserSource.
func (w *world) User(_ context.Context, p norway.PID) (altinn.User, error) {
	if w.broken {
		return altinn.User{}, errors.New("register down")
	}
	if p.Reveal() != pid {
		return altinn.User{}, storage.ErrNotFound
	}
	return altinn.User{ID: 161488, Username: "", PartyID: 50714238, PartyUUID: "b2b5dd5c-3f15-4b3c-9ecf-1f0e5a1c2f9d"}, nil
}

func newWorld(t testing.TB, change ...func(*altinn.Config)) *world {
	t.Helper()
	w := &world{t: t, keys: newKeys(t), ofMaskinporten: newKeys(t), ofIDPorten: newKeys(t), ofStudio: newKeys(t), now: start}
	trust := func(iss string, keys *keyset.Set) altinn.Issuer {
		jwks, _ := keys.JWKS(start)
		return altinn.Issuer{Issuer: iss, Keys: resource.StaticKeys(jwks), Audience: []string{issuer}}
	}
	cfg := altinn.Config{
		Issuer: issuer, Keys: w.keys, Organisations: w, Users: w, AllowLegacyRegister: true,
		Maskinporten: altinn.Provider{Issuers: []altinn.Issuer{trust(maskinporten, w.ofMaskinporten)}, Lifetime: altinn.Lifetime{Rule: altinn.Fixed}},
		IDPorten:     altinn.Provider{Issuers: []altinn.Issuer{trust(idporten, w.ofIDPorten)}, Lifetime: altinn.Lifetime{Rule: altinn.Copy}},
		Studio: altinn.Provider{
			Issuers:  []altinn.Issuer{trust("studio", w.ofStudio), trust("dev-studio", newKeys(t)), trust("staging-studio", newKeys(t))},
			Lifetime: altinn.Lifetime{Rule: altinn.Fixed},
		},
		Now:     func() time.Time { return w.now },
		OnEvent: func(_ context.Context, e portner.Event) { w.events = append(w.events, e) },
	}
	for _, ch := range change {
		ch(&cfg)
	}
	s, err := altinn.New(cfg)
	require.NoError(t, err)
	w.Server = s
	return w
}

func sign(t testing.TB, keys *keyset.Set, m map[string]any) string {
	t.Helper()
	raw, err := json.Marshal(m)
	require.NoError(t, err)
	jwt, err := keys.Sign("", "", raw, start)
	require.NoError(t, err)
	return jwt
}

type change = map[string]any

func with(base map[string]any, changes ...change) map[string]any {
	m := maps.Clone(base)
	for _, ch := range changes {
		for name, value := range ch {
			m[name] = value
			if value == nil {
				delete(m, name)
			}
		}
	}
	return m
}

// machine returns a token of Maskinporten.
func (w *world) machine(changes ...change) string {
	return sign(w.t, w.ofMaskinporten, with(map[string]any{
		"iss": maskinporten, "scope": "altinn:broker.read", "client_amr": "private_key_jwt", "client_id": "0b3c", "token_type": "Bearer",
		"iat": start.Unix(), "exp": start.Unix() + 120, "jti": "a-jti", "consumer": org("0192:314240979"),
	}, changes...))
}

func org(id string) map[string]any {
	return map[string]any{"authority": "iso6523-actorid-upis", "ID": id}
}

// person returns a token of ID-porten.
func (w *world) person(changes ...change) string {
	return sign(w.t, w.ofIDPorten, with(map[string]any{
		"iss": idporten, "sub": "TWGi0", "scope": "openid altinn:instances.read", "client_amr": "private_key_jwt", "client_id": "portal",
		"iat": start.Unix(), "exp": start.Unix() + 319, "jti": "a-jti", "acr": "idporten-loa-substantial", "pid": pid,
		"consumer": org("0192:991825827"), "token_type": "Bearer",
	}, changes...))
}

func request(provider, token string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, altinn.ExchangePath+provider, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

func (w *world) send(r *http.Request) *httptest.ResponseRecorder {
	w.t.Helper()
	a := httptest.NewRecorder()
	w.ServeHTTP(a, r)
	require.Equal(w.t, "no-store", a.Header().Get("Cache-Control"))
	require.Equal(w.t, "nosniff", a.Header().Get("X-Content-Type-Options"))
	return a
}

// exchanged returns the claims of the new token. It fails the test if the request is rejected.
func (w *world) exchanged(r *http.Request) map[string]any {
	w.t.Helper()
	a := w.send(r)
	require.Equal(w.t, http.StatusOK, a.Code, a.Body)
	payload, typ := optest.Verified(w.t, w.keys, strings.Trim(a.Body.String(), `"`), w.now)
	require.Equal(w.t, "JWT", typ)
	var m map[string]any
	require.NoError(w.t, json.Unmarshal(payload, &m))
	return m
}

func (w *world) rejects(r *http.Request, status int) {
	w.t.Helper()
	a := w.send(r)
	require.Equal(w.t, status, a.Code)
	require.Empty(w.t, a.Body.String())
	if status == http.StatusUnauthorized {
		require.Equal(w.t, "Bearer", a.Header().Get("Www-Authenticate"))
	}
}

func header(t testing.TB, jwt string) map[string]any {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(jwt, ".")[0])
	require.NoError(t, err)
	var m map[string]any
	require.NoError(t, json.Unmarshal(raw, &m))
	return m
}
