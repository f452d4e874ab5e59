package exchange_test

import (
	"context"
	"net/http"
	"net/http/httptest"
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

// A narrower token tells the pid to nobody whom the whole grant hid it from (security row H4).
func TestNarrowedReferenceTellsNoMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := w.login("portal", "test:opaque test:others").String("access_token")
	require.NotContains(t, w.Introspect(t, "service", all).JSON, "pid", "test:others is another's")
	value, _ := w.exchanged("portal", form(all, "scope", "test:opaque"))
	got := w.Introspect(t, "service", value).JSON
	require.Equal(t, true, got["active"])
	require.NotContains(t, got, "pid")
	one, _ := w.exchanged("portal", form(w.login("portal", "test:opaque").String("access_token")))
	require.Equal(t, optest.KariPID, w.Introspect(t, "service", one).JSON["pid"], "its own alone")
}

// What another issuer tells an introspecting client is not for the clients here.
func TestIntrospectedSubjectStaysHidden(t *testing.T) {
	t.Parallel()
	asked := httptest.NewServer(http.HandlerFunc(func(a http.ResponseWriter, r *http.Request) {
		a.Header().Set("Content-Type", "application/json")
		body := `{"active":true,"token_type":"Bearer","iss":"` + foreignIssuer + `","client_id":"0b3c","scope":"openid profile test:api","sub":"someone","acr":"idporten-loa-high",` +
			`"exp":4102444800,"pid":"` + optest.KariPID + `"}`
		_, _ = a.Write([]byte(body))
	}))
	t.Cleanup(asked.Close)
	key, err := keyset.Generate(keyset.ES256)
	require.NoError(t, err)
	keys, err := keyset.New(keyset.Config{Keys: []keyset.Key{key}})
	require.NoError(t, err)
	w := newWorld(t, func(c *exchange.Config) {
		jwks, _ := keys.JWKS(time.Now())
		v, err := resource.New(resource.Config{
			Issuer: foreignIssuer, Keys: resource.StaticKeys(jwks), URL: optest.Issuer,
			Introspection: &resource.Introspection{Endpoint: asked.URL, ClientID: "us", ClientSecret: portner.NewSecret(), WithoutPID: true},
		})
		require.NoError(t, err)
		c.Issuers = map[string]exchange.Issuer{foreignIssuer: {Verifier: v, Person: personOf}}
	})
	w.foreign = keys
	nameless := w.machineToken(set("sub", "someone"), set("acr", "idporten-loa-high"), set("scope", "test:api"))
	value, got := w.exchanged("service", form(nameless))
	require.Nil(t, got, "a reference")
	require.Equal(t, optest.KariPID, w.request.Subject.Foreign.PID.Reveal(), "the policy knows")
	require.NotContains(t, w.Introspect(t, "portal", value).JSON, "pid")
	shown := w.machineToken(set("sub", "someone"), set("acr", "idporten-loa-high"), set("scope", "openid profile"))
	value, _ = w.exchanged("portal", form(shown))
	require.NotContains(t, w.UserInfo(t, value).JSON, "pid")
}

// A host that finds the person behind a pseudonym tells nobody by it.
func TestFoundPersonStaysPseudonymous(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *exchange.Config) {
		i := c.Issuers[foreignIssuer]
		i.Person = func(context.Context, *resource.Token) (session.Identity, error) {
			return session.Identity{Subject: "kari", Identifiers: optest.Identifiers(kari.Reveal())}, nil
		}
		c.Issuers[foreignIssuer] = i
	})
	_, got := w.exchanged("service", form(w.machineToken(set("sub", "someone"), set("acr", "idporten-loa-high"))))
	require.NotEmpty(t, got["sub"])
	require.NotContains(t, got, "pid")
}

// Whoever ends what a token rests on ends what came of it: the host, the person, the operator, a logout.
func TestEndsFollow(t *testing.T) {
	t.Parallel()
	var p people
	var off atomic.Bool
	w := newWorldAt(t, func(c *provider.Config) {
		c.Users = &p
		c.Clients = switched{c.Clients, &off}
	})
	kariKey := w.vault.UserKey("kari")
	agree := func() {
		require.NoError(t, w.Store.GrantConsents(t.Context(), []storage.Consent{{
			UserKey: kariKey, ClientID: "portal", Scope: "test:consent", GrantedAt: w.now, ExpiresAt: w.now.Add(time.Hour),
		}}, w.now))
	}
	agree()
	subject := w.login("portal", "openid profile test:api test:consent").String("access_token")
	value, _ := w.exchanged("service", form(subject))
	active := func() any { return w.Introspect(t, "service", value).JSON["active"] }
	require.Equal(t, true, active(), "the consent to the portal holds for the service the policy lets act")

	for name, toggle := range map[string][2]func(){
		"person disabled": {func() { p.disabled.Store(true) }, func() { p.disabled.Store(false) }},
		"client off":      {func() { off.Store(true) }, func() { off.Store(false) }},
		"consent withdrawn": {
			func() { require.NoError(t, w.Store.WithdrawConsents(t.Context(), kariKey, "portal", w.now)) }, agree,
		},
	} {
		toggle[0]()
		require.Equal(t, false, active(), name)
		w.refused("service", form(subject), portner.InvalidRequest)
		toggle[1]()
		require.Equal(t, true, active(), name)
	}
}

// switched turns the client portal off.
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

// A login that only logs in dies at logout, and what was made of it.
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

// authorization_details come along, or those of them that are named; the customer of a client does not.
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
	w.refused("service", form(narrower, "authorization_details", `[{"type":"a","x":"1"}]`), portner.InvalidAuthorizationDetails)
	w.refused("service", form(value, "authorization_details", `{"type":"b"}`), portner.InvalidAuthorizationDetails)

	own := w.login("portal", "openid test:api", "onbehalfof", "kunde").String("access_token")
	_, got = w.exchanged("portal", form(own))
	require.Equal(t, "kunde", got["client_onbehalfof"])
	_, got = w.exchanged("service", form(own))
	require.NotContains(t, got, "client_onbehalfof")
}

// A token of another issuer is nobody's own, whatever it calls its client; and a target named twice is one.
func TestOwnAndTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	subject := w.machineToken(set("client_id", "service"))
	_, got := w.exchanged("service", form(subject, "resource", optest.Issuer, "audience", optest.Issuer))
	require.False(t, w.request.Own)
	require.Contains(t, got, "act")
	require.Equal(t, optest.Issuer, got["aud"])
}

// The organisation a token is for does not become its own supplier.
func TestSupplier(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for consumer, supplier := range map[string]any{optest.OwnerOrg: nil, machineOrg: map[string]any{"authority": "iso6523-actorid-upis", "ID": "0192:" + optest.OwnerOrg}} {
		subject := w.machineToken(set("consumer", map[string]any{"authority": "iso6523-actorid-upis", "ID": "0192:" + consumer}))
		_, got := w.exchanged("service", form(subject))
		require.Equal(t, supplier, got["supplier"])
	}
}
