package admin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/internal/canary"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/standin/admin"
	"github.com/portner-go/portner/internal/standin/changes"
	"github.com/portner-go/portner/internal/standin/strictjson"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
)

var lists = []admin.List{
	admin.Clients(nil), admin.Scopes(), admin.ScopeAccess(), admin.Accounts(true, "acr"),
	admin.Other("delegations", 2, admin.Field{Member: "consumer_orgno"}, admin.Field{Member: "supplier_orgno"}, admin.Field{Member: "scopes", Kind: admin.Lines}),
}

// engine is a stand-in without endpoints: it decodes and validates what it is to apply as the others do.
type engine struct {
	file    string
	built   string // a built-in client
	current config
}

type config struct {
	Clients     []changes.Entry `json:"clients"`
	Scopes      []scope.Scope   `json:"scopes"`
	ScopeAccess []scope.Access  `json:"scope_access"`
	Users       []changes.Entry `json:"users"`
	Delegations []changes.Entry `json:"delegations"`
}

func (e *engine) apply(merge func([]byte) ([]byte, error)) error {
	text, err := merge([]byte(e.file))
	if err != nil {
		return err
	}
	var c config
	if err := strictjson.Decode(text, &c); err != nil {
		return err
	}
	var p fields.Checker
	for i, entry := range c.Clients {
		registered := changes.Entry{}
		for name, value := range entry {
			if name != "client_secret" {
				registered[name] = value
			}
		}
		var decoded client.Client
		err := decoded.UnmarshalJSON(encode(registered))
		if secret := entry.Text("client_secret"); secret != "" {
			made, _ := client.NewSecret(secret, time.Time{})
			decoded.Secrets = []client.Secret{made}
		}
		if err == nil {
			err = decoded.Validate(client.Environment{Test: true, BusinessCertificates: true})
		}
		for _, problem := range portner.FieldErrors(err) {
			p.Add(fmt.Sprintf("clients[%d].%s", i, problem.Field), problem.Err)
		}
	}
	_, err = scope.NewRegistry(c.Scopes, c.ScopeAccess)
	p.Join("", err)
	for i, u := range c.Users {
		p.Require(u.Text("pid") != "", fmt.Sprintf("users[%d].pid", i))
	}
	if err := p.Err(); err != nil {
		return fmt.Errorf("the file:\n%w", err)
	}
	if e.built != "" {
		c.Clients = append(c.Clients, changes.Entry{"client_id": encode(e.built), "client_secret": encode("a secret of the demo")})
	}
	e.current = c
	return nil
}

func (e *engine) entries(list string) any {
	return map[string]any{
		"clients": e.current.Clients, "scopes": e.current.Scopes, "scope_access": e.current.ScopeAccess, "users": e.current.Users, "delegations": e.current.Delegations,
	}[list]
}

