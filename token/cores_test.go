package token_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/token"
)

// foreignRouter sends requests to the cores, as a router that is not net/http does.
type foreignRouter struct{ ep *token.Endpoint }

func (r foreignRouter) token(ctx context.Context, req client.Request) portner.Reply {
	res, err := r.ep.Issue(ctx, req)
	if err != nil {
		return portner.ErrorReply(err)
	}
	return res.Reply()
}

func (r foreignRouter) introspection(ctx context.Context, req client.Request) portner.Reply {
	claims, err := r.ep.Introspect(ctx, req)
	if err != nil {
		return portner.ErrorReply(err)
	}
	return claims.Reply()
}

func (r foreignRouter) userInfo(ctx context.Context, req client.Request) portner.Reply {
	claims, err := r.ep.DescribeUser(ctx, req)
	if err != nil {
		return portner.ErrorReply(err)
	}
	return claims.Reply()
}

func (r foreignRouter) revocation(ctx context.Context, req client.Request) portner.Reply {
	if err := r.ep.Revoke(ctx, req); err != nil {
		return portner.ErrorReply(err)
	}
	return portner.Reply{Status: http.StatusOK}
}

// post returns a request as a foreign router makes it.
func post(t testing.TB, clientID, password string, form url.Values) client.Request {
	t.Helper()
	header := http.Header{}
	if clientID != "" {
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(clientID+":"+url.QueryEscape(password))))
	}
	parsed, err := client.ParseForm(form.Encode())
	require.NoError(t, err)
	return client.Request{Method: http.MethodPost, Form: parsed, Header: header, RemoteAddr: "192.0.2.1"}
}

func bearer(value string) client.Request {
	return client.Request{Method: http.MethodGet, Header: http.Header{"Authorization": {"Bearer " + value}}}
}

func TestCores(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r := foreignRouter{f.ep}
	reply := r.token(t.Context(), post(t, "web", secret, codeForm(f.code())))
	require.Equal(t, http.StatusOK, reply.Status, string(reply.Body))
	require.Equal(t, []string{"no-store"}, reply.Header["Cache-Control"])
	at := field(string(reply.Body), "access_token")
	require.NotEmpty(t, at)

	reply = r.introspection(t.Context(), post(t, "web", secret, url.Values{"token": {at}}))
	require.JSONEq(t, f.introspect("web", at).Body.String(), string(reply.Body))
	reply = r.userInfo(t.Context(), bearer(at))
	require.JSONEq(t, f.userInfo(at).Body.String(), string(reply.Body))

	reply = r.revocation(t.Context(), post(t, "web", secret, url.Values{"token": {at}}))
	require.Equal(t, http.StatusOK, reply.Status)
	reply = r.introspection(t.Context(), post(t, "web", secret, url.Values{"token": {at}}))
	require.Equal(t, `{"active":false}`, string(reply.Body))
	claims, err := f.ep.Introspect(t.Context(), post(t, "web", secret, url.Values{"token": {at}}))
	require.NoError(t, err)
	require.False(t, claims.Active)
}

// TestRepliesEqualHandlers: a request gets the same status, header fields and body from a core as from its handler.
func TestRepliesEqualHandlers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	r := foreignRouter{f.ep}
	at := f.login("web").str("access_token")
	for name, tt := range map[string]struct {
		core    func(context.Context, client.Request) portner.Reply
		handler http.Handler
		request client.Request
	}{
		"wrong password":    {r.token, f.ep, post(t, "web", "wrong", codeForm("x"))},
		"unknown code":      {r.token, f.ep, post(t, "web", secret, codeForm("x"))},
		"no grant type":     {r.token, f.ep, post(t, "web", secret, url.Values{})},
		"wrong method":      {r.token, f.ep, client.Request{Method: "PUT", Header: http.Header{}}},
		"introspection":     {r.introspection, f.ep.Introspection(), post(t, "web", secret, url.Values{"token": {at}})},
		"public client":     {r.introspection, f.ep.Introspection(), post(t, "", "", url.Values{"client_id": {"spa"}, "token": {at}})},
		"userinfo":          {r.userInfo, f.ep.UserInfo(), bearer(at)},
		"no token":          {r.userInfo, f.ep.UserInfo(), client.Request{Method: "GET", Header: http.Header{}}},
		"invalid token":     {r.userInfo, f.ep.UserInfo(), bearer("x")},
		"malformed header":  {r.userInfo, f.ep.UserInfo(), bearer("")},
		"another's token":   {r.revocation, f.ep.Revocation(), post(t, "nopkce", secret, url.Values{"token": {at}})},
		"missing parameter": {r.revocation, f.ep.Revocation(), post(t, "web", secret, url.Values{})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reply := tt.core(t.Context(), tt.request)
			got := record(tt.handler, asHTTP(t, tt.request))
			require.Equal(t, got.Code, reply.Status)
			require.Equal(t, got.Body.String(), string(reply.Body))
			header := got.Header().Clone()
			header.Del("Vary")
			for _, random := range []string{"X-Correlation-Id"} {
				require.Equal(t, header.Get(random) == "", len(reply.Header[random]) == 0, random)
				header.Del(random)
				delete(reply.Header, random)
			}
			require.Equal(t, map[string][]string(header), reply.Header)
		})
	}
}

func asHTTP(t testing.TB, r client.Request) *http.Request {
	t.Helper()
	form := url.Values{}
	for _, name := range r.Form.Names() {
		form.Set(name, r.Form.Get(name))
	}
	out := httptest.NewRequest(r.Method, "https://idporten.dev/", nil)
	if r.Method == http.MethodPost {
		out = httptest.NewRequest(r.Method, "https://idporten.dev/", strings.NewReader(form.Encode()))
		out.Header.Set("Content-Type", formType)
	}
	for name, values := range r.Header {
		out.Header[name] = values
	}
	return out
}

// Every error of a core is a *portner.Error, also after a panic, and names the request.
func TestCoreErrors(t *testing.T) {
	t.Parallel()
	panics := false
	f := newFixture(t, func(c *token.Config) {
		c.Users = token.UserFunc(func(context.Context, string) (token.User, error) {
			if panics {
				panic(pid)
			}
			return token.User{}, nil
		})
	})
	at, code := f.login("web").str("access_token"), f.code()
	panics = true
	request := post(t, "web", secret, codeForm(code))
	request.CorrelationID = "request-1"
	_, err := f.ep.Issue(t.Context(), request)
	require.ErrorIs(t, err, portner.ServerError)
	var e *portner.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, []string{"request-1"}, e.Header["X-Correlation-Id"])
	_, err = f.ep.Introspect(t.Context(), post(t, "web", secret, url.Values{"token": {at}}))
	require.ErrorIs(t, err, portner.ServerError)
	_, err = f.ep.DescribeUser(t.Context(), bearer(at))
	require.ErrorIs(t, err, portner.ServerError)
	panics = false
	res, err := f.ep.Issue(t.Context(), request)
	require.NoError(t, err)
	doc, err := json.Marshal(res)
	require.NoError(t, err)
	require.JSONEq(t, string(res.Reply().Body), string(doc))
}
