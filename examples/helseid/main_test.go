package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/configtest"
	"github.com/portner-go/portner/examples/internal/programs"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/helseid"
	"github.com/portner-go/portner/internal/standin/standintest"
)

func TestDocuments(t *testing.T) {
	t.Parallel()
	configtest.Check(t, "helseid", helseid.ReadConfig)
}

// TestRunRefuses: a configuration with a problem is rejected with the path of the member.
func TestRunRefuses(t *testing.T) {
	t.Parallel()
	person := `"username":"a","password":"b","pid":"21879498012","given_name":"A","family_name":"B"`
	for config, want := range map[string]string{
		`{"clients":[{"redirect_uri":["x"]}]}`: `clients[0].redirect_uri: is an unknown member`,
		`{"clients":[{"client_id":"a","client_secret":"Vy4HsNq6TzBx0KmRc8WgLj2PdFu5AeXo","redirect_uris":["https://a.example.no/cb"],"scopes":["openid"]}]}`: `clients[0].token_endpoint_auth_method: must be private_key_jwt`,
		`{"apis":[{"name":"sample","scopes":[],"claims":[]}]}`:                            `apis[0].name: must be an absolute URI`,
		`{"apis":[{"name":"nhn:a","scopes":["nhn:b/read"],"claims":[]}]}`:                 `apis[0].scopes[0]: must begin with the name of the API and a slash`,
		`{"apis":[{"name":"nhn:a","scopes":[],"claims":["sub"]}]}`:                        `apis[0].claims[0]: must be a claim of access tokens, such as helseid://claims/identity/pid`,
		`{"organisations":[{"client_id":"x","tenancy":"none"}]}`:                          `organisations[0].client_id: must be one of clients`,
		`{"organisations":[{"client_id":"x","tenancy":"two"}]}`:                           `organisations[0].tenancy: must be single-tenant, multi-tenant or none`,
		`{"organisations":[{"client_id":"x","tenancy":"none","children":["987464291"]}]}`: `organisations[0].children: is for single-tenant`,
		`{"organisations":[{"client_id":"x","tenancy":"multi-tenant","parents":["1"]}]}`:  `organisations[0].parents[0]: must be nine digits`,
		`{"organisations":[{"client_id":"x","tenancy":"none","apis":["nhn:a"]}]}`:         `organisations[0].apis[0]: must be one of apis`,
		`{"signing_algorithms":["ES256"]}`:                                                `signing_algorithms: must be RS256`,
		`{"business_certificates":{"roots":["x.pem"]}}`:                                   `business_certificates: must be absent`,
		`{"users":[{"username":"a","password":"b"}]}`:                                     `users[0].pid: is required`,
		`{"users":[{` + person + `,"security_level":"5"}]}`:                               `users[0].security_level: must be 2, 3 or 4`,
		`{"users":[{` + person + `,"network":"x"}]}`:                                      `users[0].network: must be internett or helsenett`,
	} {
		file := filepath.Join(t.TempDir(), "c.json")
		require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
		var out, errs strings.Builder
		require.Equal(t, 1, run(t.Context(), []string{"-addr", "localhost:0", "-config", file}, &out, &errs), config)
		require.Contains(t, errs.String(), want)
		require.Empty(t, out.String())
	}
	standintest.RequireFlags(t, run, append(standintest.ServerFlags, "-demo")...)
}

// TestDemoIsExplicit: beside a configuration there is no demo, in which users log in without a password, unless the flag requests it.
func TestDemoIsExplicit(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "c.json")
	require.NoError(t, os.WriteFile(file, []byte("{}"), 0o600))
	for _, tc := range []struct {
		args []string
		demo bool
	}{{nil, true}, {[]string{"-demo=false"}, false}, {[]string{"-config", file}, false}, {[]string{"-config", file, "-demo"}, true}} {
		prepared, err := programs.HelseID().Command().Prepare(append([]string{"-addr", "localhost:0"}, tc.args...), slog.New(slog.DiscardHandler))
		require.NoError(t, err, tc.args)
		s := prepared.(*helseid.Server)
		s.Sites.Close()
		require.Equal(t, []bool{tc.demo, tc.demo}, []bool{len(s.Sites) > 1, len(s.Config.Users) > 0}, tc.args)
	}
}

// TestTexts checks that every language has every text.
func TestTexts(t *testing.T) {
	t.Parallel()
	require.Len(t, helseid.AllTexts, len(standin.Languages))
	for _, lang := range standin.Languages {
		v := reflect.ValueOf(helseid.TextsFor(lang))
		for i := range v.NumField() {
			require.False(t, v.Field(i).IsZero(), "%s: %s", lang, v.Type().Field(i).Name)
		}
	}
}

// No path of the server leads to a redirect that repeats a POST (docs/threat-model.md A11).
func TestNoPathRepeatsAPost(t *testing.T) {
	t.Parallel()
	s := start(t)
	optest.RequireNoRepeat(t, standin.TLS{}.Outgoing(), s.Issuer, "//language")
}

// TestHealthAPIIsShort: the API that the document shows has at most 30 lines.
func TestHealthAPIIsShort(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../internal/standin/helseid/healthapi.go")
	require.NoError(t, err)
	_, body, found := strings.Cut(string(text), "func newHealthAPI")
	require.True(t, found)
	require.LessOrEqual(t, strings.Count(strings.TrimSpace("func newHealthAPI"+body), "\n")+1, 30)
	document, err := os.ReadFile("../../docs/spec/helseid.md")
	require.NoError(t, err)
	require.Contains(t, string(document), strings.TrimSpace("func newHealthAPI"+body), "the document shows this code")
}
