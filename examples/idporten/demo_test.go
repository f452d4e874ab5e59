package main

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/browsertest"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/idporten"
)

// TestDemo plays the login stories of the demo in headless Chromium.
func TestDemo(t *testing.T) {
	s := start(t)
	b := browsertest.New(t, "")

	// Login with a password, after a wrong one.
	b.Open(s.At.First, "#story-login")
	b.Look("service")
	b.Click("#story-login", "#login-form")
	require.Contains(t, b.Location(), s.Issuer+"/login?")
	require.Equal(t, "Min tjeneste", b.Text("#client-name"))
	b.Look("login")
	b.Fill("#username", "ola")
	b.Fill("#password", "feil")
	b.Click("#login-submit", "#login-failed")
	require.True(t, b.Has("#password:focus"), "the focus is where the user goes on")
	require.Equal(t, "Feil: Feil brukernavn eller passord. – Logg inn – Portner", b.Title())
	b.Look("login-failed")
	b.Fill("#password", "passord")
	b.Click("#login-submit", "#logged-in")
	require.Equal(t, "45840375084", b.Text("#id-pid"))
	require.Equal(t, "idporten-loa-substantial", b.Text("#id-acr"))
	require.Equal(t, `{"ID":"0192:991825827","authority":"iso6523-actorid-upis"}`, b.Text("#at-consumer"))
	b.Look("logged-in")

	// Refresh.
	b.Click("#refresh", "#refreshed")
	require.Equal(t, "1", b.Text("#refreshed"))

	// Single sign-on to a second service: no login page, another subject.
	sub := b.Text("#id-sub")
	b.Open(s.At.Second, "#story-login")
	b.Click("#story-login", "#logged-in")
	require.NotEqual(t, sub, b.Text("#id-sub"))

	// The isolated service shows the login page.
	b.Open(s.At.Isolated, "#story-login")
	b.Click("#story-login", "#login-form")
	b.Click("#user-ola", "#logged-in")

	// Logout of one service ends the sessions of all three.
	b.Click("#logout", "#rp-notice")
	require.Equal(t, s.At.Isolated+"/loggedout?"+url.Values{"state": {"fra-isolated"}}.Encode(), b.Location())
	for _, base := range []string{s.At.First, s.At.Second, s.At.Isolated} {
		b.Open(base, "#story-login")
		require.False(t, b.Has("#logged-in"), "%s still has a session after the single logout", base)
	}
	b.Open(s.At.First, "#story-login")
	b.Click("#story-login", "#login-form")
}

// TestDemoSharing declines one scope of two, and then both.
func TestDemoSharing(t *testing.T) {
	slow.Test(t)
	s := start(t)
	b := browsertest.New(t, "")
	b.Open(s.At.First, "#story-deling")
	b.Click("#story-deling", "#login-form")
	b.Click("#user-kari", "#consent-form")
	require.Contains(t, b.Location(), s.Issuer+"/consent?")
	require.Contains(t, b.Text("#consent-form"), "Se inntekten din")
	require.Contains(t, b.Text("#client-orgno"), "991825827")
	require.False(t, b.Has("input:checked"), "nothing is ticked beforehand")
	b.Look("consent")
	b.Click("#consent-approve", "#consent-nothing")
	require.True(t, b.Has("#scope-0:focus"))
	require.True(t, strings.HasPrefix(b.Title(), "Feil: Du har ikke krysset av for noe."), b.Title())
	b.Look("consent-nothing")
	b.Toggle("input[value='demo:inntekt.read']")
	b.Click("#consent-approve", "#logged-in")
	require.Equal(t, "openid profile demo:inntekt.read", b.Text("#granted-scope"))
	b.Click("#call-api", "#api-answer")
	var answer map[string]string
	require.NoError(t, json.Unmarshal([]byte(b.Text("#api-answer")), &answer))
	require.Equal(t, "21879498012", answer["person"])
	require.Equal(t, "signature", answer["checked_by"])
	b.Look("api")

	// The page shows only the declined scope again. Declining it does not end the login.
	b.Click("#story-deling", "#consent-form")
	require.False(t, b.Has("input[value='demo:inntekt.read']"))
	require.Equal(t, "Gi tilgang: Se e-post og mobilnummer", b.Text("#consent-approve"), "the button says what it approves")
	b.Look("consent-one")
	b.Click("#consent-deny", "#logged-in")
	require.Equal(t, "openid profile demo:inntekt.read", b.Text("#granted-scope"))
}

