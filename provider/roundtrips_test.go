package provider_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/portnertest"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage/memory"
)

// commits are the methods of a store that write. Each is one durable commit.
var commits = map[string]bool{
	"ReplaceSession": true, "EndSession": true, "FinishRequest": true, "RedeemCode": true, "RotateRefreshToken": true, "Revoke": true,
	"PushRequest": true, "ConsumePushedRequest": true, "ConsumeJTI": true, "RecordLogin": true,
}

// tripBed is a provider whose calls of the store are recorded.
type tripBed struct {
	*testing.T
	*optest.OP
	store hostStore
	keys  *keyset.Set // of the client keyed
}

func newTripBed(t *testing.T, change func(*provider.Config)) *tripBed {
	t.Helper()
	b := &tripBed{T: t, keys: newSigningKey(t)}
	keyed := optest.Clients(t)[0]
	keyed.ClientID, keyed.RedirectURIs, keyed.FrontchannelLogoutURI, keyed.FrontchannelLogoutSessionRequired = "keyed", []string{optest.RedirectURI("keyed")}, "", false
	keyed.TokenEndpointAuthMethod, keyed.Secrets, keyed.PostLogoutRedirectURIs = client.PrivateKeyJWT, nil, nil
	keyed.JWKS, _ = b.keys.JWKS(time.Now())
	b.OP = optest.New(t, optest.Options{Clients: []client.Client{keyed}, Change: func(c *provider.Config) {
		b.store = hostStore{c.Store.(*memory.Store), &host{}}
		c.Store, c.PushedRequests, c.Replay = b.store, b.store, b.store
		if change != nil {
			change(c)
		}
	}})
	return b
}

// start forgets the calls until now.
func (b *tripBed) start() { b.store.calls = nil }

// codeOf returns a code for a request, which the session of w or a new login answers.
func (b *tripBed) codeOf(w *optest.Browser, r optest.Request) string {
	b.Helper()
	return w.Login(b, r, "kari").Code(b)
}

// exchange starts the record and redeems a new code of tjeneste.
func (b *tripBed) exchange(scopes string, proofs ...string) optest.Answer {
	b.Helper()
	r := b.Request("tjeneste", scopes)
	p := b.Browser().Login(b, r, "kari")
	if p.Step() == "consent" {
		w := b.Browser()
		p = w.Login(b, r, "kari")
		p = w.Post(b, p, url.Values{"scope": {"test:consent"}})
	}
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {p.Code(b)}, "redirect_uri": {optest.RedirectURI("tjeneste")}, "code_verifier": {r.Verifier},
	}
	b.start()
	a := b.Call(b, "/token", "tjeneste", form, proofs...)
	require.Equal(b, http.StatusOK, a.Status, a.JSON)
	return a
}

// trip is an operation and its calls of the store.
type trip struct {
	name   string
	want   string // methods in their order
	do     func(b *tripBed)
	change func(*provider.Config) // may be nil
}

