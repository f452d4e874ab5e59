package logout_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/logout"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/session"
)

// TestLogoutOfSeveralCircles: an id_token names the user as the circle of its client does, a hint of any client ends the session for
// all circles, and each client receives the subject of its own circle.
func TestLogoutOfSeveralCircles(t *testing.T) {
	t.Parallel()
	for _, hinted := range []string{"a", "alone"} {
		s := &sender{calls: map[string]string{}}
		w := newWorld(t, func(c *logout.Config) { c.Backchannel = s })
		w.clients["alone"] = web("alone")
		w.clients["alone"].SSODisabled, w.clients["alone"].BackchannelLogoutURI = true, "https://alone.example/out"
		w.clients["a"].BackchannelLogoutURI = "https://a.example/out"
		identity := func(typ, value string) session.Identity {
			id, err := pseudonym.NewIdentifier(typ, value)
			require.NoError(t, err)
			return session.Identity{Subject: "kari", Identifiers: []pseudonym.Identifier{id}}
		}
		b := w.login("kari")
		rec := httptest.NewRecorder()
		var err error
		for circle, who := range map[string]session.Identity{"": identity(session.TypePID, "21879498012"), "alone": identity(session.TypeEmail, "kari@example.no")} {
			b.s, err = w.keeper.LogIn(t.Context(), rec.Header(), b.s, session.Authentication{Identity: who, ACR: "high"}, circle, w.now)
			require.NoError(t, err)
		}
		b.cookie = rec.Result().Cookies()[0].Value
		want := map[string]string{}
		for id, circle := range map[string]string{"a": "", "alone": "alone"} {
			w.visit(b.s, id)
			who, err := w.keeper.Identity(b.s, circle)
			require.NoError(t, err)
			want[id], err = w.subject(w.clients[id], &who, false)
			require.NoError(t, err)
		}
		hint := func(sub string) string {
			return b.sign("", map[string]any{"iss": issuer, "aud": hinted, "sub": sub, "iat": b.now.Unix(), "exp": b.now.Unix() + 120})
		}
		other, err := w.keeper.Identity(b.s, map[string]string{"a": "alone", "alone": ""}[hinted])
		require.NoError(t, err)
		foreign, err := w.subject(w.clients[hinted], &other, false)
		require.NoError(t, err)
		require.Contains(t, b.get("id_token_hint", hint(foreign)).body, `id="logout-confirm"`, "the subject of another circle")
		b.get("id_token_hint", hint(want[hinted])).isLoggedOut()
		require.False(t, b.alive(), "one logout ends all circles")
		for id, sub := range want {
			parts := strings.Split(s.calls["https://"+id+".example/out"], ".")
			require.Len(t, parts, 3, id)
			payload, err := base64.RawURLEncoding.DecodeString(parts[1])
			require.NoError(t, err)
			var claims map[string]any
			require.NoError(t, json.Unmarshal(payload, &claims))
			require.Equal(t, sub, claims["sub"], id)
		}
	}
}