// TestDemoPseudonym checks that the API receives the identity and the service does not.
func TestDemoPseudonym(t *testing.T) {
	slow.Test(t)
	s := start(t)
	b := browsertest.New(t, "")
	b.Open(s.At.First, "#story-pseudonym")
	b.Click("#story-pseudonym", "#login-form")
	b.Click("#user-kari", "#logged-in")
	require.True(t, b.Has("#no-pid"))
	require.NotContains(t, b.Text("main"), "21879498012", "the service received the identity number")
	b.Look("pseudonym")
	b.Click("#call-api", "#api-answer")
	require.Contains(t, b.Text("#api-answer"), `"person":"21879498012"`)
	require.Contains(t, b.Text("#api-answer"), `"checked_by":"introspection"`)

	// An opaque token, without openid.
	b.Click("#story-opak", "#opaque")
	require.False(t, b.Has("#id-claims"))
	b.Click("#call-api", "#api-answer")
	require.Contains(t, b.Text("#api-answer"), `"checked_by":"introspection"`)
	b.Audit("opaque")

	// Step-up from MinID to BankID, and prompt=login.
	b.Click("#story-paa-nytt", "#login-form")
	require.True(t, b.Has("#login-again"))
	b.Click("#user-kari-minid", "#logged-in")
	require.Equal(t, "idporten-loa-substantial", b.Text("#id-acr"))
	b.Click("#story-hoyt", "#step-up")
	require.False(t, b.Has("#user-ola"), "a user below the level has no button")
	require.Equal(t, "Du er logget inn, men tjenesten krever et høyere sikkerhetsnivå: høyt.", b.Text("#step-up"))
	require.Equal(t, "Logg inn på et høyere nivå", b.Text("h1"))
	b.Look("step-up")
	b.Click("#user-kari", "#logged-in")
	require.Equal(t, "idporten-loa-high", b.Text("#id-acr"))

	// After cancel the service receives access_denied.
	b.Click("#story-paa-nytt", "#login-form")
	b.Click("#login-cancel", "#rp-notice")
	require.Contains(t, b.Text("#rp-notice"), "access_denied")
}

// TestDemoLanguages changes the language of the login page. The choice takes precedence over ui_locales.
func TestDemoLanguages(t *testing.T) {
	slow.Test(t)
	s := start(t)
	b := browsertest.New(t, "")
	b.Open(s.At.First, "#story-login")
	b.Click("#story-login", "#login-form")
	for lang, title := range map[string]string{"nn": "Logg inn", "en": "Log in", "se": "Logge sisa"} {
		button := browsertest.CSS("#lang-" + lang)
		b.Click(button, button+"[aria-current=true]")
		require.Equal(t, title, b.Text("h1"))
		require.True(t, b.Has("html[lang="+lang+"]"))
	}
	b.Click("#lang-se", "#login-form")
	b.Look("login-sami")
	b.Click("#user-ola", "#logged-in")
	require.Equal(t, "se", b.Text("#id-locale"))
}

// TestDemoLogoutAsks checks the confirmation page of a logout without id_token_hint, with confirm_logout. Cancel keeps the session.
func TestDemoLogoutAsks(t *testing.T) {
	slow.Test(t)
	s := start(t, "-demo", "-config", write(t, `{"confirm_logout":true}`))
	b := browsertest.New(t, "")
	b.Open(s.At.First, "#story-login")
	b.Click("#story-login", "#login-form")
	b.Click("#user-ola", "#logged-in")
	b.Open(s.Issuer+"/endsession", "#logout-confirm")
	b.Look("logout-confirm")
	b.Click("#logout-cancel", "#logout-cancelled")
	b.Open(s.At.Second, "#story-login")
	b.Click("#story-login", "#logged-in")
	b.Open(s.Issuer+"/logout", "#logout-confirm")
	b.Click("#logout-confirm", "#logged-out")
	b.Look("logged-out")
	b.Open(s.At.Second, "#story-login")
	require.False(t, b.Has("#logged-in"))
}

// TestDemoErrorPages checks the page of errors that must not be redirected. It contains no value of the request.
func TestDemoErrorPages(t *testing.T) {
	slow.Test(t)
	s := start(t)
	b := browsertest.New(t, "")
	b.Open(s.Issuer+"/authorize?client_id=evil%3Cscript%3E&redirect_uri=https://evil.example/", "#error-page")
	require.NotContains(t, b.Text("body"), "evil")
	require.NotEmpty(t, b.Text("#correlation-id"))
	require.NotEmpty(t, b.Text("#error-code"))
	b.Look("error")
	b.Open(s.Issuer+"/logout", "#error-page")
	b.Open(s.Issuer+"/login?request=nonsense", "#error-page")

	// An error with a valid redirect URI goes to the client.
	q := url.Values{"client_id": {"min-tjeneste"}, "redirect_uri": {s.At.First + "/callback"}, "response_type": {"token"}, "state": {"x"}}
	b.Open(s.Issuer+"/authorize?"+q.Encode(), "#rp-notice")
	require.True(t, strings.HasPrefix(b.Location(), s.At.First+"/callback?error=unsupported_response_type"), b.Location())
}

