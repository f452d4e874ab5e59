package landscape

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/browsertest"
	"github.com/portner-go/portner/internal/slow"
)

func TestMain(m *testing.M) { browsertest.Main(m) }

// Titles of tokens on the page.
const (
	idporten     = "Tokenet fra ID-porten"
	ansattporten = "Tokenet fra Ansattporten"
	maskinporten = "Tokenet fra Maskinporten"
	altinn       = "Tokenet fra Altinn"
)

// claim returns the selector of a claim of a token.
func claimAt(token, claim string) browsertest.CSS {
	return browsertest.CSS(fmt.Sprintf(`[data-token="%s"] > table [data-claim="%s"] > code`, token, claim))
}

// response returns the selector of the response of a step.
func response(step int) browsertest.CSS {
	return browsertest.CSS(fmt.Sprintf("#step-%d .response", step))
}

// TestStories plays every story in headless Chromium.
func TestStories(t *testing.T) {
	slow.Test(t)
	r := start(t)
	b := browsertest.New(t, "landscape-")
	b.Open(r.page, "#story-person")
	b.Look("home")

	for _, play := range []func(*testing.T, *browsertest.Browser){
		clickPerson, clickMachine, clickSupplier, clickRefusal, clickSystemUser, clickEmployee, clickContact, clickOnBehalf, clickHealth, clickCancelled,
	} {
		play(t, b)
	}
}

func clickPerson(t *testing.T, b *browsertest.Browser) {
	t.Helper()
	b.Click("#story-person", "#login-form")
	b.Click("#user-kari", "#told-person")
	require.True(t, b.Has("#done"), b.Text("main"))
	require.NotContains(t, b.Text("#step-0 .request"), "openid")
	require.NotContains(t, b.Text(response(1)), "id_token")
	require.Equal(t, "altinn:instances.meta", b.Text(claimAt(idporten, "scope")))
	require.Equal(t, "idporten-loa-high", b.Text(claimAt(idporten, "acr")))
	require.Equal(t, "4", b.Text(claimAt(altinn, "urn:altinn:authlevel")))
	require.Equal(t, b.Text(claimAt(idporten, "exp")), b.Text(claimAt(altinn, "exp")), "no longer than the one it came from")
	require.Contains(t, b.Text(response(3)), `"brukernavn": "kari"`)
	require.NotContains(t, b.Text("main"), personSecret)
	b.Look("person")
}

func clickMachine(t *testing.T, b *browsertest.Browser) {
	t.Helper()
	b.Click("#story-maskin", "#told-maskin")
	require.True(t, b.Has("#done"), b.Text("main"))
	require.Contains(t, b.Text(claimAt(maskinporten, "consumer")), "0192:991825827")
	require.Regexp(t, `^http://localhost:\d+/$`, b.Text(claimAt(maskinporten, "aud")), "the platform, as resource is in seed 002")
	require.NotEqual(t, "private_key_jwt", b.Text(claimAt(maskinporten, "client_amr")), "a business certificate")
	require.Equal(t, "3", b.Text(claimAt(altinn, "urn:altinn:authlevel")))
	require.Equal(t, "digdir", b.Text(claimAt(altinn, "urn:altinn:org")))
	require.Contains(t, b.Text(response(2)), `"tjenesteeier": "digdir"`)
	b.Audit("machine")
}

func clickSupplier(t *testing.T, b *browsertest.Browser) {
	t.Helper()
	b.Click("#story-leverandor", "#told-leverandor")
	require.True(t, b.Has("#done"), b.Text("main"))
	require.Contains(t, b.Text(claimAt(maskinporten, "consumer")), "0192:910753614")
	require.Contains(t, b.Text(claimAt(maskinporten, "supplier")), "0192:991825827")
	require.Equal(t, "https://tt02.altinn.no/", b.Text(claimAt(maskinporten, "delegation_source")))
	require.Contains(t, b.Text(response(2)), `"leverandor": "991825827"`)
	b.Look("supplier")
}

func clickRefusal(t *testing.T, b *browsertest.Browser) {
	t.Helper()
	b.Click("#story-nei", "#told-nei")
	require.True(t, b.Has("#expected"), b.Text("main"))
	require.Contains(t, b.Text(response(0)), "MP-251")
	require.False(t, b.Has("#step-1"), "the story ends there")
	b.Look("refusal")
}

