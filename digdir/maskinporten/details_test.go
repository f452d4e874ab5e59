package maskinporten_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/digdir/maskinporten"
	"github.com/portner-go/portner/rar"
)

// TestSystemUsers checks the forms of docs/spec/maskinporten.md §1.10.
func TestSystemUsers(t *testing.T) {
	t.Parallel()
	org := func(authority, id string) object { return object{"authority": authority, "ID": id} }
	const upis = "iso6523-actorid-upis"
	for name, tt := range map[string]struct {
		detail any
		entry  string
	}{
		"by the customer's number":      {detail: systemUser(customer)},
		"by reference":                  {detail: systemUser(customer).with("externalRef", "avdeling-1")},
		"another reference":             {detail: systemUser(customer).with("externalRef", "avdeling-2"), entry: "no system user"},
		"reference is empty":            {detail: systemUser(customer).with("externalRef", ""), entry: "MP-303"},
		"reference is a number":         {detail: systemUser(customer).with("externalRef", 1), entry: "MP-303"},
		"no organisation":               {detail: object{"type": "urn:altinn:systemuser"}, entry: "MP-303"},
		"organisation is text":          {detail: systemUser(customer).with("systemuser_org", customer), entry: "MP-303"},
		"other authority":               {detail: systemUser(customer).with("systemuser_org", org("x", "0192:"+customer)), entry: "MP-303"},
		"other register":                {detail: systemUser(customer).with("systemuser_org", org(upis, "9908:"+customer)), entry: "MP-303"},
		"plain number":                  {detail: systemUser(customer).with("systemuser_org", org(upis, customer)), entry: "MP-303"},
		"sub-entity":                    {detail: systemUser(customer).with("systemuser_org", org(upis, "0192:"+customer+":ER//987464291:1")), entry: "MP-303"},
		"unknown member inside":         {detail: systemUser(customer).with("systemuser_org", org(upis, "0192:"+customer).with("x", 1)), entry: "MP-302"},
		"no authority":                  {detail: systemUser(customer).with("systemuser_org", object{"ID": "0192:" + customer}), entry: "MP-303"},
		"no identifier":                 {detail: systemUser(customer).with("systemuser_org", object{"authority": upis}), entry: "MP-303"},
		"organisation is empty":         {detail: systemUser(customer).with("systemuser_org", object{}), entry: "MP-303"},
		"identifier in lower case":      {detail: systemUser(customer).with("systemuser_org", object{"authority": upis, "id": "0192:" + customer}), entry: "MP-302"},
		"member name of an older draft": {detail: object{"type": "urn:altinn:systemuser", "systemuserorg": org(upis, "0192:"+customer)}, entry: "MP-302"},
		"two types":                     {detail: nil, entry: "MP-303"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			details := []any{tt.detail}
			if tt.detail == nil {
				details = []any{systemUser(customer), consent()}
			}
			a := w.grant(t, v4().with("authorization_details", details))
			if tt.entry == "" {
				w.requireToken(t, a, object{"authorization_details": []any{map[string]any{
					"type": "urn:altinn:systemuser", "systemuser_org": organisation(customer),
					"systemuser_id": []any{"a545feee-38a1-45f5-b5b8-4f4b3bd2a4e0"}, "system_id": digdir + "_system",
				}}})
				return
			}
			w.requireRejection(t, a, catalogue[tt.entry])
		})
	}
}

// TestInvalidMemberIsLogged: the text of MP-303 is fixed, so the log line names the member whose value is invalid.
func TestInvalidMemberIsLogged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for name, tt := range map[string]struct {
		details  []any
		expected string
	}{
		"reference":     {[]any{systemUser(customer).with("externalRef", "")}, "a valid value of the member externalRef"},
		"organisation":  {[]any{systemUser(customer).with("systemuser_org", customer)}, "a valid value of the member systemuser_org"},
		"other number":  {[]any{systemUser(customer).with("systemuser_org", object{"authority": "x", "ID": customer})}, "a valid value of the member systemuser_org"},
		"id":            {[]any{consent().with("id", "1b2f6c3e")}, "a valid value of the member id"},
		"from":          {[]any{consent().with("from", "kari@example.no")}, "a valid value of the member from"},
		"two customers": {[]any{systemUser(customer), systemUser(digdir)}, "valid values"},
	} {
		w.requireRejection(t, w.grant(t, v4().with("authorization_details", tt.details)), catalogue["MP-303"])
		require.Equal(t, "details_value_invalid", w.lastEvent().Reason, name)
		require.Equal(t, tt.expected, w.lastEvent().Explanation.Expected, name)
	}
}

