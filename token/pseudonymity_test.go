package token_test

import (
	"context"
	"encoding/base64"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// everything is a user with every identifier and attribute.
var everything = session.Identity{
	Subject: "user-1", Identifiers: identified(session.TypeEIDAS, eidas, session.TypePID, pid, session.TypeEmail, email),
	Attributes: map[string]string{"given_name": "Karianne", "family_name": "Nordmann-Hansen", "birthdate": "1994-01-01"},
}

const eidas = "SE/NO/194001018177"

var identifiers = []string{
	pid, email, eidas, everything.Attributes["given_name"], everything.Attributes["family_name"], everything.Attributes["birthdate"],
}

// identified returns identifiers of types and values in turn.
func identified(typesAndValues ...string) (list []pseudonym.Identifier) {
	for i := 0; i < len(typesAndValues); i += 2 {
		list = append(list, must(pseudonym.NewIdentifier(typesAndValues[i], typesAndValues[i+1])))
	}
	return list
}

// For random scopes, profiles and users: the client of a pseudonymous grant receives no identifier, in tokens, userinfo and
// introspection, at login and after refresh.
func TestPseudonymityProperty(t *testing.T) {
	slow.WithoutRaceDetector(t)
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	all := []string{"openid", "profile", "email", "api:read", "api:opaque", "api:pseudo"}
	seen := map[bool]int{}
	for range 400 {
		var scopes []string
		tainted := false
		for _, s := range all {
			if rng.IntN(2) == 0 {
				scopes = append(scopes, s)
				tainted = tainted || s == "api:pseudo"
			}
		}
		if len(scopes) == 0 {
			continue
		}
		declined := rng.IntN(4) == 0 // the scope was requested and declined
		hook := &world{user: token.User{Claims: map[string]any{
			"pid": pid, "email": email, "name": everything.Attributes["family_name"], "nickname": "x" + pid, "address": map[string]any{"formatted": pid},
		}}}
		f := newFixture(t, func(c *token.Config) {
			c.Users, c.IDTokenOnRefresh = hook, true
			if rng.IntN(2) == 0 {
				withProfile(provider.OpenIDConnect())(c)
			}
		})
		code := f.code(forClient("web", scopes...), identity(everything), func(c *storage.AuthorizationCode) { c.Grant.Pseudonymous = declined })
		a := f.redeem("web", code)
		require.Equal(t, http.StatusOK, a.Code, a.Body.String())
		b := f.refresh("web", a.str("refresh_token"))
		var texts []string
		for _, r := range []answer{a, b} {
			texts = append(texts, plain(r.str("access_token")), plain(r.str("id_token")), r.Body.String(),
				f.userInfo(r.str("access_token")).Body.String(),
				f.send(f.ep.Introspection(), "web", url.Values{"token": {r.str("access_token")}}).Body.String())
		}
		final := strings.Join(texts, "\n")
		named := false
		for _, id := range identifiers {
			named = named || strings.Contains(final, id)
		}
		if tainted || declined {
			require.False(t, named, "%v: %s", scopes, final)
		}
		seen[named]++
	}
	require.Greater(t, seen[true], 50, "the test sees identifiers")
	require.Greater(t, seen[false], 50)
}

// plain decodes the claims of a JWT, or returns an opaque token as it is.
func plain(value string) string {
	parts := strings.Split(value, ".")
	if len(parts) != 3 {
		return value
	}
	return string(must(base64.RawURLEncoding.DecodeString(parts[1])))
}

// The userinfo response of a pseudonymous grant has sub and locale only.
func TestPseudonymousUserInfo(t *testing.T) {
	t.Parallel()
	for _, policy := range []provider.Profile{provider.IDPorten(), provider.OpenIDConnect()} {
		f := newFixture(t, withProfile(policy), func(c *token.Config) {
			c.Users = &world{user: token.User{Claims: map[string]any{"name": "Kari", "email": email, "locale": "en", "zoneinfo": "Europe/Oslo", "updated_at": 1731234567}}}
			c.Claims = append(c.Claims, func(_ context.Context, d *token.Document) error {
				d.Set("changed", d.User.Claims["updated_at"])
				if len(c.ScopeClaims) > 0 {
					d.Set("zone", d.User.Claims["zoneinfo"])
				}
				return nil
			})
		})
		code := f.code(forClient("web", "openid", "profile", "email", "api:pseudo"), identity(everything))
		u := f.userInfo(f.redeem("web", code).str("access_token"))
		require.ElementsMatch(t, []string{"sub", "locale"}, keys(u.body))
	}
}

// The final bytes of userinfo are checked.
func TestUserInfoLeakIsBlocked(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	code := f.code(forClient("web", "profile", "api:pseudo", "api:opaque"), identity(everything), func(c *storage.AuthorizationCode) { c.Grant.Locale = pid })
	at := f.redeem("web", code).str("access_token")
	require.NotEmpty(t, at)
	f.eventNames()
	f.requireError(f.userInfo(at), http.StatusInternalServerError, portner.ServerError)
	require.Contains(t, f.eventNames(), portner.EventPIDLeakBlocked)
}

// Whichever claim contains an identifier, no token is issued. The texts of the client are an exception:
// TestPseudonymousTokensConfirmNoGuess.
func TestLeakIsBlocked(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*storage.AuthorizationCode){
		"locale": func(c *storage.AuthorizationCode) { c.Grant.Locale = pid },
		"acr":    func(c *storage.AuthorizationCode) { c.Grant.ACR = "of " + email },
		"locale beside a guess": func(c *storage.AuthorizationCode) {
			c.Grant.Locale, c.Nonce, c.Grant.Resources = pid, pid, []string{"urn:x:" + email}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			code := f.code(forClient("web", "openid", "api:pseudo"), identity(everything), change)
			a := f.redeem("web", code)
			f.requireError(a, http.StatusInternalServerError, portner.ServerError)
			require.Contains(t, f.eventNames(), portner.EventPIDLeakBlocked)
			_, err := f.store.Code(t.Context(), storage.HashOf(code), f.clock())
			require.NoError(t, err, "nothing was issued, nothing consumed")
		})
	}
}

