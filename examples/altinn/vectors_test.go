package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestVectors runs the vectors of docs/spec/altinn.md §6.5 over HTTP against the running server.
func TestVectors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)

	t.Run("maskinporten_claims", func(t *testing.T) {
		status, body := w.exchange("maskinporten", w.machine())
		require.Equal(t, http.StatusOK, status)
		got := w.claims(body)
		require.EqualValues(t, 1757498372, got["iat"])
		require.EqualValues(t, 1757498372, got["nbf"])
		require.EqualValues(t, 1757500172, got["exp"])
		require.Equal(t, "314240979", got["urn:altinn:orgNumber"])
		require.Equal(t, 3.0, got["urn:altinn:authlevel"])
		require.Equal(t, "maskinporten", got["urn:altinn:authenticatemethod"])
		require.Equal(t, w.s.Issuer, got["iss"])
		for _, gone := range []string{"urn:altinn:org", "client_amr", "aud"} {
			require.NotContains(t, got, gone)
		}
	})

	t.Run("idporten_claims", func(t *testing.T) {
		status, body := w.exchange("id-porten", w.person())
		require.Equal(t, http.StatusOK, status)
		got := w.claims(body)
		require.Equal(t, "161488", got["nameid"])
		require.Equal(t, "161488", got["urn:altinn:userid"])
		require.Equal(t, 50714238.0, got["urn:altinn:partyid"])
		require.Equal(t, "NotDefined", got["urn:altinn:authenticatemethod"])
		require.Equal(t, 3.0, got["urn:altinn:authlevel"])
		require.Equal(t, "idporten-loa-substantial", got["acr"])
		require.Equal(t, "private_key_jwt", got["client_amr"])
		require.EqualValues(t, start.Unix()+319, got["exp"])
	})

	t.Run("service_owner_9908", func(t *testing.T) {
		status, body := w.exchange("maskinporten", w.machine(
			change{"scope": "altinn:serviceowner/instances.read", "consumer": org("9908:974760223")}))
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "dibk", w.claims(body)["urn:altinn:org"])
	})

	t.Run("test_flag", func(t *testing.T) {
		digdir := change{"scope": "altinn:serviceowner", "consumer": org("0192:991825827")}
		for query, want := range map[string]string{"?test=true": "ttd", "?test=True": "ttd", "?test=false": "digdir", "": "digdir"} {
			status, body := w.exchange("maskinporten"+query, w.machine(digdir))
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, want, w.claims(body)["urn:altinn:org"], query)
		}
		_, body := w.exchange("maskinporten?test=true", w.machine(digdir, change{"consumer": org("0192:974761076")}))
		require.Equal(t, "skd", w.claims(body)["urn:altinn:org"], "of others it is ignored")
	})

	t.Run("maskinporten_token_at_id-porten", func(t *testing.T) {
		w.refused(t, http.StatusUnauthorized, "id-porten", w.machine(change{"pid": kari, "acr": "idporten-loa-high"}))
		w.refused(t, http.StatusUnauthorized, "id-porten", w.machine(change{"pid": kari, "acr": "idporten-loa-high", "iss": idportenIssuer}))
	})

	t.Run("authorization_details", func(t *testing.T) {
		detail := map[string]any{
			"type": "urn:altinn:systemuser", "systemuser_id": []any{"a545feee-38a1-45f5-b5b8-4f4b3bd2a4e0"},
			"systemuser_org": org("0192:910753614"), "system_id": "991825827_smartcloud",
		}
		for _, shape := range []any{[]any{detail}, detail} {
			status, body := w.exchange("maskinporten", w.machine(change{"authorization_details": shape}))
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, shape, w.claims(body)["authorization_details"])
		}
	})

	t.Run("leeway", func(t *testing.T) { // a token of ID-porten is copied with its end, so that it must not have expired
		for _, c := range []struct {
			ago                  int64
			maskinporten, person int
		}{
			{-1, http.StatusOK, http.StatusOK}, {9, http.StatusOK, http.StatusUnauthorized}, {11, http.StatusUnauthorized, http.StatusUnauthorized},
		} {
			times := change{"iat": start.Unix() - 100, "exp": start.Unix() - c.ago}
			status, _ := w.exchange("maskinporten", w.machine(times))
			require.Equal(t, c.maskinporten, status, "maskinporten, %d s ago", c.ago)
			status, _ = w.exchange("id-porten", w.person(times))
			require.Equal(t, c.person, status, "id-porten, %d s ago", c.ago)
		}
	})

	t.Run("no_scope", func(t *testing.T) {
		status, body := w.exchange("maskinporten", w.machine(change{"scope": nil}))
		require.Equal(t, http.StatusOK, status)
		require.NotContains(t, w.claims(body), "scope")
	})

	t.Run("issuer", func(t *testing.T) {
		for _, iss := range []any{"https://ver3.maskinporten.no/", "https://test.maskinporten.no", "https://test.", "", nil} {
			w.refused(t, http.StatusUnauthorized, "maskinporten", w.machine(change{"iss": iss}))
		}
	})

	t.Run("scope_contains_altinn", func(t *testing.T) {
		w.refused(t, http.StatusForbidden, "id-porten", w.person(change{"scope": "oidc digdir:instances:altinn:rocks"}))
	})

	t.Run("partner_scope", func(t *testing.T) {
		partner := change{"scope": "skatteetaten:mvameldinginnsending"}
		status, _ := w.exchange("id-porten", w.person(partner))
		require.Equal(t, http.StatusOK, status)
		w.refused(t, http.StatusUnauthorized, "id-porten", w.person(partner, change{"acr": nil}))
		w.refused(t, http.StatusUnauthorized, "id-porten", w.person(partner, change{"pid": nil}))
	})

	t.Run("unknown_provider", func(t *testing.T) {
		status, body := w.exchange("google", w.person())
		require.Equal(t, http.StatusBadRequest, status)
		require.Equal(t, "Invalid token provider: google. Trusted token providers are 'Maskinporten', 'Id-porten' and 'AltinnStudio'.", body)
		w.refused(t, http.StatusUnauthorized, "google", "ThisTokenShouldNotBeReadable")
	})

	t.Run("enterprise_user", func(t *testing.T) {
		header := http.Header{"X-Altinn-Enterpriseuser-Authentication": {"dXNlcjpwYXNz"}}
		status, body := w.exchange("maskinporten", w.machine(), header)
		require.Equal(t, http.StatusGone, status)
		require.Contains(t, body, "Virksomhetsbruker is no longer available")
		status, _ = w.exchange("id-porten", w.person(), header)
		require.Equal(t, http.StatusOK, status)
	})
}

// start is iat of AX1 (docs/spec/altinn.md §6.5).
var start = time.Unix(1757498372, 0)
