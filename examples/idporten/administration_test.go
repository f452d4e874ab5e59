package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/portner-go/portner/examples/internal/browsertest"
)

// appUnderTest is a web application that logs users in: / begins a login, and /callback redeems the code.
func appUnderTest(t *testing.T, issuer string) (base string, conf *oauth2.Config) {
	verifier := oauth2.GenerateVerifier()
	conf = &oauth2.Config{Scopes: []string{"openid", "profile"}, Endpoint: oauth2.Endpoint{AuthURL: issuer + "/authorize", TokenURL: issuer + "/token", AuthStyle: oauth2.AuthStyleInHeader}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, conf.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("nonce", "nonce")), http.StatusSeeOther)
	})
	mux.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		tok, err := conf.Exchange(r.Context(), r.URL.Query().Get("code"), oauth2.VerifierOption(verifier))
		if err != nil {
			fmt.Fprintf(w, `<p id="failed">%v</p>`, err)
			return
		}
		fmt.Fprintf(w, `<p id="app-logged-in">%s</p>`, tok.TokenType)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL, conf
}

// TestAdministrationPages registers a client on the pages, logs a user in with it who was made there too, finds out why the login is rejected,
// permits it, and ends the session.
func TestAdministrationPages(t *testing.T) {
	s := start(t, "-admin", "localhost:0")
	admin := s.Sites[len(s.Sites)-1].Base
	app, conf := appUnderTest(t, s.Issuer)
	b := browsertest.New(t, "admin-")

	b.Open(admin, "#admin-overview")
	require.False(t, b.Has(".refusal"))
	b.Click("a[href='/page/list/clients']", "#admin-list")
	b.Click("#new", "#entry-form")
	b.Fill("#f-client_id", "skjema")
	b.Fill("#f-client_name", "Skjema")
	b.Fill("#f-redirect_uris", app+"/cb#x")
	b.Click("#save", "#problems")
	require.True(t, b.Has("#f-redirect_uris[aria-invalid]"))
	b.Audit("what is wrong in a form")
	field(b, "#f-redirect_uris", app+"/cb")
	field(b, "#f-integration_type", "idporten")
	b.Fill("#f-client_orgno", "991825827")
	b.Click("#save", "#new-secret")
	conf.ClientID, conf.ClientSecret, conf.RedirectURL = "skjema", b.Text("#new-secret"), app+"/callback"

	b.Open(admin+"/page/list/users/edit", "#entry-form")
	b.Fill("#f-username", "per")
	b.Fill("#f-password", "hemmelig")
	b.Click("#save", "#notice")
	require.Equal(t, "Lagret: per", b.Text("#notice"))
	require.Contains(t, b.Text("#entries"), "kari", "the users of the demo stay")
	b.Look("users")

	b.Open(app, "#error-page")
	reference := b.Text("#correlation-id")
	b.Open(admin, ".refusal")
	b.Look("overview")
	b.Click("#all-refusals", "#admin-refusals")
	b.Click(".refusal a", "#why")
	require.Contains(t, b.Text("#why"), reference)
	require.Equal(t, app+"/callback", b.Text("#why .received"))
	require.Equal(t, app+"/cb\n"+app+"/callback", field(b, "#f-redirect_uris", ""))
	b.Look("why")
	b.Click("#save", "#entries")

	b.Open(app, "#login-form")
	require.Equal(t, "Skjema", b.Text("#client-name"))
	b.Fill("#username", "per")
	b.Fill("#password", "hemmelig")
	b.Click("#login-submit", "#app-logged-in")

	b.Open(admin+"/page/list/users/edit?key=per", "#authorizations-title")
	require.Contains(t, b.Text("section.card"), "Skjema")
	b.Open(admin, "form.entry")
	require.Contains(t, b.Text("form.entry"), "skjema")
	b.Click("form.entry button", "#admin-overview")
	b.Open(app, "#login-form")

	b.Open(admin, "#lang-en")
	b.Click("#lang-en", "#admin-overview")
	require.Equal(t, "Administration – Administration – ID-porten", b.Title())
}

// field sets the value of a field, unless value is "", and returns the value that the field has.
func field(b *browsertest.Browser, sel, value string) string {
	arguments, err := json.Marshal([]string{sel, value})
	if err != nil {
		panic(err) // of strings
	}
	return browsertest.Ask(b, chromedp.Evaluate[string]("(([sel, value]) => { const f = document.querySelector(sel); if (value) f.value = value; return f.value })("+string(arguments)+")"))
}
