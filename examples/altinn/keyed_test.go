package main

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin/altinn"
	"github.com/portner-go/portner/norway"
)

// Altinn's page on ID-porten: "Tokenet mottatt i forrige trinn benyttes mot Altinns API sammen med API-nøkkel". Its page on Maskinporten:
// "GET /api/serviceowner/reportees?subject=... HTTP/1.1, ApiKey: din-api-nøkkel-her". Its page on Altinn tokens: "Det vekslede tokenet
// legges i Authorization-headeren".
func TestTokensWithAPIKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.s.Config.APIKeys = []string{"min-api-nøkkel"}
	hal := http.Header{"Apikey": {"min-api-nøkkel"}, "Accept": {"application/hal+json"}}
	get := func(path, token string, h http.Header) (int, map[string]any) {
		status, body := w.call(path, token, h)
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(body), &m), body)
		return status, m
	}
	pid, err := norway.SyntheticPID(start.AddDate(-40, 0, 0), 1)
	require.NoError(t, err)
	stranger := pid.Reveal()
	const reportees = "/api/serviceowner/reportees?subject="
	person := w.person(change{"scope": "altinn:instances.meta"})
	owner := w.machine(change{"scope": "altinn:serviceowner", "consumer": org("0192:974761076"), "aud": altinn.Platform(w.s.Issuer)})
	swapped := func(provider, token string) string {
		status, body := w.exchange(provider, token)
		require.Equal(t, http.StatusOK, status)
		return body
	}

	for name, token := range map[string]string{"ID-porten": person, "Altinn": swapped("id-porten", person)} {
		status, got := get("/api/my/messagebox", token, hal)
		require.Equal(t, http.StatusOK, status, "%s: %v", name, got)
		require.Equal(t, 50714238.0, got["PartyId"], "data for brukeren tokenet representerer")
		require.NotEmpty(t, got["_embedded"].(map[string]any)["messages"])
	}
	for name, token := range map[string]string{"Maskinporten": owner, "Altinn": swapped("maskinporten", owner)} {
		status, got := get(reportees+"45840375084", token, hal)
		require.Equal(t, http.StatusOK, status, "%s: %v", name, got)
		require.Equal(t, []any{map[string]any{"ReporteeId": "r50714239", "Name": "ola", "Type": "Person"}}, got["_embedded"].(map[string]any)["reportees"])
		status, got = get(reportees+"991825827", token, hal)
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, got["_embedded"].(map[string]any)["reportees"].([]any)[0], "OrganizationNumber")
	}

	for name, tt := range map[string]struct {
		path, token string
		header      http.Header
		status      int
		code        string
	}{
		"no key":                       {"/api/my/messagebox", person, nil, http.StatusForbidden, "api_key_missing"},
		"wrong key":                    {"/api/my/messagebox", person, http.Header{"Apikey": {"min-api-nokkel"}}, http.StatusForbidden, "api_key_unknown"},
		"two keys":                     {"/api/my/messagebox", person, http.Header{"Apikey": {"min-api-nøkkel", "x"}}, http.StatusForbidden, "api_key_unknown"},
		"wrong scope":                  {"/api/my/messagebox", w.person(change{"scope": "openid"}), hal, http.StatusForbidden, "insufficient_scope"},
		"wrong scope of a machine":     {reportees + "1", w.machine(change{"scope": "altinn:broker.read"}), hal, http.StatusForbidden, "insufficient_scope"},
		"no token that can be read":    {"/api/my/messagebox", "x.y.z", hal, http.StatusUnauthorized, "invalid_token"},
		"another audience":             {"/api/my/messagebox", w.person(change{"scope": "altinn:instances.meta", "aud": "https://elsewhere.example.no"}), hal, http.StatusUnauthorized, "invalid_token"},
		"a machine as a user":          {"/api/my/messagebox", w.machine(change{"scope": "altinn:instances.meta"}), hal, http.StatusForbidden, "user_missing"},
		"a user as a machine":          {reportees + "1", w.person(change{"scope": "altinn:serviceowner"}), hal, http.StatusForbidden, "insufficient_scope"},
		"a user that is not in Altinn": {"/api/my/messagebox", w.person(change{"scope": "altinn:instances.meta", "pid": stranger}), hal, http.StatusForbidden, "user_missing"},
		"no service owner":             {reportees + "1", w.machine(change{"scope": "altinn:serviceowner", "consumer": org("0192:910753614")}), hal, http.StatusForbidden, "no_service_owner"},
		"no subject":                   {reportees, owner, hal, http.StatusBadRequest, "subject_missing"},
		"unknown subject":              {reportees + stranger, owner, hal, http.StatusNotFound, "subject_unknown"},
	} {
		status, got := get(tt.path, tt.token, tt.header)
		require.Equal(t, tt.status, status, "%s: %v", name, got)
		require.Equal(t, tt.code, got["error"], name)
		require.NotContains(t, got["error_description"], kari)
	}
}