// TestVendor checks that the vendor is the organisation that operates the client, not the consumer of the token.
func TestVendor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for name, tt := range map[string]struct {
		payload object
		vendor  string
	}{
		"own":              {v6(), digdir},
		"delegated":        {v5().with("iat", v4()["iat"], "exp", v4()["exp"], "authorization_details", []any{systemUser("974761076")}), digdir},
		"supplier-managed": {v6().with("iss", "managed", "scope", "difitest:delegated"), digdir},
	} {
		w.grant(t, tt.payload)
		require.Equal(t, tt.vendor, w.sources.query.Vendor, name)
		require.Equal(t, tt.payload["iss"], w.sources.query.ClientID, name)
	}
}

// TestSelfContained checks that the token is a JWT even if a scope requires opaque tokens.
func TestSelfContained(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.requireToken(t, w.accepts(t, v4().with("scope", "difitest:opaque")), nil)
}

// toConsentEnd is the time from the start of a world to the end of the consent.
const toConsentEnd = 24*time.Hour - (1520589809-1520580000)*time.Second

// TestConsents checks the forms of docs/spec/maskinporten.md §1.11.
func TestConsents(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		detail object
		clock  time.Duration
		entry  string
	}{
		"given":                   {detail: consent()},
		"given by another person": {detail: consent().with("from", "urn:altinn:person:identifier-no:01010199998"), entry: "no system user"},
		"unknown":                 {detail: consent().with("id", "1b2f6c3e-0d6a-4a55-9a4e-0d8c1c3a7d12"), entry: "no system user"},
		"id is no UUID":           {detail: consent().with("id", "1b2f6c3e"), entry: "MP-303"},
		"from an e-mail":          {detail: consent().with("from", "kari@example.no"), entry: "MP-303"},
		"from ten digits":         {detail: consent().with("from", "urn:altinn:person:identifier-no:0101019999"), entry: "MP-303"},
		"from a company":          {detail: consent().with("from", "urn:altinn:organization:identifier-no:"+customer), entry: "no system user"},
		"no from":                 {detail: consent().with("from", nil), entry: "MP-303"},
		"with a receiver":         {detail: consent().with("to", digdir), entry: "MP-302"},
		"1 ns before its end":     {detail: consent(), clock: toConsentEnd - 1},
		"at its end":              {detail: consent(), clock: toConsentEnd, entry: "no system user"},
		"expired":                 {detail: consent(), clock: 24 * time.Hour, entry: "no system user"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.at(w.clock.Load().Add(tt.clock))
			iat := w.clock.Load().Unix()
			a := w.grant(t, v4().with("iat", iat, "exp", iat+120, "authorization_details", []any{tt.detail}))
			if tt.entry == "" {
				w.requireToken(t, a, object{"authorization_details": []any{map[string]any{
					"type": "urn:altinn:consent", "id": consent()["id"], "from": consent()["from"], "to": organisation(digdir),
					"consented": "2018-03-09T07:20:00Z", "validTo": "2018-03-10T07:20:00Z",
					"consentRights": []any{map[string]any{
						"action": []any{"consent"}, "resource": []any{map[string]any{"type": "urn:altinn:resource", "value": "inntekt"}}, "metadata": map[string]any{},
					}},
				}}})
				return
			}
			w.requireRejection(t, a, catalogue[tt.entry])
		})
	}
	w := newWorld(t, nil)
	other := consent().with("id", "1b2f6c3e-0d6a-4a55-9a4e-0d8c1c3a7d12")
	for _, two := range [][]any{{consent(), other}, {other, consent()}} {
		w.requireRejection(t, w.grant(t, v4().with("authorization_details", two)), catalogue["MP-303"])
	}
	// The consent was given to another organisation than the consumer of the token.
	a := w.grant(t, v5().with("iat", v4()["iat"], "exp", v4()["exp"], "authorization_details", []any{consent()}))
	w.requireRejection(t, a, catalogue["no system user"])
}

// TestNoDetails checks that details are rejected without a registry.
func TestNoDetails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *maskinporten.Config) { c.AuthorizationDetails = nil })
	w.requireRejection(t, w.grant(t, v6()), catalogue["MP-301"])
	require.Equal(t, http.StatusOK, w.grant(t, v4()).status)
}

// A host may have a nil pointer of one of these types.
type (
	hostUsers       struct{ maskinporten.SystemUserSource }
	hostConsents    struct{ maskinporten.ConsentSource }
	hostDelegations struct{ maskinporten.DelegationSource }
)

// TestNilSources checks that a registry rejects types without a source, also if it is an interface that holds a nil pointer.
func TestNilSources(t *testing.T) {
	t.Parallel()
	for _, typ := range []rar.Type{
		maskinporten.SystemUserType(nil), maskinporten.ConsentType(nil), maskinporten.SystemUserType((*hostUsers)(nil)),
		maskinporten.ConsentType((*hostConsents)(nil)),
	} {
		require.NotEmpty(t, typ.Name)
		_, err := rar.NewRegistry(typ)
		require.Error(t, err, typ.Name)
	}
}
