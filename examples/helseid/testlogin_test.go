package main

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTestLogin: with test_login, a login_hint names a user of the configuration, who logs in without a page. Others are rejected.
func TestTestLogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, object{"test_login": true})
	kari := w.s.Config.Users[0]
	answer := func(w *world, hint string) url.Values {
		pushed := w.push(single, params("openid helseid://scopes/identity/pid", "login_hint", hint))
		require.Equal(t, http.StatusCreated, pushed.status, pushed.body)
		_, at := w.visitor().open(w.authorizeURL(single, pushed.str("request_uri")))
		left, err := url.Parse(at)
		require.NoError(t, err)
		return left.Query()
	}
	for _, hint := range []string{"testid:" + kari.Username, "testid:" + kari.PID + "_Level4"} {
		code := answer(w, hint).Get("code")
		require.NotEmpty(t, code, hint)
		_, claims := w.redeem(single, code, nil).claims(t, "id_token")
		require.Equal(t, kari.PID, claims["helseid://claims/identity/pid"])
	}
	for _, hint := range []string{"testid:nobody", "testid:17912099997_Level4"} {
		require.Equal(t, "access_denied", answer(w, hint).Get("error"), hint)
	}
	require.Empty(t, answer(newWorld(t, nil), "testid:"+kari.Username).Get("code"), "without test_login there is a page")
}
