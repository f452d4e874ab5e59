package maskinporten_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/maskinporten"
)

// TestOnlyGrantAssertions: another JWT that the client signs for the same issuer is no assertion. A request object passes through
// the browser, and a client assertion through proxies.
func TestOnlyGrantAssertions(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		header, payload object
		reason          string
	}{
		"typed request object":     {kid("k1").with("typ", "oauth-authz-req+jwt"), v4(), "assertion_typ"},
		"typed client assertion":   {kid("k1").with("typ", "client-authentication+jwt"), v4(), "assertion_typ"},
		"access token":             {kid("k1").with("typ", "at+jwt"), v4(), "assertion_typ"},
		"logout token":             {kid("k1").with("typ", "logout+jwt"), v4(), "assertion_typ"},
		"DPoP proof":               {kid("k1").with("typ", "dpop+jwt"), v4(), "assertion_typ"},
		"unknown type":             {kid("k1").with("typ", "application/foo+jwt"), v4(), "assertion_typ"},
		"untyped request object":   {kid("k1"), v4().with("client_id", "my_client_id", "response_type", "code", "redirect_uri", "https://a.example.no/"), "assertion_purpose_mismatch"},
		"minimal request object":   {kid("k1"), v4().with("client_id", "my_client_id"), "assertion_purpose_mismatch"},
		"untyped client assertion": {kid("k1"), v4().with("sub", "my_client_id", "scope", nil), "assertion_purpose_mismatch"},
		"security event":           {kid("k1"), v4().with("events", map[string]any{}), "assertion_purpose_mismatch"},
		"sub of a user":            {kid("k1"), v4().with("sub", "user"), "assertion_sub_mismatch"},
	} {
		w := newWorld(t, nil)
		w.requireRejection(t, w.send(t, sign(tc.header.json(), tc.payload.json())), catalogue["MP-011"])
		require.Equal(t, tc.reason, w.lastEvent().Reason, name)
	}
	for _, typ := range []string{"JWT", "jwt", "application/jwt"} {
		w := newWorld(t, nil)
		w.requireToken(t, w.send(t, sign(kid("k1").with("typ", typ).json(), v4().with("iss_onbehalfof", "x", "x", 1).json())), nil)
	}
}

// TestResourcesAreAPIs: a token for a client or for the issuer, with a pid of the caller's choice, would look like an id_token.
func TestResourcesAreAPIs(t *testing.T) {
	t.Parallel()
	rp, old := clients()[0], clients()[0]
	rp.ClientID, old.ClientID, old.Disabled = "https://rp.example.no/", "urn:example:old", true
	w := newWorld(t, func(c *maskinporten.Config) {
		c.Clients = must(client.NewRegistry(client.Environment{Test: true, BusinessCertificates: true}, append(clients(), rp, old)...))
	})
	for _, resource := range []any{
		rp.ClientID, old.ClientID, testIssuer, "https://test.maskinporten.no", []string{"https://api.example.no", rp.ClientID},
	} {
		a := w.grant(t, v4().with("resource", resource, "pid", "21879498012"))
		w.requireRejection(t, a, catalogue["MP-011"])
		require.Equal(t, "resource_not_api", w.lastEvent().Reason, resource)
	}
	w.requireToken(t, w.grant(t, v4().with("resource", "https://api.example.no")), object{"aud": "https://api.example.no"})
	cloud := newWorld(t, nil)
	cloud.requireToken(t, cloud.grant(t, v4().with("resource", "api://AzureADTokenExchange")), object{"aud": "api://AzureADTokenExchange"})
}
