package altinn_test

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/digdir/altinn"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/resource"
)

// tampered changes the first character of the signature of a token.
func tampered(token string) string {
	i := strings.LastIndexByte(token, '.') + 1
	changed := "A"
	if token[i] == 'A' {
		changed = "B"
	}
	return token[:i] + changed + token[i+1:]
}

// TestMaskinporten checks the claims of docs/spec/altinn.md §3.4.
func TestMaskinporten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.exchanged(request("maskinporten", w.machine(change{
		"scope": "altinn:serviceowner/instances.read", "consumer": org("0192:974761076"), "supplier": org("0192:991825827"),
		"delegation_source": "https://tt02.altinn.no/", "pid": pid, "sid": "theirs", "aud": []string{issuer, "x"},
		"authorization_details": []any{map[string]any{"type": "urn:altinn:systemuser"}},
		"urn:altinn:userid":     "1", "URN:ALTINN:AUTHLEVEL": 4, "nameid": "1", "orgNumber": 1, "NBF": 1,
	})))
	for _, fresh := range []string{"jti", "sid"} {
		require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, got[fresh])
		delete(got, fresh)
	}
	now := float64(start.Unix())
	require.Equal(t, map[string]any{
		"iss": issuer, "scope": "altinn:serviceowner/instances.read", "client_id": "0b3c", "token_type": "Bearer", "pid": pid,
		"consumer": org("0192:974761076"), "supplier": org("0192:991825827"), "delegation_source": "https://tt02.altinn.no/",
		"authorization_details": []any{map[string]any{"type": "urn:altinn:systemuser"}}, // remains an array
		"urn:altinn:org":        "skd", "urn:altinn:orgNumber": "974761076", "urn:altinn:authenticatemethod": "maskinporten",
		"urn:altinn:authlevel": 3.0, "iat": now, "nbf": now, "exp": now + 1800,
	}, got)
}

// TestIDPorten checks the claims of docs/spec/altinn.md §3.5.
func TestIDPorten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.exchanged(request("id-porten", w.person(change{"amr": []string{"BankID", "x"}, "aud": issuer})))
	delete(got, "jti")
	delete(got, "sid")
	now := float64(start.Unix())
	require.Equal(t, map[string]any{
		"iss": issuer, "scope": "openid altinn:instances.read", "client_id": "portal", "client_amr": "private_key_jwt", "token_type": "Bearer",
		"pid": pid, "acr": "idporten-loa-substantial", "amr": []any{"BankID", "x"}, "consumer": org("0192:991825827"),
		"nameid": "161488", "urn:altinn:userid": "161488", "urn:altinn:username": "", "urn:altinn:partyid": 50714238.0,
		"urn:altinn:party:uuid": "b2b5dd5c-3f15-4b3c-9ecf-1f0e5a1c2f9d", "urn:altinn:authenticatemethod": "BankID", "urn:altinn:authlevel": 3.0,
		"iat": now, "nbf": now, "exp": now + 319,
	}, got)
	for value, level := range map[string]float64{
		"idporten-loa-low": 0, "idporten-loa-substantial": 3, "idporten-loa-high": 4, "Level3": 3, "Level4": 4,
	} {
		require.Equal(t, level, w.exchanged(request("id-porten", w.person(change{"acr": value})))["urn:altinn:authlevel"], value)
	}
	for _, value := range []string{"selfregistered-email", "Level5", "eidas-loa-high", "4", "", "level4"} {
		w.rejects(request("id-porten", w.person(change{"acr": value})), http.StatusUnauthorized)
	}
}

// TestStudio checks that only the times change (docs/spec/altinn.md §3.6).
func TestStudio(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := map[string]any{"iss": "studio", "aud": issuer, "iat": start.Unix() - 5, "exp": start.Unix() + 60, "jti": "j", "sub": "dev", "urn:altinn:app": "studio"}
	got := w.exchanged(request("AltinnStudio", sign(t, w.ofStudio, in)))
	now := float64(start.Unix())
	require.Equal(t, map[string]any{
		"iss": "studio", "aud": issuer, "jti": "j", "sub": "dev", "urn:altinn:app": "studio", "iat": now, "nbf": now, "exp": now + 1800,
	}, got)
	login := maps.Clone(in) // an id_token
	delete(login, "urn:altinn:app")
	w.rejects(request("altinnstudio", sign(t, w.ofStudio, login)), http.StatusUnauthorized)
	in["iss"] = "dev-studio" // a trusted issuer with other keys
	w.rejects(request("altinnstudio", sign(t, w.ofStudio, in)), http.StatusUnauthorized)
	in["iss"] = "Studio"
	w.rejects(request("altinnstudio", sign(t, w.ofStudio, in)), http.StatusUnauthorized)
}

