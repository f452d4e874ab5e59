package main

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/exchange"
	"github.com/portner-go/portner/internal/standin/idporten"
)

// delegating is a configuration with an accounting service that acts for users of a portal.
const delegating = `{
	"clients": [
		{"client_id":"oidc_kongsvingerkommune_acos","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","client_orgno":"991825827","redirect_uris":["http://localhost:1/cb"],"scopes":["openid","profile","nav:forsikring"]},
		{"client_id":"oidc_visma_skyregnskap","client_secret":"G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U","client_orgno":"974761076","redirect_uris":["http://localhost:1/cb"],
		 "grant_types":["authorization_code","urn:ietf:params:oauth:grant-type:token-exchange"],"scopes":["openid","profile","nav:forsikring"]}
	],
	"scopes": [{"name":"nav:forsikring","accessible_for_all":true,"description":"Forsikring"}],
	"users": [{"pid":"21879498012","username":"kari","password":"passord","acr":"idporten-loa-high","amr":["BankID"]}],
	"token_exchange": {
		"actor_organisation": "organisasjonsnummer",
		"rules": [
			{"client":"oidc_visma_skyregnskap","subject_client":"oidc_kongsvingerkommune_acos","audience":["https://api.nav.no/"]},
			{"client":"oidc_visma_skyregnskap","subject_client":"oidc_visma_skyregnskap","may_act":{"sub":"min arbeidsgiver","orgno":"910753614","iss":"altinn autorisasjon"}}
		]
	}}`

// The page on token kinds: "Access tokens bør følge strukturen uansett om dei er direkte utsted av Autorisasjonsserver, eller om dei er eit
// resultat av ein Token Exchange operasjon." A running server issues act ("identifying the acting party to whom authority has been
// delegated") and may_act ("one party is authorized to become the actor and act on behalf of another party") with the member
// organisasjonsnummer.
func TestActAndMayActOfARunningServer(t *testing.T) {
	t.Parallel()
	s := start(t, "-config", write(t, delegating), "-demo=false")
	require.Contains(t, grantTypes(t, s), exchange.GrantType)
	v := visit(t, s)
	login := func(clientID string) string {
		p := newParty(t, s, clientID, "G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U", nobody, "openid", "nav:forsikring")
		page := v.get(p.url())
		if page.left == nil {
			page = v.login(page, "kari")
		}
		tok, _ := p.exchange(page.left.Query())
		return tok.AccessToken
	}
	swap := func(clientID, subject string, more ...string) map[string]any {
		form := url.Values{"grant_type": {exchange.GrantType}, "subject_token": {subject}, "subject_token_type": {exchange.AccessToken}}
		for i := 0; i < len(more); i += 2 {
			form.Set(more[i], more[i+1])
		}
		_, body := post(t, s, "/token", clientID, "G4t7Qz0nXw2LrYb8VmKc5HsJd1PfAe9U", form)
		return body
	}
	theirs, own := login("oidc_kongsvingerkommune_acos"), login("oidc_visma_skyregnskap")

	acting := tokenClaims(t, swap("oidc_visma_skyregnskap", theirs, "scope", "nav:forsikring", "audience", "https://api.nav.no/"))
	require.Equal(t, map[string]any{
		"sub": "0192:974761076", "organisasjonsnummer": "974761076", "client_id": "oidc_visma_skyregnskap", "iss": s.Issuer,
	}, acting["act"])
	require.Equal(t, []any{"nav:forsikring", "https://api.nav.no/", "oidc_visma_skyregnskap", "21879498012", "idporten-loa-high"},
		[]any{acting["scope"], acting["aud"], acting["client_id"], acting["pid"], acting["acr"]})

	employed := swap("oidc_visma_skyregnskap", own, "scope", "nav:forsikring")
	permitting := tokenClaims(t, employed)
	require.Equal(t, map[string]any{"sub": "min arbeidsgiver", "organisasjonsnummer": "910753614", "iss": "altinn autorisasjon"}, permitting["may_act"])
	require.NotContains(t, permitting, "act")

	require.Equal(t, "unauthorized_client", swap("oidc_kongsvingerkommune_acos", own)["error"], "the grant type is not registered")
	require.Equal(t, "invalid_target", swap("oidc_visma_skyregnskap", theirs, "audience", "https://other.example.no/")["error"])
	_, body := post(t, start(t), "/token", "min-tjeneste", idporten.DemoSecret, url.Values{"grant_type": {exchange.GrantType}})
	require.Equal(t, "unsupported_grant_type", body["error"], "without token_exchange")
}

// tokenClaims returns the claims of the access token of a token response.
func tokenClaims(t *testing.T, response map[string]any) (claims map[string]any) {
	t.Helper()
	value, _ := response["access_token"].(string)
	require.NotEmpty(t, value, response)
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(value, ".")[1])
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &claims))
	return claims
}

func TestTokenExchangeProblems(t *testing.T) {
	t.Parallel()
	_, err := idporten.ReadConfig(write(t, `{"token_exchange":{"max_lifetime":-1,"rules":[{"client":"a","subject_client":""},
		{"client":"a","subject_client":"a","may_act":{}},{"client":"a","subject_client":"a","may_act":{"orgno":"123456789"}}]}}`), false)
	for _, want := range []string{
		"token_exchange.max_lifetime: must not be negative", "token_exchange.rules[0]: needs client and subject_client",
		"token_exchange.rules[1].may_act: needs sub, client_id or orgno", "token_exchange.rules[2].may_act.orgno: ",
		"token_exchange.rules[2].may_act.orgno: requires token_exchange.actor_organisation",
	} {
		require.ErrorContains(t, err, want)
	}
}
