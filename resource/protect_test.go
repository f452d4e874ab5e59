package resource_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/resource"
)

// TestChallenges: status and WWW-Authenticate to the letter (RFC 6750 section 3, RFC 9470 section 3).
func TestChallenges(t *testing.T) {
	t.Parallel()
	good := sign(t, "ec", "", person(t).with("auth_time", epoch.Unix()-600).json(t))
	expired := sign(t, "ec", "", machine(t).with("iat", 1, "exp", 2).json(t))
	plain := resource.Rules{Scopes: []string{"difitest:test2"}}
	for _, tt := range []struct {
		name      string
		rules     resource.Rules
		target    string
		auth      []string
		status    int
		challenge string
	}{
		{"good", plain, "/", []string{"Bearer " + good}, 200, ""},
		{"scheme in another case", plain, "/", []string{"bEARER " + good}, 200, ""},
		{"no token", plain, "/", nil, 401, `Bearer realm="api"`},
		{"another scheme", plain, "/", []string{"Basic YTpi"}, 401, `Bearer realm="api"`},
		{"DPoP", plain, "/", []string{"DPoP " + good}, 401, `Bearer realm="api"`},
		{"a scheme that begins with Bearer", plain, "/", []string{"Bearers " + good}, 401, `Bearer realm="api"`},
		{"no token after Bearer", plain, "/", []string{"Bearer "}, 400, `Bearer realm="api", error="invalid_request", error_description="The Authorization header is malformed."`},
		{"only Bearer", plain, "/", []string{"Bearer"}, 400, `Bearer realm="api", error="invalid_request", error_description="The Authorization header is malformed."`},
		{"two in one header", plain, "/", []string{"Bearer " + good + ", Bearer " + good}, 400, `Bearer realm="api", error="invalid_request", error_description="The Authorization header is malformed."`},
		{"two headers", plain, "/", []string{"Bearer " + good, "Bearer " + good}, 400, `Bearer realm="api", error="invalid_request", error_description="There is more than one Authorization header."`},
		{"Bearer and Basic", plain, "/", []string{"Bearer " + good, "Basic YTpi"}, 400, `Bearer realm="api", error="invalid_request", error_description="There is more than one Authorization header."`},
		{"in the query", plain, "/?access_token=" + good, nil, 400, `Bearer realm="api", error="invalid_request", error_description="The access token belongs in the Authorization header."`},
		{"in the query, escaped", plain, "/?a=b&%61ccess_token=x", nil, 400, `Bearer realm="api", error="invalid_request", error_description="The access token belongs in the Authorization header."`},
		{"in header and query", plain, "/?access_token=x", []string{"Bearer " + good}, 400, `Bearer realm="api", error="invalid_request", error_description="The access token belongs in the Authorization header."`},
		{"another query", plain, "/?token=x", []string{"Bearer " + good}, 200, ""},
		{"expired", plain, "/", []string{"Bearer " + expired}, 401, `Bearer realm="api", error="invalid_token", error_description="The access token has expired."`},
		{"a scope is missing", resource.Rules{Scopes: []string{"difitest:test2", "difitest:more"}}, "/", []string{"Bearer " + good}, 403, `Bearer realm="api", error="insufficient_scope", error_description="The access token lacks a scope.", scope="difitest:test2 difitest:more"`},
		{"none of several", resource.Rules{AnyScope: []string{"a:b", "a:c"}}, "/", []string{"Bearer " + good}, 403, `Bearer realm="api", error="insufficient_scope", error_description="The access token lacks a scope.", scope="a:b"`},
		{"one of several", resource.Rules{AnyScope: []string{"a:b", "difitest:test2"}}, "/", []string{"Bearer " + good}, 200, ""},
		{"step up", resource.Rules{Scopes: plain.Scopes, ACR: acr.High}, "/", []string{"Bearer " + good}, 401, `Bearer realm="api", error="insufficient_user_authentication", error_description="A higher level of assurance is required.", acr_values="idporten-loa-high"`},
		{"log in again", resource.Rules{Scopes: plain.Scopes, MaxAge: 5 * time.Minute}, "/", []string{"Bearer " + good}, 401, `Bearer realm="api", error="insufficient_user_authentication", error_description="A more recent login is required.", max_age="300"`},
		{"both", resource.Rules{Scopes: plain.Scopes, ACR: acr.High, MaxAge: 5 * time.Minute}, "/", []string{"Bearer " + good}, 401, `Bearer realm="api", error="insufficient_user_authentication", error_description="A higher level of assurance is required.", acr_values="idporten-loa-high", max_age="300"`},
		{"recent and strong enough", resource.Rules{Scopes: plain.Scopes, ACR: acr.Substantial, MaxAge: 10 * time.Minute}, "/", []string{"Bearer " + good}, 200, ""},
		{"not allowed", resource.Rules{Scopes: plain.Scopes, Consumers: []string{"910753614"}}, "/", []string{"Bearer " + good}, 403, `Bearer realm="api", error="insufficient_scope", error_description="The consumer of the access token may not use this resource."`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			reached := false
			h := verifier(t, config(t)).Protect(tt.rules, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				reached = resource.FromContext(r.Context()) != nil
			}))
			r := httptest.NewRequest(http.MethodGet, tt.target, nil)
			r.Header["Authorization"] = tt.auth
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			require.Equal(t, tt.status, w.Code)
			require.Equal(t, tt.challenge, w.Header().Get("WWW-Authenticate"))
			require.Equal(t, tt.status == http.StatusOK, reached)
			if tt.status != http.StatusOK {
				require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
				require.NotContains(t, w.Body.String(), "jose")
			}
			if tt.auth == nil && tt.status == http.StatusUnauthorized {
				require.Empty(t, w.Body.String(), "RFC 6750 section 3.1: no error information")
			}
		})
	}
}

