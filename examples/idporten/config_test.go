package main

import (
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/configtest"
	"github.com/portner-go/portner/examples/internal/programs"
	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/portner-go/portner/internal/standin/standintest"
	"github.com/portner-go/portner/scope"
)

func TestDocuments(t *testing.T) {
	t.Parallel()
	configtest.Check(t, "idporten", func(path string) (idporten.Config, error) { return idporten.ReadConfig(path, true) })
	claims := configtest.Load(t, "idporten").Def("user").Child("properties", "claims", "properties")
	require.ElementsMatch(t, slices.Collect(maps.Keys(idporten.ClaimKinds)), slices.Collect(maps.Keys(claims)))
	require.ElementsMatch(t, idporten.AddressMembers, slices.Collect(maps.Keys(claims.Child("address", "properties"))))
}

func TestExampleFile(t *testing.T) {
	t.Parallel()
	const exampleFile = "../../docs/idporten-config.example.json"
	s := start(t, "-config", exampleFile, "-issuer", "", "-demo=false")
	require.Equal(t, "http://localhost:8080", s.Issuer)
	require.Equal(t, []string{"datatilbyder"}, s.Config.Scopes[0].EnforcedAudForIntrospection, "one string is a list of one")
	start(t, "-config", exampleFile) // together with the demo
}

// write writes a configuration to a temporary file.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.json")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// TestMistakes checks that every problem is reported at once with its path, and that the schema rejects the same file.
func TestMistakes(t *testing.T) {
	t.Parallel()
	schema := configtest.Load(t, "idporten")
	for name, c := range map[string]struct {
		in       string
		want     []string
		noSchema bool // a schema cannot express the rule
	}{
		"FAPI 2.0": {
			in: `{"profile":"fapi2","dpop":{"max_age":301,"max_ahead":61,"nonse":true},"mtls":{"adr":"x"},"clients":[]}`,
			want: []string{
				`dpop.nonse: is an unknown member (did you mean "nonce"?)`, `mtls.adr: is an unknown member (did you mean "addr"?)`,
				"dpop.max_age: must be 0 (the default) to 300 seconds", "dpop.max_ahead: must be 0 (the default) to 60 seconds",
			},
		},
		"FAPI 2.0 values": {
			in: `{"profile":"fapi2-message-signing","signing_algorithms":["PS256"],"dpop":{"max_age":301,"max_ahead":61},"clients":[
				{"client_id":"a","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","redirect_uris":["http://localhost:1/cb"],"scopes":["openid"],"response_modes":["query"],
				 "refresh_token_usage":"ONETIME","allow_token_endpoint_audience":true,"id_token_signed_response_alg":"RS256"}]}`,
			want: []string{
				"dpop.max_age: must be 0 (the default) to 300 seconds", "dpop.max_ahead: must be 0 (the default) to 60 seconds",
				"clients[0].token_endpoint_auth_method: FAPI 2.0 Security Profile §5.3.2.1-6: must be private_key_jwt, tls_client_auth or self_signed_tls_client_auth",
				"clients[0].client_secret: FAPI 2.0 Security Profile §5.3.2.1-6: must be absent",
				"clients[0].redirect_uris[0]: FAPI 2.0 Security Profile §5.3.2.2-8: must not be http",
				"clients[0].response_modes[0]: FAPI 2.0 Message Signing §5.3.3: must be jwt, query.jwt or form_post.jwt",
				"clients[0].refresh_token_usage: FAPI 2.0 Security Profile §5.3.2.1-9: must be absent or REUSE",
				"clients[0].allow_token_endpoint_audience: FAPI 2.0 Security Profile §5.3.2.1-8: must be absent",
				"clients[0].id_token_signed_response_alg: must be one of signing_algorithms",
				"clients[0].id_token_signed_response_alg: FAPI 2.0 Security Profile §5.4.1-1: must be PS256, ES256 or EdDSA",
			},
			noSchema: true,
		},
		"unknown members": {
			in: `{"isuer":"x","clients":[{"client_id":"a"},{"client_id":"b","redirect_uri":["x"],"activ":true}],"scopes":[{"name":"a:b"},{"name":"c:d","requires_user_concent":true,"x":1}],
			     "users":[{"username":"u","password":"p","pit":"1"}],"session":{"idel":3},"lifetimes":{"tokens":1}}`,
			want: []string{
				`isuer: is an unknown member (did you mean "issuer"?)`,
				`clients[1].redirect_uri: is an unknown member (did you mean "redirect_uris"?)`,
				`clients[1].activ: is an unknown member (did you mean "active"?)`,
				`scopes[1].requires_user_concent: is an unknown member (did you mean "requires_user_consent"?)`,
				"scopes[1].x: is an unknown member", "users[0].pit: is an unknown member",
				`session.idel: is an unknown member (did you mean "idle"?)`, "lifetimes.tokens: is an unknown member",
				"clients[0].redirect_uris: at least one is required", "clients[0].client_secret: is required for", "clients[1].redirect_uris: at least one is required", "clients[1].client_secret: is required for",
			},
		},
		"unknown members and values": { // the lines of docs/idporten-config.md
			in: `{"clients":[{"redirect_uri":["x"],"client_id":"b","code_challenge_method":"none"}],"users":[{"pid":"21879498011","username":"u","password":"p"}]}`,
			want: []string{
				`clients[0].redirect_uri: is an unknown member (did you mean "redirect_uris"?)`, "clients[0].redirect_uris: at least one is required", "clients[0].client_secret: is required for",
				"users[0].pid: must be a national identity number: wrong check digits",
			},
		},
		"kinds": {
			in:   `{"clients":[{"client_id":1,"scopes":"openid"}],"test_login":"yes","scopes":[{"name":"a:b","at_max_age":"3"}]}`,
			want: []string{"clients[0].client_id: must be a string", "clients[0].scopes: must be a list", "test_login: must be a boolean", `scopes[0]: scope "a:b": at_max_age: cannot unmarshal string`},
		},
		"values": {
			in: `{"profile":"oidc","clients":[{"client_id":"a","integration_type":"idporten","client_orgno":"123"},{"client_id":"b","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","redirect_uris":["ftp://x/","http://localhost:1/cb"]},{"client_id":"b","client_secret":"æG4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","redirect_uris":["http://localhost:1/cb"]}],
			     "users":[{"username":"u","password":"p","pid":"12345678901","acr":"high"},{"username":"u","password":"","claims":{"email":1,"shoe_size":2,"address":{"planet":"x"}}},{"username":"e","password":"p","acr":"selfregistered-email"}],
			     "scopes":[{"name":"a:b","requires_user_consent":true},{"name":"a:c"},{"name":"a:c"}],"scope_access":[{"scope":"no:such","consumer_orgno":"991825827","state":"APPROVED"}],"session":{"max":-1}}`,
			want: []string{
				`profile: "oidc" is none of fapi2, fapi2-message-signing, idporten, openid`, "clients[0].client_orgno: must be nine digits", "clients[0].client_secret: is required", "clients[0].redirect_uris: at least one is required",
				"clients[1].redirect_uris[0]: ", `clients[2].client_id: "b" occurs twice`, "clients[2].client_secret: must be 1 to 512 printable ASCII characters",
				"users[0].pid: must be a national identity number: ", `users[0].acr: "high" is none of`, `users[1].username: "u" occurs twice`, "users[1].password: is required",
				"users[1].claims.email: must be a string", "users[1].claims.shoe_size: is not a standard claim", "users[1].claims.address.planet: is not a member", "users[2].claims.email: is required",
				`scopes[0].description: scope "a:b": is required with`, `scopes[2].name: scope "a:c": is repeated`, `scope_access[0].scope: scope "no:such": has no record`, "session.max: must be 0 (the default) to ",
			},
		},
		"given twice": {in: `{"users":[],"users":[]}`, want: []string{"users: is given twice"}, noSchema: true},
		"not JSON":    {in: "{\n\"users\": [,]}", want: []string{"line 2:"}, noSchema: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := write(t, c.in)
			_, err := idporten.ReadConfig(path, false)
			require.ErrorContains(t, err, path)
			lines := strings.Split(err.Error(), "\n")
			for _, want := range c.want {
				require.True(t, slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, want) }), "%q is not among\n%s", want, err)
			}
			require.Len(t, lines, 1+len(c.want), "further problems:\n%s", err)
			require.NotContains(t, err.Error(), "12345678901", "the error contains an identity number")
			if !c.noSchema {
				require.Error(t, schema.Validate(t, c.in))
			}
		})
	}
	_, err := idporten.ReadConfig(filepath.Join(t.TempDir(), "none.json"), false)
	require.ErrorContains(t, err, "none.json")
}

