package authorize_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/internal/requested"
)

func withClaims(c *authorize.Config) { c.ClaimsParameter = true }

// TestClaimsMalformed: the parameter is parsed strictly, and ignored unless it is supported.
func TestClaimsMalformed(t *testing.T) {
	t.Parallel()
	deep := ""
	for range 200 {
		deep += `{"x":`
	}
	for name, text := range map[string]string{
		"not JSON":              `{"userinfo":`,
		"an array":              `[]`,
		"repeated member":       `{"id_token":{},"id_token":{}}`,
		"repeated claim":        `{"userinfo":{"name":null,"name":null}}`,
		"userinfo as text":      `{"userinfo":"name"}`,
		"claim as text":         `{"userinfo":{"name":"essential"}}`,
		"essential as text":     `{"userinfo":{"name":{"essential":"true"}}}`,
		"value and values":      `{"id_token":{"acr":{"value":"a","values":["b"]}}}`,
		"values as text":        `{"id_token":{"acr":{"values":"a"}}}`,
		"levels that are not":   `{"id_token":{"acr":{"values":[1]}}}`,
		"two subjects":          `{"id_token":{"sub":{"values":["a","b"]}}}`,
		"too deep":              deep,
		"too long":              `{"userinfo":{"` + longName(5000) + `":null}}`,
		"too many claims":       manyClaims(65),
		"trailing data":         `{} {}`,
		"subject not supported": `{"id_token":{"sub":{"value":"kari"}}}`,
	} {
		require.Equal(t, "error invalid_request", outcome(t, newWorld(t, withClaims).browser().authorize(params("web", "claims", text))), name)
		require.Equal(t, "login", outcome(t, newWorld(t).browser().authorize(params("web", "claims", text))), name+", ignored")
	}
}

func longName(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'x'
	}
	return string(b)
}

func manyClaims(n int) string {
	text := `{"userinfo":{`
	for i := range n {
		if i > 0 {
			text += ","
		}
		text += `"c` + string(rune('a'+i/26)) + string(rune('a'+i%26)) + `":null`
	}
	return text + "}}"
}

// TestClaimsAreStored: the grant holds the names of the requested claims, without values.
func TestClaimsAreStored(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]requested.Claims{
		`{}`: {},
		`{"userinfo":null,"id_token":{},"other":[1]}`: {},
		`{"userinfo":{"name":{"essential":true},"email":null,"x":{"values":[1,{"a":2}],"y":1}},"id_token":{"auth_time":{"essential":false}}}`: {
			UserInfo: []string{"name", "email", "x"}, IDToken: []string{"auth_time"},
		},
		`{"id_token":{"birthdate":{"value":"secret-canary"}}}`: {IDToken: []string{"birthdate"}},
	} {
		w := newWorld(t, withClaims)
		b := w.browser()
		g := w.stored(requireCode(t, b.loginAs(b.authorize(params("web", "claims", text)), "kari"))).Grant
		require.NotContains(t, string(g.Claims), "canary")
		got, err := requested.Decode(g.Claims)
		require.NoError(t, err)
		require.Equal(t, want, got, text)
	}
	w := newWorld(t)
	b := w.browser()
	res := b.loginAs(b.authorize(params("web", "claims", `{"userinfo":{"name":null}}`)), "kari")
	require.Nil(t, w.stored(requireCode(t, res)).Grant.Claims, "not supported")
}

// TestEssentialACR: an essential acr with values is a requirement (OIDC Core §5.5.1.1).
func TestEssentialACR(t *testing.T) {
	t.Parallel()
	essential := func(levels string) string { return `{"id_token":{"acr":{"essential":true,"values":[` + levels + `]}}}` }
	const quotedHigh, quotedSubstantial = `"` + acr.High + `"`, `"` + acr.Substantial + `"`
	w := newWorld(t, withClaims)
	b := w.browser()
	requireCode(t, b.loginAs(b.authorize(params("silent")), "kari", acr.Substantial))
	w.sleep(time.Minute)
	request := func(claims string, change ...string) string {
		return outcome(t, b.authorize(params("silent", append([]string{"claims", claims}, change...)...)))
	}
	require.Equal(t, "code", request(essential(quotedSubstantial)))
	require.Equal(t, "code", request(essential(quotedHigh+","+quotedSubstantial)))
	require.Equal(t, "step-up", request(essential(quotedHigh)))
	require.Equal(t, "step-up", request(`{"id_token":{"acr":{"essential":true,"value":`+quotedHigh+`}}}`))
	require.Equal(t, "step-up", request(essential(quotedHigh), "acr_values", acr.Low), "acr_values are voluntary")
	require.Equal(t, "error interaction_required", request(essential(quotedHigh), "prompt", "none"))
	require.Equal(t, "error unmet_authentication_requirements", request(essential(`"urn:mace:incommon:iap:silver"`)))
	require.Equal(t, "code", request(`{"id_token":{"acr":{"essential":true}}}`), "every level is one")
	require.Equal(t, "code", request(`{"userinfo":{"acr":{"essential":true,"values":["x"]}}}`), "acr is a claim of the id_token")

	res := b.authorize(params("silent", "claims", essential(quotedHigh)))
	g := w.stored(requireCode(t, b.loginAs(res, "kari", acr.High))).Grant
	require.Equal(t, acr.High, g.ACR)
	w.sleep(time.Minute)
	res = b.authorize(params("silent", "claims", essential(quotedSubstantial)))
	require.Equal(t, "step-up", outcome(t, res), "the level must match")
	require.Equal(t, "error unmet_authentication_requirements", outcome(t, b.loginAs(res, "kari", acr.High)), "another login would not help")
}

