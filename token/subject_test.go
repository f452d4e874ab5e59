package token_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/token"
)

// subjectOf logs in to a client and returns the sub, which is the same in every document.
func (f *fixture) subjectOf(clientID string, scopes ...string) string {
	f.t.Helper()
	a := f.login(clientID, append([]string{"openid", "profile"}, scopes...)...)
	_, idToken := segments(f.t, a.str("id_token"))
	sub := idToken["sub"].(string)
	_, access := segments(f.t, a.str("access_token"))
	require.Equal(f.t, sub, access["sub"])
	require.Equal(f.t, sub, f.userInfo(a.str("access_token")).body["sub"])
	caller := "web"
	if clientID != caller { // a public client cannot introspect; the owner of api:read can
		caller = "api"
	}
	require.Equal(f.t, sub, f.introspect(caller, a.str("access_token")).body["sub"])
	b := f.refresh(clientID, a.str("refresh_token"))
	_, access = segments(f.t, b.str("access_token"))
	require.Equal(f.t, sub, access["sub"])
	t, err := f.ep.Minter().LookupSubjectToken(f.t.Context(), b.str("access_token"), f.clock())
	require.NoError(f.t, err)
	require.Equal(f.t, sub, t.Subject)
	return sub
}

func TestSubjectTypes(t *testing.T) {
	t.Parallel()
	const sector = "https://example.no/clients.json"
	for name, tt := range map[string]struct {
		profile    string // default of the profile
		web, spa   string // subject type of the clients
		webS, spaS string // sectors
		public     bool   // of web
		equal      bool   // both clients receive the same sub
	}{
		"pairwise by default":            {},
		"public by default":              {profile: client.Public, public: true, equal: true},
		"public by client":               {web: client.Public, public: true},
		"pairwise by client":             {profile: client.Public, web: client.Pairwise},
		"pairwise per sector":            {webS: sector, spaS: "https://EXAMPLE.no/other.json", equal: true},
		"pairwise, other sector":         {webS: sector, spaS: "https://www.example.no/clients.json"},
		"public and pairwise per sector": {web: client.Public, webS: sector, spaS: sector, public: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, withProfile(provider.OpenIDConnect()), func(c *token.Config) { c.SubjectType = tt.profile })
			f.clients["web"].SubjectType, f.clients["spa2"].SubjectType = tt.web, tt.spa
			f.clients["web"].SectorIdentifierURI, f.clients["spa2"].SectorIdentifierURI = tt.webS, tt.spaS
			web, spa := f.subjectOf("web", "api:read"), f.subjectOf("spa2", "api:read")
			require.Equal(t, tt.public, web == "user-1", web)
			require.Equal(t, tt.equal, web == spa)
		})
	}
}

// The subject of a pseudonymous grant is pairwise, also at public clients, does not depend on the subject type, and is not that of an
// open grant.
func TestPseudonymousSubjectsArePairwise(t *testing.T) {
	t.Parallel()
	f := newFixture(t, withProfile(provider.OpenIDConnect()))
	want := f.subjectOf("web", "api:pseudo")
	require.NotEqual(t, want, f.subjectOf("web"))
	f.clients["web"].SubjectType = client.Public
	require.Equal(t, want, f.subjectOf("web", "api:pseudo"))
	require.Equal(t, "user-1", f.subjectOf("web"))
}

// A client that gets opaque tokens only does not receive the public subject. The API receives it by introspection.
func TestSubjectsOfOpaqueTokens(t *testing.T) {
	t.Parallel()
	f := newFixture(t, withProfile(provider.OpenIDConnect()), func(c *token.Config) { c.SubjectType = client.Public })
	at := f.login("web", "api:opaque").str("access_token")
	require.NotContains(t, f.introspect("web", at).body, "sub")
	require.Equal(t, "user-1", f.introspect("api", at).body["sub"])
}

// A client that gets opaque tokens only does not receive the sub by introspection, and neither does a grant handler.
func TestOpaqueTokensHaveNoSubject(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	open := f.subjectOf("web", "api:read")
	at := f.login("web", "api:opaque").str("access_token")
	require.NotContains(t, f.introspect("web", at).body, "sub")
	require.Equal(t, open, f.introspect("api", at).body["sub"], "the API may read the pid")
	live, err := f.ep.Minter().LookupSubjectToken(t.Context(), at, f.clock())
	require.NoError(t, err)
	require.Empty(t, live.Subject)
	require.False(t, live.Pseudonymous)
}

// A subject of the host that no client may receive is a fault, not a token without or with a malformed sub (OIDC Core §2).
func TestPublicSubjectsAreChecked(t *testing.T) {
	t.Parallel()
	f := newFixture(t, withProfile(provider.OpenIDConnect()), func(c *token.Config) { c.SubjectType = client.Public })
	for _, subject := range []string{strings.Repeat("x", 256), "kåre", "a\nb", ""} {
		id := session.Identity{Subject: subject, Identifiers: identified(session.TypePID, pid)}
		f.requireError(f.redeem("web", f.code(identity(id))), http.StatusInternalServerError, portner.ServerError)
	}
	require.Equal(t, http.StatusOK, f.redeem("web", f.code(identity(session.Identity{Subject: strings.Repeat("x", 255)}))).Code)
}

// TestPublicSubjects: a public subject that makes a user the client itself, or another user of the client, is a fault.
func TestPublicSubjects(t *testing.T) {
	t.Parallel()
	const form = "fQdDYStYRFvMNprBQrFpGOXQUQ0sIZwrHbYtHGKa2QI"
	for subject, want := range map[string]bool{
		"kari": true, "web": false, "Web": true, "web ": true, form: false, form[1:]: true, form + "A": true, form[:42] + "J": true, form[:42] + "!": true,
	} {
		f := newFixture(t)
		f.clients["web"].SubjectType = client.Public
		a := f.redeem("web", f.code(forClient("web", "openid"), identity(session.Identity{Subject: subject})))
		if !want {
			f.requireError(a, http.StatusInternalServerError, portner.ServerError)
			continue
		}
		require.Equal(t, http.StatusOK, a.Code, subject)
		_, err := f.ep.Subject(f.clients["web"], &session.Identity{Subject: subject}, false)
		require.NoError(t, err)
	}
}
