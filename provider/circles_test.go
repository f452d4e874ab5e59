package provider_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/session"
)

// strengths are ways in which one user logs in: what each proves.
func strengths(t *testing.T) map[string]session.Authentication {
	t.Helper()
	identifier := func(typ, value string) []pseudonym.Identifier {
		id, err := pseudonym.NewIdentifier(typ, value)
		require.NoError(t, err)
		return []pseudonym.Identifier{id}
	}
	login := func(level, method, name string, ids []pseudonym.Identifier) session.Authentication {
		return session.Authentication{ACR: level, AMR: []string{method}, Identity: session.Identity{
			Subject: "kari", Identifiers: ids, Attributes: map[string]string{"given_name": name},
		}}
	}
	return map[string]session.Authentication{
		"kari-bankid": login(acr.High, "BankID", "Kari", identifier(session.TypePID, optest.KariPID)),
		"kari-minid":  login(acr.Substantial, "Minid-APP", "Kari M", identifier(session.TypePID, optest.KariPID)),
		"kari-email":  login(acr.SelfRegisteredEmail, "email", "anything", identifier(session.TypeEmail, "kari@example.no")),
		"kari-eidas":  login(acr.EIDASHigh, "eIDAS", "Karin", identifier(session.TypeEIDAS, "SE/NO/1")),
		"ola-bankid":  {ACR: acr.High, AMR: []string{"BankID"}, Identity: session.Identity{Subject: "ola", Identifiers: optest.Identifiers("45840375084")}},
	}
}

// requireProof verifies that an id_token states the level, the method and the claims of one login.
func requireProof(t *testing.T, want session.Authentication, token map[string]any, when string) {
	t.Helper()
	claim := func(typ string) any {
		if id, ok := want.Identity.Identifier(typ); ok {
			return id.Reveal()
		}
		return nil
	}
	require.Equal(t, want.ACR, token["acr"], when)
	require.Equal(t, []any{want.AMR[0]}, token["amr"], when)
	require.Equal(t, claim(session.TypePID), token["pid"], when)
	require.Equal(t, claim(session.TypeEmail), token["email"], when)
	require.Equal(t, claim(session.TypeEIDAS), token["eidas_person_identifier"], when)
	if name := want.Identity.Attributes["given_name"]; name != "" {
		require.Equal(t, name, token["given_name"], when)
	}
}

// TestWeakLoginElsewhere: a login by e-mail for an isolated client changes neither the level nor the claims that another client
// receives by single sign-on (docs/threat-model.md G12).
func TestWeakLoginElsewhere(t *testing.T) {
	t.Parallel()
	persons := strengths(t)
	op := optest.New(t, optest.Options{Persons: persons})
	b := op.Browser()
	high := func(clientID string) optest.Request {
		return op.Request(clientID, "openid profile", "acr_values", acr.High)
	}
	r := high("tjeneste")
	first := op.Exchange(t, r, b.Login(t, r, "kari-bankid").Code(t))
	requireProof(t, persons["kari-bankid"], payload(t, first.String("id_token")), "before")

	r = op.Request("isolated", "openid profile", "acr_values", acr.SelfRegisteredEmail)
	weak := op.Exchange(t, r, b.Login(t, r, "kari-email").Code(t))
	requireProof(t, persons["kari-email"], payload(t, weak.String("id_token")), "the isolated client")

	r = high("annen")
	p := b.Get(t, r.URL())
	after := op.Exchange(t, r, p.Code(t))
	requireProof(t, persons["kari-bankid"], payload(t, after.String("id_token")), "single sign-on in the common circle")
	require.Equal(t, optest.KariPID, op.UserInfo(t, after.String("access_token")).String("pid"))

	// The id_token of the first login still names the user of the common circle, for authorize and for logout.
	r = op.Request("tjeneste", "openid profile", "id_token_hint", first.String("id_token"))
	require.NotEmpty(t, b.Get(t, r.URL()).Code(t))
	r = high("isolated")
	require.Equal(t, "step-up", b.Get(t, r.URL()).Step(), "the isolated client has its own level")
}

// TestSingleSignOnStatesItsOwnLogin: in random sequences of logins, an id_token states exactly what the last login for the circle of
// its client proved.
func TestSingleSignOnStatesItsOwnLogin(t *testing.T) {
	t.Parallel()
	persons := strengths(t)
	names := []string{"kari-bankid", "kari-minid", "kari-email", "kari-eidas", "ola-bankid"}
	levels := []string{acr.High, acr.Substantial, acr.SelfRegisteredEmail, acr.EIDASHigh}
	clients := []string{"tjeneste", "annen", "isolated", "isolated-too"}
	extra := optest.Clients(t)[2]
	extra.ClientID, extra.RedirectURIs, extra.PostLogoutRedirectURIs, extra.FrontchannelLogoutURI = "isolated-too", []string{optest.RedirectURI("isolated-too")}, nil, ""
	op := optest.New(t, optest.Options{Persons: persons, Clients: append(optest.Clients(t)[:0:0], extra)})
	for seed := range uint64(25) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		b, user, proved, trace := op.Browser(), "", map[string]string{}, ""
		for range 30 {
			clientID, circle := clients[rnd.IntN(len(clients))], ""
			if clientID[0] == 'i' {
				circle = clientID
			}
			params := []string{"acr_values", levels[rnd.IntN(len(levels))]}
			if rnd.IntN(3) == 0 {
				params = append(params, "prompt", "login")
			}
			r := op.Request(clientID, "openid profile", params...)
			p := b.Get(t, r.URL())
			if p.Step() != "" {
				name := names[rnd.IntN(len(names))]
				trace += fmt.Sprint("\n", clientID, " ", params, ": ", name, " logs in")
				if subject := persons[name].Identity.Subject; subject != user {
					user, proved = subject, map[string]string{}
				}
				proved[circle] = name
				p = b.Post(t, p, url.Values{"user": {name}})
			}
			if p.Left == nil { // the level does not suffice
				continue
			}
			token := payload(t, op.Exchange(t, r, p.Code(t)).String("id_token"))
			requireProof(t, persons[proved[circle]], token, fmt.Sprint("seed ", seed, trace, "\n", clientID, " ", params))
			require.True(t, acr.IDPorten.AtLeast(token["acr"].(string), params[1]), trace)
		}
	}
}
