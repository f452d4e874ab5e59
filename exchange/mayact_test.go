package exchange_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/exchange"
	"github.com/portner-go/portner/internal/optest"
)

// giving returns a policy that names the party in the tokens that a client makes of its own.
func giving(p exchange.Party) exchange.Policy {
	return func(_ context.Context, r *exchange.Request) (exchange.Decision, error) {
		if r.Own {
			return exchange.Decision{MayAct: &p}, nil
		}
		return exchange.Decision{}, nil
	}
}

// The policy names the party that may act; no other one can exchange the token then, and a later exchange keeps it.
func TestMayActOfThePolicy(t *testing.T) {
	t.Parallel()
	const org = "0192:" + optest.OwnerOrg
	for name, tt := range map[string]struct {
		party exchange.Party
		claim map[string]any
		ok    bool
	}{
		"organisation identifier": {exchange.Party{Subject: org}, map[string]any{"sub": org}, true},
		"client":                  {exchange.Party{ClientID: "service"}, map[string]any{"client_id": "service"}, true},
		"organisation number":     {exchange.Party{Orgno: optest.OwnerOrg}, map[string]any{"organisasjonsnummer": optest.OwnerOrg}, true},
		"all of it": {
			exchange.Party{Subject: org, Issuer: optest.Issuer, ClientID: "service", Orgno: optest.OwnerOrg},
			map[string]any{"sub": org, "iss": optest.Issuer, "client_id": "service", "organisasjonsnummer": optest.OwnerOrg},
			true,
		},
		"another organisation": {exchange.Party{Orgno: optest.Org}, map[string]any{"organisasjonsnummer": optest.Org}, false},
		"right client, another organisation": {
			exchange.Party{ClientID: "service", Orgno: optest.Org}, map[string]any{"client_id": "service", "organisasjonsnummer": optest.Org}, false,
		},
		"actors of another issuer": {
			exchange.Party{Subject: "min arbeidsgiver", Issuer: "altinn autorisasjon", Orgno: optest.OwnerOrg},
			map[string]any{"sub": "min arbeidsgiver", "iss": "altinn autorisasjon", "organisasjonsnummer": optest.OwnerOrg},
			false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *exchange.Config) { c.Policy, c.ActorOrganisation = giving(tt.party), "organisasjonsnummer" })
			value, got := w.exchanged("portal", form(w.login("portal", "openid test:api").String("access_token")))
			require.Equal(t, tt.claim, got["may_act"])
			require.Equal(t, tt.claim, w.Introspect(t, "service", value).JSON["may_act"])
			if tt.party.Orgno != optest.Org || tt.party.ClientID != "" { // that of deep
				w.rejects("deep", form(value), portner.InvalidRequest)
			}
			if !tt.ok {
				w.rejects("service", form(value), portner.InvalidRequest)
				return
			}
			_, got = w.exchanged("service", form(value))
			require.Equal(t, tt.claim, got["may_act"])
			require.Equal(t, map[string]any{"sub": org, "iss": optest.Issuer, "client_id": "service", "organisasjonsnummer": optest.OwnerOrg}, got["act"])
		})
	}
}

// A may_act of the subject token is kept, with a number as well as with a text.
func TestMayActIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *exchange.Config) {
		c.ActorOrganisation = "organisasjonsnummer"
		c.Policy = decide(exchange.Decision{MayAct: &exchange.Party{ClientID: "deep"}})
	})
	for orgno, ok := range map[any]bool{optest.OwnerOrg: true, 974761076: true, optest.Org: false, 974761077: false, 1.5: false, true: false} {
		f := form(w.machineToken(set("may_act", map[string]any{"organisasjonsnummer": orgno})))
		if !ok {
			w.rejects("service", f, portner.InvalidRequest)
			continue
		}
		_, got := w.exchanged("service", f)
		require.Contains(t, got["may_act"], "organisasjonsnummer")
		require.NotContains(t, got["may_act"], "client_id")
	}
}

func TestMayActOfThePolicyIsChecked(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]exchange.Party{
		"nobody": {Issuer: optest.Issuer}, "a number without its name": {Orgno: optest.Org}, "a person": {Subject: "pid " + optest.KariPID},
	} {
		w := newWorld(t, func(c *exchange.Config) { c.Policy = giving(p) })
		a := w.exchange("portal", form(w.login("portal", "openid test:api").String("access_token")))
		require.Equal(t, "server_error", a.String("error"), name)
	}
	for _, name := range []string{"sub", "pid", "a b", "ø"} {
		_, err := exchange.New(exchange.Config{ActorOrganisation: name})
		require.ErrorContains(t, err, "ActorOrganisation: must be")
	}
}