// TestDecisionOrder checks the order of docs/spec/altinn.md §3.2.
func TestDecisionOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := w.machine()
	auth := func(provider string, values ...string) *http.Request {
		r := httptest.NewRequest(http.MethodGet, altinn.ExchangePath+provider, nil)
		r.Header["Authorization"] = values
		return r
	}
	for name, r := range map[string]*http.Request{
		"no header":           auth("maskinporten"),
		"empty header":        auth("maskinporten", ""),
		"Basic":               auth("maskinporten", "Basic "+good),
		"two headers":         auth("maskinporten", "Bearer "+good, "Bearer "+good),
		"no token":            auth("maskinporten", "Bearer "),
		"token in the query":  httptest.NewRequest(http.MethodGet, altinn.ExchangePath+"maskinporten?access_token="+good, nil),
		"unreadable":          auth("maskinporten", "Bearer nonsense"),
		"before the provider": auth("google", "Bearer ThisTokenShouldNotBeReadable"),
		"huge":                auth("maskinporten", "Bearer "+strings.Repeat("a", 33<<10)),
		"bad signature":       auth("maskinporten", "Bearer "+tampered(good)),
		"other keys":          request("id-porten", good),
		"expired":             request("maskinporten", w.machine(change{"iat": start.Unix() - 131, "exp": start.Unix() - 11})),
		"no exp":              request("maskinporten", w.machine(change{"exp": nil})),
		"not yet":             request("maskinporten", w.machine(change{"nbf": start.Unix() + 11})),
		"issuer":              request("maskinporten", w.machine(change{"iss": "https://test.maskinporten.no"})),
		"issuer as a prefix":  request("maskinporten", w.machine(change{"iss": "https://test."})),
		"empty issuer":        request("maskinporten", w.machine(change{"iss": ""})),
		"no issuer":           request("maskinporten", w.machine(change{"iss": nil})),
		"foreign audience":    request("maskinporten", w.machine(change{"aud": "https://api.example.no"})),
		"no consumer":         request("maskinporten", w.machine(change{"consumer": nil})),
		"consumer as text":    request("maskinporten", w.machine(change{"consumer": "0192:991825827"})),
		"authority":           request("maskinporten", w.machine(change{"consumer": map[string]any{"authority": "x", "ID": "0192:991825827"}})),
		"bad number":          request("maskinporten", w.machine(change{"consumer": org("0192:12345678")})),
		"sub-entity":          request("maskinporten", w.machine(change{"consumer": org("0192:991825827:ER//987464291:1")})),
		"user unknown":        request("id-porten", w.person(change{"pid": unknownPID})),
		"no pid":              request("id-porten", w.person(change{"pid": nil})),
		"id_token":            request("id-porten", w.person(change{"nonce": "n"})),
	} {
		t.Log(name)
		w.rejects(r, http.StatusUnauthorized)
	}
	a := w.send(request("google", good))
	require.Equal(t, http.StatusBadRequest, a.Code)
	require.Equal(t, "Invalid token provider: google. Trusted token providers are 'Maskinporten', 'Id-porten' and 'AltinnStudio'.", a.Body.String())
	require.Equal(t, "text/plain; charset=utf-8", a.Header().Get("Content-Type"))

	w.rejects(request("id-porten", w.person(change{"scope": "openid", "pid": nil, "acr": nil})), http.StatusForbidden) // scope before other claims
	w.rejects(request("id-porten", w.person(change{"scope": nil})), http.StatusForbidden)

	enterprise := func(token string) *http.Request {
		r := request("MaskinPorten", token)
		r.Header.Set("X-Altinn-EnterpriseUser-Authentication", "dXNlcjpwYXNz")
		return r
	}
	w.rejects(enterprise(w.machine(change{"consumer": nil})), http.StatusUnauthorized) // the header is examined after the token
	a = w.send(enterprise(good))
	require.Equal(t, http.StatusGone, a.Code)
	require.Equal(t, "application/problem+json", a.Header().Get("Content-Type"))
	require.Contains(t, a.Body.String(), `"title":"Virksomhetsbruker is no longer available"`)

	for _, method := range []string{http.MethodPost, http.MethodHead, http.MethodOptions} {
		r := request("maskinporten", good)
		r.Method = method
		require.Equal(t, http.StatusMethodNotAllowed, w.send(r).Code)
	}
}