// TestUnknownACRValues: without RequireKnownACR, acr_values without a known value are ignored, and the code has the level of the session.
func TestUnknownACRValues(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, values, level, want string }{
		{"a level of another provider", "1 2", acr.Substantial, "code"},
		{"spaces", "  ", acr.Substantial, "code"},
		{"unknown beside known", "1 " + acr.High, acr.Substantial, "step-up"},
		{"the default of the provider still holds", "1 2", acr.Low, "step-up"},
	} {
		w := newWorld(t, func(c *authorize.Config) { c.RequireKnownACR, c.DefaultACRValues = false, nil })
		if tc.level == acr.Low {
			w = newWorld(t, func(c *authorize.Config) { c.RequireKnownACR = false })
		}
		b := w.browser()
		require.NotEmpty(t, requireCode(t, b.loginAs(b.authorize(params("web", "acr_values", acr.Low)), "kari", tc.level)))
		res := b.authorize(params("web", "acr_values", tc.values))
		require.Equal(t, tc.want, outcome(t, res), tc.name)
		if tc.want == "code" {
			require.Equal(t, tc.level, w.stored(requireCode(t, res)).Grant.ACR, tc.name)
		}
	}
	w := newWorld(t, func(c *authorize.Config) { c.RequireKnownACR, c.ClaimsParameter = false, true })
	b := w.browser()
	b.open(b.authorize(params("web", "acr_values", "1 2", "claims", `{"id_token":{"acr":{"values":["`+acr.Low+`"]}}}`)), "/login")
	require.Equal(t, []string{acr.Low}, w.seen.RequestedACR, "a known value of the claims parameter replaces the default")
}

// TestVoluntaryACR: a voluntary acr adds to acr_values.
func TestVoluntaryACR(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		claims, acrValues string
		want              []string
	}{
		{`{"id_token":{"acr":{"values":["` + acr.High + `"]}}}`, "", []string{acr.High}},
		{`{"id_token":{"acr":{"values":["` + acr.High + `"]}}}`, acr.Low, []string{acr.Low, acr.High}},
		{`{"id_token":{"acr":{"value":"` + acr.Low + `"}}}`, acr.Low, []string{acr.Low}},
		{`{"id_token":{"acr":{"values":["unknown"]}}}`, "", []string{acr.Substantial}},
		{`{"id_token":{"acr":null}}`, acr.High, []string{acr.High}},
	} {
		w := newWorld(t, withClaims)
		b := w.browser()
		b.open(b.authorize(params("web", "claims", tc.claims, "acr_values", tc.acrValues)), "/login")
		require.Equal(t, tc.want, w.seen.RequestedACR, tc.claims)
	}
}

// TestRequestedSubject: a sub with a value names the user, as id_token_hint does (OIDC Core §3.1.2.2).
func TestRequestedSubject(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withHints, withClaims)
	b := w.browser()
	requireCode(t, b.loginAs(b.authorize(params("silent")), "kari"))
	claims := func(sub string) string { return `{"id_token":{"sub":{"value":"` + sub + `"}}}` }
	require.Equal(t, "code", outcome(t, b.authorize(params("silent", "claims", claims("silent/kari"), "prompt", "none"))))
	require.Equal(t, "error login_required", outcome(t, b.authorize(params("silent", "claims", claims("silent/ola"), "prompt", "none"))))
	require.Equal(t, "login", outcome(t, b.authorize(params("silent", "claims", claims("silent/ola")))))
	hint := idToken(issuer, "silent", "silent/kari")
	require.Equal(t, "code", outcome(t, b.authorize(params("silent", "claims", claims("silent/kari"), "id_token_hint", hint))))
	require.Equal(t, "error invalid_request", outcome(t, b.authorize(params("silent", "claims", claims("silent/ola"), "id_token_hint", hint))))
	w.sleep(time.Second)
	requireCode(t, b.loginAs(b.authorize(params("silent", "claims", claims("silent/ola"))), "ola"))
}

// TestRequestedSubjectIsNoOracle verifies that a client that may not learn the identity of the user cannot test whether the user has
// a sub that it knows from elsewhere (docs/threat-model.md H5).
func TestRequestedSubjectIsNoOracle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withHints, withClaims)
	b := w.browser()
	requireCode(t, b.loginAs(b.authorize(params("silent")), "kari"))
	for _, scopes := range []string{"openid test:pseudo", "test:opaque"} {
		request := func(sub string) string {
			return outcome(t, b.authorize(params("silent", "scope", scopes, "prompt", "none", "claims", `{"id_token":{"sub":{"value":"`+sub+`"}}}`)))
		}
		require.Equal(t, "error invalid_request", request("silent/kari"), scopes)
		require.Equal(t, request("silent/ola"), request("silent/kari"), scopes)
	}
}

// TestHintIsNoOracle verifies that the id_token of an open login does not match the user of a pseudonymous or by-reference request,
// and that of a pseudonymous login not the user of an open one: a client could find out whom it does not know
// (docs/threat-model.md H5).
func TestHintIsNoOracle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withHints)
	b := w.browser()
	requireCode(t, b.loginAs(b.authorize(params("silent")), "kari"))
	for _, tt := range []struct{ scopes, sub, want string }{
		{"openid", "silent/kari", "code"},
		{"openid", "silent/pseudonym of kari", "error login_required"},
		{"openid test:pseudo", "silent/pseudonym of kari", "code"},
		{"openid test:pseudo", "silent/kari", "error login_required"},
		{"test:opaque", "silent/kari", "error login_required"},
		{"openid test:pseudo", "silent/ola", "error login_required"},
	} {
		hint := idToken(issuer, "silent", tt.sub)
		require.Equal(t, tt.want, outcome(t, b.authorize(params("silent", "scope", tt.scopes, "prompt", "none", "id_token_hint", hint))), "%v", tt)
	}
}
