package compat

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMappingMatches: "*" matches every value, and a regular expression the whole one. The form has precedence over the client and the login.
func TestMappingMatches(t *testing.T) {
	t.Parallel()
	p := &parameters{form: url.Values{"scope": {"a b"}, "aud": {"x", "y"}, "login": {""}}, clientID: "app", username: "alice"}
	for _, tc := range []struct {
		param, match string
		want         bool
	}{
		{"scope", "*", true},
		{"scope", "a b", true},
		{"scope", "a", false},
		{"scope", "a.*", true},
		{"scope", ".*b", true},
		{"scope", "a|b", false},
		{"aud", "y", true},
		{"aud", "z", false},
		{"missing", "*", false},
		{"missing", ".*", false},
		{"client_id", "app", true},
		{"client_id", "ap", false},
		{"subject", "al.*", true},
		{"subject", "bob", false},
	} {
		m := mapping{param: tc.param, any: tc.match == "*", exact: tc.match}
		if !m.any {
			m.pattern = regexp.MustCompile(`^(?:` + tc.match + `)$`)
		}
		require.Equal(t, tc.want, m.matches(p), "%s %s", tc.param, tc.match)
	}
	literal := mapping{param: "scope", exact: "a b", pattern: regexp.MustCompile("^(?:never)$")}
	require.True(t, literal.matches(p), "a text matches itself, whatever it means as a pattern")
	p.form.Set("subject", "form")
	m := mapping{param: "subject", exact: "form", pattern: regexp.MustCompile("^form$")}
	require.True(t, m.matches(p))
	p = &parameters{clientID: "app"}
	m = mapping{param: "subject", any: true}
	require.False(t, m.matches(p), "a request without a login has no subject")
}

// TestPageClaimsAreBounded: the claims of the login page are kept with the session, so their size is limited.
func TestPageClaimsAreBounded(t *testing.T) {
	t.Parallel()
	text := func(size int) string { return `{"a":"` + strings.Repeat("x", size-len(`{"a":""}`)) + `"}` }
	_, problem := (&issuer{}).pageClaims(text(maxPageClaims))
	require.Empty(t, problem)
	_, problem = (&issuer{}).pageClaims(text(maxPageClaims + 1))
	require.Equal(t, "The claims must have at most 8,192 bytes.", problem)
}
