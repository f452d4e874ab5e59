package authorize_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/rar"
)

// partial returns a request object that has authorization_details only, changed; nil removes a claim.
func partial(change map[string]any) map[string]any {
	claims := map[string]any{"authorization_details": json.RawMessage(`{"type":"place","name":"Oslo"}`)}
	for name := range params("signing") {
		if name != "client_id" {
			claims[name] = nil
		}
	}
	for name, value := range change {
		claims[name] = value
	}
	return object("signing", claims)
}

// place is a type of details that the client names without the user.
func place(reject func(rar.Request, rar.Detail) error) *rar.Registry {
	return must(rar.NewRegistry(rar.Type{
		Name: "place", Members: []string{"name"}, Single: true, NoApproval: true,
		Check: func(_ context.Context, r rar.Request, details []rar.Detail) error { return reject(r, details[0]) },
		Grant: func(_ context.Context, _ rar.Request, details []rar.Detail, _ []string) ([]json.RawMessage, error) {
			return []json.RawMessage{details[0].JSON}, nil
		},
	}))
}

// TestMergedRequestObject: with MergeRequestObject the parameters beside a request object hold where the object has none. They never do
// in a request that was not pushed, of a client that requires request objects, or without the field.
func TestMergedRequestObject(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		claims map[string]any
		typ    string
		beside []string
		merge  bool
		status int
		code   string
	}{
		"merged":                     {partial(nil), "oauth-authz-req+jwt", nil, true, 201, ""},
		"untyped":                    {partial(nil), "", nil, true, 201, ""},
		"the typ of assertions":      {partial(nil), "client-authentication+jwt", nil, true, 201, ""},
		"an assertion is no object":  {partial(map[string]any{"sub": "signing", "client_id": nil}), "client-authentication+jwt", nil, true, 400, "invalid_request_object"},
		"the object wins":            {partial(map[string]any{"scope": "openid nothing:here"}), "oauth-authz-req+jwt", nil, true, 400, "invalid_scope"},
		"a parameter twice":          {partial(nil), "oauth-authz-req+jwt", []string{"nonce", "one", "nonce", "two"}, true, 400, "invalid_request"},
		"a repeated claim is single": {partial(map[string]any{"nonce": "of the object"}), "oauth-authz-req+jwt", nil, true, 201, ""},
		"off":                        {partial(nil), "oauth-authz-req+jwt", nil, false, 400, "invalid_request"},
		"off, the typ of assertions": {partial(nil), "client-authentication+jwt", nil, false, 400, "invalid_request_object"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *authorize.Config) {
				c.MergeRequestObject = tc.merge
				c.AuthorizationDetails = place(func(rar.Request, rar.Detail) error { return nil })
			})
			form := params("signing")
			for i := 0; i+1 < len(tc.beside); i += 2 {
				form.Add(tc.beside[i], tc.beside[i+1])
			}
			form.Set("request", sign(tc.claims, tc.typ))
			res := w.push(form)
			body := jsonBody(t, res)
			require.Equal(t, tc.status, res.StatusCode, body)
			if tc.code != "" {
				require.Equal(t, tc.code, body["error"])
				return
			}
			b := w.browser()
			b.loginAs(b.authorize(use("signing", body["request_uri"].(string))), "kari")
		})
	}
	w := newWorld(t, func(c *authorize.Config) {
		c.MergeRequestObject = true
		c.AuthorizationDetails = place(func(rar.Request, rar.Detail) error { return nil })
	})
	require.NotEqual(t, "login", outcome(t, w.browser().authorize(params("signing", "request", sign(partial(nil), "oauth-authz-req+jwt")))), "not pushed")
	form := params("mustsign")
	claims := object("mustsign", map[string]any{"scope": nil})
	form.Set("request", sign(claims, "oauth-authz-req+jwt"))
	require.Equal(t, http.StatusBadRequest, w.push(form).StatusCode, "the client requires request objects")
}

// TestRejectedDetails: a type of details knows the client, and its *portner.Error is sent to the client.
func TestRejectedDetails(t *testing.T) {
	t.Parallel()
	var seen rar.Request
	w := newWorld(t, func(c *authorize.Config) {
		c.AuthorizationDetails = place(func(r rar.Request, _ rar.Detail) error {
			seen = r
			return &portner.Error{Code: portner.InvalidAuthorizationDetails, Description: "P-1: The place is not allowed."}
		})
	})
	form := params("signing", "authorization_details", `[{"type":"place","name":"Oslo"}]`)
	body := jsonBody(t, w.push(form))
	require.Equal(t, map[string]any{"error": "invalid_authorization_details", "error_description": "P-1: The place is not allowed."}, body)
	require.Equal(t, []string{"signing", "991825827", ""}, []string{seen.ClientID, seen.Organisation, seen.Subject})
	require.Equal(t, "details_rejected", w.events[len(w.events)-1].Reason)
}

// TestPageSeesACRValues: a page may read how the user is to log in from acr_values that are no levels.
func TestPageSeesACRValues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser()
	b.get(b.authorize(params("web", "acr_values", "idporten-loa-high idp:test amr:bankid")).Header.Get("Location"))
	require.Equal(t, []string{"idporten-loa-high", "idp:test", "amr:bankid"}, w.seen.ACRValues)
}
