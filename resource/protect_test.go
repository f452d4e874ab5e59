package resource_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/resource"
)

// TestChallenges checks status and WWW-Authenticate (RFC 6750 §3, RFC 9470 §3).
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
				require.Empty(t, w.Body.String(), "RFC 6750 §3.1: no error information")
			}
		})
	}
}

// TestRules checks each rule with a token that satisfies it and one that does not.
func TestRules(t *testing.T) {
	t.Parallel()
	pid, err := norway.ParsePID(synthetic)
	require.NoError(t, err)
	digdir := resource.Organisation{Authority: norway.Authority, ID: "0192:991825827", Orgno: "991825827"}
	good := resource.Token{Scopes: []string{"a:b"}, Consumer: digdir}
	login := resource.Token{Scopes: []string{"a:b"}, Subject: "s", ACR: acr.High, PID: pid}
	with := func(t resource.Token, f func(*resource.Token)) *resource.Token { f(&t); return &t }
	for _, tt := range []struct {
		name   string
		rules  resource.Rules
		token  *resource.Token
		reason string
	}{
		{"no requirement", resource.Rules{AllowNoScope: true}, &good, ""},
		{"a login without a consumer", resource.Rules{AllowNoScope: true}, &login, ""},
		{"neither user nor consumer", resource.Rules{AllowNoScope: true}, &resource.Token{}, "consumer_missing"},
		{"consumer required and absent", resource.Rules{AllowNoScope: true, Consumers: []string{"991825827"}}, &login, "consumer_missing"},
		{"consumer listed", resource.Rules{AllowNoScope: true, Consumers: []string{"910753614", "991825827"}}, &good, ""},
		{"consumer not listed", resource.Rules{AllowNoScope: true, Consumers: []string{"910753614"}}, &good, "consumer_not_allowed"},
		{"consumer without a number", resource.Rules{AllowNoScope: true, Consumers: []string{"991825827"}}, with(good, func(t *resource.Token) { t.Consumer.Orgno = "" }), "consumer_untrusted"},
		{"machine required", resource.Rules{AllowNoScope: true, RequireMachine: true}, &good, ""},
		{"machine required, token of a user", resource.Rules{AllowNoScope: true, RequireMachine: true}, &login, "user_not_allowed"},
		{"user required", resource.Rules{AllowNoScope: true, RequireUser: true}, &login, ""},
		{"level required, token of a machine", resource.Rules{AllowNoScope: true, ACR: acr.Low}, &good, "user_missing"},
		{"recent login required, token of a machine", resource.Rules{AllowNoScope: true, MaxAge: time.Hour}, &good, "user_missing"},
		{"no auth_time", resource.Rules{AllowNoScope: true, MaxAge: time.Hour}, &login, "login_too_old"},
		{"an unknown level", resource.Rules{AllowNoScope: true, ACR: acr.Low}, with(login, func(t *resource.Token) { t.ACR = "Level4" }), "acr_insufficient"},
		{"a level of the host", resource.Rules{AllowNoScope: true, ACR: acr.Low, Levels: acr.Must(acr.New(acr.Level{Value: acr.Low, Rank: 1}, acr.Level{Value: "Level4", Rank: 4}))}, with(login, func(t *resource.Token) { t.ACR = "Level4" }), ""},
		{"eIDAS", resource.Rules{AllowNoScope: true, ACR: acr.Substantial}, with(login, func(t *resource.Token) { t.ACR = acr.EIDASHigh }), ""},
		{"Ansattporten's level", resource.Rules{AllowNoScope: true, ACR: acr.AnsattportenHigh, Levels: acr.Ansattporten}, with(login, func(t *resource.Token) { t.ACR = "substantial" }), "acr_insufficient"},
		{"certificate required", resource.Rules{AllowNoScope: true, ClientAMR: []string{"virksomhetssertifikat", "QCForESeal"}}, with(good, func(t *resource.Token) { t.ClientAMR = "private_key_jwt" }), "client_amr_not_allowed"},
		{"a certificate used", resource.Rules{AllowNoScope: true, ClientAMR: []string{"virksomhetssertifikat", "QCForESeal"}}, with(good, func(t *resource.Token) { t.ClientAMR = "QCForESeal" }), ""},
		{"no client_amr", resource.Rules{AllowNoScope: true, ClientAMR: []string{"virksomhetssertifikat"}}, &good, "client_amr_not_allowed"},
		{"a supplier of a foreign register", resource.Rules{AllowNoScope: true}, with(good, func(t *resource.Token) { t.Supplier = resource.Organisation{ID: "9908:991825827"} }), "supplier_untrusted"},
		{"a supplier without a source", resource.Rules{AllowNoScope: true}, with(good, func(t *resource.Token) { t.Supplier = digdir }), "delegation_source_missing"},
		{"a supplier without a source, trusted sources", resource.Rules{AllowNoScope: true, DelegationSources: []string{"https://tt02.altinn.no/"}}, with(good, func(t *resource.Token) { t.Supplier = digdir }), "delegation_source_missing"},
		{"another supplier accepted", resource.Rules{AllowNoScope: true, Suppliers: []string{"910753614"}}, with(good, func(t *resource.Token) { t.Supplier = digdir }), "delegation_source_missing"},
		{"a supplier accepted without a source", resource.Rules{AllowNoScope: true, Suppliers: []string{digdir.Orgno}}, with(good, func(t *resource.Token) { t.Supplier = digdir }), ""},
		{"a supplier accepted, untrusted source", resource.Rules{AllowNoScope: true, Suppliers: []string{digdir.Orgno}}, with(good, func(t *resource.Token) { t.Supplier, t.DelegationSource = digdir, "https://www.altinn.no" }), "delegation_source_untrusted"},
		{"untrusted delegation source", resource.Rules{AllowNoScope: true, DelegationSources: []string{"https://tt02.altinn.no/"}}, with(good, func(t *resource.Token) { t.DelegationSource = "https://www.altinn.no" }), "delegation_source_untrusted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.rules.Check(tt.token, epoch)
			if tt.reason == "" {
				require.NoError(t, err)
				return
			}
			require.Equal(t, tt.reason, rejection(t, err).Reason)
		})
	}
}

