package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/journey"
)

// TestBoundToken: the header fields of portner token helseid are those that the health API of a running HelseID accepts, once.
func TestBoundToken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name string, v any) string {
		text, err := json.Marshal(v)
		require.NoError(t, err)
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, text, 0o600))
		return file
	}
	key, err := journey.NewKey()
	require.NoError(t, err)
	jwk := jose.JSONWebKey{Key: key, KeyID: "min-nokkel"}
	private, public := write("key.json", jwk), write("public.json", jwk.Public())
	config := write("helseid.json", map[string]any{
		"settings": map[string]any{"addr": "127.0.0.1:0", "demo": true},
		"clients": []any{map[string]any{
			"client_id": "lab", "client_orgno": "974761076", "token_endpoint_auth_method": "private_key_jwt", "grant_types": []string{"client_credentials"},
			"scopes": []string{"nhn:journal/read"}, "jwks": jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk.Public()}},
		}},
		"organisations": []any{map[string]any{"client_id": "lab", "tenancy": "multi-tenant", "parents": []string{"910753614"}}},
		"apis":          []any{map[string]any{"name": "nhn:journal", "scopes": []string{"nhn:journal/read"}, "claims": []string{"helseid://claims/client/claims/orgnr_parent"}}},
	})
	ctx, stop := context.WithCancel(t.Context())
	out, done := &buffer{}, make(chan int, 1)
	go func() { done <- run(ctx, []string{"helseid", "-config", config}, out, io.Discard) }()
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "Ctrl-C stops it.") }, time.Minute, 10*time.Millisecond)
	issuer, api := after(out.String(), "issuer      "), after(out.String(), "API  ")

	status, fields, errs := ran(t, "token", "helseid", "-config", config, "-key", private, "-issuer", issuer, "-api", api)
	require.Zero(t, status, errs)
	require.Empty(t, errs, "the server runs")
	call := func() int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, api, nil)
		require.NoError(t, err)
		for line := range strings.Lines(fields) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			r.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	require.Equal(t, http.StatusOK, call())
	require.Equal(t, http.StatusUnauthorized, call(), "a proof is for one request")

	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"another organisation": {[]string{"-organisation", "987464291"}, "HID-"},
		"a public key":         {[]string{"-key", public}, "must be a private key as JWK (RFC 7517)"},
		"no file":              {[]string{"-key", filepath.Join(dir, "none")}, "-key: open"},
	} {
		status, out, errs := ran(t, append([]string{"token", "helseid", "-config", config, "-key", private, "-issuer", issuer}, c.args...)...)
		require.Equal(t, 1, status, name)
		require.Empty(t, out, name)
		require.Contains(t, errs, c.want, name)
	}
	stop()
	require.Zero(t, <-done)
}

// after returns the rest of the line after a label.
func after(text, label string) string {
	_, rest, _ := strings.Cut(text, label)
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line)
}
