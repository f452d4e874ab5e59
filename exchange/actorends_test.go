package exchange_test

import (
	"context"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/exchange"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// withActor returns the form of an exchange with an actor token.
func withActor(subject, actor string) url.Values {
	return form(subject, "actor_token", actor, "actor_token_type", exchange.AccessToken)
}

// onlyOla disables the user ola.
type onlyOla struct{ disabled atomic.Bool }

func (u *onlyOla) User(_ context.Context, subject string) (token.User, error) {
	return token.User{Disabled: subject == "ola" && u.disabled.Load()}, nil
}

// TestEndOfTheActorToken checks that a token with an actor, and the tokens that are exchanged for it, end with the actor token.
func TestEndOfTheActorToken(t *testing.T) {
	t.Parallel()
	revoke := func(w *world, actor string) {
		require.Equal(w.t, http.StatusOK, w.Call(w.t, "/revoke", "service", url.Values{"token": {actor}}).Status)
	}
	for name, tt := range map[string]struct {
		decision exchange.Decision
		subject  func(w *world) string
		end      func(w *world, u *onlyOla, actor string)
	}{
		"revoked": {end: func(w *world, _ *onlyOla, actor string) { revoke(w, actor) }},
		"the user ends the authorization": {end: func(w *world, _ *onlyOla, _ string) {
			key := storage.ConsentKey{UserKey: w.vault.UserKey("ola"), ClientID: "service", Customer: optest.OwnerOrg + "///"}
			require.NoError(w.t, w.Store.Revoke(w.t.Context(), storage.Revocation{Authorization: key}, w.now))
		}},
		"the user is disabled": {end: func(_ *world, u *onlyOla, _ string) { u.disabled.Store(true) }},
		"left out by the policy": {
			decision: exchange.Decision{Impersonate: true},
			end:      func(w *world, _ *onlyOla, actor string) { revoke(w, actor) },
		},
		"for a token of another issuer": {
			subject: func(w *world) string { return w.machineToken() },
			end:     func(w *world, _ *onlyOla, actor string) { revoke(w, actor) },
		},
		"that was exchanged": {end: func(w *world, _ *onlyOla, actor string) {}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var u onlyOla
			w := newWorldAt(t, func(c *provider.Config) { c.Users = &u }, func(c *exchange.Config) { c.Policy = decide(tt.decision) })
			var subject string
			if tt.subject == nil {
				subject = w.login("portal", "openid test:api").String("access_token")
			} else {
				subject = tt.subject(w)
			}
			first := w.loginAs("ola", "service", "openid test:two").String("access_token")
			actor := first
			if name == "that was exchanged" {
				actor, _ = w.exchanged("service", form(first))
				tt.end = func(w *world, _ *onlyOla, _ string) { revoke(w, first) }
			}
			value, _ := w.exchanged("service", withActor(subject, actor))
			next, _ := w.exchanged("deep", form(value))
			active := func(value string) any { return w.Introspect(t, "service", value).JSON["active"] }
			require.Equal(t, true, active(value))
			require.Equal(t, true, active(next))
			tt.end(w, &u, actor)
			require.Equal(t, false, active(value), "the token with the actor")
			require.Equal(t, false, active(next), "a token that was exchanged for it")
			w.rejects("deep", form(value), portner.InvalidRequest)
			w.rejects("service", withActor(subject, actor), portner.InvalidRequest)
		})
	}
}

// TestMaxExchangesOfActors checks that the exchanges that led to an actor token count.
func TestMaxExchangesOfActors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	narrowed := func(times int) string {
		value := w.login("service", "openid test:api").String("access_token")
		for range times {
			value, _ = w.exchanged("service", form(value))
		}
		return value
	}
	w.exchanged("service", withActor(narrowed(4), narrowed(3)))
	w.rejects("service", withActor(narrowed(4), narrowed(4)), portner.InvalidRequest)
	value, _ := w.exchanged("service", withActor(narrowed(4), narrowed(2)))
	value, _ = w.exchanged("service", form(value))
	require.Equal(t, true, w.Introspect(t, "service", value).JSON["active"])
	w.rejects("service", form(value), portner.InvalidRequest)
}
