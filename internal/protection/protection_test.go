package protection_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/protection"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/scope"
)

// TestOf: a grant is pseudonymous if it is stored so, or if a requested scope requires it now. Opaque tokens identify the user only if the
// client receives the identity elsewhere.
func TestOf(t *testing.T) {
	t.Parallel()
	scopes, err := scope.NewRegistry([]scope.Scope{
		{Name: "test:plain", Description: "x", AccessibleForAll: true},
		{Name: "test:pseudo", Description: "x", AccessibleForAll: true, RequiresPseudonymousTokens: true},
	}, nil)
	require.NoError(t, err)
	plain, withOpenID := []string{"test:plain"}, []string{scope.OpenID, "test:plain"}
	for name, tt := range map[string]struct {
		grant protection.Grant
		want  pseudonym.Protection
	}{
		"open":                       {protection.Grant{Requested: plain, Granted: plain}, pseudonym.Open},
		"a scope requires it":        {protection.Grant{Requested: []string{"test:plain", "test:pseudo"}, Granted: withOpenID}, pseudonym.Pseudonymous},
		"stored":                     {protection.Grant{Requested: withOpenID, Granted: withOpenID, Pseudonymous: true}, pseudonym.Pseudonymous},
		"stored, opaque":             {protection.Grant{Requested: plain, Granted: plain, Pseudonymous: true, Opaque: true}, pseudonym.Pseudonymous},
		"opaque":                     {protection.Grant{Requested: plain, Granted: plain, Opaque: true}, pseudonym.ByReference},
		"opaque with openid":         {protection.Grant{Requested: withOpenID, Granted: withOpenID, Opaque: true}, pseudonym.Open},
		"opaque, openid declined":    {protection.Grant{Requested: withOpenID, Granted: plain, Opaque: true}, pseudonym.ByReference},
		"opaque with profile":        {protection.Grant{Granted: []string{scope.Profile}, Opaque: true}, pseudonym.Open},
		"opaque, nothing is granted": {protection.Grant{Requested: withOpenID, Opaque: true}, pseudonym.ByReference},
	} {
		require.Equal(t, tt.want, protection.Of(tt.grant, scopes), name)
	}
}
