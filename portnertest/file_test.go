package portnertest_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/portnertest"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
)

// TestFile: each service starts from the configuration file of its stand-in, with the pages of the stand-in, and issues the tokens of its
// clients.
func TestFile(t *testing.T) {
	t.Parallel()
	all := services()
	for name, tt := range map[string]struct {
		token portnertest.Token
		login portnertest.Login
	}{
		"idporten":     {portnertest.Token{Scopes: []string{"eksempel:helse.read"}}, portnertest.Login{Scopes: []string{"eksempel:inntekt.read"}}},
		"maskinporten": {portnertest.Token{Scopes: []string{"skatt:inntekt.read"}}, portnertest.Login{}},
		"ansattporten": {portnertest.Token{}, portnertest.Login{Parameters: map[string]string{
			"authorization_details": `[{"type":"ansattporten:altinn:service","resource":"urn:altinn:resource:2480:40"}]`,
		}}},
		"helseid": {portnertest.Token{Scopes: []string{"nhn:sample/read"}, DPoP: portnertest.NewProver()}, portnertest.Login{Scopes: []string{"nhn:sample/read"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := all[name].start(t, portnertest.Config{File: "../docs/" + name + "-config.example.json"})
			require.NotEmpty(t, p.MintToken(t, tt.token))
			p.RotateKeys(t, true)
			if all[name].login {
				tokens := p.LogIn(t, tt.login)
				require.Equal(t, p.Issuer, tokens.Claims["iss"])
			}
		})
	}
}

// TestFileOfApp: an app logs in at the stand-in of a file. Its client accepts the redirect URI of the file at the port of the app, and its logout
// URIs follow. The strict checks apply.
func TestFileOfApp(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/idporten-config.example.json")
	require.NoError(t, err)
	text = []byte(strings.NewReplacer(`"skjema"`, `"app"`, "Xq1LmKz7YbRv3HtNs9WcGp6JdTf0UaEk", portnertest.ClientSecret).Replace(string(text)))
	file := filepath.Join(t.TempDir(), "idporten.json")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	for mistake, rules := range map[string][]string{"": nil, "acr": {"acr_unchecked"}, "front-channel": {"frontchannel_logout"}} {
		t.Run(mistake, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, rules, session(t, portnertest.Config{File: file}, mistake))
		})
	}
}

// TestFileProblems: a file with problems is refused, with the names of the members.
func TestFileProblems(t *testing.T) {
	t.Parallel()
	file := func(text string) string {
		name := filepath.Join(t.TempDir(), "idporten.json")
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		return name
	}
	for path, want := range map[string]string{
		file(`{"clients": [{"client_id": ""}], "colour": "red"}`): "colour", filepath.Join(t.TempDir(), "none.json"): "File: open",
		file(`{"clients": [], "clients": []}`): "clients: is given twice", file(`{"clients": [{"client_id": "a", "client_id": "b"}]}`): "clients[0].client_id: is given twice",
		file(`{} {}`): "unexpected text after the value", "../docs/maskinporten-config.example.json": "$schema: is that of maskinporten, and the server is idporten",
	} {
		r := &reports{TB: t}
		require.Panics(t, func() { portnertest.New(r, portnertest.Config{File: path}) })
		require.Len(t, r.fatal, 1)
		require.Contains(t, r.fatal[0], want)
	}
}

// TestFileOfAnEditor: a file may have what the programs accept: comments, and the mark that some editors write at its start.
func TestFileOfAnEditor(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "idporten.json")
	require.NoError(t, os.WriteFile(file, []byte("\ufeff{ // what follows is a client\n"+
		`"clients":[{"client_id":"app","client_orgno":"991825827","integration_type":"idporten","redirect_uris":["http://localhost/cb"]}]}`), 0o600))
	require.NotEmpty(t, portnertest.New(t, portnertest.Config{File: file}).Issuer)
}

// TestConfigProblems: a configuration with problems is refused, with the names of the fields.
func TestConfigProblems(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]portnertest.Config{
		"Allow":                        {Allow: []portnertest.Rule{"unknown"}},
		"Users[kari].ACR: \"high\" is": {Users: map[string]portnertest.User{"kari": {ACR: "high"}}},
		"Scopes[0].Name":               {Scopes: []scope.Scope{{}}},
		"Scopes[1].Name":               {Scopes: []scope.Scope{{Name: "a:b"}, {Name: "a:b"}}},
		"Clients[1].ClientID":          {Clients: []client.Client{{ClientID: "a"}, {ClientID: "a"}}},
		"Delegations[0].Supplier":      {Delegations: []portnertest.Delegation{{Consumer: portnertest.Organisation, Supplier: "1"}}},
		"Delegations: applies to":      {Delegations: []portnertest.Delegation{{}}},
		"Users[kari].PID":              {Users: map[string]portnertest.User{"kari": {PID: "123"}}},
		"Profile: is required":         {Profile: provider.Profile{AcceptLanguage: true}},
		"FrontchannelLogoutPath":       {FrontchannelLogoutPath: "logout"},
		"Users":                        {File: "../docs/idporten-config.example.json", Users: map[string]portnertest.User{}},
		"client_id":                    {Clients: []client.Client{{ClientID: "a b\n"}}},
	} {
		r := &reports{TB: t}
		require.Panics(t, func() { portnertest.New(r, cfg) })
		require.Len(t, r.fatal, 1)
		require.Contains(t, r.fatal[0], want)
	}
}

