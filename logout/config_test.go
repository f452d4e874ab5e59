package logout_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/logout"
	"github.com/portner-go/portner/session"
)

// validConfig returns a configuration without problems.
func validConfig(t *testing.T) logout.Config {
	t.Helper()
	w := newWorld(t)
	return logout.Config{
		Issuer: issuer, URL: endpoint, Sessions: w.keeper, Clients: w, Keys: w.keys, Subject: w.subject,
		Secrets: []portner.Secret{portner.NewSecret()}, Locales: []string{"nb"},
	}
}

// TestNew: each broken field is reported by its name, alone and together with all others.
func TestNew(t *testing.T) {
	t.Parallel()
	broken := map[string]func(*logout.Config){
		"Issuer":     func(c *logout.Config) { c.Issuer = "op.example" },
		"URL":        func(c *logout.Config) { c.URL = "https://op.example/logout?x" },
		"Sessions":   func(c *logout.Config) { c.Sessions = nil },
		"Clients":    func(c *logout.Config) { c.Clients = nil },
		"Keys":       func(c *logout.Config) { c.Keys = nil },
		"Subject":    func(c *logout.Config) { c.Subject = nil },
		"Secrets[1]": func(c *logout.Config) { c.Secrets = append(c.Secrets, portner.Secret("short")) },
		"Locales[0]": func(c *logout.Config) { c.Locales = []string{""} },
	}
	_, err := logout.New(validConfig(t))
	require.NoError(t, err)
	all := validConfig(t)
	var want []string
	for field, breakIt := range broken {
		cfg := validConfig(t)
		breakIt(&cfg)
		_, err := logout.New(cfg)
		require.Equal(t, []string{field}, fields.Names(err), field)
		breakIt(&all)
		want = append(want, field)
	}
	_, err = logout.New(all)
	require.ElementsMatch(t, want, fields.Names(err))
	_, err = logout.New(logout.Config{})
	require.ElementsMatch(t, []string{"Issuer", "URL", "Sessions", "Clients", "Keys", "Subject", "Secrets"}, fields.Names(err))
}

// TestLogoutCore: the core returns values and leaves the response to its caller.
func TestLogoutCore(t *testing.T) {
	t.Parallel()
	b := newWorld(t).login("kari", "a")
	request := func(query string) logout.Request {
		return logout.Request{Method: "GET", Form: formOf(t, query), Header: map[string][]string{"Cookie": {session.DefaultCookieName + "=" + b.cookie}}}
	}
	d := b.ep.Logout(t.Context(), request("client_id=a"))
	require.NotNil(t, d.Confirm)
	require.Equal(t, "Service a", d.Confirm.ClientName)
	require.Equal(t, d.Reply().Body, d.Reply().Body)
	require.NotContains(t, d.Header, "Location")

	d = b.ep.Logout(t.Context(), request(form("id_token_hint", b.idToken("a"), "post_logout_redirect_uri", back).Encode()))
	require.Equal(t, back, d.Redirect)
	require.Len(t, d.Header["Set-Cookie"], 1)
	reply := d.Reply()
	require.Equal(t, 303, reply.Status)
	require.Equal(t, []string{back}, reply.Header["Location"])

	d = b.ep.Logout(t.Context(), logout.Request{Method: "PUT"})
	require.Equal(t, 405, d.Error.Status)
}

func formOf(t *testing.T, text string) client.Form {
	t.Helper()
	f, err := client.ParseForm(text)
	require.NoError(t, err)
	return f
}

// TestPlainHTTPIsForLoopback checks that plain http is accepted for loopback hosts only.
func TestPlainHTTPIsForLoopback(t *testing.T) {
	t.Parallel()
	for url, want := range map[[2]string][]string{
		{"http://localhost:8080", "http://localhost:8080/logout"}:         nil,
		{"https://login.example.no", "http://login.example.no/logout"}:    {"URL"},
		{"https://login.example.no", "http://localhost:8080/logout"}:      {"URL"},
		{"http://login.example.no", "https://login.example.no/logout"}:    {"Issuer"},
		{"https://login.example.no", "https://browser.example.no/logout"}: nil,
	} {
		_, err := logout.New(logout.Config{Issuer: url[0], URL: url[1]})
		var got []string
		for _, name := range fields.Names(err) {
			if name == "URL" || name == "Issuer" {
				got = append(got, name)
			}
		}
		require.Equal(t, want, got, url)
	}
}
