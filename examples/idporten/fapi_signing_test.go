package main

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// signingModules are the further modules of signed requests, without their prefix.
var signingModules = map[string]fapiModule{
	"ensure-request-object-with-multiple-aud-succeeds": {objectAccepted(func(c *fapiClient, o *jws) {
		o.claims["aud"] = []string{c.issuer, "https://other.example.no"}
	}), "S"},
	"ensure-request-object-with-nbf-8-seconds-in-the-future-is-accepted": {objectAccepted(func(_ *fapiClient, o *jws) { shift(o, "nbf", 8*time.Second) }), "S"},

	"ensure-request-object-without-exp-fails":      {objectFails(func(_ *fapiClient, o *jws) { delete(o.claims, "exp") }), "S"},
	"ensure-request-object-without-nbf-fails":      {objectFails(func(_ *fapiClient, o *jws) { delete(o.claims, "nbf") }), "S"},
	"ensure-expired-request-object-fails":          {objectFails(func(_ *fapiClient, o *jws) { shift(o, "exp", -10*time.Minute) }), "S"},
	"ensure-request-object-with-bad-aud-fails":     {objectFails(func(_ *fapiClient, o *jws) { o.claims["aud"] = "https://other.example.no" }), "S"},
	"ensure-request-object-with-exp-over-60-fails": {objectFails(func(_ *fapiClient, o *jws) { shift(o, "exp", 65*time.Minute) }), "S"},
	"ensure-request-object-with-nbf-over-60-fails": {objectFails(func(_ *fapiClient, o *jws) { shift(o, "nbf", -70*time.Minute) }), "S"},

	"ensure-signed-request-object-with-RS256-fails":         {objectFails(func(_ *fapiClient, o *jws) { o.header["alg"] = "RS256" }), "S"},
	"ensure-request-object-signature-algorithm-is-not-none": {objectFails(func(_ *fapiClient, o *jws) { o.header["alg"] = "none" }), "S"},
	"ensure-request-object-with-invalid-signature-fails":    {(*fapiRun).objectChanged, "S"},
	"ensure-matching-key-in-authorization-request":          {objectFails(func(c *fapiClient, o *jws) { o.key = c.private[c.client(2).id] }), "S"},
	"ensure-unsigned-request-at-par-endpoint-fails":         {(*fapiRun).unsignedRequest, "S"},
	"par-authorization-request-containing-request_uri":      {objectFails(func(_ *fapiClient, o *jws) { o.claims["request_uri"] = "urn:ietf:params:oauth:request_uri:x" }), "S"},
}

// fapiModules are the modules of both plans.
var fapiModules = func() map[string]fapiModule {
	all := maps.Clone(securityModules)
	maps.Copy(all, signingModules)
	return all
}()

// TestMessageSigningProfile: the same clients with the profile fapi2-message-signing, whose registrations do not say that requests and
// responses are signed. A request without a request object is rejected, and a response is a JWT.
func TestMessageSigningProfile(t *testing.T) {
	t.Parallel()
	config, err := os.ReadFile("conformance-fapi2.json")
	require.NoError(t, err)
	authorities, err := filepath.Abs("conformance-fapi2-ca.pem")
	require.NoError(t, err)
	b := newFAPIBedOf(t, write(t, strings.NewReplacer(`"profile": "fapi2"`, `"profile": "fapi2-message-signing"`, "conformance-fapi2-ca.pem", authorities).Replace(string(config))))
	require.Equal(t, true, b.metaOpenID["require_signed_request_object"])
	require.Equal(t, []any{"jwt", "query.jwt", "form_post.jwt"}, b.metaOpenID["response_modes_supported"])
	require.Equal(t, b.metaOpenID["authorization_signing_alg_values_supported"], b.metaOpenID["introspection_signing_alg_values_supported"])
	c := b.run(t, variant{auth: "pkjwt", bind: "dpop", signed: true}).client(1)
	c.id = "conf-pkjwt-dpop-1"
	q := c.request()
	c.accounts(c.tokens(c.redeem(c.authorize(q)), q).access).allowed(t)
	c.post("pushed_authorization_request_endpoint", c.request()).do().fails(t, "invalid_request")
	for _, mode := range []string{"", "query", "form_post", "fragment.jwt"} {
		c.push(c.request("response_mode", mode)).fails(t, "invalid_request", "invalid_request_object")
	}
}

// shift moves a time of an object.
func shift(o *jws, name string, by time.Duration) {
	o.claims[name] = o.claims[name].(int64) + int64(by.Seconds())
}

func objectAccepted(change func(*fapiClient, *jws)) func(*fapiRun) string {
	return func(m *fapiRun) string {
		c := m.client(1)
		q := c.request()
		o := c.object(q)
		change(c, o)
		c.tokens(c.redeem(c.code(c.finish(c.open(c.pushed(c.pushObject(o)))), q)), q)
		return passed
	}
}

func objectFails(change func(*fapiClient, *jws)) func(*fapiRun) string {
	return func(m *fapiRun) string {
		c := m.client(1)
		o := c.object(c.request())
		change(c, o)
		return c.pushObject(o).fails(m.t, "invalid_request_object")
	}
}

// objectChanged sends an object with other claims than those that were signed.
func (m *fapiRun) objectChanged() string {
	c := m.client(1)
	signed := c.object(c.request()).sign(m.t)
	other := c.object(c.request()).sign(m.t)
	mixed := other[:strings.LastIndexByte(other, '.')] + signed[strings.LastIndexByte(signed, '.'):]
	require.NotEqual(m.t, other, mixed)
	return c.post("pushed_authorization_request_endpoint", form("client_id", c.id, "request", mixed)).do().fails(m.t, "invalid_request_object")
}

func (m *fapiRun) unsignedRequest() string {
	c := m.client(1)
	return c.post("pushed_authorization_request_endpoint", c.request()).do().fails(m.t, "invalid_request")
}
