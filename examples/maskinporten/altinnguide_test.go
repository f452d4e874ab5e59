package main

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/standin/maskinporten"
)

// The payloads of Altinn's page on Maskinporten.
const (
	grantForVER2 = `{
"aud": "https://ver2.maskinporten.no/",
"resource": "https://tt02.altinn.no/",
"scope": "altinn:serviceowner",
"iss": "806e1e80-e3a7-4a73-980e-f92ba1c2bf86",
"exp": 1592896775,
"iat": 1592896655,
"jti": "bebeb0da-fef3-4b67-a0fc-b08d0b68fddd"
}`
	grantForProduction = `{
"aud": "https://maskinporten.no/",
"resource": "https://www.altinn.no/",
"scope": "altinn:serviceowner",
"iss": "806e1e80-e3a7-4a73-980e-f92ba1c2bf86",
"exp": 1592896775,
"iat": 1592896655,
"jti": "bebeb0da-fef3-4b67-a0fc-b08d0b68fddd"
}`
)

// postAt sends a grant to a server whose issuer has another host than its listener, as a proxy does.
func postAt(t *testing.T, s *maskinporten.Server, assertion string) (int, map[string]any) {
	t.Helper()
	issuer, err := url.Parse(s.Issuer)
	require.NoError(t, err)
	form := url.Values{"grant_type": {client.JWTBearer}, "assertion": {assertion}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.Sites[0].Base+"/token", strings.NewReader(form.Encode()))
	require.NoError(t, err)
	r.Host = issuer.Host
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	var body map[string]any
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&body))
	return resp.StatusCode, body
}

// claimsOf returns the claims of the access token of a response.
func claimsOf(t *testing.T, response map[string]any) (m map[string]any) {
	t.Helper()
	value, _ := response["access_token"].(string)
	parts := strings.Split(value, ".")
	require.Len(t, parts, 3, response)
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &m))
	return m
}

// Altinn's page on Maskinporten: "Token hentes fra Maskinporten via et JWT Bearer Grant, som da signeres med eget virksomhetssertifikat."
// "Eksempel på payload for bearer grant mot testmiljø (TT02) som forventer tokens fra VER2-miljøet av Maskinporten", "Eksempel på payload
// for bearer grant mot prodmiljø". Only the times of the payloads are moved, by the same number of seconds.
func TestGrantsOfAltinn(t *testing.T) {
	t.Parallel()
	ca := filepath.Join(t.TempDir(), "ca")
	require.NoError(t, maskinporten.MakeTestCA(ca, time.Now()))
	config := write(t, `{"clients":[{"client_id":"806e1e80-e3a7-4a73-980e-f92ba1c2bf86","client_orgno":"991825827","scopes":["altinn:serviceowner"]}]}`)
	for payload, want := range map[string]struct{ issuer, resource string }{
		grantForVER2:       {"https://ver2.maskinporten.no/", "https://tt02.altinn.no/"},
		grantForProduction: {"https://maskinporten.no/", "https://www.altinn.no/"},
	} {
		t.Run(want.issuer, func(t *testing.T) {
			t.Parallel()
			s := start(t, "-testca", ca, "-issuer", want.issuer, "-test-issuer", want.issuer, "-config", config)
			var literal claims
			require.NoError(t, json.Unmarshal([]byte(payload), &literal))
			status, body := postAt(t, s, byCertificate(t, ca, "seid2", literal))
			require.Equal(t, []any{http.StatusBadRequest, "invalid_grant"}, []any{status, body["error"]}, "the grant of 2020 has expired")
			require.Contains(t, body["error_uri"], "MP-130")

			moved := maps.Clone(literal)
			by := float64(time.Now().Unix()) - literal["iat"].(float64)
			moved["iat"], moved["exp"] = literal["iat"].(float64)+by, literal["exp"].(float64)+by
			assertion := byCertificate(t, ca, "seid2", moved)
			status, body = postAt(t, s, assertion)
			require.Equal(t, http.StatusOK, status, body)
			require.Equal(t, []any{"Bearer", "altinn:serviceowner"}, []any{body["token_type"], body["scope"]})
			got := claimsOf(t, body)
			require.Equal(t, []any{want.issuer, want.resource, "altinn:serviceowner", "806e1e80-e3a7-4a73-980e-f92ba1c2bf86"},
				[]any{got["iss"], got["aud"], got["scope"], got["client_id"]})
			require.Equal(t, map[string]any{"authority": "iso6523-actorid-upis", "ID": "0192:991825827"}, got["consumer"])

			status, body = postAt(t, s, assertion)
			require.Equal(t, http.StatusBadRequest, status)
			require.Contains(t, body["error_uri"], "MP-012", "jti")
			other := strings.NewReplacer("https://ver2.m", "https://m", "https://m", "https://ver2.m").Replace(want.issuer)
			moved["aud"], moved["jti"] = other, "bebeb0da-fef3-4b67-a0fc-b08d0b68fdde"
			status, body = postAt(t, s, byCertificate(t, ca, "seid2", moved))
			require.Equal(t, http.StatusBadRequest, status, "the other environment")
			require.Contains(t, body["error_uri"], "MP-110")
		})
	}
}

