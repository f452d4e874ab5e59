package exchange_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/exchange"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/resource"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/token"
)

// parties are the clients that exchange tokens: two with subjects of their own, a public subject, two of a sector, one whose
// client_id is the host of that sector, and a client that does not authenticate.
var parties = []string{"portal", "service", "deep", "shop", "web", "example.no", "spa"}

// discloser is a world in which the policy is random, with what the clients know about Kari from open logins.
type discloser struct {
	*world
	rng    *rand.Rand
	open   map[string]string // sub by client
	hidden map[string]string // sub of pseudonymous logins by client
}

// named returns the user with identifying claims.
type named struct{}

func (named) User(context.Context, string) (token.User, error) {
	return token.User{Claims: map[string]any{"name": "Kari Nordmann", "email": "kari@example.no", "locale": "nn"}}, nil
}

// values are the values that identify Kari.
func (d *discloser) values() []string {
	return []string{optest.KariPID, "Kari Nordmann", "kari@example.no"}
}

func newDiscloser(t *testing.T, seed uint64, profile provider.Profile) *discloser {
	t.Helper()
	d := &discloser{rng: rand.New(rand.NewPCG(seed, 2)), open: map[string]string{}, hidden: map[string]string{}}
	targets := []string{"https://a.example.no", "https://b.example.no"}
	d.world = newWorldAt(t, func(c *provider.Config) {
		c.Profile, c.Users = profile, named{}
		c.Profile.SubjectTypesSupported = []string{client.Public, client.Pairwise}
		c.Clients = registered(t, profile.SubjectType)
	}, func(c *exchange.Config) {
		c.Policy = func(context.Context, *exchange.Request) (exchange.Decision, error) {
			dec := exchange.Decision{Impersonate: d.rng.IntN(2) == 0, Lifetime: time.Duration(d.rng.IntN(3)) * 200 * time.Second}
			if d.rng.IntN(3) == 0 {
				dec.Scopes = d.some("openid", "profile", "email", "test:api", "test:two", "test:opaque", "test:pseudonym", "test:others")
			}
			dec.Audience = d.some(targets...)
			return dec, nil
		}
	})
	for _, id := range parties {
		d.open[id] = d.subjectAt(id, "openid profile")
		d.hidden[id] = d.subjectAt(id, "openid profile test:pseudonym")
	}
	return d
}

// registered returns the parties. One client may not introspect at all.
func registered(t *testing.T, subjectType string) *client.Registry {
	t.Helper()
	all := clients(t)
	spa := all[slices.IndexFunc(all, func(c client.Client) bool { return c.ClientID == "spa" })]
	var list []client.Client
	for _, id := range parties {
		c := all[0]
		c.ClientID, c.SubjectType = id, client.Pairwise
		switch id {
		case "service":
			c.OrganisationNo = optest.OwnerOrg
		case "deep":
			c.SubjectType = client.Public
		case "shop", "web":
			c.SectorIdentifierURI = "https://example.no/sector.json"
		case "spa":
			c = spa
			c.SubjectType = subjectType
		}
		c.RedirectURIs = []string{optest.RedirectURI(id)}
		c.Scopes = append(slices.Clone(all[0].Scopes), "email", scope.Introspection)
		list = append(list, c)
	}
	r, err := client.NewRegistry(client.Environment{}, list...)
	require.NoError(t, err)
	return r
}

func (d *discloser) some(of ...string) []string {
	kept := []string{}
	for _, s := range of {
		if d.rng.IntN(2) == 0 {
			kept = append(kept, s)
		}
	}
	return kept
}