func encode(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

// world is an administration.
type world struct {
	*testing.T

	engine   *engine
	refusals *admin.Refusals
	sessions *admin.Sessions
	handler  http.Handler
}

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newWorld(t *testing.T, store *memory.Store, change func(*admin.Config)) *world {
	t.Helper()
	w := &world{T: t, engine: &engine{file: "{}"}, refusals: admin.NewRefusals(), sessions: &admin.Sessions{Store: store}}
	watched := canary.Watch(t)
	watched.Keep(canary.Key, string(secret))
	log, err := changes.NewLog(store, "http://localhost:8080", secret)
	require.NoError(t, err)
	var merged []changes.List
	for _, l := range lists {
		merged = append(merged, l.List)
	}
	var keeper *changes.Keeper
	keeper, err = changes.Open(t.Context(), changes.KeeperConfig{
		Lists: merged, Log: log, Logger: slog.New(watched.Logger(slog.DiscardHandler)), Apply: func(context.Context) error { return w.engine.apply(keeper.Merge) },
	})
	require.NoError(t, err)
	require.NoError(t, keeper.Reload(t.Context()))
	cfg := admin.Config{
		Name: "ID-porten", Issuer: "http://localhost:8080", Base: "http://localhost:8090", Lists: lists, Entries: w.engine.entries, Keeper: keeper,
		Refusals: w.refusals, Sessions: w.sessions, Keys: func() []keyset.KeyState { return []keyset.KeyState{{KID: "one", Alg: "RS256"}} },
		Authorizations: granted{}, Look: http.NotFoundHandler(), Now: func() time.Time { return now },
	}
	if change != nil {
		change(&cfg)
	}
	handler, err := admin.New(cfg)
	require.NoError(t, err)
	w.handler = watched.Administration(handler)
	return w
}

var secret = portner.NewSecret()

// granted are the authorizations of kari.
type granted struct{}

func (granted) List(_ context.Context, username string, _ time.Time) ([]authorizations.Authorization, error) {
	if username != "kari" {
		return nil, storage.ErrNotFound
	}
	return []authorizations.Authorization{{ID: "handle", ClientID: "rp", ClientName: "Min tjeneste"}}, nil
}

func (granted) Revoke(_ context.Context, username, id string, _ time.Time) error {
	if username != "kari" || id != "handle" {
		return storage.ErrNotFound
	}
	return nil
}

// do sends a request and decodes the JSON of the response.
func (w *world) do(method, path, body string, header ...string) (*httptest.ResponseRecorder, map[string]any) {
	w.Helper()
	r := httptest.NewRequest(method, "http://localhost:8090"+path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	var decoded map[string]any
	_ = json.Unmarshal(rec.Body.Bytes(), &decoded)
	return rec, decoded
}

// ok sends a request that must succeed.
func (w *world) ok(status int, method, path, body string) map[string]any {
	w.Helper()
	rec, decoded := w.do(method, path, body)
	require.Equal(w, status, rec.Code, rec.Body.String())
	return decoded
}

func (w *world) listOf(path string) (all []map[string]any) {
	w.Helper()
	rec, _ := w.do("GET", path, "")
	require.Equal(w, 200, rec.Code, rec.Body.String())
	require.NoError(w, json.Unmarshal(rec.Body.Bytes(), &all))
	return all
}

// keySet returns the public keys of a client.
func keySet(t *testing.T) string {
	t.Helper()
	key, err := keyset.Generate("RS256")
	require.NoError(t, err)
	set, err := keyset.New(keyset.Config{Keys: []keyset.Key{key}})
	require.NoError(t, err)
	doc, _ := set.JWKS(time.Now())
	return string(doc)
}

// TestProvisioning follows a script for the self-service API: an owner makes a scope and gives a consumer access, and the consumer makes a
// client with the scope and registers its key.
func TestProvisioning(t *testing.T) {
	t.Parallel()
	store := memory.New()
	w := newWorld(t, store, nil)
	const api = "/api/v1"

	made := w.ok(201, "POST", api+"/scopes", `{"prefix":"nav","subscope":"test/api","description":"Test","allowed_integration_types":["maskinporten"],"owner_orgno":"974761076","visibility":"PUBLIC","token_type":"SELF_CONTAINED"}`)
	require.Equal(t, "2026-03-01T12:00:00Z", made["created"])
	access := w.ok(200, "PUT", api+"/scopes/access/991825827?scope=nav:test/api", "")
	require.Equal(t, map[string]any{"scope": "nav:test/api", "consumer_orgno": "991825827", "owner_orgno": "974761076", "state": "APPROVED"}, access)

	created := w.ok(201, "POST", api+"/clients", `{
		"access_token_lifetime": 3600, "application_type": "web", "authorization_lifetime": 0, "client_name": "Etaten", "client_orgno": "991825827", "description": "cluster:team:app",
		"frontchannel_logout_session_required": false, "grant_types": ["urn:ietf:params:oauth:grant-type:jwt-bearer"], "integration_type": "maskinporten",
		"scopes": ["nav:test/api"], "token_endpoint_auth_method": "private_key_jwt"}`)
	id := created["client_id"].(string)
	require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-4`, id)
	require.NotContains(t, created, "client_secret")
	keys := w.ok(200, "POST", api+"/clients/"+id+"/jwks", keySet(t))
	require.Len(t, keys["keys"], 1)
	require.Equal(t, keys["keys"], w.ok(200, "GET", api+"/clients/"+id+"/jwks", "")["keys"])

	update := w.ok(200, "GET", api+"/clients/"+id, "")
	update["description"] = "other"
	delete(update, "jwks")
	require.Equal(t, "other", w.ok(200, "PUT", api+"/clients/"+id, string(encode(update)))["description"])
	require.Len(t, w.ok(200, "GET", api+"/clients/"+id+"/jwks", "")["keys"], 1, "keys have a path of their own")

	restarted := newWorld(t, store, nil)
	require.Equal(t, "other", restarted.ok(200, "GET", "/clients/"+id, "")["description"])
	require.Equal(t, "APPROVED", restarted.listOf("/scopes/access?scope=nav:test/api")[0]["state"])
	require.Equal(t, "974761076", restarted.listOf("/scopes/access/all?accessible_for_all=true")[0]["owner_orgno"])
	require.Len(t, restarted.listOf("/external/api/v1/scopes/all"), 1)
}

// TestRemovedEntriesAreDeactivated: the self-service deletes nothing, hides inactive entries, and refuses to make them again.
func TestRemovedEntriesAreDeactivated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.New(), nil)
	w.ok(201, "POST", "/scopes", `{"name":"nav:a","description":"A"}`)
	require.Equal(t, false, w.ok(200, "DELETE", "/scopes?scope=nav:a", "")["active"])
	require.Empty(t, w.listOf("/scopes"))
	require.Len(t, w.listOf("/scopes?inactive=TRUE"), 1)
	w.ok(409, "POST", "/scopes", `{"name":"nav:a","description":"A"}`)
	require.Equal(t, true, w.ok(200, "PUT", "/scopes?scope=nav:a", `{"name":"nav:a","description":"again","active":true}`)["active"])
	require.Equal(t, "again", w.ok(200, "GET", "/scopes?scope=nav:a", "")["description"])

	w.ok(200, "PUT", "/scopes/access/991825827?scope=nav:a", "")
	require.Equal(t, "DENIED", w.ok(200, "DELETE", "/scopes/access/991825827?scope=nav:a", "")["state"])

	w.ok(201, "POST", "/clients", `{"client_id":"rp","redirect_uris":["http://localhost/cb"]}`)
	w.ok(204, "DELETE", "/clients/rp", "")
	require.Empty(t, w.listOf("/clients"))
	require.Equal(t, false, w.ok(200, "GET", "/clients/rp", "")["active"])

	w.ok(201, "POST", "/delegations", `{"consumer_orgno":"991825827","supplier_orgno":"974761076","scopes":["nav:a"]}`)
	require.Len(t, w.listOf("/delegations"), 1)
	w.ok(204, "DELETE", "/delegations/991825827%20974761076", "")
	require.Empty(t, w.listOf("/delegations?inactive=true"))
	w.ok(404, "DELETE", "/delegations/991825827%20974761076", "")
}

// TestCustomers: the customers of a supplier's client have paths of their own, and an update of the client keeps them.
func TestCustomers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.New(), nil)
	w.ok(201, "POST", "/clients", `{"client_id":"rp","client_orgno":"991825827","integration_type":"idporten","redirect_uris":["http://localhost/cb"]}`)
	require.Empty(t, w.listOf("/clients/rp/onbehalfof"))
	w.ok(201, "POST", "/clients/rp/onbehalfof", `{"onbehalfof":"kommunen","display_name":"Kommunen","orgno":"974761076"}`)
	w.ok(409, "POST", "/clients/rp/onbehalfof", `{"onbehalfof":"kommunen"}`)
	require.Equal(t, "onbehalfof[1].orgno", w.ok(400, "POST", "/clients/rp/onbehalfof", `{"onbehalfof":"fylket","display_name":"Fylket","orgno":"1"}`)["errors"].([]any)[0].(map[string]any)["fieldIdentifier"])
	w.ok(200, "PUT", "/clients/rp", `{"client_orgno":"991825827","redirect_uris":["http://localhost/other"]}`)
	require.Equal(t, "Kommunen", w.listOf("/clients/rp/onbehalfof")[0]["display_name"])
	w.ok(200, "PUT", "/clients/rp/onbehalfof/kommunen", `{"display_name":"Kommunen AS","orgno":"974761076"}`)
	require.Equal(t, "Kommunen AS", w.ok(200, "GET", "/clients/rp/onbehalfof/kommunen", "")["display_name"])
	w.ok(404, "PUT", "/clients/rp/onbehalfof/fylket", `{}`)
	w.ok(404, "GET", "/clients/none/onbehalfof/kommunen", "")
	w.ok(204, "DELETE", "/clients/rp/onbehalfof/kommunen", "")
	w.ok(404, "DELETE", "/clients/rp/onbehalfof/kommunen", "")
	require.Empty(t, w.listOf("/clients/rp/onbehalfof"))
}

// TestSecretsAreShownOnce: a secret is in the response to the request that made it, and an update without it keeps it.
func TestSecretsAreShownOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.New(), nil)
	created := w.ok(201, "POST", "/clients", `{"client_id":"rp","redirect_uris":["http://localhost/cb"]}`)
	first := created["client_secret"].(string)
	require.Len(t, first, 43)
	require.NotContains(t, w.ok(200, "GET", "/clients/rp", ""), "client_secret")
	require.NotContains(t, w.listOf("/clients")[0], "client_secret")
	require.NotContains(t, w.ok(200, "PUT", "/clients/rp", `{"redirect_uris":["http://localhost/cb2"]}`), "client_secret")
	require.Equal(t, first, w.engine.current.Clients[0].Text("client_secret"))

	second := w.ok(200, "POST", "/clients/rp/secret", "")["client_secret"].(string)
	require.NotEqual(t, first, second)
	require.Equal(t, second, w.engine.current.Clients[0].Text("client_secret"))
	w.ok(200, "PUT", "/clients/rp", `{"application_type":"browser","token_endpoint_auth_method":"none","redirect_uris":["http://localhost/cb2"]}`)
	require.NotContains(t, w.engine.current.Clients[0], "client_secret", "a client without a secret has none")
	w.ok(400, "POST", "/clients/rp/secret", "")

	w.ok(201, "POST", "/users", `{"username":"kari","password":"passord","pid":"21879498012"}`)
	require.Equal(t, map[string]any{"username": "kari", "pid": "21879498012"}, w.ok(200, "GET", "/users/kari", ""))
	w.ok(200, "PUT", "/users/kari", `{"pid":"21879498012","acr":"idporten-loa-high"}`)
	require.Equal(t, "passord", w.engine.current.Users[0].Text("password"))
}

// TestRefusedChanges: a change passes the checks of the configuration file, and the response names every member that does not.
func TestRefusedChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.New(), nil)
	w.engine.built = "demo"
	w.ok(201, "POST", "/clients", `{"client_id":"rp","redirect_uris":["http://localhost/cb"],"integration_type":"","client_name":"RP"}`)
	before := string(encode(w.engine.current))
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		fields             []string // in this order
	}{
		"every problem of an entry":     {"POST", "/clients", `{"client_id":"new","redirect_uris":["http://localhost/#f"],"scopes":["A B"],"refresh_token_usage":"x"}`, 400, []string{"scopes[0]", "redirect_uris[0]", "refresh_token_usage"}},
		"an unknown member":             {"PUT", "/clients/rp", `{"redirect_uris":["http://localhost/cb"],"redirect_uri":"x"}`, 400, []string{"redirect_uri"}},
		"another key":                   {"PUT", "/clients/rp", `{"client_id":"other","redirect_uris":["http://localhost/cb"]}`, 400, []string{"client_id"}},
		"a member that does not change": {"PUT", "/clients/rp", `{"integration_type":"idporten","redirect_uris":["http://localhost/cb"]}`, 400, []string{"integration_type"}},
		"keys that are no keys":         {"PUT", "/clients/rp/jwks", `{"keys":[{"kty":"RSA"}]}`, 400, []string{"jwks"}},
		"a scope without a name":        {"POST", "/scopes", `{"description":"x"}`, 400, []string{"name"}},
		"an access to no scope":         {"PUT", "/scopes/access/991825827?scope=nav:none", "", 400, []string{"scope"}},
		"an access of no organisation":  {"PUT", "/scopes/access/123?scope=nav:none", "", 400, []string{"scope", "consumer_orgno"}},
		"an access without a scope":     {"PUT", "/scopes/access/991825827", "", 400, []string{"scope"}},
		"an access to two scopes":       {"PUT", "/scopes/access/991825827?scope=nav:a&scope=nav:b", "", 400, []string{"scope"}},
		"no scope to replace":           {"PUT", "/scopes", `{"description":"x"}`, 400, []string{"scope"}},
		"two scopes to replace":         {"PUT", "/scopes?scope=nav:a&scope=nav:b", `{"description":"x"}`, 400, []string{"scope"}},
		"no scope to remove":            {"DELETE", "/scopes?scope=", "", 400, []string{"scope"}},
		"two scopes to read":            {"GET", "/scopes?scope=nav:a&scope=nav:b", "", 400, []string{"scope"}},
		"a malformed scope to read":     {"GET", "/scopes?scope=%zz", "", 400, []string{"scope"}},
		"the access of a malformed one": {"GET", "/scopes/access?scope=%zz", "", 400, []string{"scope"}},
		"the access of two scopes":      {"GET", "/scopes/access?scope=nav:a&scope=nav:b", "", 400, []string{"scope"}},
		"a scope that does not exist":   {"PUT", "/scopes?scope=nav:none", `{"description":"x"}`, 404, nil},
		"a user without a number":       {"POST", "/users", `{"username":"kari"}`, 400, []string{"pid"}},
		"an entry that exists":          {"POST", "/clients", `{"client_id":"rp"}`, 409, []string{"client_id"}},
		"a repeated member":             {"POST", "/clients", `{"client_id":"a","client_id":"b"}`, 400, []string{""}},
		"no object":                     {"POST", "/clients", `[]`, 400, []string{""}},
		"no client":                     {"PUT", "/clients/none", `{}`, 404, nil},
		"no client for keys":            {"GET", "/clients/none/jwks", "", 404, nil},
		"too much":                      {"POST", "/clients", `{"client_id":"` + strings.Repeat("a", 1<<20) + `"}`, 413, []string{""}},
	} {
		t.Run(name, func(t *testing.T) {
			rec, body := w.do(c.method, c.path, c.body)
			require.Equal(t, c.status, rec.Code, rec.Body.String())
			require.Equal(t, float64(c.status), body["status"])
			var found []string
			for _, e := range body["errors"].([]any) {
				found = append(found, e.(map[string]any)["fieldIdentifier"].(string))
			}
			require.Equal(t, c.fields, found, rec.Body.String())
		})
	}
	require.Equal(t, before, string(encode(w.engine.current)))
}

// TestUnrouted: a path or a method that does not exist is an error in the form of every other.
func TestUnrouted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.New(), nil)
	for _, c := range []struct {
		method, path string
		status       int
		code, allow  string
	}{
		{"GET", "/client", 404, "not_found", ""},
		{"GET", "/clients/rp/none", 404, "not_found", ""},
		{"POST", "/api/v2/clients", 404, "not_found", ""},
		{"HEAD", "/client", 404, "not_found", ""},
		{"PATCH", "/clients", 405, "invalid_request", "GET, HEAD, POST"},
		{"DELETE", "/external/api/v1/clients", 405, "invalid_request", "GET, HEAD, POST"},
		{"POST", "/clients/rp", 405, "invalid_request", "DELETE, GET, HEAD, PUT"},
		{"PUT", "/page/discard", 405, "invalid_request", "POST"},
	} {
		rec, body := w.do(c.method, c.path, "")
		name := c.method + " " + c.path
		require.Equal(t, c.status, rec.Code, name)
		require.Equal(t, "application/json", rec.Header().Get("Content-Type"), name)
		require.Equal(t, c.allow, rec.Header().Get("Allow"), name)
		require.Equal(t, c.code, body["error"], name)
		require.Equal(t, float64(c.status), body["status"], name)
		require.Empty(t, body["errors"], name)
		require.NotEmpty(t, body["error_description"], name)
		require.NotEmpty(t, body["correlation_id"], name)
	}
	rec, _ := w.do("GET", "//clients", "")
	require.Equal(t, "/clients", rec.Header().Get("Location"), "a redirect is none of these errors")
}

// TestOtherPagesAreRejected: a page of another site can neither change nor read anything, whatever the browser lets it send.
func TestOtherPagesAreRejected(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.New(), nil)
	const body = `{"client_id":"evil","redirect_uris":["http://localhost/cb"]}`
	for name, c := range map[string]struct {
		method, path string
		header       []string
		status       int
	}{
		"a program":                            {"POST", "/clients", nil, 201},
		"a form of another site":               {"POST", "/clients", []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site", "Content-Type", "text/plain"}, 403},
		"a form of another port":               {"POST", "/page/list/clients/save", []string{"Origin", "http://localhost:8080", "Sec-Fetch-Site", "same-site"}, 403},
		"an old browser":                       {"POST", "/clients", []string{"Origin", "https://evil.example"}, 403},
		"a document without an origin":         {"DELETE", "/changes", []string{"Origin", "null"}, 403},
		"an old browser that reads":            {"GET", "/clients", []string{"Origin", "https://evil.example"}, 403},
		"an old browser at another port":       {"GET", "/clients", []string{"Origin", "http://localhost:8080"}, 403},
		"a reading document without an origin": {"GET", "/clients", []string{"Origin", "null"}, 403},
		"an old browser at this origin":        {"GET", "/clients", []string{"Origin", "http://localhost:8090"}, 200},
		"a script of another site":             {"GET", "/clients", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "script"}, 403},
		"a script of another port":             {"GET", "/clients", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "script"}, 403},
		"a frame of another port":              {"GET", "/", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 403},
		"a frame of another site":              {"GET", "/", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 403},
		"a link of another site":               {"GET", "/", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 200},
		"an address that the user has entered": {"GET", "/", []string{"Sec-Fetch-Site", "none"}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			rec, _ := w.do(c.method, c.path, body, c.header...)
			require.Equal(t, c.status, rec.Code, rec.Body.String())
			require.Empty(t, rec.Header().Get("Access-Control-Allow-Origin"))
		})
	}
}

func TestSecretIsRequired(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.New(), func(c *admin.Config) { c.Secret = portner.Secret("a-secret-of-the-administration") })
	for name, c := range map[string]struct {
		header []string
		status int
	}{
		"none":              {nil, 401},
		"another one":       {[]string{"Authorization", "Bearer a-secret-of-the-administratioN"}, 401},
		"a prefix of it":    {[]string{"Authorization", "Bearer a-secret-of-the"}, 401},
		"an empty one":      {[]string{"Authorization", "Bearer "}, 401},
		"as bearer token":   {[]string{"Authorization", "Bearer a-secret-of-the-administration"}, 200},
		"as password":       {[]string{"Authorization", "Basic YW55OmEtc2VjcmV0LW9mLXRoZS1hZG1pbmlzdHJhdGlvbg=="}, 200},
		"as another scheme": {[]string{"Authorization", "Digest a-secret-of-the-administration"}, 401},
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{"/clients", "/", "/page/refusals"} {
				rec, _ := w.do("GET", path, "", append(c.header, "Accept", "text/html")...)
				require.Equal(t, c.status, rec.Code)
				if c.status == 401 {
					require.Contains(t, rec.Header().Values("WWW-Authenticate"), `Basic realm="portner administration", charset="UTF-8"`)
				}
			}
		})
	}
	_, err := admin.New(admin.Config{Secret: portner.Secret("short")})
	var named []string
	for _, e := range portner.FieldErrors(err) {
		named = append(named, e.Field)
	}
	require.Equal(t, []string{"Name", "Issuer", "Base", "Lists", "Entries", "Keeper", "Refusals", "Keys", "Look", "Secret"}, named)
}

func event(i int, at time.Time) portner.Event {
	return portner.Event{Name: portner.EventRefused, Time: at, CorrelationID: fmt.Sprintf("corr-%d", i), Endpoint: "authorize", Reason: "code_challenge"}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.New(), nil)
	w.ok(201, "POST", "/clients", `{"client_id":"rp","redirect_uris":["http://localhost/cb"]}`)
	w.refusals.Observe(t.Context(), event(0, now.Add(-12*time.Hour)))
	w.refusals.Observe(t.Context(), portner.Event{Name: portner.EventTokenIssued, Time: now})
	w.refusals.Observe(t.Context(), portner.Event{
		Name: portner.EventRedirectMismatch, Time: now, CorrelationID: "abc", Endpoint: "authorize", ClientID: "rp", Reason: "redirect_uri_mismatch",
		Explanation: portner.Explanation{Parameter: "redirect_uri", Received: "http://localhost/<b>", Expected: "http://localhost/cb", Property: "redirect_uris"},
	})
	require.Equal(t, []map[string]any{{
		"time": "2026-03-01T12:00:00Z", "event": "sec.redirect_mismatch", "correlation_id": "abc", "endpoint": "authorize", "client_id": "rp", "reason": "redirect_uri_mismatch",
		"parameter": "redirect_uri", "received": "http://localhost/<b>", "expected": "http://localhost/cb", "property": "redirect_uris",
	}}, w.listOf("/refusals"))

	rec, _ := w.do("GET", "/page/refusals", "")
	require.Contains(t, rec.Body.String(), `<dd class="received">http://localhost/&lt;b&gt;</dd>`)
	require.Contains(t, rec.Body.String(), `href="/page/list/clients/edit?key=rp&amp;refusal=abc#f-redirect_uris"`)
	rec, _ = w.do("GET", "/page/list/clients/edit?key=rp&refusal=abc", "")
	require.Contains(t, rec.Body.String(), "http://localhost/cb\nhttp://localhost/&lt;b&gt;</textarea>")

	for i := range 700 {
		w.refusals.Observe(t.Context(), event(i, now))
	}
	list := w.listOf("/refusals")
	require.Len(t, list, 500)
	require.Equal(t, "corr-699", list[0]["correlation_id"])
	require.Equal(t, "corr-200", list[499]["correlation_id"])
}

func TestSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.New(), nil)
	var ended []string
	w.sessions.Ended = func(_ context.Context, s storage.Session, _ time.Time) { ended = append(ended, s.ID) }
	s := storage.Session{
		Hash: storage.Hash{1}, ID: "one", UserKey: storage.Hash{9}, StartedAt: now, LastRequestAt: now, ExpiresAt: now.Add(time.Hour),
		Circles: []storage.Circle{{ACR: "idporten-loa-high"}}, Clients: []storage.SessionClient{{ClientID: "rp"}},
	}
	_, err := w.sessions.ReplaceSession(t.Context(), storage.Hash{}, s, 0, now)
	require.NoError(t, err)
	require.Equal(t, []map[string]any{{
		"id": "one", "started_at": "2026-03-01T12:00:00Z", "expires_at": "2026-03-01T13:00:00Z", "acr": []any{"idporten-loa-high"}, "clients": []any{"rp"},
	}}, w.listOf("/sessions"))
	w.ok(404, "DELETE", "/sessions/two", "")
	w.ok(204, "DELETE", "/sessions/one", "")
	require.Empty(t, w.listOf("/sessions"))
	require.Equal(t, []string{"one"}, ended)
	_, err = w.sessions.Session(t.Context(), s.Hash, now)
	require.ErrorIs(t, err, storage.ErrNotFound)

	for i := range 1200 {
		s.Hash, s.ID, s.StartedAt = storage.Hash{2, byte(i), byte(i >> 8)}, fmt.Sprint(i), now.Add(time.Duration(i)*time.Second)
		s.UserKey = s.Hash
		_, err := w.sessions.ReplaceSession(t.Context(), storage.Hash{}, s, 0, now)
		require.NoError(t, err)
	}
	require.Len(t, w.listOf("/sessions"), 1000)
}