// TestDemoKeyboard logs in with the keyboard and checks that the focus is visible.
func TestDemoKeyboard(t *testing.T) {
	slow.Test(t)
	s := start(t)
	b := browsertest.New(t, "")
	b.Open(s.At.First, "#story-login")
	b.Click("#story-login", "#login-form")
	visited := map[string]bool{}
	for range 12 {
		b.Do(chromedp.KeyEvent(kb.Tab))
		at := browsertest.Ask(b, chromedp.Evaluate[[]string](`(e => [e.id || e.className, getComputedStyle(e).outlineStyle, getComputedStyle(e).outlineWidth])(document.activeElement)`))
		visited[at[0]] = true
		require.Equal(t, "solid", at[1], "the focus on %s is not visible", at[0])
		require.Equal(t, "3px", at[2], at[0])
		if at[0] == "username" {
			break
		}
	}
	for _, id := range []string{"skip", "lang-nb", "lang-se", "username"} {
		require.True(t, visited[id], "%s was not reached: %v", id, visited)
	}
	b.Do(chromedp.KeyEvent("ola"), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent("passord"), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(browsertest.CSS("#logged-in")))
}

// TestDemoMorePages audits the remaining pages.
func TestDemoMorePages(t *testing.T) {
	slow.Test(t)
	s := start(t, "-demo", "-config", write(t, `{"confirm_logout":true}`))
	b := browsertest.New(t, "")
	b.Open(s.Issuer+"/", "#home-page")
	b.Look("home")
	b.Open(s.At.First, "#story-login")
	b.Click("#story-paa-nytt", "#login-form")
	b.Click("#login-cancel", "#rp-notice")
	b.Look("cancelled")
	b.Click("#story-login", "#login-form")
	b.Click("#user-kari", "#logged-in")
	b.Open(s.Issuer+"/logout", "#logout-confirm")
	b.Click("#logout-cancel", "#logout-cancelled")
	b.Audit("still-logged-in")
	b.Open(s.At.Second, "#story-login")
	b.Audit("second")
	b.Open(s.At.Isolated, "#story-login")
	b.Audit("isolated")
	b.Open(s.At.Isolated+"/nothing", "#rp-notice")
	b.Audit("a page that does not exist")
}

// TestDemoLongWords checks that long words do not overflow, in every language.
func TestDemoLongWords(t *testing.T) {
	slow.Test(t)
	long := strings.Repeat("Opplysningstilgjengeliggjøringsforskriftsbestemmelse", 3)
	s := start(t, "-config", write(t, `{
		"clients":[{"client_id":"lang","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","client_name":"`+long+`","client_orgno":"991825827","integration_type":"api_klient","redirect_uris":["http://localhost:1/cb"],"scopes":["openid","lang:lang"]}],
		"scopes":[{"name":"lang:lang","description":"`+long+`","long_description":"**`+long+`** og [`+long+`](https://example.no/)\n\n*`+long+`*","requires_user_consent":true,"accessible_for_all":true}],
		"users":[{"username":"u","password":"p","claims":{"name":"`+long+`"},"amr":["`+long+`"]}]}`))
	b := browsertest.New(t, "")
	p := newParty(t, s, "lang", clientSecret, "http://localhost:1/cb", "openid", "lang:lang")
	b.Open(p.url(), "#login-form")
	b.Audit("long-login")
	b.Click("#user-u", "#consent-form")
	b.Audit("long-consent")
	require.True(t, b.Has(".more strong") && b.Has(".more em") && b.Has(".more a[href='https://example.no/']"))
	for _, lang := range standin.Languages[1:] {
		button := browsertest.CSS("#lang-" + lang)
		b.Click(button, button+"[aria-current=true]")
		b.Audit("consent-" + lang)
	}
}

// TestDemoMine lists the grants and logins of a user and revokes a grant.
func TestDemoMine(t *testing.T) {
	slow.Test(t)
	s := start(t)
	b := browsertest.New(t, "")
	b.Open(s.Issuer+idporten.PathMine, "#mine-login")
	b.Open(s.At.First, "#story-deling")
	b.Click("#story-deling", "#login-form")
	b.Click("#user-kari", "#consent-form")
	b.Toggle("input[value='demo:inntekt.read']")
	b.Click("#consent-approve", "#logged-in")
	b.Open(s.At.Second, "#story-login")
	b.Click("#story-login", "#logged-in")
	b.Open(s.Issuer+idporten.PathMine, "#history")
	require.Contains(t, b.Text("main"), "Se inntekten din")
	require.Contains(t, b.Text("#history"), "Min tjeneste · BankID")
	require.NotContains(t, b.Text("main"), "21879498012")
	require.NotContains(t, b.Text("main"), "openid")
	require.Equal(t, int64(2), browsertest.Ask(b, chromedp.Evaluate[int64]("document.querySelectorAll('.scope-card').length")), "one for each service")
	b.Look("mine")
	b.Click(".scope-card:nth-of-type(2) .mine-form button", "#mine-ended")
	require.False(t, b.Has("#mine-none"))
	b.Click(".mine-form button", "main:not(:has(.scope-card)) #mine-ended")
	require.True(t, b.Has("#mine-none"))

	// The next refresh of the service is rejected.
	b.Open(s.At.First, "#refresh")
	b.Click("#refresh", "#rp-notice")
}
