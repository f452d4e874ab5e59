package realclients_test

import (
	"net/http"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSignedResponses plays logins whose responses are JWTs (JARM), of clients that sign their requests.
func TestSignedResponses(t *testing.T) {
	t.Parallel()
	dir := installed(t)
	for _, c := range []struct {
		name    string
		command func(t *testing.T, dir string) *exec.Cmd
		env     []string
	}{
		{"openid-client/jwt", nodeProgram("rp.mjs"), []string{"PAR=1", "DPOP=1", "JARM=1"}},
		{"oauth4webapi/jwt", nodeProgram("oauth.mjs"), []string{"DPOP=proof", "JARM=1", "RESPONSE_MODE=jwt"}},
		{"oauth4webapi/query.jwt", nodeProgram("oauth.mjs"), []string{"DPOP=proof", "JARM=1", "RESPONSE_MODE=query.jwt"}},
		{"oauth4webapi/form_post.jwt", nodeProgram("oauth.mjs"), []string{"DPOP=dpop_jkt", "JARM=1", "RESPONSE_MODE=form_post.jwt"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			listen := w.free()
			origin := "https://" + listen
			w.startFAPI("fapi2-message-signing", "", w.boundClient(origin, object{
				"dpop_bound_access_tokens": true, "authorization_signed_response_alg": "ES256", "require_signed_request_object": true,
			}))
			w.service(c.name, c.command(t, dir), listen, append(c.env, "SIGNED_REQUEST=1")...)

			refused := w.browser()
			page := refused.continued(refused.get(origin + "/login?prompt=none"))
			require.Equal(t, http.StatusInternalServerError, page.status)
			require.Contains(t, page.body, `"error":"login_required"`, "the error is in the JWT")

			b := w.browser()
			in := b.logIn(b.get(origin + "/login")).json(t)
			require.NotEmpty(t, in["claims"].(object)["sub"])
			if in["parameters"] != nil {
				require.Equal(t, []any{"response"}, in["parameters"], "the response has no other parameter")
			}
		})
	}
}

// TestSignedIntrospection verifies a signed introspection response with oauth4webapi.
func TestSignedIntrospection(t *testing.T) {
	t.Parallel()
	dir := installed(t)
	w := newWorld(t)
	listen := w.free()
	w.startFAPI("fapi2", "", w.boundClient("https://"+listen, object{"dpop_bound_access_tokens": true, "introspection_signed_response_alg": "ES256", "resource_server": true}))
	w.service("oauth4webapi", nodeProgram("oauth.mjs")(t, dir), listen, "INTROSPECTION_ALG=ES256")
	p := newProver(t)
	b := w.browser()
	token := w.machineToken(p)
	of := b.get("https://" + listen + "/introspect?token=" + token).json(t)
	require.Equal(t, "application/token-introspection+jwt", of["type"])
	require.Equal(t, true, of["active"])
	require.Equal(t, object{"jkt": p.thumbprint()}, of["cnf"])
	require.Equal(t, false, b.get("https://" + listen + "/introspect?token=unknown").json(t)["active"])
}
