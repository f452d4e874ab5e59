package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/programs"
	"github.com/portner-go/portner/internal/standin/maskinporten"
	"github.com/portner-go/portner/internal/standin/standintest"
	"github.com/portner-go/portner/keyset"
)

// provisioned is a server with an administration, on a store that lasts.
type provisioned struct {
	*maskinporten.Server

	stop func()
}

const provisionedIssuer = "http://localhost:9/" // the same after a restart

func serveStore(t *testing.T, args ...string) provisioned {
	t.Helper()
	args = append([]string{"-addr", "localhost:0", "-issuer", provisionedIssuer}, args...)
	prepared, err := standintest.Prepare(t, programs.Maskinporten().Command(), slog.DiscardHandler, args...)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- prepared.Serve(ctx) }()
	stopped := false
	p := provisioned{Server: prepared.(*maskinporten.Server)}
	p.stop = func() {
		if !stopped {
			stopped = true
			cancel()
			require.NoError(t, <-done)
		}
	}
	t.Cleanup(p.stop)
	return p
}

// admin sends a request to the self-service API of the server.
func (p provisioned) admin(t *testing.T, method, path, body string) map[string]any {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, p.Sites[len(p.Sites)-1].Base+"/api/v1"+path, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer of-another-service")
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Less(t, resp.StatusCode, 300, string(text))
	var decoded map[string]any
	_ = json.Unmarshal(text, &decoded)
	return decoded
}

// token requests a token with a grant that a key signs.
func (p provisioned) token(t *testing.T, client string, keys *keyset.Set, claims map[string]any) (status int, response map[string]any) {
	t.Helper()
	now := time.Now()
	grant := map[string]any{"iss": client, "aud": provisionedIssuer, "iat": now.Unix(), "exp": now.Unix() + 60, "jti": fmt.Sprint(now.UnixNano())}
	for name, value := range claims {
		grant[name] = value
	}
	payload, err := json.Marshal(grant)
	require.NoError(t, err)
	assertion, err := keys.Sign("RS256", "JWT", payload, now)
	require.NoError(t, err)
	resp, err := http.PostForm(p.Sites[0].Base+"/token", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}})
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&response))
	return resp.StatusCode, response
}

// TestProvisioning runs the requests of a provisioning script for Digdir's self-service, requests a token with what it made, and again after
// a restart on the same store, with and without the administration.
func TestProvisioning(t *testing.T) {
	t.Parallel()
	store := []string{"-store", "sqlite:" + filepath.Join(t.TempDir(), "portner.db")}
	key, err := keyset.Generate("RS256")
	require.NoError(t, err)
	keys, err := keyset.New(keyset.Config{Keys: []keyset.Key{key}})
	require.NoError(t, err)
	jwks, _ := keys.JWKS(time.Now())

	s := serveStore(t, append(store, "-admin", "localhost:0")...)
	s.admin(t, "POST", "/scopes", `{"prefix":"nav","subscope":"test/api","description":"Test","allowed_integration_types":["maskinporten"],"owner_orgno":"974761076","delegation_source":"`+maskinporten.DelegationSource+`"}`)
	s.admin(t, "PUT", "/scopes/access/991825827?scope=nav:test/api", "")
	s.admin(t, "PUT", "/scopes/access/974761076?scope=nav:test/api", "") // for the delegation below
	client := s.admin(t, "POST", "/clients", `{"client_name":"Etaten","client_orgno":"991825827","integration_type":"maskinporten","application_type":"web",
		"token_endpoint_auth_method":"private_key_jwt","grant_types":["urn:ietf:params:oauth:grant-type:jwt-bearer"],"scopes":["nav:test/api"]}`)["client_id"].(string)
	status, refused := s.token(t, client, keys, map[string]any{"scope": "nav:test/api"})
	require.Equal(t, 400, status)
	s.admin(t, "POST", "/clients/"+client+"/jwks", string(jwks))
	status, _ = s.token(t, client, keys, map[string]any{"scope": "nav:test/api"})
	require.Equal(t, 200, status)

	delegated := map[string]any{"scope": "nav:test/api", "consumer_org": "974761076"}
	status, _ = s.token(t, client, keys, delegated)
	require.Equal(t, 400, status)
	s.admin(t, "POST", "/delegations", `{"consumer_orgno":"974761076","supplier_orgno":"991825827","scopes":["nav:test/api"]}`)
	status, answer := s.token(t, client, keys, delegated)
	require.Equal(t, 200, status, answer)

	list := refusals(t, s)
	require.Len(t, list, 2)
	require.Equal(t, client, list[1]["client_id"])
	require.NotEmpty(t, list[1]["reason"])
	require.Contains(t, refused["error_description"], list[1]["correlation_id"])
	s.stop()

	s = serveStore(t, store...)
	status, _ = s.token(t, client, keys, delegated)
	require.Equal(t, 200, status, "the changes apply without -admin")
	s.stop()

	s = serveStore(t, append(store, "-discard-changes")...)
	status, _ = s.token(t, client, keys, delegated)
	require.Equal(t, 400, status)
}

