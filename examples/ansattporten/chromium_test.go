package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/browsertest"
	"github.com/portner-go/portner/examples/internal/programs"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/internal/standin/ansattporten"
	"github.com/portner-go/portner/internal/standin/standintest"
)

func TestMain(m *testing.M) { browsertest.Main(m) }

// start starts the server on free ports until the end of the test.
func start(t *testing.T, args ...string) *ansattporten.Server {
	t.Helper()
	prepared, err := standintest.Prepare(t, programs.Ansattporten().Command(), slog.NewTextHandler(testLog{t}, nil), append([]string{"-addr", "localhost:0", "-demo"}, args...)...)
	require.NoError(t, err)
	s := prepared.(*ansattporten.Server)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return s
}

// testLog writes the log of the server to the test.
type testLog struct{ t *testing.T }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// browser is a browser with functions for the pages of this demo.
type browser struct {
	*browsertest.Browser
	t *testing.T
}

func openBrowser(t *testing.T) *browser {
	t.Helper()
	return &browser{browsertest.New(t, "ansattporten-"), t}
}

// pick clicks choices of the representation page.
func (b *browser) pick(ids ...string) {
	b.t.Helper()
	for _, id := range ids {
		b.Toggle(browsertest.CSS("#choice-" + id))
	}
}

// details returns the authorization_details that the service received.
func (b *browser) details() []map[string]any {
	b.t.Helper()
	var all []map[string]any
	require.NoError(b.t, json.Unmarshal([]byte(b.Text("#details")), &all))
	return all
}

// organisations returns the IDs of the reportees of all details.
func organisations(details []map[string]any) []string {
	var ids []string
	for _, d := range details {
		list, _ := d["reportees"].([]any)
		for _, r := range list {
			ids = append(ids, r.(map[string]any)["ID"].(string))
		}
	}
	return ids
}

// TestRepresentation chooses one organisation, none, several, the user, and an organisation where one is required.
func TestRepresentation(t *testing.T) {
	slow.Test(t)
	s := start(t)
	b := openBrowser(t)
	b.Open(s.DemoAt, "#story-en")

	// The login page is shown once, the representation page for each request.
	b.Click("#story-en", "#login-form")
	b.Look("login")
	b.Click("#user-kari", "#representation-form")
	require.False(t, b.Has("input[type=checkbox]"))
	require.False(t, b.Has("#choice-910753614"), "the request has no allow_deleted_organizations")
	require.Contains(t, b.Text("#details"), "urn:altinn:resource:2480:40")
	require.Contains(t, b.Text("#details"), "Tjenesten får vite hvilke rettigheter du har der.")
	b.Look("representation-one")
	b.pick("987464291")
	b.Click("#representation-continue", "#logged-in")
	require.Equal(t, []string{"0192:987464291"}, organisations(b.details()))
	require.Equal(t, "Kari Testesen", b.Text("#id-name"))
	require.Equal(t, "21879498012", b.Text("#id-pid"), "tokens contain the user who logged in")
	require.Equal(t, "high", b.Text("#id-acr"))
	require.Contains(t, b.Text("#at-authorization_details"), "0192:987464291")
	require.Contains(t, b.Text("#id-authorization_details"), "0192:987464291")
	b.Look("service")
	b.Click("#refresh", "#refreshed")
	require.Equal(t, []string{"0192:987464291"}, organisations(b.details()), "a refresh keeps the details")

	// None: it is a choice, and without one the page is shown again. The user.
	b.Click("#story-en", "#representation-form")
	b.Click("#representation-continue", "#representation-missing")
	b.pick("nobody")
	b.Click("#representation-continue", "#logged-in")
	require.Empty(t, b.details())
	b.Click("#story-en", "#representation-form")
	b.pick("self")
	b.Click("#representation-continue", "#logged-in")
	require.Equal(t, []map[string]any{{"type": "ansattporten:altinn:service"}}, b.details())

	// Several organisations, one of them deleted.
	b.Click("#story-flere", "#representation-form")
	require.False(t, b.Has("input[type=radio]"))
	b.Look("representation-several")
	b.pick("991825827", "910753614")
	b.Click("#representation-continue", "#logged-in")
	require.Equal(t, []string{"0192:991825827", "0192:910753614"}, organisations(b.details()))

	// If required, the page is shown again without a choice; cancel ends the request.
	b.Click("#story-krevd", "#representation-form")
	require.False(t, b.Has("#choice-nobody") || b.Has("#choice-self"))
	b.Click("#representation-continue", "#representation-missing")
	b.Look("representation-required")
	b.Click("#representation-cancel", "#rp-notice")
	require.Contains(t, b.Text("#rp-notice"), "access_denied")
	b.Click("#story-krevd", "#representation-form")
	b.pick("991825827")
	b.Click("#representation-continue", "#logged-in")
	require.Equal(t, []string{"0192:991825827"}, organisations(b.details()))
}

