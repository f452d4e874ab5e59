package exchange_test

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/exchange"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/token"
)

// TestForeignActorsHaveNoNumbers checks that national identity numbers and further members of the act of another issuer do not
// reach grants and tokens.
func TestForeignActorsHaveNoNumbers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, claim := range map[string]func(map[string]any){
		"act":                           set("act", map[string]any{"sub": optest.KariPID}),
		"number in sub of act":          set("act", map[string]any{"sub": "urn:altinn:person:identifier-no:" + optest.KariPID}),
		"number in an earlier actor":    set("act", map[string]any{"sub": "x", "act": map[string]any{"sub": optest.KariPID}}),
		"number in client_id of act":    set("act", map[string]any{"sub": "x", "client_id": "c-" + optest.KariPID}),
		"number in iss of act":          set("act", map[string]any{"sub": "x", "iss": "https://example.no/" + optest.KariPID}),
		"sub of act is a JSON number":   set("act", map[string]any{"sub": 1}),
		"act without sub and client_id": set("act", map[string]any{"iss": foreignIssuer}),
		"may_act":                       set("may_act", map[string]any{"client_id": "service", "sub": "urn:x:" + optest.KariPID}),
	} {
		t.Log(name)
		w.rejects("service", form(w.machineToken(claim)), portner.InvalidRequest)
	}
	for _, sub := range []string{"urn:altinn:person:identifier-no:" + optest.KariPID, "0192:" + optest.Org} {
		actor := w.machineToken(set("sub", sub), set("acr", "idporten-loa-high"))
		w.rejects("service", form(w.machineToken(), "actor_token", actor, "actor_token_type", exchange.AccessToken), portner.InvalidRequest)
	}
	_, got := w.exchanged("service", form(w.machineToken(set("act", map[string]any{
		"sub": "x", "iss": foreignIssuer, "pid": optest.KariPID, "name": "Kari", "act": map[string]any{"client_id": "y", "email": "kari@example.no"},
	}))))
	before := map[string]any{"sub": "x", "iss": foreignIssuer, "act": map[string]any{"client_id": "y"}}
	require.Equal(t, before, got["act"].(map[string]any)["act"], "only identifying members are kept")
}

// TestMayActOfAnotherIssuer checks that a client_id in may_act does not match a client of another issuer with the same identifier
// (RFC 8693 §4.4). Organisation identifiers match at every issuer.
func TestMayActOfAnotherIssuer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"client_id", "sub"} {
		own, _ := w.exchanged("service", form(w.machineToken(set("may_act", map[string]any{name: "service"}))))
		namesake := w.machineToken(set("client_id", "service"))
		w.rejects("service", form(own, "actor_token", namesake, "actor_token_type", exchange.AccessToken), portner.InvalidRequest)
	}
	f := form(w.machineToken(set("may_act", map[string]any{"client_id": "0b3c"})), "actor_token", w.machineToken(), "actor_token_type", exchange.AccessToken)
	w.exchanged("service", f) // of the same issuer
	of := set("consumer", map[string]any{"authority": "iso6523-actorid-upis", "ID": "0192:" + optest.OwnerOrg})
	own, _ := w.exchanged("service", form(w.machineToken(set("may_act", map[string]any{"sub": "0192:" + optest.OwnerOrg}))))
	w.exchanged("service", form(own, "actor_token", w.machineToken(of), "actor_token_type", exchange.AccessToken))
}

// TestDefaultAudienceBounds checks that the default audience of the profile restricts a token like a requested one.
func TestDefaultAudienceBounds(t *testing.T) {
	t.Parallel()
	const api = optest.Issuer // RFC 9068 requires an aud
	w := newWorldAt(t, func(c *provider.Config) {
		c.Profile = provider.IDPorten()
		c.Profile.AccessTokenType = "at+jwt"
	}, func(c *exchange.Config) { c.Policy, c.Issuers = nil, nil })
	own := w.login("portal", "openid test:api").String("access_token")
	require.Equal(t, api, claims(t, own)["aud"])
	w.rejects("portal", form(own, "resource", "https://elsewhere.example.no"), portner.InvalidTarget)
	w.rejects("portal", form(own, "audience", "elsewhere"), portner.InvalidTarget)
	_, got := w.exchanged("portal", form(own, "resource", api))
	require.Equal(t, api, got["aud"])
	_, got = w.exchanged("portal", form(own))
	require.Equal(t, api, got["aud"])
}

// users is a source that can disable all users.
type users struct{ disabled atomic.Bool }

func (p *users) User(context.Context, string) (token.User, error) {
	return token.User{Disabled: p.disabled.Load()}, nil
}

// TestForeignSubjectsAreChecked checks that id_tokens and tokens of other issuers are rejected if the user is disabled or a consent
// is missing.
func TestForeignSubjectsAreChecked(t *testing.T) {
	t.Parallel()
	var p users
	w := newWorldAt(t, func(c *provider.Config) { c.Users = &p }, func(c *exchange.Config) {
		c.Policy = decide(exchange.Decision{Scopes: []string{"test:api", "test:consent"}})
		withIDTokens(c)
	})
	named := w.machineToken(set("sub", "someone"), set("acr", "idporten-loa-high"), set("scope", "test:api test:consent"))
	login := form(w.login("portal", "openid").String("id_token"))
	login.Set("subject_token_type", exchange.IDToken)
	w.rejects("portal", form(named), portner.InvalidRequest) // Kari has not consented
	w.rejects("portal", login, portner.InvalidRequest)

	login.Set("scope", "test:api")
	_, got := w.exchanged("portal", form(named, "scope", "test:api"))
	require.NotEmpty(t, got["sub"])
	w.exchanged("portal", login)
	p.disabled.Store(true)
	w.rejects("portal", form(named, "scope", "test:api"), portner.InvalidRequest)
	w.rejects("portal", login, portner.InvalidRequest)
	require.Equal(t, http.StatusOK, w.exchange("portal", form(w.machineToken(), "scope", "test:api")).Status, "machines have no user")
}