// TestOwnRecordsReplace checks that entries of a configuration replace those of the profile and the demo.
func TestOwnRecordsReplace(t *testing.T) {
	t.Parallel()
	s := start(t, "-config", write(t, `{"profile":"openid",
		"scopes":[{"name":"email","description":"Min tekst","accessible_for_all":true,"requires_user_consent":true},{"prefix":"demo","subscope":"inntekt.read","description":"Annen"}],
		"scope_access":[{"scope":"demo:inntekt.read","consumer_orgno":"991825827","state":"DENIED"}],
		"clients":[{"client_id":"min-tjeneste","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","client_name":"Egen","redirect_uris":["http://localhost:1/cb"]}]}`))
	r, err := s.Config.ScopeRegistry()
	require.NoError(t, err)
	require.True(t, r.Scope("email").RequiresUserConsent)
	require.NotNil(t, r.Scope("phone"), "the other scopes of the profile stay")
	require.Equal(t, "Annen", r.Scope("demo:inntekt.read").Description)
	require.Equal(t, scope.Denied, r.Access("demo:inntekt.read", idporten.ServiceOrg))
	clients, err := s.Config.ClientRegistry(s.Config.Environment(), now())
	require.NoError(t, err)
	c, err := clients.Client(t.Context(), "min-tjeneste")
	require.NoError(t, err)
	require.Equal(t, "Egen", c.ClientName)
	require.Len(t, s.Users.Entries, 3, "a configuration without users gets those of the demo")
}

// TestWarnScopes checks the warnings about registered scopes whose requests will be rejected.
func TestWarnScopes(t *testing.T) {
	t.Parallel()
	file := write(t, `{
		"clients": [
			{"client_id":"a","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","client_orgno":"991825827","scopes":["openid","slip"],"redirect_uris":["http://localhost/cb"]},
			{"client_id":"b","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","client_orgno":"974761076","scopes":["eksempel:x"],"redirect_uris":["http://localhost/cb"]},
			{"client_id":"c","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","scopes":["slip"],"redirect_uris":["http://localhost/cb"],"active":false}],
		"scopes": [{"name":"eksempel:x","owner_orgno":"991825827"}]}`)
	var out syncBuffer
	prepared, err := standintest.Prepare(t, programs.IDPorten().Command(), slog.NewTextHandler(&out, nil), "-addr", "localhost:0", "-demo", "-config", file)
	require.NoError(t, err)
	s := prepared.(*idporten.Server)
	s.Sites.Close()
	require.Contains(t, out.String(), "client_id=a scope=slip reason=unknown")
	require.Contains(t, out.String(), "client_id=b scope=eksempel:x reason=no_access")
	require.Equal(t, 2, strings.Count(out.String(), "that will be rejected"), out.String())
}
