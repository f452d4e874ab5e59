package main

import (
	"encoding/json"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/examples/internal/standin"
	"github.com/portner-go/portner/scope"
)

const (
	schemaFile  = "../../docs/idporten-config.schema.json"
	exampleFile = "../../docs/idporten-config.example.json"
)

// compiled checks the schema against its meta-schema (draft 2020-12) too.
func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	s, err := c.Compile(schemaFile)
	require.NoError(t, err)
	require.Equal(t, 2020, s.DraftVersion)
	return s
}

func valid(t *testing.T, s *jsonschema.Schema, document string) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(document))
	require.NoError(t, err)
	return s.Validate(doc)
}

// node is one object of the schema's own JSON.
type node map[string]any

func (n node) child(name string) node {
	c, _ := n[name].(map[string]any)
	return c
}

// TestSchemaAndStructsAgree: every member that is read is described, every member described is read, with
// the same kind of value, and nothing else is allowed.
func TestSchemaAndStructsAgree(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(schemaFile)
	require.NoError(t, err)
	var root node
	require.NoError(t, json.Unmarshal(data, &root))
	seen := 0
	var compare func(path string, n node, typ reflect.Type)
	compare = func(path string, n node, typ reflect.Type) {
		if ref, ok := n["$ref"].(string); ok {
			n = root.child("$defs").child(strings.TrimPrefix(ref, "#/$defs/"))
		}
		seen++
		require.NotEmpty(t, n["description"], "%s has no description", path)
		for typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if kind := schemaKind(typ); n["oneOf"] == nil {
			require.Equal(t, kind, n["type"], path)
		}
		switch {
		case typ.Kind() == reflect.Slice && n["type"] == "array" && typ.Elem().Kind() != reflect.String:
			compare(path+"[]", n.child("items"), typ.Elem())
		case typ.Kind() == reflect.Struct && n["type"] == "object":
			fields := tagged(typ)
			require.ElementsMatch(t, slices.Collect(maps.Keys(fields)), slices.Collect(maps.Keys(n.child("properties"))), path)
			require.Equal(t, false, n["additionalProperties"], path)
			for name, ft := range fields {
				compare(strings.TrimPrefix(path+"."+name, "."), n.child("properties").child(name), ft)
			}
		}
	}
	compare("", root, reflect.TypeFor[config]())
	require.Greater(t, seen, 100)

	claims := root.child("$defs").child("user").child("properties").child("claims")
	require.ElementsMatch(t, slices.Collect(maps.Keys(claimKinds)), slices.Collect(maps.Keys(claims.child("properties"))))
	require.ElementsMatch(t, addressMembers, slices.Collect(maps.Keys(claims.child("properties").child("address").child("properties"))))
}

// tagged are the members a struct reads, with the types of their values.
func tagged(typ reflect.Type) map[string]reflect.Type {
	all := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(typ) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.Anonymous && name != "" && name != "-" {
			all[name] = f.Type
		}
	}
	if typ == reflect.TypeFor[scope.Scope]() {
		for _, name := range standin.ScopeMembers {
			all[name] = reflect.TypeFor[string]()
		}
		all["active"] = reflect.TypeFor[bool]()
	}
	if typ == reflect.TypeFor[standin.ClientEntry]() {
		for _, name := range standin.StoreMembers {
			delete(all, name)
		}
		all["active"] = reflect.TypeFor[bool]()
	}
	return all
}

func schemaKind(typ reflect.Type) string {
	switch {
	case typ == reflect.TypeFor[json.RawMessage]():
		return "object"
	case typ.Kind() == reflect.Struct && typ.PkgPath() == "time":
		return "string"
	}
	return map[reflect.Kind]string{
		reflect.String: "string", reflect.Bool: "boolean", reflect.Int: "integer",
		reflect.Slice: "array", reflect.Struct: "object", reflect.Map: "object",
	}[typ.Kind()]
}