// trips are the operations of docs/performance.md. The first ones are those without optional features.
var trips = []trip{
	{"authorize, to the login page", "", func(b *tripBed) { b.start(); b.Browser().Get(b, b.Request("tjeneste", "openid").URL()) }, nil},
	{"login", "ReplaceSession FinishRequest", func(b *tripBed) {
		w := b.Browser()
		p := w.Get(b, b.Request("tjeneste", "openid").URL())
		b.start()
		w.Post(b, p, url.Values{"user": {"kari"}}).Code(b)
	}, nil},
	{"authorize, with SSO", "Session FinishRequest", func(b *tripBed) {
		w := b.Browser()
		b.codeOf(w, b.Request("tjeneste", "openid"))
		b.start()
		w.Get(b, b.Request("annen", "openid").URL()).Code(b)
	}, nil},
	{"session check", "Session", func(b *tripBed) {
		w := b.Browser()
		b.codeOf(w, b.Request("tjeneste", "openid"))
		h := http.Header{}
		for name, value := range w.Cookies() {
			h.Add("Cookie", name+"="+value)
		}
		b.start()
		_, reason, err := b.Sessions.User(b.Context(), h, http.Header{}, session.Request{}, time.Now())
		require.NoError(b, err)
		require.Empty(b, reason)
	}, nil},
	{"code exchange", "Code RedeemCode", func(b *tripBed) { b.exchange("openid profile") }, nil},
	{"refresh", "RefreshToken RotateRefreshToken", func(b *tripBed) {
		value := b.exchange("openid profile").String("refresh_token")
		b.start()
		require.Equal(b, http.StatusOK, b.Refresh(b, "tjeneste", value).Status)
	}, nil},
	{"introspection", "AccessToken", func(b *tripBed) {
		value := b.exchange("openid profile test:api").String("access_token")
		b.start()
		require.Equal(b, true, b.Introspect(b, "owner", value).JSON["active"])
	}, nil},
	{"userinfo", "AccessToken", func(b *tripBed) {
		value := b.exchange("openid profile").String("access_token")
		b.start()
		require.Equal(b, http.StatusOK, b.UserInfo(b, value).Status)
	}, nil},
	{"revocation of an access token", "AccessToken Revoke", func(b *tripBed) {
		value := b.exchange("openid profile").String("access_token")
		b.start()
		require.Equal(b, http.StatusOK, b.Call(b, "/revoke", "tjeneste", url.Values{"token": {value}}).Status)
	}, nil},
	{"logout", "Session EndSession", func(b *tripBed) {
		w := b.Browser()
		r := b.Request("tjeneste", "openid")
		a := b.Exchange(b, r, b.codeOf(w, r))
		b.start()
		w.Get(b, optest.Issuer+"/logout?"+url.Values{"id_token_hint": {a.String("id_token")}}.Encode())
	}, nil},
	{"authorize, with SSO, to a login page", "Session ReplaceSession Session", func(b *tripBed) {
		w := b.Browser()
		b.codeOf(w, b.Request("tjeneste", "openid"))
		b.start()
		require.Equal(b, "login", w.Get(b, b.Request("tjeneste", "openid", "prompt", "login").URL()).Step())
	}, nil},
	{"login in a session", "Session ReplaceSession FinishRequest", func(b *tripBed) {
		w := b.Browser()
		b.codeOf(w, b.Request("tjeneste", "openid"))
		p := w.Get(b, b.Request("tjeneste", "openid", "prompt", "login").URL())
		b.start()
		w.Post(b, p, url.Values{"user": {"kari"}}).Code(b)
	}, nil},
	{"login, a scope requires consent", "ReplaceSession Consents Session Consents", func(b *tripBed) {
		w := b.Browser()
		p := w.Get(b, b.Request("tjeneste", "openid test:consent").URL())
		b.start()
		require.Equal(b, "consent", w.Post(b, p, url.Values{"user": {"kari"}}).Step()) // and the page
	}, nil},
	{"consent page, posted", "Session Consents FinishRequest", func(b *tripBed) {
		w := b.Browser()
		p := w.Login(b, b.Request("tjeneste", "openid test:consent"), "kari")
		b.start()
		w.Post(b, p, url.Values{"scope": {"test:consent"}}).Code(b)
	}, nil},
	{"authorize, with SSO, a scope requires consent", "Session Consents FinishRequest", func(b *tripBed) {
		w := b.Browser()
		p := w.Login(b, b.Request("tjeneste", "openid test:consent"), "kari")
		w.Post(b, p, url.Values{"scope": {"test:consent"}}).Code(b)
		b.start()
		w.Get(b, b.Request("tjeneste", "openid test:consent").URL()).Code(b)
	}, nil},
	{"code exchange, a scope requires consent", "Code Consents RedeemCode", func(b *tripBed) { b.exchange("openid test:consent") }, nil},
	{"introspection, a scope requires consent", "AccessToken Consents", func(b *tripBed) {
		value := b.exchange("openid test:consent").String("access_token")
		b.start()
		require.Equal(b, true, b.Introspect(b, "owner", value).JSON["active"])
	}, nil},
	{"pushed request", "PushRequest", func(b *tripBed) { b.start(); b.push() }, nil},
	{"login, pushed request", "PushedRequest ReplaceSession ConsumePushedRequest FinishRequest", func(b *tripBed) {
		w, uri := b.Browser(), b.push()
		b.start()
		w.Post(b, w.Get(b, uri), url.Values{"user": {"kari"}}).Code(b)
	}, nil},
	{"authorize, with SSO, pushed request", "PushedRequest Session ConsumePushedRequest FinishRequest", func(b *tripBed) {
		w := b.Browser()
		b.codeOf(w, b.Request("tjeneste", "openid"))
		uri := b.push()
		b.start()
		w.Get(b, uri).Code(b)
	}, nil},
	{"code exchange, private_key_jwt", "ConsumeJTI Code RedeemCode", func(b *tripBed) {
		r := b.Request("keyed", "openid")
		code := b.codeOf(b.Browser(), r)
		b.start()
		require.Equal(b, http.StatusOK, b.sendKeyed("/token", url.Values{
			"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {optest.RedirectURI("keyed")}, "code_verifier": {r.Verifier},
		}))
	}, nil},
	{"introspection, private_key_jwt", "ConsumeJTI AccessToken", func(b *tripBed) {
		value := b.exchange("openid").String("access_token")
		b.start()
		require.Equal(b, http.StatusOK, b.sendKeyed("/tokeninfo", url.Values{"token": {value}}))
	}, nil},
	{"code exchange, DPoP", "Code ConsumeJTI RedeemCode", func(b *tripBed) {
		b.exchange("openid", portnertest.NewProver().Proof(http.MethodPost, optest.Issuer+"/token", "", time.Now(), nil))
	}, func(c *provider.Config) { c.DPoP = &dpop.Policy{Replay: c.Replay} }},
	{"revocation of a refresh token", "AccessToken RefreshToken Revoke", func(b *tripBed) {
		value := b.exchange("openid profile").String("refresh_token")
		b.start()
		require.Equal(b, http.StatusOK, b.Call(b, "/revoke", "tjeneste", url.Values{"token": {value}}).Status)
	}, nil},
	{"login, with a history", "ReplaceSession FinishRequest RecordLogin", func(b *tripBed) {
		w := b.Browser()
		p := w.Get(b, b.Request("tjeneste", "openid").URL())
		b.start()
		w.Post(b, p, url.Values{"user": {"kari"}}).Code(b)
	}, func(c *provider.Config) { c.History = c.Store.(hostStore) }},
}