// call sends a form as a client, with its credentials if it has some.
func (d *discloser) call(path, clientID string, f url.Values) optest.Answer {
	d.t.Helper()
	if clientID != "spa" {
		return d.Call(d.t, path, clientID, f)
	}
	f.Set("client_id", clientID)
	r := httptest.NewRequestWithContext(d.t.Context(), http.MethodPost, optest.Issuer+path, strings.NewReader(f.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	a := optest.Answer{Status: w.Code}
	require.NoError(d.t, json.Unmarshal(w.Body.Bytes(), &a.JSON))
	return a
}

// loginAt logs Kari in. ok is false if no scope can be granted.
func (d *discloser) loginAt(clientID, scopes string) (a optest.Answer, ok bool) {
	d.t.Helper()
	r := d.Request(clientID, scopes)
	page := d.Browser().Login(d.t, r, "kari")
	if page.Left == nil || page.Left.Query().Get("code") == "" {
		return a, false
	}
	a = d.call("/token", clientID, url.Values{
		"grant_type": {"authorization_code"}, "code": {page.Left.Query().Get("code")}, "redirect_uri": {optest.RedirectURI(clientID)}, "code_verifier": {r.Verifier},
	})
	require.Equal(d.t, http.StatusOK, a.Status, a.JSON)
	return a, true
}

func (d *discloser) subjectAt(clientID, scopes string) string {
	d.t.Helper()
	a, ok := d.loginAt(clientID, scopes)
	require.True(d.t, ok)
	return claims(d.t, a.String("id_token"))["sub"].(string)
}

// told returns the documents that a client gets with a token: the token, its introspection and userinfo.
func (d *discloser) told(clientID, value string) string {
	d.t.Helper()
	texts := []any{d.UserInfo(d.t, value).JSON}
	if strings.Count(value, ".") == 2 {
		texts = append(texts, claims(d.t, value))
	}
	if clientID != "spa" { // it does not authenticate
		texts = append(texts, d.Introspect(d.t, clientID, value).JSON)
	}
	all, err := json.Marshal(texts)
	require.NoError(d.t, err)
	return string(all)
}

// live returns the record of a token, or nil if it has ended.
func (d *discloser) live(value string) *token.LiveToken {
	l, err := d.OP.Provider.Token.Minter().LookupSubjectToken(d.t.Context(), value, d.clock())
	if err != nil {
		return nil
	}
	return l
}

func contained(text string, values ...string) (found []string) {
	for _, v := range values {
		if strings.Contains(text, `"`+v+`"`) {
			found = append(found, v)
		}
	}
	return found
}

func (d *discloser) openSubjects() []string {
	all := []string{"kari"}
	for _, sub := range d.open {
		all = append(all, sub)
	}
	return all
}

// check compares an exchanged token with the presented one, for the client that exchanged it and for every other party.
func (d *discloser) check(by, presented, exchanged string) {
	t, before, after := d.t, d.live(presented), d.live(exchanged)
	require.NotNil(t, after)
	about := fmt.Sprintf("%s exchanges a token of %s with %v for %v", by, before.Grant.ClientID, before.Token.Scopes, after.Token.Scopes)
	require.Subset(t, before.Token.Scopes, after.Token.Scopes, about)
	require.False(t, after.Token.ExpiresAt.After(before.Token.ExpiresAt), about)
	require.False(t, after.Grant.ExpiresAt.After(before.Token.ExpiresAt), about)
	require.False(t, before.Pseudonymous && !after.Pseudonymous || before.Token.Opaque && !after.Token.Opaque, about)
	require.NotEqual(t, before.Token.JTI, after.Token.JTI)
	for _, party := range parties {
		had, has := d.told(party, presented), d.told(party, exchanged)
		require.Subset(t, contained(had, d.values()...), contained(has, d.values()...), "%s: %s learns %s", about, party, has)
		if len(contained(had, append(d.openSubjects(), d.values()...)...)) == 0 || after.Pseudonymous {
			require.Empty(t, contained(has, d.openSubjects()...), "%s: %s finds the user by sub: %s", about, party, has)
		}
		for _, name := range []string{"sid", "nonce", "client_onbehalfof", "authorization_details", "login_hint", "auth_time"} {
			require.False(t, strings.Contains(has, `"`+name+`"`) && !strings.Contains(had, `"`+name+`"`), "%s: %s learns %s", about, party, name)
		}
		if after.Pseudonymous && party != "service" { // the owner of the scopes may identify the user
			require.NotContains(t, has, `"auth_time"`, "it relates the login to others in the session")
		}
	}
	if after.Pseudonymous {
		require.Equal(t, d.hidden[by], after.Subject, about)
	}
}

// TestExchangedTokensDiscloseNoMore checks over random policies, clients, scopes and chains that an exchanged token, its introspection
// as each party and userinfo identify the user no more than the presented token does, that no sub of a pseudonymous grant is one of an
// open grant, and that scopes, lifetimes and pseudonymity only shrink (docs/threat-model.md H4).
func TestExchangedTokensDiscloseNoMore(t *testing.T) {
	t.Parallel()
	for name, profile := range map[string]func() provider.Profile{"idporten": provider.IDPorten, "openid": provider.OpenIDConnect} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDiscloser(t, uint64(len(name)), profile())
			kinds, longest := map[string]int{}, 0
			for range 60 {
				chain := d.chain(kinds)
				longest = max(longest, len(chain)-1)
				d.end(chain)
			}
			require.LessOrEqual(t, longest, token.MaxExchanges)
			require.Greater(t, longest, 5, "long chains")
			for _, kind := range []string{"pseudonymous", "opaque", "open"} {
				require.Greater(t, kinds[kind], 10, kind)
			}
		})
	}
}