func TestExampleFile(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(exampleFile)
	require.NoError(t, err)
	require.NoError(t, valid(t, compiled(t), string(data)))
	s := start(t, "-config", exampleFile, "-issuer", "", "-demo=false")
	require.Equal(t, "http://localhost:8080", s.issuer)
	require.Equal(t, []string{"datatilbyder"}, s.cfg.Scopes[0].EnforcedAudForIntrospection, "one string is a list of one")
	start(t, "-config", exampleFile) // and beside the demo
}

// TestAnnotatedExample keeps the JSON of the document in step: it is the example file, member by member.
func TestAnnotatedExample(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/idporten-config.md")
	require.NoError(t, err)
	data, err := os.ReadFile(schemaFile)
	require.NoError(t, err)
	blocks := strings.Split(string(doc), "```json\n")[1:]
	require.NotEmpty(t, blocks)
	s := compiled(t)
	for _, b := range blocks {
		text, _, _ := strings.Cut(b, "```")
		require.NoError(t, valid(t, s, text), text)
		_, err := readConfig(write(t, text), true)
		require.NoError(t, err, text)
	}
	var root node
	require.NoError(t, json.Unmarshal(data, &root))
	for name := range root.child("properties") {
		require.Contains(t, string(doc), "`"+name+"`", "the document does not mention %s", name)
	}
}

// write puts a configuration into a file of its own.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.json")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// TestMistakes: everything at once, each with its path. What the server refuses by kind or name, the schema
// refuses too.
func TestMistakes(t *testing.T) {
	t.Parallel()
	schema := compiled(t)
	for name, c := range map[string]struct {
		in       string
		want     []string
		noSchema bool // what a schema cannot see
	}{
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
			},
		},
		"kinds": {
			in:   `{"clients":[{"client_id":1,"scopes":"openid"}],"test_login":"yes","scopes":[{"name":"a:b","at_max_age":"3"}]}`,
			want: []string{"clients[0].client_id: must be a string", "clients[0].scopes: must be a list", "test_login: must be a boolean", `scopes[0]: scope "a:b": at_max_age: cannot unmarshal string`},
		},
		"values": {
			in: `{"profile":"oidc","clients":[{"client_id":"a","integration_type":"idporten","client_orgno":"123"},{"client_id":"b","client_secret":"x","redirect_uris":["ftp://x/","http://localhost:1/cb"]},{"client_id":"b","client_secret":"æ","redirect_uris":["http://localhost:1/cb"]}],
			     "users":[{"username":"u","password":"p","pid":"12345678901","acr":"high"},{"username":"u","password":"","claims":{"email":1,"shoe_size":2,"address":{"planet":"x"}}},{"username":"e","password":"p","acr":"selfregistered-email"}],
			     "scopes":[{"name":"a:b","requires_user_consent":true},{"name":"a:c"},{"name":"a:c"}],"scope_access":[{"scope":"no:such","consumer_orgno":"991825827","state":"APPROVED"}],"session":{"max":-1}}`,
			want: []string{
				`profile: "oidc" is neither idporten nor openid`, "clients[0].client_orgno: must be nine digits", "clients[0].client_secret: is required", "clients[0].redirect_uris: at least one is required",
				"clients[1].redirect_uris[0]: ", `clients[2].client_id: "b" occurs twice`, "clients[2].client_secret: must be 1 to 512 printable ASCII characters",
				"users[0].pid: must be a national identity number: ", `users[0].acr: "high" is none of`, `users[1].username: "u" occurs twice`, "users[1].password: is required",
				"users[1].claims.email: must be a string", "users[1].claims.shoe_size: is not a standard claim", "users[1].claims.address.planet: is not a member", "users[2].claims.email: is required",
				`scopes[0].description: scope "a:b": is required with`, `scopes[2].name: scope "a:c": is repeated`, `access[0].scope: scope "no:such": has no record`, "session.max: must be 0 (the default) to ",
			},
		},
		"given twice": {in: `{"users":[],"users":[]}`, want: []string{"users: is given twice"}, noSchema: true},
		"not JSON":    {in: "{\n\"users\": [,]}", want: []string{"line 2:"}, noSchema: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := write(t, c.in)
			_, err := readConfig(path, false)
			require.ErrorContains(t, err, path)
			lines := strings.Split(err.Error(), "\n")
			for _, want := range c.want {
				require.True(t, slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, want) }), "%q is not among\n%s", want, err)
			}
			require.Len(t, lines, 1+len(c.want), "more than that:\n%s", err)
			require.NotContains(t, err.Error(), "12345678901", "a number of a person")
			if !c.noSchema {
				require.Error(t, valid(t, schema, c.in))
			}
		})
	}
	_, err := readConfig(filepath.Join(t.TempDir(), "none.json"), false)
	require.ErrorContains(t, err, "none.json")
}