// TestFaults checks that faults are answered with 401 and reported as faults.
func TestFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.broken = true
	w.rejects(request("id-porten", w.person()), http.StatusUnauthorized)
	w.rejects(request("maskinporten", w.machine(change{"scope": "altinn:serviceowner"})), http.StatusUnauthorized)
	for _, e := range w.events {
		require.Equal(t, "sys.fault", string(e.Name))
	}
	require.Len(t, w.events, 2)
	w.exchanged(request("maskinporten", w.machine())) // needs no register

	unreachable := newWorld(t, func(c *altinn.Config) {
		c.Maskinporten.Issuers[0].Keys = resource.RemoteKeys{URI: "http://127.0.0.1:1/jwk"}
	})
	unreachable.rejects(request("maskinporten", unreachable.machine()), http.StatusUnauthorized)
	require.Equal(t, "sys.fault", string(unreachable.events[0].Name))

	var down atomic.Bool
	signer := newWorld(t, func(c *altinn.Config) {
		key, err := keyset.Generate(keyset.ES256)
		require.NoError(t, err)
		key.Signer = breakable{key.Signer, &down}
		c.Keys, err = keyset.New(keyset.Config{Keys: []keyset.Key{key}})
		require.NoError(t, err)
	})
	down.Store(true)
	signer.rejects(request("maskinporten", signer.machine()), http.StatusUnauthorized)
}

// breakable is a signer that fails while down is set.
type breakable struct {
	crypto.Signer
	down *atomic.Bool
}

// Sign implements crypto.Signer.
func (b breakable) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if b.down.Load() {
		return nil, errors.New("key store down")
	}
	return b.Signer.Sign(rand, digest, opts)
}

// TestLifetime checks that the new token does not outlive the exchanged one by default, and the rules of Altinn. No rule issues a token
// that ends before it begins, for a token that has expired within the leeway.
func TestLifetime(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		lifetime  altinn.Lifetime
		left      int64 // seconds of the exchanged token
		want      int64
		wantEmpty bool
	}{
		"default":                    {altinn.Lifetime{}, 120, 120, false},
		"default, long token":        {altinn.Lifetime{}, 7200, 1800, false},
		"default, within the leeway": {altinn.Lifetime{}, -9, 0, true},
		"minimum of a minute":        {altinn.Lifetime{Length: time.Minute}, 120, 60, false},
		"fixed":                      {altinn.Lifetime{Rule: altinn.Fixed}, 120, 1800, false},
		"fixed, an hour":             {altinn.Lifetime{Rule: altinn.Fixed, Length: time.Hour}, 120, 3600, false},
		"fixed, within the leeway":   {altinn.Lifetime{Rule: altinn.Fixed}, -9, 1800, false},
		"copy":                       {altinn.Lifetime{Rule: altinn.Copy}, 7200, 7200, false},
		"copy, a second":             {altinn.Lifetime{Rule: altinn.Copy}, 1, 1, false},
		"copy, at its end":           {altinn.Lifetime{Rule: altinn.Copy}, 0, 0, true},
		"copy, within the leeway":    {altinn.Lifetime{Rule: altinn.Copy}, -9, 0, true},
	} {
		w := newWorld(t, func(c *altinn.Config) { c.Maskinporten.Lifetime = tt.lifetime })
		r := request("maskinporten", w.machine(change{"iat": start.Unix() - 60, "exp": start.Unix() + tt.left}))
		t.Log(name)
		if tt.wantEmpty {
			w.rejects(r, http.StatusUnauthorized)
			continue
		}
		got := w.exchanged(r)
		require.Equal(t, float64(start.Unix()+tt.want), got["exp"])
		require.Equal(t, float64(start.Unix()), got["iat"])
	}
}

// TestResponse checks content type and content negotiation.
func TestResponse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	accepting := func(accept string) *http.Request {
		r := request("maskinporten", w.machine())
		r.Header.Set("Accept", accept)
		return r
	}
	a := w.send(accepting("application/json"))
	require.Equal(t, "text/plain; charset=utf-8", a.Header().Get("Content-Type"))
	require.Equal(t, 2, strings.Count(a.Body.String(), "."))
	require.NotContains(t, a.Body.String(), `"`)
	h := header(t, a.Body.String())
	require.Equal(t, "JWT", h["typ"])
	require.Equal(t, "ES256", h["alg"])
	require.NotEmpty(t, h["kid"])

	w = newWorld(t, func(c *altinn.Config) { c.NegotiateJSON, c.KeepJTI = true, true })
	for accept, quoted := range map[string]bool{
		"application/json": true, "text/json;q=0.9, image/png": true, "": false, "*/*": false, "application/json, text/plain, */*": false,
		"image/png": false, "APPLICATION/JSON": true,
	} {
		a := w.send(accepting(accept))
		var token string
		require.Equal(t, quoted, json.Unmarshal(a.Body.Bytes(), &token) == nil, accept)
		require.Equal(t, quoted, strings.HasPrefix(a.Header().Get("Content-Type"), "application/json"), accept)
	}
	require.Equal(t, "a-jti", w.exchanged(request("maskinporten", w.machine()))["jti"])
}

