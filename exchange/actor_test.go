package exchange_test

import (
	"context"
	"math/bits"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/exchange"
	"github.com/portner-go/portner/internal/optest"
)

// act returns the claim act of an actor with the earlier one.
func act(sub, clientID string, inside ...map[string]any) map[string]any {
	a := map[string]any{"sub": sub, "iss": optest.Issuer, "client_id": clientID}
	if len(inside) > 0 {
		a["act"] = inside[0]
	}
	return a
}

// TestActChain checks that earlier actors are nested in the current one (RFC 8693 §4.1).
func TestActChain(t *testing.T) {
	t.Parallel()
	const service, deep, portal = "0192:" + optest.OwnerOrg, "0192:" + optest.Org, "0192:" + optest.Org
	w := newWorld(t)
	subject := w.login("portal", "openid profile test:api").String("access_token")

	first, got := w.exchanged("service", form(subject))
	require.Equal(t, act(service, "service"), got["act"])
	require.Equal(t, "service", got["client_id"])
	second, got := w.exchanged("deep", form(first))
	require.Equal(t, act(deep, "deep", act(service, "service")), got["act"])
	require.Equal(t, got["act"], w.Introspect(t, "service", second).JSON["act"])

	narrower, got := w.exchanged("deep", form(second, "scope", "test:api"))
	require.Equal(t, act(deep, "deep", act(service, "service")), got["act"], "narrowing adds no actor")

	third, got := w.exchanged("portal", form(narrower))
	require.Equal(t, act(portal, "portal", act(deep, "deep", act(service, "service"))), got["act"])
	fourth, _ := w.exchanged("service", form(third))
	w.rejects("deep", form(fourth), portner.InvalidRequest) // a fifth actor
	w.exchanged("service", form(fourth))                    // no further actor

	shortest := newWorld(t, func(c *exchange.Config) { c.MaxActors = 1 })
	one, _ := shortest.exchanged("service", form(shortest.login("portal", "test:api").String("access_token")))
	shortest.rejects("deep", form(one), portner.InvalidRequest)
}

// TestMaxExchanges checks that exchanges without a further actor count too.
func TestMaxExchanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	value := w.login("portal", "openid test:api").String("access_token")
	for range 8 {
		value, _ = w.exchanged("portal", form(value))
	}
	require.Equal(t, true, w.Introspect(t, "service", value).JSON["active"])
	w.rejects("portal", form(value), portner.InvalidRequest)
}

// TestImpersonation checks that the actor is left out.
func TestImpersonation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *exchange.Config) { c.Policy = decide(exchange.Decision{Impersonate: true}) })
	_, got := w.exchanged("service", form(w.login("portal", "openid test:api").String("access_token")))
	require.NotContains(t, got, "act")
	_, got = w.exchanged("service", form(w.machineToken()))
	require.NotContains(t, got, "act")
	require.NotContains(t, got, "supplier")
}

// TestActorToken checks that the subject of the actor token is the actor.
func TestActorToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	subject := w.login("portal", "openid test:api").String("access_token")
	worker := w.login("service", "openid test:two").String("access_token")
	with := func(actor string) (string, string, string, string) {
		return "actor_token", actor, "actor_token_type", exchange.AccessToken
	}
	a, b, c, d := with(worker)
	_, got := w.exchanged("service", form(subject, a, b, c, d))
	require.Equal(t, act(claims(t, worker)["sub"].(string), "service"), got["act"])
	require.Equal(t, claims(t, worker)["sub"], w.request.Actor.Subject)
	require.Equal(t, "test:api", strings.TrimPrefix(got["scope"].(string), "openid "), "scopes are the subject's")

	w.rejects("deep", form(subject, a, b, c, d), portner.InvalidRequest) // the actor token is another client's
	delegated, _ := w.exchanged("service", form(subject))
	a, b, c, d = with(delegated)
	w.rejects("service", form(subject, a, b, c, d), portner.InvalidRequest) // the actor token has an actor

	a, b, c, d = with(w.machineToken())
	_, got = w.exchanged("service", form(subject, a, b, c, d))
	require.Equal(t, map[string]any{"sub": "0192:" + machineOrg, "iss": foreignIssuer, "client_id": "0b3c"}, got["act"])

	numbered := w.machineToken(set("sub", optest.KariPID), set("acr", "idporten-loa-high"))
	a, b, c, d = with(numbered)
	w.rejects("service", form(subject, a, b, c, d), portner.InvalidRequest) // a national identity number as sub

	short := w.machineToken(set("exp", w.clock().Unix()+20))
	a, b, c, d = with(short)
	_, got = w.exchanged("service", form(subject, a, b, c, d))
	require.Equal(t, 20.0, got["exp"].(float64)-got["iat"].(float64), "the actor token ends first")
}