// push pushes a request of tjeneste and returns the URL that refers to it.
func (b *tripBed) push() string {
	b.Helper()
	r := b.Request("tjeneste", "openid")
	a := b.Call(b, "/par", "tjeneste", r.Params)
	require.Equal(b, http.StatusCreated, a.Status, a.JSON)
	return optest.Issuer + "/authorize?" + url.Values{"client_id": {"tjeneste"}, "request_uri": {a.String("request_uri")}}.Encode()
}

// sendKeyed posts a form with an assertion of the client keyed, and returns the status.
func (b *tripBed) sendKeyed(path string, form url.Values) int {
	b.Helper()
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": "keyed", "sub": "keyed", "aud": optest.Issuer, "jti": fmt.Sprint(now.UnixNano()), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	})
	require.NoError(b, err)
	assertion, err := b.keys.Sign("", "JWT", claims, now)
	require.NoError(b, err)
	form.Set("client_id", "keyed")
	form.Set("client_assertion", assertion)
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	r := post(path, "", form)
	r.Header.Del("Authorization")
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w.Code
}

// TestRoundTrips: one call of a method of the store is one round trip to a database, and one that writes is one durable commit. The
// operations of every login make as few as they can, and docs/performance.md lists them.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/performance.md")
	require.NoError(t, err)
	most := map[string][2]int{ // round trips and commits
		"authorize, to the login page": {0, 0}, "login": {2, 2}, "authorize, with SSO": {2, 1}, "session check": {1, 0},
		"code exchange": {2, 1}, "refresh": {2, 1}, "introspection": {1, 0}, "userinfo": {1, 0},
	}
	for _, o := range trips {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			b := newTripBed(t, o.change)
			o.do(b)
			calls, writes := b.store.calls, 0
			for _, name := range calls {
				if commits[name] {
					writes++
				}
			}
			require.Equal(t, o.want, strings.Join(calls, " "))
			if bound, ok := most[o.name]; ok {
				require.LessOrEqual(t, len(calls), bound[0], "round trips")
				require.LessOrEqual(t, writes, bound[1], "commits")
			}
			require.Contains(t, string(text), fmt.Sprintf("\n| %s | %s | %d | %d |\n", o.name, cmp.Or(strings.Join(calls, ", "), "-"), len(calls), writes))
		})
	}
}
