package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/browsertest"
)

// start runs the example server as the command does, on free ports.
func start(t *testing.T, args ...string) *server {
	t.Helper()
	prepared, err := new(options).command().Prepare(append([]string{"-addr", "localhost:0"}, args...), slog.New(slog.NewTextHandler(testLog{t}, nil)))
	require.NoError(t, err)
	s := prepared.(*server)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return s
}

// testLog hands the server's log to the test.
type testLog struct{ t *testing.T }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// browser is a window, and what this demo's pages hold.
type browser struct {
	*browsertest.Browser
	t *testing.T
}

func openBrowser(t *testing.T) *browser {
	t.Helper()
	return &browser{browsertest.New(t, "ansattporten-"), t}
}

// pick clicks choices and stays.
func (b *browser) pick(ids ...string) {
	b.t.Helper()
	for _, id := range ids {
		b.Toggle(browsertest.CSS("#choice-" + id))
	}
}

// details are what the demo service was told.
func (b *browser) details() []map[string]any {
	b.t.Helper()
	var all []map[string]any
	require.NoError(b.t, json.Unmarshal([]byte(b.Text("#details")), &all))
	return all
}

// organisations are the IDs of the reportees of all details.
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

// TestRepresentation chooses one organisation, nobody, several, oneself, and where somebody is required.
func TestRepresentation(t *testing.T) {
	s := start(t)
	b := openBrowser(t)
	b.Open(s.demoAt, "#story-en")

	// One: the first time with a login, then without, but with the page each time.
	b.Click("#story-en", "#login-form")
	b.Look("login")
	b.Click("#user-kari", "#representation-form")
	require.False(t, b.Has("input[type=checkbox]"))
	require.False(t, b.Has("#choice-910753614"), "deleted organisations were not asked for")
	b.Look("representation-one")
	b.pick("987464291")
	b.Click("#representation-continue", "#logged-in")
	require.Equal(t, []string{"0192:987464291"}, organisations(b.details()))
	require.Equal(t, "Kari Testesen", b.Text("#id-name"))
	require.Equal(t, "21879498012", b.Text("#id-pid"), "tokens speak of who logged in")
	require.Equal(t, "high", b.Text("#id-acr"))
	require.Contains(t, b.Text("#at-authorization_details"), "0192:987464291")
	require.Contains(t, b.Text("#id-authorization_details"), "0192:987464291")
	b.Look("service")
	b.Click("#refresh", "#refreshed")
	require.Equal(t, []string{"0192:987464291"}, organisations(b.details()), "a refresh changes nothing of it")

	// Nobody, said in two ways; oneself.
	for _, nobody := range [][]string{{"nobody"}, nil} {
		b.Click("#story-en", "#representation-form")
		b.pick(nobody...)
		b.Click("#representation-continue", "#logged-in")
		require.Empty(t, b.details())
	}
	b.Click("#story-en", "#representation-form")
	b.pick("self")
	b.Click("#representation-continue", "#logged-in")
	require.Equal(t, []map[string]any{{"type": "ansattporten:altinn:service"}}, b.details())

	// Several, a deleted one among them.
	b.Click("#story-flere", "#representation-form")
	require.False(t, b.Has("input[type=radio]"))
	b.Look("representation-several")
	b.pick("991825827", "910753614")
	b.Click("#representation-continue", "#logged-in")
	require.Equal(t, []string{"0192:991825827", "0192:910753614"}, organisations(b.details()))

	// Required: the page asks again, cancel ends it, an organisation is let in.
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

// TestOtherTypes: a resource of Altinn 3, an employer, a mandate; and people who have none.
func TestOtherTypes(t *testing.T) {
	s := start(t)
	b := openBrowser(t)
	b.Open(s.demoAt, "#story-ressurs")
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
	other.Open(s.demoAt, "#story-en")
	other.Click("#story-en", "#login-form")
	other.Click("#user-ola", "#logged-in")
	require.Empty(t, other.details(), "nobody to represent: no page, and a login")
	other.Click("#story-krevd", "#rp-notice")
	require.Contains(t, other.Text("#rp-notice"), "access_denied")
	other.Click("#story-fullmakt", "#error-page")
	require.Equal(t, "access_denied", other.Text("#error-code"))
	other.Look("no-mandate")
}

// TestLanguages: the chooser in each of the four, the choice kept.
func TestLanguages(t *testing.T) {
	s := start(t)
	b := openBrowser(t)
	b.Open(s.demoAt, "#story-en")
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
