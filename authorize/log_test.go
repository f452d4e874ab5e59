package authorize_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/authorize"
)

// TestLog: there is one JSON line for each event, without parameters, secrets or identity numbers.
func TestLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := newWorld(t, func(c *authorize.Config) {
		c.Logger = slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	const canary = "canary\u202e-5f3759df"
	b := w.browser()
	for _, name := range []string{"state", "nonce", "code_challenge", "login_hint", "id_token_hint", "claims", "request", "request_uri", canary} {
		b.authorize(params("web", name, canary))
		w.push(params("web", name, canary))
	}
	const shown = "sh\u202eown-" // in the log without what could hide its end, or name a user
	for _, name := range []string{"client_id", "redirect_uri", "scope", "prompt", "acr_values", "resource", "onbehalfof", "response_mode"} {
		b.authorize(params("web", name, shown+testPID.Reveal()))
		require.Contains(t, out.String(), `"parameter":"`+name+`","received":"sh?own-***"`)
	}
	p := params("web", "scope", "openid test:shared", "login_hint", testPID.Reveal(), "state", canary[:6]+"-state")
	uri := w.pushed(p)
	res := b.loginAs(b.authorize(use("web", uri)), "subject-canary")
	form := b.open(res, "/consent")
	b.post("/consent", url.Values{"request": form["request"], "csrf": {canary}})
	form["scope"] = []string{"test:shared"}
	code := requireCode(t, b.post("/consent", form))
	b.post("/consent", form)

	logged := out.String()
	_, browserID := b.id()
	for _, secret := range []string{
		"canary", "\u202e", `\u202e`, testPID.Reveal(), code, uri, form.Get("request"), form.Get("csrf"), browserID,
		b.cookies["__Host-portner-session"], clientSecret,
	} {
		require.NotContains(t, logged, secret)
	}
	lines := strings.Split(strings.TrimSpace(logged), "\n")
	w.mu.Lock()
	defer w.mu.Unlock()
	require.Len(t, lines, len(w.events), "one line for each event")
	for _, line := range lines {
		require.True(t, json.Valid([]byte(line)), line)
	}
}