// TestMetadata checks metadata and keys (docs/spec/altinn.md §3.7). The keys are in base64url.
func TestMetadata(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	get := func(path string) map[string]any {
		a := httptest.NewRecorder()
		w.ServeHTTP(a, httptest.NewRequest(http.MethodGet, path, nil))
		require.Equal(t, http.StatusOK, a.Code)
		require.Contains(t, a.Header().Get("Content-Type"), "json")
		var m map[string]any
		require.NoError(t, json.Unmarshal(a.Body.Bytes(), &m))
		return m
	}
	m := get(issuer + ".well-known/openid-configuration")
	require.Equal(t, issuer, m["issuer"])
	require.Equal(t, []any{"token"}, m["response_types_supported"])
	require.Equal(t, []any{"pairwise"}, m["subject_types_supported"])
	require.Equal(t, issuer+".well-known/openid-configuration/jwks", m["jwks_uri"])
	key := get(m["jwks_uri"].(string))["keys"].([]any)[0].(map[string]any)
	require.Equal(t, "sig", key["use"])
	require.NotContains(t, key, "d")
	require.Equal(t, header(t, w.send(request("maskinporten", w.machine())).Body.String())["kid"], key["kid"])

	// Package resource accepts the new token.
	jwks, _ := w.keys.JWKS(w.now)
	v, err := resource.New(resource.Config{Issuer: issuer, Keys: resource.StaticKeys(jwks), URL: "https://api.example.no", Now: func() time.Time { return w.now }})
	require.NoError(t, err)
	got, err := v.Verify(t.Context(), resource.Bearer(w.send(request("maskinporten", w.machine())).Body.String()))
	require.NoError(t, err)
	require.Equal(t, "314240979", got.Consumer.Orgno)
	number, ok := got.Claim("urn:altinn:orgNumber")
	require.True(t, ok)
	require.Equal(t, `"314240979"`, string(number))
}

