//go:build servers

package stores_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/programs"
	"github.com/portner-go/portner/internal/localdb"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/altinn"
	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/portner-go/portner/internal/standin/maskinporten"
)

// TestAdministrationLasts: what the administration changes, and what vendors register at Altinn, is in PostgreSQL and Redis. A second node
// has it, and -discard-changes forgets it. The three stand-ins share one store.
func TestAdministrationLasts(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(localdb.Config) (*localdb.Server, error){"postgres": localdb.StartPostgres, "redis": localdb.StartRedis} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			db, err := start(localdb.Config{Dir: filepath.Join(dir, "db")})
			if errors.Is(err, localdb.ErrNotInstalled) && os.Getenv("CI") != "true" {
				t.Skip("SKIPPED: " + err.Error())
			}
			require.NoError(t, err)
			t.Cleanup(db.Stop)
			store := []string{"-store", db.URL, "-secrets", filepath.Join(dir, "secrets")}
			t.Run("maskinporten", func(t *testing.T) { machineChangesLast(t, store) })
			t.Run("idporten", func(t *testing.T) { userChangesLast(t, store) })
			t.Run("altinn", func(t *testing.T) { registeredSystemsLast(t, store) })
		})
	}
}

// node is a stand-in that runs.
type node struct {
	t      *testing.T
	server standin.Server
	sites  standin.Sites
	stop   func()
}

// run starts a stand-in on a store. Nodes of one stand-in have the same issuer.
func run(t *testing.T, c standin.Command, args ...string) node {
	t.Helper()
	s, err := c.Prepare(append([]string{"-addr", "localhost:0"}, args...), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	n := node{t: t, server: s}
	switch s := s.(type) {
	case *maskinporten.Server:
		n.sites = s.Sites
	case *idporten.Server:
		n.sites = s.Sites
	case *altinn.Server:
		n.sites = s.Sites
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	stopped := false
	n.stop = func() {
		if !stopped {
			stopped = true
			cancel()
			require.NoError(t, <-done)
		}
	}
	t.Cleanup(n.stop)
	return n
}

// send sends a request to the administration, which is the last site, or to a path of the first one with a token.
func (n node) send(method, path, body, token string) string {
	n.t.Helper()
	base := n.sites[len(n.sites)-1].Base
	if token != "" {
		base = n.sites[0].Base
	}
	r, err := http.NewRequestWithContext(n.t.Context(), method, base+path, strings.NewReader(body))
	require.NoError(n.t, err)
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	require.NoError(n.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(n.t, err)
	require.Less(n.t, resp.StatusCode, 300, "%s %s: %s", method, path, text)
	return string(text)
}

// changed makes entries of lists, and requires them at a second node, and not after -discard-changes.
func changed(t *testing.T, command func() standin.Command, args []string, entries [][3]string) {
	t.Helper()
	args = append(args, "-admin", "localhost:0")
	first := run(t, command(), args...)
	for _, e := range entries {
		first.send(http.MethodPost, e[0], e[1], "")
	}
	has := func(n node) (all []bool) {
		for _, e := range entries {
			all = append(all, strings.Contains(n.send(http.MethodGet, e[0], "", ""), e[2]))
		}
		return all
	}
	want := make([]bool, len(entries))
	second := run(t, command(), args...)
	for i := range want {
		want[i] = true
	}
	require.Equal(t, want, has(second), "a second node")
	first.stop()
	second.stop()
	require.Equal(t, make([]bool, len(entries)), has(run(t, command(), append(args, "-discard-changes")...)))
}

func machineChangesLast(t *testing.T, store []string) {
	t.Helper()
	changed(t, func() standin.Command { return programs.Maskinporten().Command() }, append(store, "-issuer", "http://localhost:9/"), [][3]string{
		{"/scopes", `{"prefix":"nav","subscope":"api","description":"Test","owner_orgno":"974761076","allowed_integration_types":["maskinporten"]}`, `"subscope":"api"`},
		{"/clients", `{"client_id":"etaten","client_orgno":"991825827","integration_type":"maskinporten","token_endpoint_auth_method":"private_key_jwt",
			"grant_types":["urn:ietf:params:oauth:grant-type:jwt-bearer"],"scopes":["nav:api"]}`, "etaten"},
		{"/delegations", `{"consumer_orgno":"974761076","supplier_orgno":"991825827","scopes":["nav:api"]}`, "nav:api"},
		{"/consents", `{"id":"77ed8698-e6d9-4ea6-a1dc-07f2d7e9b1a0","from":"21879498012","to_orgno":"991825827","valid_to":"2099-01-01T00:00:00Z"}`, "77ed8698"},
		{"/system_users", `{"id":"a545f41d-74cd-4d2a-9ebc-2a0a1c1d6f10","system_id":"991825827_sky","client_ids":["etaten"],"vendor_orgno":"991825827","customer_orgno":"910753614"}`, "a545f41d"},
	})
}

func userChangesLast(t *testing.T, store []string) {
	t.Helper()
	changed(t, func() standin.Command { return programs.IDPorten().Command() }, append(store, "-issuer", "http://localhost:10", "-demo=false"), [][3]string{
		{"/users", `{"username":"gro","password":"passord","pid":"14838902562"}`, `"gro"`},
		{"/clients", `{"client_id":"skjema","client_orgno":"991825827","integration_type":"idporten","redirect_uris":["http://localhost:3000/cb"]}`, "skjema"},
	})
}

// registeredSystemsLast: a vendor registers a system with a token of Maskinporten.
func registeredSystemsLast(t *testing.T, store []string) {
	t.Helper()
	const scope = "altinn:authentication/systemregister.write"
	config := filepath.Join(t.TempDir(), "maskinporten.json")
	text, err := json.Marshal(map[string]any{
		"clients": []any{map[string]any{"client_id": maskinporten.DemoClient, "client_orgno": "991825827", "scopes": []string{scope}, "jwks": maskinporten.DemoJWKS()}},
		"scopes":  []any{map[string]any{"name": scope, "owner_orgno": "974761076", "description": "Systemregisteret", "accessible_for_all": true}},
	})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(config, text, 0o600))
	issuer := run(t, programs.Maskinporten().Command(), "-config", config).server.(*maskinporten.Server).Issuer
	var token bytes.Buffer
	require.NoError(t, programs.Maskinporten().PrintToken(t.Context(), []string{"-issuer", issuer, "-claims", `{"scope":"` + scope + `"}`}, &token, io.Discard))

	args := append(store, "-issuer", "http://localhost:11/authentication/api/v1/openid/", "-maskinporten", issuer)
	open := func() node {
		n := run(t, programs.Altinn().Command(), args...)
		for _, s := range n.sites { // the host of the issuer is another one
			s.Hosts = append(s.Hosts, strings.TrimPrefix(s.Base, "http://"))
		}
		return n
	}
	const register = "/authentication/api/v1/systemregister/vendor"
	first := open()
	first.send(http.MethodPost, register, `{"id":"991825827_sky","vendor":{"ID":"0192:991825827"},"name":{"nb":"Sky"},"description":{"nb":"Regnskap"},"clientId":["`+maskinporten.DemoClient+`"],
		"rights":[{"resource":[{"id":"urn:altinn:resource","value":"eksempel-mva"}]}]}`, strings.TrimSpace(token.String()))
	first.stop()
	require.Contains(t, open().send(http.MethodGet, register+"/991825827_sky", "", strings.TrimSpace(token.String())), "eksempel-mva")
}
