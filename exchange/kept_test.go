package exchange_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/exchange"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/resource"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// TestNarrowedOpaqueToken checks that narrowing does not disclose a pid that the grant does not disclose.
func TestNarrowedOpaqueToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := w.login("portal", "test:opaque test:others").String("access_token")
	require.Equal(t, optest.KariPID, w.Introspect(t, "service", all).JSON["pid"], "its scope is opaque")
	value, _ := w.exchanged("portal", form(all, "scope", "test:opaque"))
	got := w.Introspect(t, "service", value).JSON
	require.Equal(t, true, got["active"])
	require.NotContains(t, got, "pid", "the owner of test:opaque does not own test:others: anyone can have requested it first")
	one, _ := w.exchanged("portal", form(w.login("portal", "test:opaque").String("access_token")))
	require.Equal(t, optest.KariPID, w.Introspect(t, "service", one).JSON["pid"], "all scopes belong to the owner")
}

// TestIntrospectedSubjectIsNotDisclosed checks that claims from introspection at another issuer are not disclosed to clients.
func TestIntrospectedSubjectIsNotDisclosed(t *testing.T) {
	t.Parallel()
	introspection := httptest.NewServer(http.HandlerFunc(func(a http.ResponseWriter, r *http.Request) {
		a.Header().Set("Content-Type", "application/json")
		body := `{"active":true,"token_type":"Bearer","iss":"` + foreignIssuer + `","client_id":"0b3c","scope":"openid profile test:api","sub":"someone","acr":"idporten-loa-high",` +
			`"exp":4102444800,"pid":"` + optest.KariPID + `"}`
		_, _ = a.Write([]byte(body))
	}))
	t.Cleanup(introspection.Close)
	key, err := keyset.Generate(keyset.ES256)
	require.NoError(t, err)
	keys, err := keyset.New(keyset.Config{Keys: []keyset.Key{key}})
	require.NoError(t, err)
	w := newWorld(t, func(c *exchange.Config) {
		jwks, _ := keys.JWKS(time.Now())
		v, err := resource.New(resource.Config{
			Issuer: foreignIssuer, Keys: resource.StaticKeys(jwks), URL: optest.Issuer,
			Introspection: &resource.Introspection{Endpoint: introspection.URL, ClientID: "us", ClientSecret: portner.NewSecret(), WithoutPID: true},
		})
		require.NoError(t, err)
		c.Issuers = map[string]exchange.Issuer{foreignIssuer: {Verifier: v, User: userOf}}
	})
	w.foreign = keys
	nameless := w.machineToken(set("sub", "someone"), set("acr", "idporten-loa-high"), set("scope", "test:api"))
	value, got := w.exchanged("service", form(nameless))
	require.Nil(t, got, "the new token is opaque")
	require.Equal(t, optest.KariPID, w.request.Subject.Foreign.PID.Reveal(), "the policy receives the pid")
	require.NotContains(t, w.Introspect(t, "portal", value).JSON, "pid")
	shown := w.machineToken(set("sub", "someone"), set("acr", "idporten-loa-high"), set("scope", "openid profile"))
	value, _ = w.exchanged("portal", form(shown))
	require.NotContains(t, w.UserInfo(t, value).JSON, "pid")
}

// TestFoundUserStaysPseudonymous checks that the identity the host finds for a pseudonymous token is not disclosed.
func TestFoundUserStaysPseudonymous(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *exchange.Config) {
		i := c.Issuers[foreignIssuer]
		i.User = func(context.Context, *resource.Token) (session.Identity, error) {
			return session.Identity{Subject: "kari", Identifiers: optest.Identifiers(kari.Reveal())}, nil
		}
		c.Issuers[foreignIssuer] = i
	})
	_, got := w.exchanged("service", form(w.machineToken(set("sub", "someone"), set("acr", "idporten-loa-high"))))
	require.NotEmpty(t, got["sub"])
	require.NotContains(t, got, "pid")
}

// TestExchangedTokensEnd checks that exchanged tokens end if the user or the client is disabled or the consent is withdrawn.
func TestExchangedTokensEnd(t *testing.T) {
	t.Parallel()
	var p users
	var off atomic.Bool
	w := newWorldAt(t, func(c *provider.Config) {
		c.Users = &p
		c.Clients = switched{c.Clients, &off}
	})
	kariKey := w.vault.UserKey("kari")
	answers := 0
	answer := func(o storage.Outcome) {
		answers++
		o.RequestID, o.RetainTo = strconv.Itoa(answers), w.now.Add(time.Hour)
		o.Consents = storage.ConsentKey{UserKey: kariKey, ClientID: "portal", Customer: optest.Org + "///"}
		require.NoError(t, w.Store.FinishRequest(t.Context(), o, w.now))
	}
	agree := func() {
		answer(storage.Outcome{Granted: []storage.Consent{{Scope: "test:consent", GrantedAt: w.now, ExpiresAt: w.now.Add(time.Hour)}}})
	}
	agree()
	subject := w.login("portal", "openid profile test:api test:consent").String("access_token")
	value, _ := w.exchanged("service", form(subject))
	active := func() any { return w.Introspect(t, "service", value).JSON["active"] }
	require.Equal(t, true, active(), "the consent was given to the portal")

	for name, toggle := range map[string][2]func(){
		"user disabled":   {func() { p.disabled.Store(true) }, func() { p.disabled.Store(false) }},
		"client disabled": {func() { off.Store(true) }, func() { off.Store(false) }},
		"consent withdrawn": {
			func() { answer(storage.Outcome{Declined: []string{"test:consent"}}) }, agree,
		},
	} {
		toggle[0]()
		require.Equal(t, false, active(), name)
		w.rejects("service", form(subject), portner.InvalidRequest)
		toggle[1]()
		require.Equal(t, true, active(), name)
	}
}