// TestNewReportsEveryField breaks each field of a valid configuration, and then several at once.
func TestNewReportsEveryField(t *testing.T) {
	t.Parallel()
	jwks, _ := newKeys(t).JWKS(start)
	valid := func() altinn.Config {
		return altinn.Config{
			Issuer: issuer, Keys: newKeys(t), Users: always{},
			IDPorten: altinn.Provider{Issuers: []altinn.Issuer{{Issuer: idporten, Keys: resource.StaticKeys(jwks)}}},
		}
	}
	_, err := altinn.New(valid())
	require.NoError(t, err)
	for _, tt := range []struct {
		name, field string
		spoil       func(*altinn.Config)
	}{
		{"no issuer", "Issuer", func(c *altinn.Config) { c.Issuer = "" }},
		{"relative issuer", "Issuer", func(c *altinn.Config) { c.Issuer = "platform/" }},
		{"no slash", "Issuer", func(c *altinn.Config) { c.Issuer = "https://platform.tt02.altinn.no" }},
		{"no keys", "Keys", func(c *altinn.Config) { c.Keys = nil }},
		{"no users", "Users", func(c *altinn.Config) { c.Users = nil }},
		{"no issuers", "Maskinporten", func(c *altinn.Config) { c.IDPorten.Issuers = nil }},
		{"empty partner scope", "PartnerScopes[1]", func(c *altinn.Config) { c.PartnerScopes = []string{"a", ""} }},
		{"negative refresh", "RefreshLength", func(c *altinn.Config) { c.RefreshLength = -time.Second }},
		{"refresh of a fraction", "RefreshLength", func(c *altinn.Config) { c.RefreshLength = time.Millisecond }},
		{"introspected issuer without keys", "Introspection.Issuers[0].Keys", func(c *altinn.Config) {
			c.Introspection = &altinn.Introspection{Issuers: []altinn.Issuer{{Issuer: "platform"}}}
		}},
		{"unknown rule", "Studio.Lifetime.Rule", func(c *altinn.Config) { c.Studio.Lifetime.Rule = 3 }},
		{"negative length", "Maskinporten.Lifetime.Length", func(c *altinn.Config) { c.Maskinporten.Lifetime.Length = -time.Second }},
		{"fraction of a second", "IDPorten.Lifetime.Length", func(c *altinn.Config) { c.IDPorten.Lifetime.Length = time.Millisecond }},
		{"issuer without name", "IDPorten.Issuers[0].Issuer", func(c *altinn.Config) { c.IDPorten.Issuers[0].Issuer = "" }},
		{"issuer without keys", "IDPorten.Issuers[0].Keys", func(c *altinn.Config) { c.IDPorten.Issuers[0].Keys = nil }},
		{"symmetric algorithm", "IDPorten.Issuers[0].Algorithms[0]", func(c *altinn.Config) { c.IDPorten.Issuers[0].Algorithms = []string{"HS256"} }},
		{"empty audience", "IDPorten.Issuers[0].Audience[0]", func(c *altinn.Config) { c.IDPorten.Issuers[0].Audience = []string{""} }},
		{"an issuer twice", "IDPorten.Issuers", func(c *altinn.Config) { c.IDPorten.Issuers = append(c.IDPorten.Issuers, c.IDPorten.Issuers...) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := valid()
			tt.spoil(&cfg)
			_, err := altinn.New(cfg)
			require.Equal(t, []string{tt.field}, fields.Names(err))
		})
	}
	_, err = altinn.New(altinn.Config{IDPorten: altinn.Provider{Issuers: []altinn.Issuer{{}}, Lifetime: altinn.Lifetime{Rule: 3}}})
	require.Equal(t, []string{"Issuer", "Keys", "Users", "IDPorten.Lifetime.Rule", "IDPorten.Issuers[0].Issuer", "IDPorten.Issuers[0].Keys"}, fields.Names(err))
}

// TestOptions checks the zero values of options.
func TestOptions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *altinn.Config) { c.Studio, c.Organisations = altinn.Provider{}, nil })
	w.rejects(request("altinnstudio", w.machine()), http.StatusUnauthorized)
	require.NotContains(t, w.exchanged(request("maskinporten", w.machine(change{"scope": "altinn:serviceowner"}))), "urn:altinn:org")
	w = newWorld(t, func(c *altinn.Config) { c.PartnerScopes = []string{} })
	w.rejects(request("id-porten", w.person(change{"scope": "skatteetaten:mvameldingvalidering"})), http.StatusForbidden)
	w = newWorld(t, func(c *altinn.Config) { c.AllowLegacyRegister = false })
	w.rejects(request("maskinporten", w.machine(change{"consumer": org("9908:991825827")})), http.StatusUnauthorized)
}

// TestServiceOwner checks which scopes and organisations result in urn:altinn:org.
func TestServiceOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tt := range []struct {
		scope, orgno, query string
		want                any
	}{
		{"altinn:serviceowner", "974761076", "", "skd"},
		{"x altinn:serviceowner/instances.read", "974761076", "", "skd"},
		{"altinn:serviceowners", "974761076", "", nil},  // another scope
		{"x:altinn:serviceowner", "974761076", "", nil}, // a scope of another organisation
		{"altinn:serviceowner", "910753614", "", nil},
		{"altinn:serviceowner", "974761076", "?test=true", "skd"}, // test=true applies to digdir only
		{"altinn:serviceowner", "991825827", "?test=true", "ttd"},
		{"altinn:serviceowner", "991825827", "?test=1", "digdir"},
	} {
		r := request("maskinporten"+tt.query, w.machine(change{"scope": tt.scope, "consumer": org("0192:" + tt.orgno)}))
		require.Equal(t, tt.want, w.exchanged(r)["urn:altinn:org"], "%+v", tt)
	}
}

// TestIncompleteUser checks that a user without id or party is rejected.
func TestIncompleteUser(t *testing.T) {
	t.Parallel()
	for _, u := range []altinn.User{{PartyID: 1, PartyUUID: "x"}, {ID: 1, PartyUUID: "x"}, {ID: 1, PartyID: 1}} {
		w := newWorld(t, func(c *altinn.Config) { c.Users = always(u) })
		w.rejects(request("id-porten", w.person()), http.StatusUnauthorized)
	}
}

// always is a source with one user.
type always altinn.User

func (a always) User(context.Context, norway.PID) (altinn.User, error) { return altinn.User(a), nil }