// TestUndisclosedDetailsCannotBeGuessed checks that a client cannot request details that its token does not disclose.
func TestUndisclosedDetailsCannotBeGuessed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const details = `[{"type":"x","actions":["read"]}]`
	with := set("authorization_details", []any{map[string]any{"type": "x", "actions": []string{"read"}}, map[string]any{"type": "y"}})
	_, got := w.exchanged("service", form(w.machineToken(with), "authorization_details", details))
	require.Len(t, got["authorization_details"], 1)
	nameless := w.machineToken(with, set("sub", "someone"), set("acr", "idporten-loa-high"))
	w.rejects("service", form(nameless, "authorization_details", details), portner.InvalidAuthorizationDetails)
	_, got = w.exchanged("service", form(nameless))
	require.NotContains(t, got, "authorization_details")
}

// TestTargetsAreAPIs checks that clients, the provider and other kinds of URIs are rejected as targets.
func TestTargetsAreAPIs(t *testing.T) {
	t.Parallel()
	resources := []string{"javascript:alert(1)", "file:///etc/x", "http://api.example.no", "https://u:p@api.example.no", optest.Issuer, optest.Issuer + "/"}
	audiences := []string{"portal", "service", "deep", optest.Issuer}
	w := newWorld(t, func(c *exchange.Config) {
		c.Policy = decide(exchange.Decision{Audience: slices.Concat(resources, audiences, []string{"https://api.example.no/v1", "the-api"})})
	})
	subject := w.login("portal", "openid test:api").String("access_token")
	for name, targets := range map[string][]string{"resource": resources, "audience": audiences} {
		for _, target := range targets {
			t.Log(target)
			w.rejects("portal", form(subject, name, target), portner.InvalidTarget)
			w.rejects("service", form(subject, name, target), portner.InvalidTarget)
		}
	}
	for name, target := range map[string]string{"resource": "https://api.example.no/v1", "audience": "the-api"} {
		_, got := w.exchanged("portal", form(subject, name, target))
		require.Equal(t, target, got["aud"])
	}
}

// TestAudienceOfAnotherIssuer: an audience that another issuer put into its token may be a client of this provider.
func TestAudienceOfAnotherIssuer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	both := set("aud", []string{optest.Issuer, "portal"})
	w.rejects("service", form(w.machineToken(both)), portner.InvalidTarget)
	w.rejects("service", form(w.machineToken(both), "audience", "portal"), portner.InvalidTarget)
	_, got := w.exchanged("service", form(w.machineToken(both), "audience", optest.Issuer))
	require.Equal(t, optest.Issuer, got["aud"])
}

// TestTargetsAreBounded: resource and audience name at most five targets together.
func TestTargetsAreBounded(t *testing.T) {
	t.Parallel()
	targets := []string{"https://a.example.no", "https://b.example.no", "one", "two", "three", "four"}
	w := newWorld(t, func(c *exchange.Config) { c.Policy = decide(exchange.Decision{Audience: targets}) })
	subject := w.login("portal", "openid test:api").String("access_token")
	f := form(subject, "resource", targets[0], "resource", targets[1], "audience", targets[2], "audience", targets[3], "audience", targets[4])
	_, got := w.exchanged("portal", f)
	require.Len(t, got["aud"], 5)
	f.Add("audience", targets[5])
	w.rejects("portal", f, portner.InvalidTarget)
	f.Del("resource")
	_, got = w.exchanged("portal", f)
	require.Len(t, got["aud"], 4)
}

// TestActorTokenHasItsType: actor_token and actor_token_type are sent together or not at all (RFC 8693 §2.1).
func TestActorTokenHasItsType(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	subject, actor := w.machineToken(), w.machineToken()
	w.rejects("service", form(subject, "actor_token", actor), portner.InvalidRequest)
	w.rejects("service", form(subject, "actor_token_type", exchange.AccessToken), portner.InvalidRequest)
	w.exchanged("service", form(subject, "actor_token", actor, "actor_token_type", exchange.AccessToken))
	w.exchanged("service", form(subject))
}

// TestExpiredForeignToken: the leeway of the verifier of another issuer extends no token, and the log says that the token has expired.
func TestExpiredForeignToken(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var reason string
	w := newWorldAt(t, func(c *provider.Config) {
		c.OnEvent = func(_ context.Context, e portner.Event) {
			mu.Lock()
			defer mu.Unlock()
			reason = e.Reason
		}
	})
	expires := func(seconds int64) string {
		return w.machineToken(set("iat", w.now.Unix()-60), set("exp", w.now.Unix()+seconds))
	}
	for _, seconds := range []int64{-5, -1, 0} {
		w.rejects("service", form(expires(seconds)), portner.InvalidRequest)
		require.Equal(t, "subject_token_expired", reason)
	}
	_, got := w.exchanged("service", form(expires(1)))
	require.EqualValues(t, w.now.Unix()+1, got["exp"])
}
