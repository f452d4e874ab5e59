package main

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// TestDemo clicks through every story of the demo in headless Chromium.
func TestDemo(t *testing.T) {
	s := start(t)
	b := openBrowser(t)

	// Ordinary login with a typed password, wrong once.
	b.open(s.at.first, "#story-login")
	b.look("service")
	b.click("#story-login", "#login-form")
	require.Contains(t, b.location(), s.issuer+"/login?")
	require.Equal(t, "Min tjeneste", b.text("#client-name"))
	b.look("login")
	b.fill("#username", "ola")
	b.fill("#password", "feil")
	b.click("#login-submit", "#login-failed")
	b.look("login-failed")
	b.fill("#password", "passord")
	b.click("#login-submit", "#logged-in")
	require.Equal(t, "45840375084", b.text("#id-pid"))
	require.Equal(t, "idporten-loa-substantial", b.text("#id-acr"))
	require.Equal(t, `{"ID":"0192:991825827","authority":"iso6523-actorid-upis"}`, b.text("#at-consumer"))
	b.look("logged-in")

	// Refresh.
	b.click("#refresh", "#refreshed")
	require.Equal(t, "1", b.text("#refreshed"))

	// SSO into a second service: no login page; another subject.
	sub := b.text("#id-sub")
	b.open(s.at.second, "#story-login")
	b.click("#story-login", "#logged-in")
	require.NotEqual(t, sub, b.text("#id-sub"))

	// The isolated one asks first.
	b.open(s.at.isolated, "#story-login")
	b.click("#story-login", "#login-form")
	b.click("#user-ola", "#logged-in")

	// Single logout in one service ends all three.
	b.click("#logout", "#rp-notice")
	require.Equal(t, s.at.isolated+"/loggedout?"+url.Values{"state": {"fra-isolated"}}.Encode(), b.location())
	for _, base := range []string{s.at.first, s.at.second, s.at.isolated} {
		b.open(base, "#story-login")
		require.False(t, b.has("#logged-in"), "%s still has a session after the single logout", base)
	}
	b.open(s.at.first, "#story-login")
	b.click("#story-login", "#login-form")
}

// TestDemoSharing declines one scope of two, and then all.
func TestDemoSharing(t *testing.T) {
	s := start(t)
	b := openBrowser(t)
	b.open(s.at.first, "#story-deling")
	b.click("#story-deling", "#login-form")
	b.click("#user-kari", "#consent-form")
	require.Contains(t, b.location(), s.issuer+"/consent?")
	require.Contains(t, b.text("#consent-form"), "Se inntekten din")
	require.Contains(t, b.text("#client-orgno"), "991825827")
	b.look("consent")
	b.toggle("input[value='demo:kontakt.read']")
	b.click("#consent-approve", "#logged-in")
	require.Equal(t, "openid profile demo:inntekt.read", b.text("#granted-scope"))
	b.click("#call-api", "#api-answer")
	var answer map[string]string
	require.NoError(t, json.Unmarshal([]byte(b.text("#api-answer")), &answer))
	require.Equal(t, "21879498012", answer["person"])
	require.Equal(t, "signature", answer["checked_by"])
	b.look("api")

	// The yes is remembered, the no is asked again; nothing is shared and the login succeeds.
	b.click("#story-deling", "#consent-form")
	require.False(t, b.has("input[value='demo:inntekt.read']"))
	b.click("#consent-deny", "#logged-in")
	require.Equal(t, "openid profile demo:inntekt.read", b.text("#granted-scope"))
}