// TestRules: each demand refuses what lacks it and takes what has it.
func TestRules(t *testing.T) {
	t.Parallel()
	pid, err := norway.ParsePID(synthetic)
	require.NoError(t, err)
	us := resource.Organisation{Authority: norway.Authority, ID: "0192:991825827", Orgno: "991825827"}
	good := resource.Token{Scopes: []string{"a:b"}, Consumer: us}
	login := resource.Token{Scopes: []string{"a:b"}, Subject: "s", ACR: acr.High, PID: pid}
	with := func(t resource.Token, f func(*resource.Token)) *resource.Token { f(&t); return &t }
	for _, tt := range []struct {
		name   string
		rules  resource.Rules
		token  *resource.Token
		reason string
	}{
		{"nothing demanded", resource.Rules{AllowNoScope: true}, &good, ""},
		{"a login without a consumer", resource.Rules{AllowNoScope: true}, &login, ""},
		{"nobody", resource.Rules{AllowNoScope: true}, &resource.Token{}, "consumer_missing"},
		{"consumers, and none in the token", resource.Rules{AllowNoScope: true, Consumers: []string{"991825827"}}, &login, "consumer_missing"},
		{"consumer listed", resource.Rules{AllowNoScope: true, Consumers: []string{"910753614", "991825827"}}, &good, ""},
		{"consumer listed by the wrong name", resource.Rules{AllowNoScope: true, Consumers: []string{"0192:991825827"}}, &good, "consumer_denied"},
		{"an empty entry lists nobody", resource.Rules{AllowNoScope: true, Consumers: []string{""}}, with(good, func(t *resource.Token) { t.Consumer.Orgno = "" }), "consumer_untrusted"},
		{"a machine wanted", resource.Rules{AllowNoScope: true, Machine: true}, &good, ""},
		{"a machine wanted, a person came", resource.Rules{AllowNoScope: true, Machine: true}, &login, "no_machine"},
		{"a person wanted", resource.Rules{AllowNoScope: true, Person: true}, &login, ""},
		{"a level wanted of a machine", resource.Rules{AllowNoScope: true, ACR: acr.Low}, &good, "no_person"},
		{"a recent login wanted of a machine", resource.Rules{AllowNoScope: true, MaxAge: time.Hour}, &good, "no_person"},
		{"no auth_time", resource.Rules{AllowNoScope: true, MaxAge: time.Hour}, &login, "login_old"},
		{"an unknown level", resource.Rules{AllowNoScope: true, ACR: acr.Low}, with(login, func(t *resource.Token) { t.ACR = "Level4" }), "acr"},
		{"the old platform's level", resource.Rules{AllowNoScope: true, ACR: acr.Low, Levels: acr.Must(acr.New(acr.Level{Value: acr.Low, Rank: 1}, acr.Level{Value: "Level4", Rank: 4}))}, with(login, func(t *resource.Token) { t.ACR = "Level4" }), ""},
		{"eIDAS", resource.Rules{AllowNoScope: true, ACR: acr.Substantial}, with(login, func(t *resource.Token) { t.ACR = acr.EIDASHigh }), ""},
		{"Ansattporten's level", resource.Rules{AllowNoScope: true, ACR: acr.AnsattportenHigh, Levels: acr.Ansattporten}, with(login, func(t *resource.Token) { t.ACR = "substantial" }), "acr"},
		{"a certificate wanted", resource.Rules{AllowNoScope: true, ClientAMR: []string{"virksomhetssertifikat", "QCForESeal"}}, with(good, func(t *resource.Token) { t.ClientAMR = "private_key_jwt" }), "client_amr"},
		{"a certificate used", resource.Rules{AllowNoScope: true, ClientAMR: []string{"virksomhetssertifikat", "QCForESeal"}}, with(good, func(t *resource.Token) { t.ClientAMR = "QCForESeal" }), ""},
		{"no client_amr", resource.Rules{AllowNoScope: true, ClientAMR: []string{"virksomhetssertifikat"}}, &good, "client_amr"},
		{"a supplier of a foreign register", resource.Rules{AllowNoScope: true}, with(good, func(t *resource.Token) { t.Supplier = resource.Organisation{ID: "9908:991825827"} }), "supplier_untrusted"},
		{"a supplier without a source", resource.Rules{AllowNoScope: true}, with(good, func(t *resource.Token) { t.Supplier = us }), ""},
		{"a source nobody trusts", resource.Rules{AllowNoScope: true, DelegationSources: []string{"https://tt02.altinn.no/"}}, with(good, func(t *resource.Token) { t.DelegationSource = "https://www.altinn.no" }), "delegation_source"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.rules.Check(tt.token, epoch)
			if tt.reason == "" {
				require.NoError(t, err)
				return
			}
			require.Equal(t, tt.reason, refusal(t, err).Reason)
		})
	}
}