// The sub is the same in every document of a client, differs between clients, and depends on the type of the identifier.
func TestSubject(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sub := func(clientID string, id session.Identity) string {
		a := f.redeem(clientID, f.code(forClient(clientID), identity(id)))
		_, idt := segments(t, a.str("id_token"))
		_, at := segments(t, a.str("access_token"))
		require.Equal(t, idt["sub"], at["sub"])
		require.Equal(t, idt["sub"], f.userInfo(a.str("access_token")).body["sub"])
		require.Len(t, idt["sub"], 43)
		return idt["sub"].(string)
	}
	norwegian := session.Identity{Subject: "a", Identifiers: identified(session.TypePID, pid)}
	require.Equal(t, sub("web", norwegian), sub("web", session.Identity{Subject: "b", Identifiers: norwegian.Identifiers}))
	require.NotEqual(t, sub("web", norwegian), sub("other", norwegian))
	european := session.Identity{Subject: "c", Identifiers: identified(session.TypeEIDAS, "SE/NO/1")}
	matched := session.Identity{Subject: "c", Identifiers: identified(session.TypeEIDAS, "SE/NO/1", session.TypePID, pid)}
	require.Equal(t, sub("web", european), sub("web", matched), "a later match with a national identity number changes nothing")
	require.NotEqual(t, sub("web", session.Identity{Subject: "x"}), sub("web", session.Identity{Identifiers: identified(session.TypeEmail, "x")}), "type is part of the key")
}

// TestPseudonymousDocumentsHideTheSubject: a claims function that derives a claim from Identity.Subject, through the claims of the user,
// fails, because clients with public subjects know it. A short subject can be a word of any document.
func TestPseudonymousDocumentsHideTheSubject(t *testing.T) {
	t.Parallel()
	for subject, want := range map[string]int{"kari-nordmann-1234": http.StatusInternalServerError, "kari": http.StatusOK} {
		f := newFixture(t, func(c *token.Config) {
			c.Users = &world{user: token.User{Claims: map[string]any{"tenant_id": "tenant-of-" + subject}}}
			c.Claims = append(c.Claims, func(_ context.Context, d *token.Document) error {
				d.Set("tenant_id", d.User.Claims["tenant_id"])
				return nil
			})
		})
		id := everything
		id.Subject = subject
		require.Equal(t, want, f.redeem("web", f.code(forClient("web", "openid", "api:pseudo"), identity(id))).Code, subject)
		require.Equal(t, http.StatusOK, f.redeem("web", f.code(forClient("web", "openid"), identity(id))).Code, subject)
	}
}
