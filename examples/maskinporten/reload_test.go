package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin/maskinporten"
	"github.com/portner-go/portner/internal/standin/standintest"
)

// TestReload: there are no tokens for a scope that a reloaded configuration disables.
func TestReload(t *testing.T) {
	t.Parallel()
	standintest.RequireReload(t, start, func(s *maskinporten.Server) any {
		var out, errs bytes.Buffer
		return printToken(t.Context(), []string{"-issuer", s.Issuer}, &out, &errs)
	}, `{}`, `{"scopes":[{"name":"`+maskinporten.DemoScope+`","owner_orgno":"991825827","active":false}]}`)
}

// TestReplacedKeys replaces the keys of a client while the server runs, and registers an old set: MP-121 and the error of an unknown kid are those
// of the real service.
func TestReplacedKeys(t *testing.T) {
	t.Parallel()
	config := func(kid, uploaded string) string {
		jwks := strings.Replace(string(maskinporten.DemoJWKS()), `"kid":"`+maskinporten.DemoKID+`"`, `"kid":"`+kid+`"`, 1)
		if uploaded != "" {
			uploaded = `"keys_uploaded_at":"` + uploaded + `",`
		}
		return `{"clients":[{"client_id":"roterer","client_orgno":"991825827","scopes":["` + maskinporten.DemoScope + `"],` + uploaded + `"jwks":` + jwks + `}]}`
	}
	file := write(t, config("k1", ""))
	s := stand{Server: start(t, "-config", file)}
	send := func(kid string) (int, claims) {
		return s.send(t, signed(t, claims{"alg": "RS256", "kid": kid}, s.grant(t, claims{"iss": "roterer"})))
	}
	for _, step := range []struct {
		config, kid string
		status      int
		want        string
	}{
		{"", "k1", 200, ""},
		{config("k2", ""), "k1", 400, "Unknown key identifier (kid) for client."},
		{"", "k2", 200, ""},
		{config("k2", time.Now().AddDate(-1, 0, -2).Format(time.RFC3339)), "k2", 400, "MP-121"},
		{config("k2", time.Now().AddDate(0, -11, 0).Format(time.RFC3339)), "k2", 200, ""},
	} {
		if step.config != "" {
			require.NoError(t, os.WriteFile(file, []byte(step.config), 0o600))
			require.NoError(t, s.Reload(t.Context()))
		}
		status, body := send(step.kid)
		require.Equal(t, step.status, status, body)
		require.Contains(t, fmt.Sprint(body), step.want)
	}
	require.NoError(t, os.WriteFile(file, []byte(`{"clients":[{"client_id":"x","client_orgno":"991825827","keys_uploaded_at":"2025-01-01T00:00:00Z"}]}`), 0o600))
	require.ErrorContains(t, s.Reload(t.Context()), "clients[0].keys_uploaded_at")
}
