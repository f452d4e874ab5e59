package main

import (
	"bytes"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/portner-go/portner/examples/internal/programs"
	"github.com/portner-go/portner/internal/standin/maskinporten"
	"github.com/portner-go/portner/storage"
	"github.com/stretchr/testify/require"
)

// TestBuiltinClientIsLocal: anyone has the private key of the built-in client. It is not registered beside the clients of a
// configuration where other machines reach the server.
func TestBuiltinClientIsLocal(t *testing.T) {
	t.Parallel()
	const issuer = "http://localhost:1/"
	file, named := write(t, `{}`), write(t, `{"issuer":"`+issuer+`","test_issuer":"`+issuer+`"}`)
	exposed := []string{"-addr", "0.0.0.0:0", "-issuer", issuer, "-test-issuer", issuer}
	for name, tc := range map[string]struct {
		args       []string
		registered bool
	}{
		"alone":                        {nil, true},
		"a configuration":              {[]string{"-config", file}, true},
		"a configuration, exposed":     {append(slices.Clip(exposed), "-config", file), false},
		"exposed by the configuration": {[]string{"-addr", "0.0.0.0:0", "-config", named}, false},
		"exposed without clients":      {exposed, true},
	} {
		prepared, err := programs.Maskinporten().Command().Prepare(append([]string{"-addr", "localhost:0"}, tc.args...), slog.New(slog.DiscardHandler))
		require.NoError(t, err, name)
		s := prepared.(*maskinporten.Server)
		s.Sites.Close()
		clients, err := s.Config.ClientRegistry(time.Now())
		require.NoError(t, err, name)
		for _, id := range []string{maskinporten.DemoClient, maskinporten.DemoCertificate} {
			_, err = clients.Client(t.Context(), id)
			if tc.registered {
				require.NoError(t, err, name)
			} else {
				require.ErrorIs(t, err, storage.ErrNotFound, name)
			}
		}
	}
}

// TestWarnScopes checks the warnings about registered scopes whose requests will be rejected: a supplier can use what was delegated to it.
func TestWarnScopes(t *testing.T) {
	t.Parallel()
	const jwks = `{"keys":[{"kty":"RSA","kid":"a","e":"AQAB","n":"wJ-bs6xkZl3Y7fQX59ZIEbzUZA-lPfOA4Dp6tEfNNA6L3ddynnCcMitI2SLY-BLHOoSqP6o3u_M8i6P-br_NJfZeAbwuJQxOykAC5zQG1E_aDdUIHeXkQEpTLqio2JZxEP8CjMNhF9ZpzMGBGCndhQhq6UvUP9_8w5Px8ap4z0Dz0ubgHK9P507y7PTOAmJzMPg1p0OPoYymOVmFhblgpt-zKON0HhbNYw0m75Q_5_M99ngEztyoL-4gW076bpCt3BxEP1RNsgW8A9cYiXRZsxIeHXkNzekAfhdzVxy-xn9YiU_7NI3sG_a5Ml1Wa-kzJTZ8PesyJ69gwKCXLvA4Vw"}]}`
	file := write(t, `{
		"clients": [{"client_id":"supplier","client_orgno":"991825827","scopes":["d:delegated","d:no-access","d:other-supplier","d:no-source"],"jwks":`+jwks+`}],
		"scopes": [
			{"name":"d:delegated","owner_orgno":"974761076","delegation_source":"https://tt02.altinn.no/"},
			{"name":"d:no-access","owner_orgno":"974761076","delegation_source":"https://tt02.altinn.no/"},
			{"name":"d:other-supplier","owner_orgno":"974761076","delegation_source":"https://tt02.altinn.no/"},
			{"name":"d:no-source","owner_orgno":"974761076"}],
		"scope_access": [
			{"scope":"d:delegated","consumer_orgno":"910753614","state":"APPROVED"},
			{"scope":"d:other-supplier","consumer_orgno":"910753614","state":"APPROVED"},
			{"scope":"d:no-source","consumer_orgno":"910753614","state":"APPROVED"}],
		"delegations": [
			{"consumer_orgno":"910753614","supplier_orgno":"991825827","scopes":["d:delegated","d:no-access","d:no-source"]},
			{"consumer_orgno":"910753614","supplier_orgno":"974761076","scopes":["d:other-supplier"]}]}`)
	var out bytes.Buffer
	prepared, err := programs.Maskinporten().Command().Prepare([]string{"-addr", "localhost:0", "-config", file}, slog.New(slog.NewTextHandler(&out, nil)))
	require.NoError(t, err)
	prepared.(*maskinporten.Server).Sites.Close()
	for name, warned := range map[string]bool{"d:delegated": false, "d:no-access": true, "d:other-supplier": true, "d:no-source": true} {
		require.Equal(t, warned, bytes.Contains(out.Bytes(), []byte("client_id=supplier scope="+name+" reason=no_access")), "%s: %s", name, out.String())
	}
	require.NotContains(t, out.String(), "client_id="+maskinporten.DemoClient)
}
