package authorize_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/session"
)

// TestClockSetBack: after the clock was set back, no login from before satisfies max_age, prompt=login or a scope that requires a
// login for the request, and no request from before is continued.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][]string{
		"no parameter":     nil,
		"max_age":          {"max_age", "3600"},
		"max_age=0":        {"max_age", "0"},
		"prompt=login":     {"prompt", "login"},
		"a scope requires": {"scope", "openid test:fresh"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			b := w.browser()
			requireCode(t, b.loginAs(b.authorize(params("web")), "kari"))
			pending := b.open(b.authorize(params("web", "prompt", "login")), "/login")
			pending.Set("user", "kari")
			w.sleep(-session.MaxSkew - time.Microsecond)
			require.Equal(t, "login", outcome(t, b.authorize(params("web", change...))))
			require.Equal(t, "page Bad Request invalid_request", outcome(t, b.post("/login", pending)))
		})
	}
}

// TestLoginOnANodeThatRunsBehind: a login on the page of a request was made for the request, although the clock of the node that
// records it is behind that of the node that received the request.
func TestLoginOnANodeThatRunsBehind(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][]string{
		"prompt=login":     {"prompt", "login"},
		"max_age=0":        {"max_age", "0"},
		"a scope requires": {"scope", "openid test:fresh"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			b := w.browser()
			res := b.authorize(params("web", change...))
			w.sleep(-30 * time.Second)
			requireCode(t, b.loginAs(res, "kari"))
			w.sleep(time.Second)
			require.Equal(t, "login", outcome(t, b.authorize(params("web", change...))), "another request needs a login of its own")
		})
	}
}

// TestPostedRequestAfterTheClockWasSetBack: the sealed parameters of a POST are valid for a minute, whatever the clock does.
func TestPostedRequestAfterTheClockWasSetBack(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		sleep time.Duration
		want  string
	}{
		"at once":                     {0, "login"},
		"a node that runs behind":     {-session.MaxSkew, "login"},
		"the clock was set back":      {-session.MaxSkew - 2*time.Second, "page Bad Request invalid_request"},
		"the clock was set back more": {-24 * time.Hour, "page Bad Request invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := httptest.NewRequest(http.MethodPost, "/authorize", strings.NewReader(params("web", "acr_values", acr.High).Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			location := w.browser().do(r).Header.Get("Location")
			w.sleep(tt.sleep)
			require.Equal(t, tt.want, outcome(t, w.browser().get("/authorize"+location)))
		})
	}
}