// TestInvalidRules checks that Protect panics, that Check returns a fault and that ProtectFunc responds with 500.
func TestInvalidRules(t *testing.T) {
	t.Parallel()
	v := verifier(t, config(t))
	for name, rules := range map[string]resource.Rules{
		"no scope":             {},
		"not a scope":          {Scopes: []string{"a b"}},
		"a line break":         {Scopes: []string{"a\r\nb"}},
		"an empty scope":       {AnyScope: []string{""}},
		"a user and a machine": {Scopes: []string{"a"}, RequireUser: true, RequireMachine: true},
		"an empty consumer":    {Scopes: []string{"a"}, Consumers: []string{""}},
		"an identifier":        {Scopes: []string{"a"}, Consumers: []string{"0192:991825827"}},
		"a consumer by its ID": {Scopes: []string{"a"}, Consumers: []string{"VATSE-556677889901"}},
		"an empty supplier":    {Scopes: []string{"a"}, Suppliers: []string{""}},
		"an empty source":      {Scopes: []string{"a"}, DelegationSources: []string{""}},
		"an empty method":      {Scopes: []string{"a"}, ClientAMR: []string{""}},
		"a level of a machine": {Scopes: []string{"a"}, RequireMachine: true, ACR: acr.High},
		"an unknown level":     {Scopes: []string{"a"}, ACR: "Level4"},
		"a negative age":       {Scopes: []string{"a"}, MaxAge: -1},
	} {
		require.Panics(t, func() { v.Protect(rules, nil) }, name)
		err := rules.Check(&resource.Token{}, epoch)
		var e *resource.Error
		require.Error(t, err, name)
		require.False(t, errors.As(err, &e), name)

		h := v.ProtectFunc(func(*http.Request) (resource.Rules, error) { return rules, nil }, http.NotFoundHandler())
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+sign(t, "ec", "", machine(t).json(t)))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, 500, w.Code, name)
		require.JSONEq(t, `{"error":"server_error","error_description":"An internal error occurred. The request was not carried out."}`, w.Body.String())
	}
}