// switched is a source that can disable the client portal.
type switched struct {
	client.Source
	off *atomic.Bool
}

func (s switched) Client(ctx context.Context, id string) (*client.Client, error) {
	c, err := s.Source.Client(ctx, id)
	if err == nil && id == "portal" && s.off.Load() {
		inactive := *c
		inactive.Disabled = true
		return &inactive, nil
	}
	return c, err
}

// TestLogoutFollows checks that logout ends the tokens that were exchanged for those of the login.
func TestLogoutFollows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.Browser()
	r := w.Request("portal", "openid profile")
	page := b.Login(t, r, "kari")
	login := w.OP.Exchange(t, r, page.Left.Query().Get("code"))
	value, _ := w.exchanged("service", form(login.String("access_token")))
	require.Equal(t, http.StatusOK, w.UserInfo(t, value).Status)
	b.Get(t, optest.Issuer+"/logout?id_token_hint="+login.String("id_token"))
	require.Equal(t, http.StatusUnauthorized, w.UserInfo(t, value).Status)
}

// TestDetailsAndCustomers checks that authorization_details are kept or narrowed, and that another client does not inherit the
// customer.
func TestDetailsAndCustomers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := map[string]any{"type": "a", "x": "1"}, map[string]any{"type": "b"}
	subject := w.machineToken(set("authorization_details", []any{a, b}))
	value, got := w.exchanged("service", form(subject))
	require.Equal(t, []any{a, b}, got["authorization_details"])
	require.Equal(t, []any{a, b}, w.Introspect(t, "service", value).JSON["authorization_details"])
	narrower, got := w.exchanged("service", form(value, "authorization_details", `[{"type":"b"}]`))
	require.Equal(t, []any{b}, got["authorization_details"])
	w.rejects("service", form(narrower, "authorization_details", `[{"type":"a","x":"1"}]`), portner.InvalidAuthorizationDetails)
	w.rejects("service", form(value, "authorization_details", `{"type":"b"}`), portner.InvalidAuthorizationDetails)

	own := w.login("portal", "openid test:api", "onbehalfof", "kunde").String("access_token")
	_, got = w.exchanged("portal", form(own))
	require.Equal(t, "kunde", got["client_onbehalfof"])
	_, got = w.exchanged("service", form(own))
	require.NotContains(t, got, "client_onbehalfof")
}

// TestForeignTokenIsNotOwn checks that a token of another issuer with an equal client_id is not the client's own, and that a
// repeated target counts once.
func TestForeignTokenIsNotOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	subject := w.machineToken(set("client_id", "service"))
	_, got := w.exchanged("service", form(subject, "resource", optest.Issuer, "audience", optest.Issuer))
	require.False(t, w.request.Own)
	require.Contains(t, got, "act")
	require.Equal(t, optest.Issuer, got["aud"])
}

// TestSupplier checks that the consumer does not become its own supplier.
func TestSupplier(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for consumer, supplier := range map[string]any{optest.OwnerOrg: nil, machineOrg: map[string]any{"authority": "iso6523-actorid-upis", "ID": "0192:" + optest.OwnerOrg}} {
		subject := w.machineToken(set("consumer", map[string]any{"authority": "iso6523-actorid-upis", "ID": "0192:" + consumer}))
		_, got := w.exchanged("service", form(subject))
		require.Equal(t, supplier, got["supplier"])
	}
}

// TestCustomerOfTheSubject checks that a token which another client exchanged ends when the client of the login stops acting for the
// customer, and that both are live again when the customer returns.
func TestCustomerOfTheSubject(t *testing.T) {
	t.Parallel()
	var left atomic.Bool
	w := newWorldAt(t, func(c *provider.Config) { c.Clients = customerLeaves{c.Clients, &left} })
	own := w.login("portal", "openid profile test:api", "onbehalfof", "kunde").String("access_token")
	middle, _ := w.exchanged("service", form(own))
	last, _ := w.exchanged("deep", form(middle))
	for _, gone := range []bool{false, true, false} {
		left.Store(gone)
		for _, value := range []string{own, middle, last} {
			require.Equal(t, !gone, w.UserInfo(t, value).Status == http.StatusOK)
			require.Equal(t, !gone, w.Introspect(t, "service", value).JSON["active"] == true)
			require.Equal(t, !gone, w.exchange("deep", form(value)).Status == http.StatusOK)
		}
	}
}

// customerLeaves removes the customers of the portal.
type customerLeaves struct {
	client.Source
	left *atomic.Bool
}

// Client implements client.Source.
func (s customerLeaves) Client(ctx context.Context, id string) (*client.Client, error) {
	c, err := s.Source.Client(ctx, id)
	if err != nil || id != "portal" || !s.left.Load() {
		return c, err
	}
	changed := *c
	changed.OnBehalfOf = nil
	return &changed, nil
}
