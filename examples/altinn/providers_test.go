package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/portner-go/portner/examples/internal/programs"
	"github.com/portner-go/portner/internal/standin/altinn"
	"github.com/portner-go/portner/internal/standin/standintest"
	"github.com/stretchr/testify/require"
)

// Altinn's page on Altinn tokens: "GET /authentication/api/v1/exchange/{token-provider} HTTP/1.1, Authorization: Bearer eyJraWQiO...,
// Accept: application/hal+json", with the response "eyJhbGciOiJ..."; "Gyldige token-providers er: id-porten, maskinporten, altinnstudio".
// "Man gjør så en GET-request mot ønsket miljø og får tilbake et gyldig Altinn3-token dersom det opprinnelige tokenet er gyldig." The page
// on Maskinporten: "Autentiseringen gir sikkerhetsnivå 3."
func TestExchangeOfEachTokenProvider(t *testing.T) {
	t.Parallel()
	machines, atMachines := publish(t)
	persons, atPersons := publish(t)
	developers, atDevelopers := publish(t)
	trust := func(issuer, at string) map[string]any {
		return map[string]any{"issuers": []any{map[string]any{"issuer": issuer, "jwks_uri": at}}}
	}
	file, err := json.Marshal(map[string]any{
		"maskinporten": trust(maskinportenIssuer, atMachines), "idporten": trust(idportenIssuer, atPersons), "altinnstudio": trust("studio", atDevelopers),
	})
	require.NoError(t, err)
	prepared, err := standintest.Prepare(t, programs.Altinn().Command(), slog.DiscardHandler, "-addr", "localhost:0", "-config", write(t, string(file)))
	require.NoError(t, err)
	w := &world{t: t, s: prepared.(*altinn.Server), maskinporten: machines, idporten: persons}
	w.s.Now = func() time.Time { return start }
	w.base = w.s.Base()
	serveStopped(t, w.s)

	studio := func(changes ...change) string {
		return w.sign(developers, map[string]any{
			"iss": "studio", "aud": w.s.Issuer, "iat": start.Unix() - 5, "exp": start.Unix() + 60, "jti": "j", "sub": "dev", "urn:altinn:app": "studio",
		}, changes)
	}
	hal := http.Header{"Accept": {"application/hal+json"}}
	for provider, tt := range map[string]struct {
		token, expired string
		claim          string
		want           any
	}{
		"id-porten":    {w.person(), w.person(change{"exp": start.Unix() - 60}), "urn:altinn:userid", "161488"},
		"maskinporten": {w.machine(), w.machine(change{"exp": start.Unix() - 60}), "urn:altinn:authlevel", 3.0},
		"altinnstudio": {studio(), studio(change{"exp": start.Unix() - 60}), "urn:altinn:app", "studio"},
	} {
		status, body := w.exchange(provider, tt.token, hal)
		require.Equal(t, http.StatusOK, status, "%s: %s", provider, body)
		require.Regexp(t, `^eyJhbGciOiJ`, body, "the bare token")
		require.Equal(t, tt.want, w.claims(body)[tt.claim], provider)
		status, body = w.exchange(provider, tt.expired, hal)
		require.Equal(t, http.StatusUnauthorized, status, "%s: the token has expired", provider)
		require.Empty(t, body)
		for other, foreign := range map[string]string{"id-porten": w.person(), "maskinporten": w.machine(), "altinnstudio": studio()} {
			if other != provider {
				status, _ = w.exchange(provider, foreign, hal)
				require.Equal(t, http.StatusUnauthorized, status, "a token of %s at %s", other, provider)
			}
		}
	}

	_, body := w.exchange("altinnstudio", studio())
	now := float64(start.Unix())
	require.Equal(t, map[string]any{
		"iss": "studio", "aud": w.s.Issuer, "jti": "j", "sub": "dev", "urn:altinn:app": "studio", "iat": now, "nbf": now, "exp": now + 1800,
	}, w.claims(body))
	w.refused(t, http.StatusUnauthorized, "altinnstudio", studio(change{"urn:altinn:app": nil}))
}