// chain exchanges a token again and again and returns all tokens.
func (d *discloser) chain(kinds map[string]int) []string {
	by := parties[d.rng.IntN(len(parties))]
	scopes := d.some("openid", "profile", "email", "test:api", "test:two", "test:opaque", "test:pseudonym", "test:others")
	if d.rng.IntN(2) == 0 {
		scopes = slices.DeleteFunc(scopes, func(s string) bool { return s == "test:opaque" || s == "test:pseudonym" })
	}
	a, ok := d.loginAt(by, strings.Join(scopes, " "))
	if !ok {
		return nil
	}
	chain := []string{a.String("access_token")}
	for range 3 * token.MaxExchanges {
		presented := chain[len(chain)-1]
		if by != "spa" {
			by = parties[d.rng.IntN(len(parties))]
		}
		f := form(presented)
		if has := d.live(presented).Token.Scopes; d.rng.IntN(3) == 0 {
			f.Set("scope", has[d.rng.IntN(len(has))])
		}
		if d.rng.IntN(3) == 0 {
			f.Set("resource", "https://a.example.no")
		}
		got := d.call("/token", by, f)
		if got.Status != http.StatusOK {
			require.Equal(d.t, http.StatusBadRequest, got.Status, got.JSON)
			continue
		}
		value := got.String("access_token")
		d.check(by, presented, value)
		chain = append(chain, value)
		switch l := d.live(value); {
		case l.Pseudonymous:
			kinds["pseudonymous"]++
		case l.Token.Opaque:
			kinds["opaque"]++
		default:
			kinds["open"]++
		}
	}
	return chain
}

// end revokes one token of a chain and checks that those that were exchanged for it have ended too.
func (d *discloser) end(chain []string) {
	if len(chain) == 0 {
		return
	}
	at := d.rng.IntN(len(chain))
	of := d.live(chain[at]).Grant.ClientID
	require.Equal(d.t, http.StatusOK, d.revoke(of, chain[at]))
	for i, value := range chain {
		if i < at {
			require.NotNil(d.t, d.live(value))
			continue
		}
		require.Nil(d.t, d.live(value), "token %d after the end of %d", i, at)
		require.Equal(d.t, http.StatusUnauthorized, d.UserInfo(d.t, value).Status)
		require.Equal(d.t, http.StatusBadRequest, d.call("/token", of, form(value)).Status)
	}
}

func (d *discloser) revoke(clientID, value string) int {
	f := url.Values{"token": {value}}
	if clientID == "spa" {
		f.Set("client_id", clientID)
		r := httptest.NewRequestWithContext(d.t.Context(), http.MethodPost, optest.Issuer+"/revoke", strings.NewReader(f.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		return w.Code
	}
	return d.Call(d.t, "/revoke", clientID, f).Status
}

// TestPseudonymousActors checks that act has the sub of the actor that the client of the actor token can have received, and that a user
// whom that client may not identify, without a pseudonym, is no actor.
func TestPseudonymousActors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	open := claims(t, w.login("service", "openid").String("id_token"))["sub"]
	hidden := claims(t, w.login("service", "openid test:pseudonym").String("id_token"))["sub"]
	subject := w.machineToken()
	for scopes, want := range map[string]any{"openid test:api": open, "test:api test:pseudonym": hidden} {
		actor := w.login("service", scopes).String("access_token")
		_, got := w.exchanged("service", form(subject, "actor_token", actor, "actor_token_type", exchange.AccessToken))
		require.Equal(t, want, got["act"].(map[string]any)["sub"], scopes)
	}
	unnamed := w.login("service", "test:opaque").String("access_token")
	a := w.Call(t, "/token", "service", form(subject, "actor_token", unnamed, "actor_token_type", exchange.AccessToken))
	require.Equal(t, http.StatusBadRequest, a.Status, a.JSON)
}

// TestForeignPseudonyms checks that the sub of a token that was exchanged for a pseudonymous token of another issuer, or for an
// id_token without pid, is not one of the client's open grants.
func TestForeignPseudonyms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *exchange.Config) {
		c.Policy = decide(exchange.Decision{Scopes: []string{"test:api"}})
		withIDTokens(c)
		i := c.Issuers[foreignIssuer]
		i.User = func(context.Context, *resource.Token) (session.Identity, error) {
			return session.Identity{Subject: "kari", Identifiers: optest.Identifiers(optest.KariPID)}, nil
		}
		c.Issuers[foreignIssuer] = i
	})
	open := claims(t, w.login("portal", "openid").String("id_token"))["sub"]
	hidden := w.login("portal", "openid test:pseudonym").String("id_token")
	f := form(hidden)
	f.Set("subject_token_type", exchange.IDToken)
	_, got := w.exchanged("portal", f)
	require.Equal(t, claims(t, hidden)["sub"], got["sub"])
	require.NotEqual(t, open, got["sub"])
	_, got = w.exchanged("portal", form(w.machineToken(set("sub", "someone"), set("acr", "idporten-loa-high"))))
	require.Equal(t, claims(t, hidden)["sub"], got["sub"])
	_, got = w.exchanged("portal", form(w.machineToken(set("sub", "someone"), set("acr", "idporten-loa-high"), set("pid", optest.KariPID))))
	require.Equal(t, open, got["sub"])
}
