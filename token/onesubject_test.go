package token_test

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/token"
)

// subjects returns the sub in every document about an access token, by document: the token, userinfo, the introspection of each caller,
// and what a grant handler finds.
func (f *fixture) subjects(at string) map[string]string {
	f.t.Helper()
	found := map[string]string{}
	add := func(document string, claims map[string]any) {
		if sub, ok := claims["sub"]; ok {
			found[document] = sub.(string)
		}
	}
	if strings.Count(at, ".") == 2 {
		_, claims := segments(f.t, at)
		add("token", claims)
	}
	add("userinfo", f.userInfo(at).body)
	for _, caller := range []string{"web", "api", "listed", "nosy"} {
		a := f.introspect(caller, at)
		add("introspection by "+caller, a.body)
		if a.body["pid"] != nil {
			require.Contains(f.t, a.body, "sub", "a document that identifies the user names the user")
		}
	}
	live, err := f.ep.Minter().LookupSubjectToken(f.t.Context(), at, f.clock())
	if err == nil && live.Subject != "" {
		found["grant handler"] = live.Subject
	}
	return found
}

// TestSubjectsOfATokenAreOfOneKind checks over random grants, narrowed tokens and callers that the documents about one grant have the
// sub of open grants or that of pseudonymous ones, never both: a reader of two documents would learn which pseudonym belongs to the user
// (docs/threat-model.md H10).
func TestSubjectsOfATokenAreOfOneKind(t *testing.T) {
	slow.WithoutRaceDetector(t)
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 8))
	all := []string{"openid", "profile", "api:read", "api:write", "api:opaque", "api:pseudo", "api:foreign"}
	seen := map[string]int{}
	for range 150 {
		f := newFixture(t, func(c *token.Config) {
			c.IDTokenOnRefresh = true
			if rng.IntN(2) == 0 {
				withProfile(provider.OpenIDConnect())(c)
			}
			if rng.IntN(2) == 0 {
				c.SubjectType = client.Public
			}
		})
		f.scopes["api:foreign"] = &scope.Scope{Name: "api:foreign", AccessibleForAll: true, OwnerOrgno: "987654325"}
		f.clients["web"].Scopes = append(f.clients["web"].Scopes, "api:foreign")
		var scopes []string
		for _, s := range all {
			if chance := 2; s == "api:pseudo" && rng.IntN(4) == 0 || s != "api:pseudo" && rng.IntN(chance) == 0 {
				scopes = append(scopes, s)
			}
		}
		if len(scopes) == 0 {
			continue
		}
		hidden, err := f.ep.Subject(f.clients["web"], &session.Identity{Subject: "user-1", Identifiers: identified(session.TypePID, pid)}, true)
		require.NoError(t, err)
		kinds := map[bool]bool{}
		a := f.login("web", scopes...)
		for _, narrowed := range append([]string{""}, scopes...) {
			if narrowed != "" {
				form := refreshForm(a.str("refresh_token"))
				form.Set("scope", narrowed)
				a = f.send(f.ep, "web", form)
				require.Equal(t, http.StatusOK, a.Code, a.Body.String())
			}
			subs := f.subjects(a.str("access_token"))
			if idt := a.str("id_token"); idt != "" {
				_, claims := segments(t, idt)
				subs["id_token"] = claims["sub"].(string)
			}
			for _, sub := range subs {
				kinds[sub == hidden] = true
			}
			require.LessOrEqual(t, len(kinds), 1, "%v narrowed to %q: %v, the pseudonym is %s", scopes, narrowed, subs, hidden)
		}
		switch {
		case len(kinds) == 0:
			seen["none"]++
		case kinds[true]:
			seen["pseudonym"]++
		default:
			seen["open"]++
		}
	}
	for _, kind := range []string{"pseudonym", "open"} {
		require.Greater(t, seen[kind], 20, kind)
	}
}

// TestNarrowedTokenIsIntrospectedAsItIs checks that an API that reads the identity in a self-contained token gets the same sub from
// introspection, although it does not own every scope of the grant.
func TestNarrowedTokenIsIntrospectedAsItIs(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.scopes["api:foreign"] = &scope.Scope{Name: "api:foreign", AccessibleForAll: true, OwnerOrgno: "987654325"}
	f.clients["web"].Scopes = append(f.clients["web"].Scopes, "api:foreign")
	narrow := func(scopes ...string) string {
		form := refreshForm(f.login("web", scopes...).str("refresh_token"))
		form.Set("scope", scopes[0])
		return f.send(f.ep, "web", form).str("access_token")
	}
	at := narrow("api:read", "api:foreign")
	_, claims := segments(t, at)
	require.Equal(t, pid, claims["pid"])
	got := f.introspect("api", at).body
	for name, value := range claims {
		require.Equal(t, value, got[name], name)
	}
	f.clients["web"].OrganisationNo = ownerOrgno
	got = f.introspect("api", narrow("api:opaque", "api:foreign")).body
	require.Equal(t, true, got["active"])
	require.NotContains(t, got, "sub", "the API of the client's organisation does not own every scope of the grant")
	require.NotContains(t, got, "pid")
}

// TestScopeThatRequiresPseudonymsLater checks that an open grant ends if one of its scopes requires pseudonyms from now on: its client
// and its APIs know the user, and would learn the pseudonym.
func TestScopeThatRequiresPseudonymsLater(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *token.Config) { c.IDTokenOnRefresh = true })
	a, hidden := f.login("web", "openid", "profile", "api:read"), f.login("web", "openid", "profile", "api:pseudo")
	f.scopes["api:read"].RequiresPseudonymousTokens = true
	require.Empty(t, f.subjects(a.str("access_token"))["userinfo"])
	require.Equal(t, `{"active":false}`, f.introspect("api", a.str("access_token")).Body.String())
	f.requireError(f.userInfo(a.str("access_token")), http.StatusUnauthorized, portner.InvalidToken)
	f.requireError(f.refresh("web", a.str("refresh_token")), http.StatusBadRequest, portner.InvalidGrant)
	require.Equal(t, "pseudonym_required", f.events[len(f.events)-1].Reason)
	require.Equal(t, http.StatusOK, f.refresh("web", hidden.str("refresh_token")).Code, "a grant that is pseudonymous lives on")
	f.scopes["api:pseudo"].RequiresPseudonymousTokens = false
	subs := f.subjects(f.login("web", "openid", "api:pseudo").str("access_token"))
	require.NotEqual(t, subs["introspection by api"], f.subjects(hidden.str("access_token"))["introspection by api"], "nor does it become open")
}