// TestRulesThatMeanNothing are mistakes in the program: Protect panics, Check gives no refusal, and a
// request is answered with 500.
func TestRulesThatMeanNothing(t *testing.T) {
	t.Parallel()
	v := verifier(t, config(t))
	for name, rules := range map[string]resource.Rules{
		"no scope":                 {},
		"not a scope":              {Scopes: []string{"a b"}},
		"a line break":             {Scopes: []string{"a\r\nb"}},
		"an empty scope":           {AnyScope: []string{""}},
		"a person's and machine's": {Scopes: []string{"a"}, Person: true, Machine: true},
		"a machine's login":        {Scopes: []string{"a"}, Machine: true, ACR: acr.High},
		"an unknown level":         {Scopes: []string{"a"}, ACR: "Level4"},
		"a negative age":           {Scopes: []string{"a"}, MaxAge: -1},
	} {
		require.Panics(t, func() { v.Protect(rules, nil) }, name)
		err := rules.Check(&resource.Token{}, epoch)
		var e *resource.RefusalError
		require.Error(t, err, name)
		require.False(t, errors.As(err, &e), name)

		h := v.ProtectFunc(func(*http.Request) (resource.Rules, error) { return rules, nil }, http.NotFoundHandler())
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+sign(t, "ec", "", machine(t).json(t)))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, 500, w.Code, name)
		require.JSONEq(t, `{"error":"server_error"}`, w.Body.String())
	}
}

// TestProtectFunc: the rules know the person in the call (R5).
func TestProtectFunc(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.Handle("GET /person/{pid}", verifier(t, config(t)).ProtectFunc(func(r *http.Request) (resource.Rules, error) {
		pid, err := norway.ParsePID(r.PathValue("pid"))
		return resource.Rules{Scopes: []string{"difitest:test2"}, PID: pid}, err
	}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	get := func(pid, token string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "/person/"+pid, nil)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		return w
	}
	token := sign(t, "ec", "", machine(t).with("pid", synthetic).json(t))
	require.Equal(t, 200, get(synthetic, token).Code)
	require.Equal(t, 403, get(another, token).Code)
	require.Equal(t, 401, get("nonsense", "").Code, "who is nobody learns nothing about the request")
	w := get("nonsense", token)
	require.Equal(t, 400, w.Code)
	require.Equal(t, `Bearer realm="api", error="invalid_request", error_description="The request is malformed."`, w.Header().Get("WWW-Authenticate"))
}

// TestRefuseInAHandler: what only the handler knows is refused in the same way, and reported.
func TestRefuseInAHandler(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	var events []portner.Event
	cfg := config(t)
	cfg.Realm = "skatt\"\r\nX: y"
	cfg.Logger = slog.New(slog.NewJSONHandler(&log, nil))
	cfg.OnEvent = func(_ context.Context, e portner.Event) { events = append(events, e) }
	v := verifier(t, cfg)
	h := v.Protect(resource.Rules{AllowNoScope: true}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := resource.Rules{Scopes: []string{"skatt:les"}}.Check(resource.FromContext(r.Context()), epoch)
		if r.URL.Path == "/fault" {
			err = errors.New("database: " + synthetic)
		}
		v.Refuse(w, r, err)
	}))
	send := func(path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Authorization", "Bearer "+sign(t, "ec", "", person(t).json(t)))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	w := send("/")
	require.Equal(t, 403, w.Code)
	require.Equal(t, `Bearer realm="skattX: y", error="insufficient_scope", error_description="The access token lacks a scope.", scope="skatt:les"`, w.Header().Get("WWW-Authenticate"))
	require.JSONEq(t, `{"error":"insufficient_scope","error_description":"The access token lacks a scope."}`, w.Body.String())
	require.Len(t, events, 1)
	require.Equal(t, portner.EventRefused, events[0].Name)
	require.Equal(t, "scope", events[0].Reason)
	require.Equal(t, "resource", events[0].Endpoint)
	require.NotContains(t, log.String(), synthetic)

	w = send("/fault")
	require.Equal(t, 500, w.Code)
	require.NotContains(t, w.Body.String(), "database")
	require.Equal(t, portner.EventFault, events[1].Name)
	require.Nil(t, resource.FromContext(t.Context()))
}