// TestDemoPseudonym shows a service that never learns who logs in, and an API that does.
func TestDemoPseudonym(t *testing.T) {
	s := start(t)
	b := openBrowser(t)
	b.open(s.at.first, "#story-pseudonym")
	b.click("#story-pseudonym", "#login-form")
	b.click("#user-kari", "#logged-in")
	require.True(t, b.has("#no-pid"))
	require.NotContains(t, b.text("main"), "21879498012", "the service must not see the number")
	b.look("pseudonym")
	b.click("#call-api", "#api-answer")
	require.Contains(t, b.text("#api-answer"), `"person":"21879498012"`)
	require.Contains(t, b.text("#api-answer"), `"checked_by":"introspection"`)

	// An opaque token, without openid.
	b.click("#story-opak", "#opaque")
	require.False(t, b.has("#id-claims"))
	b.click("#call-api", "#api-answer")
	require.Contains(t, b.text("#api-answer"), `"checked_by":"introspection"`)
	b.audit("opaque")

	// Step-up from MinID to BankID, and prompt=login.
	b.click("#story-paa-nytt", "#login-form")
	require.True(t, b.has("#login-again"))
	b.click("#user-kari-minid", "#logged-in")
	require.Equal(t, "idporten-loa-substantial", b.text("#id-acr"))
	b.click("#story-hoyt", "#step-up")
	require.False(t, b.has("#user-ola"), "a login that would not do is not offered")
	b.look("step-up")
	b.click("#user-kari", "#logged-in")
	require.Equal(t, "idporten-loa-high", b.text("#id-acr"))

	// Cancel gives the service access_denied.
	b.click("#story-paa-nytt", "#login-form")
	b.click("#login-cancel", "#rp-notice")
	require.Contains(t, b.text("#rp-notice"), "access_denied")
}

// TestDemoLanguages switches language on the login page; the choice wins over ui_locales from then on.
func TestDemoLanguages(t *testing.T) {
	s := start(t)
	b := openBrowser(t)
	b.open(s.at.first, "#story-login")
	b.click("#story-login", "#login-form")
	for lang, title := range map[string]string{"nn": "Logg inn", "en": "Log in", "se": "Logge sisa"} {
		button := css("#lang-" + lang)
		b.click(button, button+"[aria-current=true]")
		require.Equal(t, title, b.text("h1"))
		require.True(t, b.has("html[lang="+lang+"]"))
	}
	b.click("#lang-se", "#login-form")
	b.look("login-sami")
	b.click("#user-ola", "#logged-in")
	require.Equal(t, "se", b.text("#id-locale"))
}

// TestDemoLogoutAsks: without a hint of the session the provider asks; cancel changes nothing, the
// session of another tab is untouched.
func TestDemoLogoutAsks(t *testing.T) {
	s := start(t)
	b := openBrowser(t)
	b.open(s.at.first, "#story-login")
	b.click("#story-login", "#login-form")
	b.click("#user-ola", "#logged-in")
	b.open(s.issuer+"/endsession", "#logout-confirm")
	b.look("logout-confirm")
	b.click("#logout-cancel", "#logout-cancelled")
	b.open(s.at.second, "#story-login")
	b.click("#story-login", "#logged-in")
	b.open(s.issuer+"/logout", "#logout-confirm")
	b.click("#logout-confirm", "#logged-out")
	b.look("logged-out")
	b.open(s.at.second, "#story-login")
	require.False(t, b.has("#logged-in"))
}

// TestDemoErrorPages: an error that must not be redirected has a page of its own, which echoes nothing.
func TestDemoErrorPages(t *testing.T) {
	s := start(t)
	b := openBrowser(t)
	b.open(s.issuer+"/authorize?client_id=evil%3Cscript%3E&redirect_uri=https://evil.example/", "#error-page")
	require.NotContains(t, b.text("body"), "evil")
	require.NotEmpty(t, b.text("#correlation-id"))
	require.NotEmpty(t, b.text("#error-code"))
	b.look("error")
	b.open(s.issuer+"/logout", "#error-page")
	b.open(s.issuer+"/login?request=nonsense", "#error-page")

	// A registered client whose request is wrong gets the error itself.
	q := url.Values{"client_id": {"min-tjeneste"}, "redirect_uri": {s.at.first + "/callback"}, "response_type": {"token"}, "state": {"x"}}
	b.open(s.issuer+"/authorize?"+q.Encode(), "#rp-notice")
	require.True(t, strings.HasPrefix(b.location(), s.at.first+"/callback?error=unsupported_response_type"), b.location())
}