// TestOtherTypes checks resources of Altinn 3, employers and mandates, for users with and without parties.
func TestOtherTypes(t *testing.T) {
	slow.Test(t)
	s := start(t)
	b := openBrowser(t)
	b.Open(s.DemoAt, "#story-ressurs")
	b.Click("#story-ressurs", "#login-form")
	b.Click("#user-kari", "#representation-form")
	b.pick("991825827")
	b.Click("#representation-continue", "#logged-in")
	require.Contains(t, b.Text("#details"), `"authority": "iso6523-actorid-upis"`)
	b.Click("#story-arbeidsgiver", "#representation-form")
	b.pick("991825827")
	b.Click("#representation-continue", "#logged-in")
	require.Equal(t, "ansattporten:orgno", b.details()[0]["type"])
	b.Click("#story-fullmakt", "#representation-form")
	b.Look("mandate")
	b.pick("mandate-0")
	b.Click("#representation-continue", "#logged-in")
	require.Equal(t, "45840375084", b.details()[0]["authorizer"].(map[string]any)["pid"])
	require.Equal(t, "21879498012", b.Text("#id-pid"), "no impersonation")
	b.Click("#story-selv", "main:not(:has(#details)) #logged-in")
	require.False(t, b.Has("#details"))

	other := openBrowser(t)
	other.Open(s.DemoAt, "#story-en")
	other.Click("#story-en", "#login-form")
	other.Click("#user-ola", "#logged-in")
	require.Empty(t, other.details(), "a user without parties is logged in without the page")
	other.Click("#story-krevd", "#rp-notice")
	require.Contains(t, other.Text("#rp-notice"), "access_denied")
	other.Click("#story-fullmakt", "#error-page")
	require.Equal(t, "access_denied", other.Text("#error-code"))
	require.True(t, other.Has("#error-back") && other.Has("#language-form"), "one way back, and the languages")
	other.Look("no-mandate")

	// The pages of logout have the look and the language of the others.
	other.Click("#lang-nn", "#lang-nn[aria-current=true]")
	other.Open(s.Issuer+"/logout?id_token_hint=x.y.z", "#error-page")
	require.Equal(t, "Utlogginga kan ikkje halde fram.", other.Text("#error-text"))
	require.True(t, other.Has("#error-back") && other.Has("#language-form"))
	other.Audit("error of a logout")
}

// TestLanguages checks the representation page in each language.
func TestLanguages(t *testing.T) {
	s := start(t)
	b := openBrowser(t)
	b.Open(s.DemoAt, "#story-en")
	b.Click("#story-en", "#login-form")
	b.Click("#user-kari", "#representation-form")
	for lang, want := range map[string]string{"nn": "Kven representerer du?", "en": "Whom do you represent?", "se": "Gean don ovddastat?"} {
		button := browsertest.CSS("#lang-" + lang)
		b.Click(button, button+"[aria-current=true]")
		require.Equal(t, want, b.Text("h1"))
	}
	b.pick("991825827")
	b.Click("#representation-continue", "#logged-in")
	require.Equal(t, []string{"0192:991825827"}, organisations(b.details()))
}
