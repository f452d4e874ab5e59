package main

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestContactRegister verifies that the contact register returns the entry of the user if the token has its scope.
func TestContactRegister(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := tour(t, s)
	in := v.press(v.press(v.get(s.At.First), "story-kontaktregister"), "user-kari")
	require.Equal(t, "openid profile krr:user/kontaktinformasjon.read", in.text("granted-scope"))
	var entry map[string]any
	require.NoError(t, json.Unmarshal([]byte(v.press(in, "call-api").text("api-answer")), &entry))
	require.Equal(t, map[string]any{
		"personidentifikator": "21879498012", "reservasjon": "NEI", "status": "AKTIV", "varslingsstatus": "KAN_VARSLES",
		"kontaktinformasjon": map[string]any{"epostadresse": "kari@example.no", "mobiltelefonnummer": "+4712345678"},
	}, entry)
}

// TestAPIChallenges checks the error responses of the API (RFC 6750 §3).
func TestAPIChallenges(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, tt := range []struct {
		path, query, authorization string
		status                     int
		challenge                  string
	}{
		{"/kontaktinformasjon", "", "", 401, `Bearer realm="demo"`},
		{"/inntekt", "?access_token=x", "", 400, `Bearer realm="demo", error="invalid_request", error_description="The access token belongs in the Authorization header."`},
		{"/inntekt", "", "Bearer a.b.c", 401, `Bearer realm="demo", error="invalid_token", error_description="The access token is malformed."`},
		{"/inntekt", "", "Bearer nobodys-token", 401, `Bearer realm="demo", error="invalid_token", error_description="The access token is not active."`},
		{"/ukjent", "", "Bearer x", 404, ""},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.At.API+"/api"+tt.path+tt.query, nil)
		require.NoError(t, err)
		if tt.authorization != "" {
			r.Header.Set("Authorization", tt.authorization)
		}
		resp, err := s.Outgoing.Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, tt.status, resp.StatusCode, tt.path)
		require.Equal(t, tt.challenge, resp.Header.Get("WWW-Authenticate"))
	}
}