// TestDemoKeyboard: one can see where one is, and log in without a mouse.
func TestDemoKeyboard(t *testing.T) {
	s := start(t)
	b := openBrowser(t)
	b.open(s.at.first, "#story-login")
	b.click("#story-login", "#login-form")
	visited := map[string]bool{}
	for range 12 {
		b.do(chromedp.KeyEvent(kb.Tab))
		at := ask(b, chromedp.Evaluate[[]string](`(e => [e.id || e.className, getComputedStyle(e).outlineStyle, getComputedStyle(e).outlineWidth])(document.activeElement)`))
		visited[at[0]] = true
		require.Equal(t, "solid", at[1], "the focus on %s does not show", at[0])
		require.Equal(t, "3px", at[2], at[0])
		if at[0] == "username" {
			break
		}
	}
	for _, id := range []string{"skip", "lang-nb", "lang-se", "username"} {
		require.True(t, visited[id], "%s was not reached: %v", id, visited)
	}
	b.do(chromedp.KeyEvent("ola"), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent("passord"), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(css("#logged-in")))
}

// TestDemoMorePages looks at the pages the other stories do not end at.
func TestDemoMorePages(t *testing.T) {
	s := start(t)
	b := openBrowser(t)
	b.open(s.issuer+"/", "#home-page")
	b.look("home")
	b.open(s.at.first, "#story-login")
	b.click("#story-paa-nytt", "#login-form")
	b.click("#login-cancel", "#rp-notice")
	b.look("cancelled")
	b.click("#story-login", "#login-form")
	b.click("#user-kari", "#logged-in")
	b.open(s.issuer+"/logout", "#logout-confirm")
	b.click("#logout-cancel", "#logout-cancelled")
	b.audit("still-logged-in")
	b.open(s.at.second, "#story-login")
	b.audit("second")
	b.open(s.at.isolated, "#story-login")
	b.audit("isolated")
}

// TestDemoLongWords: long names and descriptions break, in every language.
func TestDemoLongWords(t *testing.T) {
	long := strings.Repeat("Opplysningstilgjengeliggjøringsforskriftsbestemmelse", 3)
	s := start(t, "-config", write(t, `{
		"clients":[{"client_id":"lang","client_secret":"x","client_name":"`+long+`","client_orgno":"991825827","integration_type":"api_klient","redirect_uris":["http://localhost:1/cb"],"scopes":["openid","lang:lang"]}],
		"scopes":[{"name":"lang:lang","description":"`+long+`","long_description":"**`+long+`** og [`+long+`](https://example.no/)\n\n*`+long+`*","requires_user_consent":true,"accessible_for_all":true}],
		"users":[{"username":"u","password":"p","claims":{"name":"`+long+`"},"amr":["`+long+`"]}]}`))
	b := openBrowser(t)
	p := newParty(t, s, "lang", "x", "http://localhost:1/cb", "openid", "lang:lang")
	b.open(p.url(), "#login-form")
	b.audit("long-login")
	b.click("#user-u", "#consent-form")
	b.audit("long-consent")
	require.True(t, b.has("#scope-0-more strong") && b.has("#scope-0-more em") && b.has("#scope-0-more a[href='https://example.no/']"))
	for _, lang := range languages[1:] {
		button := css("#lang-" + lang)
		b.click(button, button+"[aria-current=true]")
		b.audit("consent-" + lang)
	}
}

// TestDemoMine: people see what they have granted, end it, and look back at their logins.
func TestDemoMine(t *testing.T) {
	s := start(t)
	b := openBrowser(t)
	b.open(s.issuer+pathMine, "#mine-login")
	b.open(s.at.first, "#story-deling")
	b.click("#story-deling", "#login-form")
	b.click("#user-kari", "#consent-form")
	b.click("#consent-approve", "#logged-in")
	b.open(s.issuer+pathMine, "#history")
	require.Contains(t, b.text("main"), "Se inntekten din")
	require.Contains(t, b.text("#history"), "Min tjeneste · BankID")
	require.NotContains(t, b.text("main"), "21879498012")
	b.look("mine")
	b.click(".mine-form button", "#mine-ended")
	require.True(t, b.has("#mine-none"))

	// The service finds out at its next refresh.
	b.open(s.at.first, "#refresh")
	b.click("#refresh", "#rp-notice")
}
