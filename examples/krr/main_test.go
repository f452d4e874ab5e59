package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/configtest"
	"github.com/portner-go/portner/examples/internal/programs"
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
