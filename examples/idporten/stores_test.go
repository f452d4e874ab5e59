package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/browsertest"
	"github.com/portner-go/portner/internal/localdb"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/idporten"
)

// storeCase is a store on which the browser's stories run.
type storeCase struct {
	name string
	// args returns the flags of an empty store. They name the same store as often as they are used.
	args func(t *testing.T) []string
}

// lastingStores are the stores that outlive the process. With -tags servers PostgreSQL and Redis are among them.
var lastingStores = []storeCase{{"sqlite", func(t *testing.T) []string {
	return []string{"-store", "sqlite:" + filepath.Join(t.TempDir(), "portner.db")}
}}}

// TestDemoOnEachStore plays a short story of the demo on each store: login, consent, an API, refresh, single sign-on, revocation by the user,
// and logout.
func TestDemoOnEachStore(t *testing.T) {
	slow.Test(t)
	memory := storeCase{"memory", func(*testing.T) []string { return nil }}
	for _, c := range append([]storeCase{memory}, lastingStores...) {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, c.args(t)...)
			b := browsertest.New(t, "")
			b.Open(s.At.First, "#story-deling")
			b.Click("#story-deling", "#login-form")
			b.Click("#user-kari", "#consent-form")
			b.Toggle("input[value='demo:inntekt.read']")
			b.Click("#consent-approve", "#logged-in")
			require.Equal(t, "openid profile demo:inntekt.read", b.Text("#granted-scope"))
			b.Click("#call-api", "#api-answer")
			var answer map[string]string
			require.NoError(t, json.Unmarshal([]byte(b.Text("#api-answer")), &answer))
			require.Equal(t, "21879498012", answer["person"])
			b.Click("#refresh", "#refreshed")
			sub := b.Text("#id-sub")
			b.Open(s.At.Second, "#story-login")
			b.Click("#story-login", "#logged-in")
			require.NotEqual(t, sub, b.Text("#id-sub"))

			// The consent is remembered: the page asks for the declined scope only.
			b.Open(s.At.First, "#story-deling")
			b.Click("#story-deling", "#consent-form")
			require.False(t, b.Has("input[value='demo:inntekt.read']"))
			b.Click("#consent-deny", "#logged-in")
			require.Equal(t, sub, b.Text("#id-sub"))

			b.Click("#logout", "#rp-notice")
			b.Open(s.At.Second, "#story-login")
			require.False(t, b.Has("#logged-in"), "the single logout")
			b.Click("#story-login", "#login-form")
		})
	}
}

// freeAddr returns an address that nobody listens on, also while the program is started again.
func freeAddr(t *testing.T) string {
	t.Helper()
	port, err := localdb.FreePort()
	require.NoError(t, err)
	return fmt.Sprintf("localhost:%d", port)
}

// TestRestart kills the program and starts it again on the same store: sessions, consents, grants, keys and sub are those of before.
func TestRestart(t *testing.T) {
	for _, c := range lastingStores {
		t.Run(c.name, func(t *testing.T) {
			broker := browsertest.NewBroker(t, "")
			file := write(t, fmt.Sprintf(`{
				"clients":[{"client_id":"tjeneste","client_secret":"%s","client_name":"Tjeneste","client_orgno":"991825827","integration_type":"api_klient",
					"grant_types":["authorization_code","refresh_token"],"redirect_uris":["%s/cb"],"scopes":["openid","profile","a:b"]}],
				"scopes":[{"name":"a:b","description":"Tilgang","requires_user_consent":true,"accessible_for_all":true,"authorization_max_lifetime":3600}],
				"users":[{"username":"ola","password":"passord","pid":"45840375084"}]}`, clientSecret, broker.Base))
			args := append(c.args(t), "-addr", freeAddr(t), "-config", file)
			p := startProcess(t, args...)
			s := &idporten.Server{Parts: &standin.Parts[idporten.Config]{Issuer: p.issuer}, Outgoing: standin.TLS{}.Outgoing()}
			first := newParty(t, s, "tjeneste", clientSecret, broker.Base+"/cb", "openid", "profile", "a:b")
			b := browsertest.New(t, "")
			b.Open(first.url(), "#login-form")
			b.Fill("#username", "ola")
			b.Fill("#password", "passord")
			b.Click("#login-submit", "#consent-form")
			b.Click("#consent-approve", "#service")
			tok, idToken := first.exchange(b.Arrived())
			var keys, again struct{ Keys []map[string]any }
			fetch(t, s, "/jwks", &keys)

			p.kill()
			startProcess(t, args...)
			fetch(t, s, "/jwks", &again)
			require.Equal(t, keys, again, "the keys")
			require.Equal(t, idToken.Subject, first.verify(tok).Subject, "an id_token from before is valid")
			next, err := first.refresh(tok.RefreshToken)
			require.NoError(t, err, "the grant")
			require.NotEmpty(t, next.AccessToken)
			second := newParty(t, s, "tjeneste", clientSecret, broker.Base+"/cb", "openid", "profile", "a:b")
			b.Open(second.url(), "#service") // neither the login page nor the consent page
			_, idTokenAgain := second.exchange(b.Arrived())
			require.Equal(t, idToken.Subject, idTokenAgain.Subject, "sub")
			require.Equal(t, first.claims(idToken)["sid"], second.claims(idTokenAgain)["sid"], "the session")
			b.Open(s.Issuer+"/logout", "#logged-out")
			b.Open(newParty(t, s, "tjeneste", clientSecret, broker.Base+"/cb", "openid").url(), "#login-form")
		})
	}
}