func TestState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.New(), nil)
	require.Equal(t, "one", w.listOf("/keys")[0]["kid"])
	require.Equal(t, "handle", w.listOf("/users/kari/authorizations")[0]["authorization_id"])
	w.ok(404, "GET", "/users/ola/authorizations", "")
	w.ok(404, "DELETE", "/users/kari/authorizations/other", "")
	w.ok(204, "DELETE", "/users/kari/authorizations/handle", "")

	w.ok(201, "POST", "/users", `{"username":"kari","pid":"1"}`)
	w.ok(201, "POST", "/clients", `{"client_id":"rp","redirect_uris":["http://localhost/cb"]}`)
	require.Equal(t, map[string]any{"users": []any{"kari"}, "clients": []any{"rp"}}, w.ok(200, "GET", "/changes", ""))
	w.ok(204, "DELETE", "/changes", "")
	require.Empty(t, w.ok(200, "GET", "/changes", ""))
	require.Empty(t, w.listOf("/clients"))
}

// TestPages: every page answers in both languages, and a form that is not saved has what was entered and why.
func TestPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.New(), nil)
	w.ok(201, "POST", "/users", `{"username":"kari","pid":"1","password":"canary"}`)
	for _, path := range []string{"/", "/page/refusals", "/page/list/clients", "/page/list/clients/edit", "/page/list/delegations/edit", "/page/list/users/edit?key=kari", "/page/list/clients/edit?client_id=new"} {
		for lang, text := range map[string]string{"nb": "Hopp til innholdet", "en": "Skip to the content"} {
			rec, _ := w.do("GET", path, "", "Cookie", httpx.LanguageCookie+"="+lang)
			require.Equal(t, 200, rec.Code, path)
			require.NotContains(t, rec.Body.String(), "canary")
			require.Contains(t, rec.Body.String(), text)
		}
	}
	post := func(path, form string) *httptest.ResponseRecorder {
		rec, _ := w.do("POST", path, form, "Content-Type", "application/x-www-form-urlencoded", "Origin", "http://localhost:8090", "Sec-Fetch-Site", "same-origin")
		return rec
	}
	rec := post("/page/list/clients/save", "client_id=rp&redirect_uris=http://localhost/%23x&active=true&rest=%7B%22access_token_lifetime%22:-1%7D")
	require.Equal(t, 400, rec.Code)
	for _, part := range []string{"redirect_uris[0]: ", "access_token_lifetime: ", "http://localhost/#x</textarea>", "&#34;access_token_lifetime&#34;:-1"} {
		require.Contains(t, rec.Body.String(), part)
	}
	rec = post("/page/list/clients/save", "client_id=rp&redirect_uris=http://localhost/x%0D%0Ahttp://localhost/y&active=true")
	require.Equal(t, 200, rec.Code, rec.Body.String())
	made := w.engine.current.Clients[0]
	require.JSONEq(t, `["http://localhost/x","http://localhost/y"]`, string(made["redirect_uris"]))
	require.Contains(t, rec.Body.String(), `id="new-secret">`+made.Text("client_secret"))

	rec = post("/page/list/clients/save", "key=rp&client_id=rp&redirect_uris=http://localhost/z")
	require.Equal(t, 303, rec.Code, rec.Body.String())
	require.Equal(t, "/page/list/clients?saved=rp", rec.Header().Get("Location"))
	require.Equal(t, "false", string(w.engine.current.Clients[0]["active"]))
	require.Equal(t, made.Text("client_secret"), w.engine.current.Clients[0].Text("client_secret"))

	rec = post("/page/language", "lang=en&return=//evil.example/")
	require.Equal(t, 400, rec.Code)
	rec = post("/page/language", "lang=en&return=/page/list/clients")
	require.Equal(t, "/page/list/clients", rec.Header().Get("Location"))
	require.Equal(t, 303, post("/page/authorizations/revoke", "user=kari&id=handle").Code)
	require.Equal(t, 303, post("/page/list/clients/remove", "key=rp").Code)
	require.Equal(t, 303, post("/page/discard", "").Code)
	require.Equal(t, 404, post("/page/list/none/save", "").Code)
}

// TestListsHaveTexts: a list whose name or field has no text in a language is an error of the program.
func TestListsHaveTexts(t *testing.T) {
	t.Parallel()
	for _, l := range []admin.List{admin.Other("things", 1, admin.Field{Member: "id"}), admin.Other("systems", 1, admin.Field{Member: "id"}, admin.Field{Member: "thing"})} {
		_, err := admin.New(admin.Config{Lists: []admin.List{admin.Clients(nil), l}})
		require.ErrorContains(t, err, "Lists[1]: has no text in a language for "+l.Member)
		require.NotContains(t, err.Error(), "Lists[0]")
	}
}

// TestIntegrationTypes: the form has every type that a configuration can have.
func TestIntegrationTypes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/idporten-config.schema.json")
	require.NoError(t, err)
	var schema struct {
		Defs map[string]struct {
			Properties map[string]struct {
				Enum []string `json:"enum"`
			} `json:"properties"`
		} `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(text, &schema))
	fields := admin.Clients(nil).Fields
	i := slices.IndexFunc(fields, func(f admin.Field) bool { return f.Member == "integration_type" })
	require.ElementsMatch(t, append(schema.Defs["client"].Properties["integration_type"].Enum, ""), fields[i].Options)
}