// The page on token kinds, columns "Maskinporten idag" (then client_orgno 974761076, scope global/kontaktinformasjon.read), "eOppslag -
// selvstendig konsument" (aud https://api.nav.no/, scope nav:forsikring) and "eOppslag konsument via leverandør". "`aud` utlevers kun når klient
// ber om det". "iss: Utsteder", "exp", "iat" and "jti" are "like i alle varianter".
func TestMachineTokensOfThePageOnTokenKinds(t *testing.T) {
	t.Parallel()
	jwks := string(maskinporten.DemoJWKS())
	s := stand{Server: start(t, "-config", write(t, `{
		"clients": [
			{"client_id":"oidc_skatteetaten_krr","client_orgno":"974761076","scopes":["krr:global/kontaktinformasjon.read"],"jwks":`+jwks+`},
			{"client_id":"oidc_storbanken","client_orgno":"910753614","scopes":["nav:forsikring"],"jwks":`+jwks+`},
			{"client_id":"oidc_eika_kunde23","client_orgno":"991825827","scopes":["nav:forsikring"],"jwks":`+jwks+`}
		],
		"scopes": [
			{"name":"krr:global/kontaktinformasjon.read","description":"Kontaktinformasjon","accessible_for_all":true},
			{"name":"nav:forsikring","description":"Forsikring","accessible_for_all":true,"delegation_source":"https://tt02.altinn.no/"}
		],
		"delegations": [{"consumer_orgno":"987464291","supplier_orgno":"991825827","scopes":["nav:forsikring"]}]
	}`))}
	org := func(orgno string) map[string]any {
		return map[string]any{"authority": "iso6523-actorid-upis", "ID": "0192:" + orgno}
	}
	for name, tt := range map[string]struct{ grant, want claims }{
		"Maskinporten idag": {
			claims{"iss": "oidc_skatteetaten_krr", "scope": "krr:global/kontaktinformasjon.read"},
			claims{"client_id": "oidc_skatteetaten_krr", "scope": "krr:global/kontaktinformasjon.read", "consumer": org("974761076")},
		},
		"selvstendig konsument": {
			claims{"iss": "oidc_storbanken", "scope": "nav:forsikring", "resource": "https://api.nav.no/"},
			claims{"client_id": "oidc_storbanken", "scope": "nav:forsikring", "aud": "https://api.nav.no/", "consumer": org("910753614")},
		},
		"konsument via leverandør": {
			claims{"iss": "oidc_eika_kunde23", "scope": "nav:forsikring", "resource": "https://api.nav.no/", "consumer_org": "987464291"},
			claims{
				"client_id": "oidc_eika_kunde23", "scope": "nav:forsikring", "aud": "https://api.nav.no/", "consumer": org("987464291"), "supplier": org("991825827"),
				"delegation_source": "https://tt02.altinn.no/",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, body := s.send(t, byKey(t, s.grant(t, tt.grant)))
			require.Equal(t, http.StatusOK, status, body)
			got := claimsOf(t, body)
			for _, member := range []string{"exp", "iat", "jti"} {
				require.NotEmpty(t, got[member], member)
				delete(got, member)
			}
			maps.Copy(tt.want, claims{"iss": s.Issuer, "client_amr": "private_key_jwt", "token_type": "Bearer"})
			require.Equal(t, tt.want, got)
		})
	}
}