func clickSystemUser(t *testing.T, b *browsertest.Browser) {
	t.Helper()
	b.Click("#story-systembruker", "#told-systembruker")
	require.True(t, b.Has("#done"), b.Text("main"))
	require.Contains(t, b.Text(claimAt(maskinporten, "consumer")), "0192:991825827", "the vendor, not its customer")
	require.Contains(t, b.Text(claimAt(maskinporten, "authorization_details")), "991825827_regnskap")
	require.Contains(t, b.Text(response(2)), `"systembruker_hos": "910753614"`)
	b.Audit("system user")
}

func clickEmployee(t *testing.T, b *browsertest.Browser) {
	t.Helper()
	b.Click("#story-ansatt", "#login-form")
	b.Click("#user-kari", "#representation-form")
	b.Toggle("#choice-987464291")
	b.Click("#representation-continue", "#told-ansatt")
	require.True(t, b.Has("#done"), b.Text("main"))
	require.Equal(t, "21879498012", b.Text(claimAt(ansattporten, "pid")))
	require.Contains(t, b.Text(claimAt(ansattporten, "authorization_details")), "0192:987464291")
	b.Look("employee")
}

func clickContact(t *testing.T, b *browsertest.Browser) {
	t.Helper()
	b.Click("#story-kontakt", "#told-kontakt")
	require.True(t, b.Has("#done"), b.Text("main"))
	require.Contains(t, b.Text(response(2)), "kari@example.no")
	b.Audit("contact")
}

func clickOnBehalf(t *testing.T, b *browsertest.Browser) {
	t.Helper()
	b.Click("#story-pavegne", "#told-pavegne")
	require.True(t, b.Has("#done"), b.Text("main"))
	for _, name := range []string{tokenOfLogin, tokenForBackend, tokenForPay} {
		require.Equal(t, "21879498012", b.Text(claimAt(name, "pid")), name)
	}
	claims := func(token, name string) string { return string(claimAt(token, name)) }
	require.False(t, b.Has(claims(tokenOfLogin, "may_act")) || b.Has(claims(tokenOfLogin, "act")), "nobody acts for the user yet")
	require.JSONEq(t, `{"client_id":"lonnsmotoren","organisasjonsnummer":"991825827"}`, b.Text(claimAt(tokenForBackend, "may_act")))
	require.False(t, b.Has(claims(tokenForBackend, "act")))
	act := b.Text(claimAt(tokenForPay, "act"))
	require.Contains(t, act, `"client_id": "lonnsmotoren"`)
	require.Contains(t, act, `"organisasjonsnummer": "991825827"`)
	require.Regexp(t, `^http://127\.0\.0\.1:\d+/api/lonn$`, b.Text(claimAt(tokenForPay, "aud")))
	require.Contains(t, b.Text(response(4)), "401 Unauthorized")
	require.Contains(t, b.Text(response(4)), `error="invalid_token"`)
	require.Contains(t, b.Text(response(5)), `"handler": "lonnsmotoren"`)
	require.Contains(t, b.Text(response(5)), `"person": "21879498012"`)
	b.Audit("on behalf")
}

func clickCancelled(t *testing.T, b *browsertest.Browser) {
	t.Helper()
	b.Click("#story-ansatt", "#representation-form")
	b.Click("#representation-cancel", "#told-ansatt")
	require.True(t, b.Has("#refused"), b.Text("main"))
	require.Contains(t, b.Text("#refused"), "access_denied")
	b.Audit("cancelled")
}

func clickHealth(t *testing.T, b *browsertest.Browser) {
	t.Helper()
	b.Click("#story-helse", "#told-helse")
	require.True(t, b.Has("#done"), b.Text("main"))
	require.Contains(t, b.Text(response(0)), "use_dpop_nonce")
	require.Contains(t, b.Text(response(1)), `"token_type": "DPoP"`)
	require.Contains(t, b.Text(response(2)), "401 Unauthorized")
	require.Contains(t, b.Text(response(3)), customerOrg)
	require.Equal(t, customerOrg, b.Text(claimAt("Tokenet fra HelseID", claimParent)))
	b.Look("health")
}