// TestOwnRecordsReplace: what a configuration declares itself stands in for the profile's and the demo's.
func TestOwnRecordsReplace(t *testing.T) {
	t.Parallel()
	s := start(t, "-config", write(t, `{"profile":"openid",
		"scopes":[{"name":"email","description":"Min tekst","accessible_for_all":true,"requires_user_consent":true},{"prefix":"demo","subscope":"inntekt.read","description":"Annen"}],
		"scope_access":[{"scope":"demo:inntekt.read","consumer_orgno":"991825827","state":"DENIED"}],
		"clients":[{"client_id":"min-tjeneste","client_secret":"egen","client_name":"Egen","redirect_uris":["http://localhost:1/cb"]}]}`))
	r, err := s.cfg.scopeRegistry()
	require.NoError(t, err)
	require.True(t, r.Scope("email").RequiresUserConsent)
	require.NotNil(t, r.Scope("phone"), "the profile's others are still there")
	require.Equal(t, "Annen", r.Scope("demo:inntekt.read").Description)
	require.Equal(t, scope.Denied, r.Access("demo:inntekt.read", serviceOrg))
	clients, err := s.cfg.ClientRegistry(environment, now())
	require.NoError(t, err)
	c, err := clients.Client(t.Context(), "min-tjeneste")
	require.NoError(t, err)
	require.Equal(t, "Egen", c.ClientName)
	require.Len(t, s.users.entries, 3, "without users of its own, those of the demo")
}

// TestSecrets: what looks random is taken as such, what somebody chose is taken too.
func TestSecrets(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"kort", client.GenerateSecret()} {
		c, err := standin.ClientEntry{Client: client.Client{ClientID: "x"}, ClientSecret: secret}.Registration(now())
		require.NoError(t, err)
		require.Len(t, c.Secrets, 1)
	}
	_, err := standin.ClientEntry{ClientSecret: "æøå"}.Registration(now())
	require.Error(t, err)
}

// TestWarnScopes: a slip of the pen in a client's scopes is told at the start.
func TestWarnScopes(t *testing.T) {
	t.Parallel()
	file := write(t, `{
		"clients": [
			{"client_id":"a","client_secret":"s","client_orgno":"991825827","scopes":["openid","slip"],"redirect_uris":["http://localhost/cb"]},
			{"client_id":"b","client_secret":"s","client_orgno":"974761076","scopes":["eksempel:x"],"redirect_uris":["http://localhost/cb"]},
			{"client_id":"c","client_secret":"s","scopes":["slip"],"redirect_uris":["http://localhost/cb"],"active":false}],
		"scopes": [{"name":"eksempel:x","owner_orgno":"991825827"}]}`)
	var out syncBuffer
	prepared, err := new(options).command().Prepare([]string{"-addr", "localhost:0", "-config", file}, slog.New(slog.NewTextHandler(&out, nil)))
	require.NoError(t, err)
	s := prepared.(*server)
	s.sites.Close()
	require.Contains(t, out.String(), "client_id=a scope=slip reason=unknown")
	require.Contains(t, out.String(), "client_id=b scope=eksempel:x reason=no_access")
	require.Equal(t, 2, strings.Count(out.String(), "that will be rejected"), out.String())
}
