package authorizations_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/token"
)

// levelWorld is a provider at which one user logs in at several levels.
func levelWorld(t *testing.T, change func(*authorizations.Config)) (*optest.OP, *authorizations.API) {
	t.Helper()
	kari := func(level, method string) session.Authentication {
		return session.Authentication{ACR: level, AMR: []string{method}, Identity: session.Identity{Subject: "kari", Identifiers: optest.Identifiers(optest.KariPID)}}
	}
	isolated := profilePage(optest.Clients(t)[0])
	isolated.ClientID, isolated.SSODisabled = "alone", true
	isolated.RedirectURIs, isolated.PostLogoutRedirectURIs = []string{optest.RedirectURI("alone")}, nil
	var cfg provider.Config
	op := optest.New(t, optest.Options{
		Scopes: []scope.Scope{
			{Name: authorizations.Scope, Description: "Fullmakter", OwnerOrgno: optest.OwnerOrg},
			{Name: authorizations.HistoryScope, Description: "Logg", OwnerOrgno: optest.OwnerOrg},
			{Name: "other:api", Description: "En annens", OwnerOrgno: otherOrg},
		},
		Clients: []client.Client{profilePage(optest.Clients(t)[0]), isolated},
		Persons: map[string]session.Authentication{
			"email": kari(acr.SelfRegisteredEmail, "email"), "limited": kari(acr.SubstantialLimited, "Minid-OTC"),
			"minid": kari(acr.Substantial, "Minid-APP"), "bankid": kari(acr.High, "BankID"), "eidas": kari(acr.EIDASHigh, "eIDAS"),
		},
		Change: func(c *provider.Config) { cfg = *c },
	})
	config := authorizations.Config{
		Store: op.Store, Vault: op.Vault, Tokens: op.Token.Minter(), Clients: cfg.Clients, Scopes: cfg.Scopes, History: op.Store,
		Sessions: op.Sessions, Sufficient: substantial,
	}
	if change != nil {
		change(&config)
	}
	api, err := authorizations.New(config)
	require.NoError(t, err)
	return op, api
}

// logIn logs the user in at a client that accepts the level, and returns the access token.
func logIn(t *testing.T, op *optest.OP, b *optest.Browser, clientID, user, level string) string {
	t.Helper()
	r := op.Request(clientID, "openid "+authorizations.Scope+" "+authorizations.HistoryScope, "acr_values", level, "prompt", "login")
	return op.Exchange(t, r, b.Login(t, r, user).Code(t)).String("access_token")
}

// TestPageUser: the page has a user only if the browser has a login for the configured circle at a level that suffices.
func TestPageUser(t *testing.T) {
	t.Parallel()
	type login struct{ client, user, level string }
	alone := func(c *authorizations.Config) { c.Circle = "alone" }
	for name, tt := range map[string]struct {
		change func(*authorizations.Config)
		logins []login
		want   session.Reason
	}{
		"no session":                              {nil, nil, session.NoSession},
		"sufficient":                              {nil, []login{{"profil", "minid", acr.Substantial}}, ""},
		"higher":                                  {nil, []login{{"profil", "bankid", acr.High}}, ""},
		"e-mail":                                  {nil, []login{{"profil", "email", acr.SelfRegisteredEmail}}, session.StepUp},
		"level below":                             {nil, []login{{"profil", "limited", acr.SubstantialLimited}}, session.StepUp},
		"e-mail after a sufficient login":         {nil, []login{{"profil", "bankid", acr.High}, {"profil", "email", acr.SelfRegisteredEmail}}, session.StepUp},
		"single-use login":                        {nil, []login{{"profil", "eidas", acr.EIDASHigh}}, session.SingleUse},
		"isolated client":                         {nil, []login{{"alone", "bankid", acr.High}}, session.OtherCircle},
		"isolated client, beside a weak login":    {nil, []login{{"profil", "email", acr.SelfRegisteredEmail}, {"alone", "bankid", acr.High}}, session.StepUp},
		"isolated e-mail, beside a good login":    {nil, []login{{"profil", "bankid", acr.High}, {"alone", "email", acr.SelfRegisteredEmail}}, ""},
		"configured circle":                       {alone, []login{{"alone", "bankid", acr.High}}, ""},
		"configured circle, login for the common": {alone, []login{{"profil", "bankid", acr.High}}, session.OtherCircle},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			op, api := levelWorld(t, tt.change)
			b := op.Browser()
			for _, l := range tt.logins {
				require.NotEmpty(t, logIn(t, op, b, l.client, l.user, l.level))
			}
			request := http.Header{}
			if cookie := b.Cookies()[session.DefaultCookieName]; cookie != "" {
				request.Set("Cookie", session.DefaultCookieName+"="+cookie)
			}
			subject, reason, err := api.PageUser(t.Context(), request, http.Header{}, time.Now())
			require.NoError(t, err)
			require.Equal(t, tt.want, reason)
			if tt.want == "" {
				require.Equal(t, "kari", subject)
			} else {
				require.Empty(t, subject)
			}
		})
	}
	_, api := levelWorld(t, func(c *authorizations.Config) { c.Sessions = nil })
	_, _, err := api.PageUser(t.Context(), http.Header{}, http.Header{}, time.Now())
	require.ErrorContains(t, err, "Config.Sessions")
}

// TestTokenOfAWeakLogin: a token of a login at a level that does not suffice neither lists nor ends anything (RFC 9470 §3).
func TestTokenOfAWeakLogin(t *testing.T) {
	t.Parallel()
	op, api := levelWorld(t, nil)
	b := op.Browser()
	w := &world{t: t, op: op, api: api, handler: api.Handler()}
	strong := logIn(t, op, b, "profil", "minid", acr.Substantial)
	list := w.list("GET", "/clients/authorizations?require_user_consent=false", strong, "")
	require.Len(t, list, 1)
	for user, level := range map[string]string{"email": acr.SelfRegisteredEmail, "limited": acr.SubstantialLimited} {
		weak := logIn(t, op, b, "profil", user, level)
		for _, call := range [][2]string{
			{"GET", "/clients/authorizations"},
			{"GET", "/api-provider/authorizations"},
			{"GET", "/innlogginger/logg/idporten"},
			{"DELETE", "/authorizations/" + list[0].ID},
		} {
			rec := w.call(call[0], call[1], weak, "")
			require.Equal(t, http.StatusUnauthorized, rec.Code, call)
			require.Equal(t, `Bearer error="insufficient_user_authentication"`, rec.Header().Get("WWW-Authenticate"), call)
		}
		_, err := api.AuthenticateUser(t.Context(), token.APIRequest{Authorization: []string{"Bearer " + weak}}, authorizations.Scope)
		require.ErrorIs(t, err, portner.InsufficientUserAuthentication)
	}
	require.NotEmpty(t, w.list("GET", "/clients/authorizations?require_user_consent=false", strong, ""), "nothing has ended")
}