// TestProtectFunc checks rules that depend on the person in the path.
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
	require.Equal(t, 401, get("nonsense", "").Code, "the token is verified before the request is read")
	w := get("nonsense", token)
	require.Equal(t, 400, w.Code)
	require.Equal(t, `Bearer realm="api", error="invalid_request", error_description="The request is malformed."`, w.Header().Get("WWW-Authenticate"))
}

// TestCheckArguments checks that Check rejects the zero rules, a zero time and a nil token as faults.
func TestCheckArguments(t *testing.T) {
	t.Parallel()
	rules := resource.Rules{AllowNoScope: true}
	token := &resource.Token{Subject: "s"}
	require.NoError(t, rules.Check(token, epoch))
	for name, err := range map[string]error{
		"zero rules": resource.Rules{}.Check(token, epoch),
		"zero time":  rules.Check(token, time.Time{}),
		"nil token":  rules.Check(nil, epoch),
	} {
		require.Error(t, err, name)
		require.False(t, errors.As(err, new(*resource.Error)), name)
	}
	require.Equal(t, []string{"Scopes[0]", "ACR", "MaxAge", "Consumers[1]"}, fields.Names(resource.Rules{
		Scopes: []string{"a b"}, ACR: "Level4", MaxAge: -1, Consumers: []string{"991825827", ""},
	}.Check(token, epoch)))
}

// TestReply checks the response to an error of Check, and to a fault.
func TestReply(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.Realm = "skatt\"\r\nX: y"
	v := verifier(t, cfg)
	token, err := v.Verify(t.Context(), resource.Bearer(sign(t, "ec", "", person(t).json(t))))
	require.NoError(t, err)
	reply := v.Reply(resource.Rules{Scopes: []string{"skatt:les"}}.Check(token, epoch))
	require.Equal(t, 403, reply.Status)
	require.Equal(t, []string{`Bearer realm="skattX: y", error="insufficient_scope", error_description="The access token lacks a scope.", scope="skatt:les"`}, reply.Header["Www-Authenticate"])
	require.JSONEq(t, `{"error":"insufficient_scope","error_description":"The access token lacks a scope."}`, string(reply.Body))

	reply = v.Reply(errors.New("database: " + synthetic))
	require.Equal(t, 500, reply.Status)
	require.NotContains(t, string(reply.Body), "database")
	require.NotContains(t, reply.Header, "Www-Authenticate")
	reply = v.Reply(fmt.Errorf("keys: %w", portner.ErrUnavailable))
	require.Equal(t, 503, reply.Status)
	require.NotEmpty(t, reply.Header["Retry-After"])

	_, err = v.Verify(t.Context(), resource.Request{})
	reply = v.Reply(err)
	require.Equal(t, 401, reply.Status)
	require.Empty(t, reply.Body)
	require.Equal(t, []string{`Bearer realm="skattX: y"`}, reply.Header["Www-Authenticate"])
	require.Nil(t, resource.FromContext(t.Context()))
}

// TestProtectReports checks the events of rejections and faults, and that the log does not show the user.
func TestProtectReports(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	var events []portner.Event
	cfg := config(t)
	cfg.Logger = slog.New(slog.NewJSONHandler(&log, nil))
	cfg.OnEvent = func(_ context.Context, e portner.Event) { events = append(events, e) }
	v := verifier(t, cfg)
	token := sign(t, "ec", "", person(t).json(t))
	require.Equal(t, 403, call(v, resource.Rules{Scopes: []string{"skatt:les"}}, token).Code)
	require.Len(t, events, 1)
	require.Equal(t, portner.EventRefused, events[0].Name)
	require.Equal(t, "scope_missing", events[0].Reason)
	require.Equal(t, "resource", events[0].Endpoint)

	h := v.ProtectFunc(func(*http.Request) (resource.Rules, error) { return resource.Rules{}, nil }, http.NotFoundHandler())
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	require.Equal(t, 500, w.Code)
	require.Equal(t, portner.EventFault, events[1].Name)
	require.NotContains(t, log.String(), synthetic)
	require.NotContains(t, log.String(), token)
}
