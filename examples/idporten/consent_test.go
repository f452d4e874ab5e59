package main

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

// TestConsentIsActive: no box is ticked beforehand, an approval of nothing is asked about again, one thing is named by the button that
// approves it, and declining is one click.
func TestConsentIsActive(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := tour(t, s)
	asked := v.press(v.press(v.get(s.At.First), "story-deling"), "user-kari")
	form := asked.id("consent-form")
	require.NotNil(t, form, asked.body)
	for n := range form.Descendants() {
		_, ticked := lookup(n, "checked")
		require.False(t, ticked, attr(n, "value"))
	}
	require.Empty(t, fields(form)["scope"])

	nothing := v.press(asked, "consent-approve")
	require.Equal(t, http.StatusUnprocessableEntity, nothing.status)
	require.Contains(t, nothing.text("consent-nothing"), "ikke krysset av")
	require.Equal(t, attr(asked.id("consent-approve"), "class"), attr(asked.id("consent-deny"), "class"), "both buttons look alike")

	some := v.press(nothing, "consent-approve", "demo:kontakt.read")
	require.Equal(t, "openid profile demo:kontakt.read", some.text("granted-scope"))
	one := v.press(some, "story-deling")
	require.Equal(t, "Gi tilgang: Se inntekten din", one.text("consent-approve"))
	declined := v.press(one, "consent-deny")
	require.Equal(t, "openid profile demo:kontakt.read", declined.text("granted-scope"))
	approved := v.press(v.press(declined, "story-deling"), "consent-approve")
	require.Equal(t, "openid profile demo:inntekt.read demo:kontakt.read", approved.text("granted-scope"))
}

// TestLoginFailed: the title begins with the error, and the field with the focus is described by it, also without scripts.
func TestLoginFailed(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := visit(t, s)
	p := newParty(t, s, "min-tjeneste", idporten.DemoSecret, s.At.First+"/callback", "openid")
	for name, field := range map[string]string{"": "username", "ola": "password"} {
		failed := v.submit(v.get(p.url()), "login-form", url.Values{"username": {name}, "password": {"feil"}, "action": {"login"}})
		require.Equal(t, http.StatusUnauthorized, failed.status)
		require.Equal(t, "Feil: Feil brukernavn eller passord. – Logg inn – Portner", elements(failed, "title")[0])
		var focus []string
		for n := range failed.root.Descendants() {
			if _, ok := lookup(n, "autofocus"); n.Type == html.ElementNode && ok {
				focus = append(focus, attr(n, "id"))
				require.Equal(t, "login-failed", attr(n, "aria-describedby"))
				require.Equal(t, "true", attr(n, "aria-invalid"))
			}
		}
		require.Equal(t, []string{field}, focus)
	}
}

// TestWhyAgain: a login that is asked for although the user is logged in says why.
func TestWhyAgain(t *testing.T) {
	t.Parallel()
	s := start(t)
	v := tour(t, s)
	in := v.press(v.press(v.get(s.At.First), "story-login"), "user-kari-minid")
	require.NotNil(t, in.id("logged-in"))
	stepUp := v.press(in, "story-hoyt")
	require.Equal(t, "Du er logget inn, men tjenesten krever et høyere sikkerhetsnivå: høyt.", stepUp.text("step-up"))
	require.Equal(t, []string{"Logg inn på et høyere nivå"}, elements(stepUp, "h1"))
	english := v.submit(stepUp, "language-form", url.Values{"lang": {"en"}})
	require.Equal(t, "You are logged in, but the service requires a higher level of assurance: high.", english.text("step-up"))
	v.submit(english, "language-form", url.Values{"lang": {"nb"}})
	require.Contains(t, v.press(v.get(s.At.First), "story-paa-nytt").text("login-again"), "ber deg logge inn på nytt")
	require.Contains(t, v.press(v.get(s.At.Isolated), "story-login").text("login-again"), "deler ikke innlogging")
}
