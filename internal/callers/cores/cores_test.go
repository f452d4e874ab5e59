package cores

import (
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
)

// call sends a form as a client and returns the response.
func call(t *testing.T, endpoint func(*provider.Provider, *foreignContext) error, op *optest.OP, clientID, body string) (portner.Reply, map[string]any) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.SetBasicAuth(clientID, optest.Secret)
	c := &foreignContext{Context: t.Context(), method: http.MethodPost, body: body, header: r.Header, peer: "192.0.2.1"}
	require.NoError(t, endpoint(op.Provider, c))
	var answer map[string]any
	require.NoError(t, json.Unmarshal(c.sent.Body, &answer), string(c.sent.Body))
	return c.sent, answer
}

// codeForm returns a token request for a new code.
func codeForm(t *testing.T, op *optest.OP) string {
	t.Helper()
	r := op.Request("tjeneste", "openid test:api")
	return url.Values{
		"grant_type": {"authorization_code"}, "code": {op.Browser().Login(t, r, "kari").Code(t)},
		"redirect_uri": {optest.RedirectURI("tjeneste")}, "code_verifier": {r.Verifier},
	}.Encode()
}

func TestDirectEndpoints(t *testing.T) {
	t.Parallel()
	op := optest.New(t, optest.Options{})
	form := codeForm(t, op)
	reply, tokens := call(t, tokenEndpoint, op, "tjeneste", form)
	require.Equal(t, http.StatusOK, reply.Status, "%v", tokens)
	require.Equal(t, []string{"no-store"}, reply.Header["Cache-Control"])
	reply, answer := call(t, introspection, op, "owner", url.Values{"token": {tokens["access_token"].(string)}}.Encode())
	require.Equal(t, http.StatusOK, reply.Status)
	require.Equal(t, true, answer["active"])
	reply, answer = call(t, pushedRequest, op, "tjeneste", op.Request("tjeneste", "openid").Params.Encode())
	require.Equal(t, http.StatusCreated, reply.Status, "%v", answer)
	require.NotEmpty(t, answer["request_uri"])

	reply, answer = call(t, tokenEndpoint, op, "tjeneste", form)
	require.Equal(t, http.StatusBadRequest, reply.Status)
	require.Equal(t, "invalid_grant", answer["error"], "the code was redeemed")
	for _, endpoint := range []func(*provider.Provider, *foreignContext) error{tokenEndpoint, introspection, pushedRequest} {
		reply, answer = call(t, endpoint, op, "tjeneste", "grant_type=a&grant_type=b")
		require.Equal(t, http.StatusBadRequest, reply.Status)
		require.Equal(t, "invalid_request", answer["error"])
		reply, _ = call(t, endpoint, op, "unknown", "grant_type=authorization_code&token=x")
		require.Equal(t, http.StatusUnauthorized, reply.Status)
		require.NotEmpty(t, reply.Header["Www-Authenticate"])
	}
}

func TestTokenHandler(t *testing.T) {
	t.Parallel()
	op := optest.New(t, optest.Options{})
	form := codeForm(t, op)
	for _, ok := range []bool{true, false} { // the second use of the code is rejected
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/token", strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth("tjeneste", optest.Secret)
		w := httptest.NewRecorder()
		tokenHandler(op.Provider)(w, r)
		var answer struct {
			OK    bool           `json:"ok"`
			Token map[string]any `json:"token"`
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
		require.Equal(t, ok, answer.OK)
		require.Equal(t, ok, answer.Token["access_token"] != nil)
	}
}

var field = regexp.MustCompile(`name="(request|csrf)" value="([^"]+)"`)

// TestAuthorization: the login page is the response to the authorization request, and its form continues the login.
func TestAuthorization(t *testing.T) {
	t.Parallel()
	op := optest.New(t, optest.Options{})
	c := &foreignContext{Context: t.Context(), method: http.MethodGet, query: op.Request("tjeneste", "openid").Params.Encode(), header: http.Header{}}
	require.NoError(t, authorization(op.Provider, c))
	require.Equal(t, http.StatusOK, c.sent.Status)
	form := url.Values{"user": {"kari"}}
	for _, m := range field.FindAllStringSubmatch(string(c.sent.Body), -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	require.Len(t, form, 3)

	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, optest.Issuer+"/login", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", optest.Issuer)
	for _, cookie := range (&http.Response{Header: c.sent.Header}).Cookies() {
		r.AddCookie(cookie)
	}
	w := httptest.NewRecorder()
	op.ServeHTTP(w, r)
	require.Contains(t, w.Header().Get("Location"), "code=")

	c.query = "client_id=tjeneste&client_id=annen"
	require.NoError(t, authorization(op.Provider, c))
	require.Equal(t, http.StatusBadRequest, c.sent.Status)
	c.query = "client_id=unknown"
	require.NoError(t, authorization(op.Provider, c))
	require.Equal(t, http.StatusBadRequest, c.sent.Status)
}