// TestMayAct checks that may_act restricts the actor and is kept (RFC 8693 §4.4).
func TestMayAct(t *testing.T) {
	t.Parallel()
	const org = "0192:" + optest.OwnerOrg
	for name, tt := range map[string]struct {
		mayAct any
		ok     bool
	}{
		"organisation":            {map[string]any{"sub": org}, true},
		"client":                  {map[string]any{"client_id": "service"}, true},
		"client as sub":           {map[string]any{"sub": "service"}, true},
		"with issuer":             {map[string]any{"sub": org, "iss": optest.Issuer}, true},
		"all of it":               {map[string]any{"sub": org, "iss": optest.Issuer, "client_id": "service"}, true},
		"other organisation":      {map[string]any{"sub": "0192:" + optest.Org}, false},
		"other client":            {map[string]any{"client_id": "portal"}, false},
		"other issuer":            {map[string]any{"sub": org, "iss": foreignIssuer}, false},
		"right sub, wrong client": {map[string]any{"sub": org, "client_id": "portal"}, false},
		"issuer alone":            {map[string]any{"iss": optest.Issuer}, false},
		"empty":                   {map[string]any{}, false},
		"empty name":              {map[string]any{"sub": ""}, false},
		"list":                    {map[string]any{"sub": []string{org}}, false},
		"unknown member":          {map[string]any{"sub": org, "organisasjonsnummer": 999555111}, false},
		"text":                    {"service", false},
	} {
		w := newWorld(t)
		f := form(w.machineToken(set("may_act", tt.mayAct)))
		t.Log(name)
		if !tt.ok {
			w.rejects("service", f, portner.InvalidRequest)
			require.Nil(t, w.request, "the policy is not called")
			continue
		}
		value, got := w.exchanged("service", f)
		require.Equal(t, tt.mayAct, got["may_act"])
		require.True(t, w.request.MayAct)
		w.exchanged("service", form(value)) // its own token
		w.rejects("deep", form(value), portner.InvalidRequest)
	}
}

// TestNarrowingProperty checks that no chain of exchanges gains a scope, an audience or lifetime.
func TestNarrowingProperty(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *exchange.Config) {
		c.Policy = func(_ context.Context, r *exchange.Request) (exchange.Decision, error) {
			return exchange.Decision{}, nil
		}
	})
	scopes := []string{"openid", "profile", "test:api", "test:two", "test:short"}
	targets := []string{"https://a.example.no", "https://b.example.no", "https://c.example.no"}
	pick := func(all []string, mask uint) (some []string) {
		for i, s := range all {
			if mask&(1<<i) != 0 {
				some = append(some, s)
			}
		}
		return some
	}
	r := w.Request("portal", strings.Join(scopes, " "))
	r.Params["resource"] = targets
	root := w.OP.Exchange(t, r, w.Browser().Login(t, r, "kari").Code(t)).String("access_token")
	steps := 0
	for seed := range uint(64) {
		value, have := root, claims(t, root)
		for step := range uint(3) {
			n := seed*37 + step*101
			f := form(value)
			if want := pick(scopes, n%32); len(want) > 0 {
				f.Set("scope", strings.Join(want, " "))
			}
			f["resource"] = pick(targets, bits.Reverse(n)>>(bits.UintSize-3))
			a := w.exchange([]string{"portal", "service", "deep"}[n%3], f)
			if a.Status != 200 {
				continue
			}
			value = a.String("access_token")
			got := claims(t, value)
			for _, s := range strings.Fields(got["scope"].(string)) {
				require.Contains(t, strings.Fields(have["scope"].(string)), s)
			}
			had := list(have["aud"])
			require.NotEmpty(t, list(got["aud"]))
			for _, aud := range list(got["aud"]) {
				require.True(t, slices.Contains(had, aud), "%v from %v", got["aud"], had)
			}
			require.LessOrEqual(t, got["exp"], have["exp"])
			have = got
			steps++
		}
	}
	require.Greater(t, steps, 50, "too few exchanges succeeded")
}

func list(aud any) []string {
	switch v := aud.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, s := range v {
			all = append(all, s.(string))
		}
		return all
	}
	return nil
}