func refusals(t *testing.T, s provisioned) (list []map[string]any) {
	t.Helper()
	resp, err := http.Get(s.Sites[len(s.Sites)-1].Base + "/refusals")
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&list))
	return list
}

// TestChangesBesideTheFile: the file is read again below the changes, a change that does not fit it is refused, and a start with changes that
// no longer fit names the flag that forgets them.
func TestChangesBesideTheFile(t *testing.T) {
	t.Parallel()
	config := write(t, `{"scopes":[{"name":"nav:a","description":"A"}]}`)
	args := []string{"-config", config, "-store", "sqlite:" + filepath.Join(t.TempDir(), "portner.db")}
	s := serveStore(t, append(args, "-admin", "localhost:0")...)
	s.admin(t, "PUT", "/scopes/access/991825827?scope=nav:a", "")
	require.NoError(t, os.WriteFile(config, []byte(`{"scopes":[{"name":"nav:a","description":"A"},{"name":"nav:b","description":"B"}]}`), 0o600))
	require.NoError(t, s.Reload(t.Context()))
	s.admin(t, "PUT", "/scopes/access/991825827?scope=nav:b", "")

	require.NoError(t, os.WriteFile(config, []byte(`{"scopes":[{"name":"nav:a","description":"A"}]}`), 0o600))
	require.ErrorContains(t, s.Reload(t.Context()), "scope_access[1].scope")
	s.stop()
	_, err := standintest.Prepare(t, programs.Maskinporten().Command(), slog.DiscardHandler, append([]string{"-addr", "localhost:0", "-issuer", provisionedIssuer}, args...)...)
	require.ErrorContains(t, err, "-discard-changes forgets them")
	require.ErrorContains(t, err, "scope_access[1].scope")
}

func TestAdministrationAddresses(t *testing.T) {
	t.Parallel()
	secret := func(text string, mode os.FileMode) string {
		path := filepath.Join(t.TempDir(), "secret")
		require.NoError(t, os.WriteFile(path, []byte(text), mode))
		return path
	}
	for name, c := range map[string]struct {
		args []string
		want string // "" for none
	}{
		"loopback":                 {[]string{"-admin", "127.0.0.1:0"}, ""},
		"no host is loopback":      {[]string{"-admin", ":0"}, ""},
		"other machines":           {[]string{"-admin", "0.0.0.0:0"}, "-admin: 0.0.0.0:0 is not on loopback"},
		"other machines, a secret": {[]string{"-admin", "0.0.0.0:0", "-admin-secret", secret("a-secret-of-the-administration\n", 0o600)}, ""},
		"a short secret":           {[]string{"-admin", "localhost:0", "-admin-secret", secret("short", 0o600)}, "must have at least 20 characters"},
		"a secret of others":       {[]string{"-admin", "localhost:0", "-admin-secret", secret("a-secret-of-the-administration", 0o644)}, "chmod 600"},
		"no secret":                {[]string{"-admin", "localhost:0", "-admin-secret", "/none"}, "-admin-secret: open /none"},
		"an empty secret":          {[]string{"-admin", "localhost:0", "-admin-secret", ""}, "-admin-secret: must name a file"},
		"no port":                  {[]string{"-admin", "localhost"}, "-admin: \"localhost\" must be HOST:PORT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := standintest.Prepare(t, programs.Maskinporten().Command(), slog.DiscardHandler, append([]string{"-addr", "localhost:0"}, c.args...)...)
			if c.want != "" {
				require.ErrorContains(t, err, c.want)
				return
			}
			require.NoError(t, err)
			s.(*maskinporten.Server).Sites.Close()
		})
	}
}
