package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/configtest"
	"github.com/portner-go/portner/examples/internal/programs"
	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/portner-go/portner/internal/standin/krr"
	"github.com/portner-go/portner/internal/standin/maskinporten"
	"github.com/portner-go/portner/internal/standin/standintest"
)

// TestDocuments compares schema, example and guide with the configuration.
func TestDocuments(t *testing.T) {
	t.Parallel()
	configtest.Check(t, "krr", krr.ReadConfig)
}

// serve serves until the end of the test.
func serve(t *testing.T, s interface{ Serve(context.Context) error }) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
}

// TestLookup: a client of the local Maskinporten looks a built-in person up.
func TestLookup(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	prepared, err := standintest.Prepare(t, programs.Maskinporten().Command(), log.Handler(), "-addr", "localhost:0")
	require.NoError(t, err)
	mp := prepared.(*maskinporten.Server)
	serve(t, mp)
	prepared, err = standintest.Prepare(t, programs.KRR().Command(), log.Handler(), "-addr", "localhost:0", "-maskinporten", mp.Issuer)
	require.NoError(t, err)
	register := prepared.(*krr.Server)
	serve(t, register)

	var out, errs bytes.Buffer
	require.NoError(t, programs.Maskinporten().PrintToken(t.Context(), []string{"-issuer", mp.Issuer, "-claims", `{"scope":"krr:global/kontaktinformasjon.read"}`}, &out, &errs), errs.String())
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, register.Base()+"/rest/v2/personer", strings.NewReader(`{"personidentifikatorer":["21879498012","45840375084"]}`))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(out.String()))
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, string(body))
	var got struct {
		Persons []struct {
			Status       string `json:"status"`
			Notification string `json:"varslingsstatus"`
		} `json:"personer"`
	}
	require.NoError(t, json.Unmarshal(body, &got))
	require.Equal(t, "KAN_VARSLES", got.Persons[0].Notification)
	require.Equal(t, "KAN_IKKE_VARSLES", got.Persons[1].Notification, "reserved")
}

// TestOwnEntry: the user of the guide reads the own entry, with a client of the example configuration of ID-porten.
func TestOwnEntry(t *testing.T) {
	t.Parallel()
	const clientID, secret, redirect = "sluttbrukersystem", "Kd7WmTx2RqZs9YbLc4HnGv6PfJt0UaEo", "http://localhost:3000/altinn"
	guide, err := os.ReadFile("../../docs/krr-config.md")
	require.NoError(t, err)
	require.Contains(t, string(guide), "-config docs/idporten-config.example.json -client "+clientID+" -scope krr:user/kontaktinformasjon.read")

	log := slog.New(slog.DiscardHandler)
	prepared, err := standintest.Prepare(t, programs.IDPorten().Command(), log.Handler(), "-addr", "localhost:0", "-config", "../../docs/idporten-config.example.json", "-demo=false")
	require.NoError(t, err)
	op := prepared.(*idporten.Server)
	serve(t, op)
	prepared, err = standintest.Prepare(t, programs.KRR().Command(), log.Handler(), "-addr", "localhost:0", "-idporten", "http://localhost:8080", "-config", write(t, op))
	require.NoError(t, err)
	register := prepared.(*krr.Server)
	serve(t, register)

	const verifier, challenge = "gEVARFlOi5LNYfVGSMHvhZCXoG_TPzdmXQQGqzKJkz0", "HC9NRzz4QUaVMvl2TUYrWg_L54PBleKON4hapcIOydk"
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := stay.Get(base(op) + "/authorize?" + url.Values{
		"client_id": {clientID}, "redirect_uri": {redirect}, "response_type": {"code"}, "scope": {"krr:user/kontaktinformasjon.read"}, "state": {"xyz"},
		"code_challenge": {challenge}, "code_challenge_method": {"S256"}, "login_hint": {"testid:21879498012_idporten-loa-high"},
	}.Encode())
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	back, err := resp.Location()
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base(op)+"/token", strings.NewReader(url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {redirect}, "code_verifier": {verifier},
	}.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(clientID, secret)
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	answered(t, r, &tokens)

	r, err = http.NewRequestWithContext(t.Context(), http.MethodGet, register.Base()+"/rest/v1/person", http.NoBody)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+tokens.AccessToken)
	var person struct {
		PID     string `json:"personidentifikator"`
		Contact struct {
			Email string `json:"epostadresse"`
		} `json:"kontaktinformasjon"`
	}
	answered(t, r, &person)
	require.Equal(t, "21879498012", person.PID)
	require.Equal(t, "kari@example.no", person.Contact.Email)
}

// base returns the URL at which the server listens. The example configuration has another issuer.
func base(s *idporten.Server) string { return "http://" + s.Sites[0].Hosts[0] }

// write writes a configuration of the register that finds the keys of the server.
func write(t *testing.T, s *idporten.Server) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"idporten": []any{map[string]string{"issuer": "http://localhost:8080", "jwks_uri": base(s) + "/jwks.json"}}})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "krr.json")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	return file
}

// answered decodes a response with the status 200.
func answered(t *testing.T, r *http.Request, into any) {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, string(body))
	require.NoError(t, json.Unmarshal(body, into))
}