// TestArguments: an argument that means nothing at the service fails the test and is named.
func TestArguments(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*reports){
		`Browser: User: there is no user "per"`:   func(r *reports) { portnertest.New(r, portnertest.Config{}).Browser(r, portnertest.Login{User: "per"}) },
		`Browser: ACR: "high" is none of self`:    func(r *reports) { portnertest.New(r, portnertest.Config{}).Browser(r, portnertest.Login{ACR: "high"}) },
		"Browser: this service has no login":      func(r *reports) { portnertest.NewMaskinporten(r, portnertest.Config{}).Browser(r, portnertest.Login{}) },
		"EndSession: this service has no login":   func(r *reports) { portnertest.NewMaskinporten(r, portnertest.Config{}).EndSession(r, "kari") },
		`LogIn: ClientID: there is no client "x"`: func(r *reports) { portnertest.New(r, portnertest.Config{}).LogIn(r, portnertest.Login{ClientID: "x"}) },
		"LogIn: Scopes[0]: must be": func(r *reports) {
			portnertest.New(r, portnertest.Config{}).LogIn(r, portnertest.Login{Scopes: []string{"a b"}})
		},
		`MintToken: ClientID: there is no client "x"`: func(r *reports) {
			portnertest.New(r, portnertest.Config{}).MintToken(r, portnertest.Token{ClientID: "x"})
		},
		"MintToken: DPoP: is required": func(r *reports) { portnertest.NewHelseID(r, portnertest.Config{}).MintToken(r, portnertest.Token{}) },
		"this service are token, jwks, metadata": func(r *reports) {
			portnertest.NewMaskinporten(r, portnertest.Config{}).Fail("authorize", 1, portnertest.Slow)
		},
		"Config: Profile: applies to": func(r *reports) {
			portnertest.NewHelseID(r, portnertest.Config{Profile: provider.Profile{AcceptLanguage: true}})
		},
		"Config: FrontchannelLogoutPath: has no": func(r *reports) { portnertest.NewMaskinporten(r, portnertest.Config{FrontchannelLogoutPath: "/a"}) },
		"Config: BackchannelLogoutPath: has no": func(r *reports) {
			portnertest.NewMaskinporten(r, portnertest.Config{BackchannelLogoutPath: "/a"})
		},
		"n must be positive":                           func(r *reports) { portnertest.New(r, portnertest.Config{}).Fail("token", 0, portnertest.Slow) },
		"the fault is none of a response":              func(r *reports) { portnertest.New(r, portnertest.Config{}).Fail("token", 1, portnertest.ExpiredToken) },
		"Advance(-1ns): the clock":                     func(r *reports) { portnertest.New(r, portnertest.Config{}).Advance(-1) },
		"NewAltinn: trusted: at least":                 func(r *reports) { portnertest.NewAltinn(r, portnertest.Config{}) },
		"trusted: at least one provider is required, ": func(r *reports) { portnertest.NewAltinn(r, portnertest.Config{}, nil) },
	}
	for want, call := range tests {
		r := &reports{TB: t}
		require.Panics(t, func() { call(r) }, want)
		require.Len(t, r.fatal, 1, want)
		require.Contains(t, r.fatal[0], want)
	}
	op := portnertest.New(t, portnertest.Config{})
	for _, endpoint := range []string{"authorize", "par", "token", "userinfo", "introspect", "revoke", "logout", "jwks", "metadata"} {
		op.Fail(endpoint, 1, portnertest.Unavailable)
	}
	portnertest.NewAltinn(t, portnertest.Config{}, op).Fail("exchange", 1, portnertest.Unavailable)
}

// TestFileOfExchange: an Altinn of a file trusts the providers of the test.
func TestFileOfExchange(t *testing.T) {
	t.Parallel()
	mp := portnertest.NewMaskinporten(t, portnertest.Config{})
	p := portnertest.NewAltinn(t, portnertest.Config{File: "../docs/altinn-config.example.json"}, mp)
	require.NotEmpty(t, p.MintToken(t, portnertest.Token{Scopes: []string{"altinn:serviceowner"}}))
	status, _ := get(t, p.HTTP, p.Issuer+".well-known/openid-configuration")
	require.Equal(t, http.StatusOK, status)
}
