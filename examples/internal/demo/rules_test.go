package demo

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/portnertest"
)

// The demo service breaks no rule for clients of ID-porten: the provider of the test reports those that it breaks.
func TestServiceBreaksNoRule(t *testing.T) {
	t.Parallel()
	op := portnertest.New(t, portnertest.Config{FrontchannelLogoutPath: "/frontchannel"})
	app := httptest.NewUnstartedServer(nil)
	base := "http://" + app.Listener.Addr().String()
	s := NewService(ServiceConfig{
		Name: "Tjeneste", Base: base, Issuer: op.Issuer, ClientID: portnertest.ClientID, Secret: portnertest.ClientSecret,
		Stories: []Story{{Name: "login", Scopes: []string{"openid", "profile"}, ACR: "idporten-loa-high"}}, HTTP: op.HTTP, Log: slog.New(slog.DiscardHandler),
	})
	app.Config.Handler = s.Handler(http.NotFoundHandler())
	app.Start()
	t.Cleanup(app.Close)
	browser := op.Browser(t, portnertest.Login{})
	resp, err := browser.PostForm(base+"/login", url.Values{"story": {"login"}})
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Len(t, s.sessions, 1)
	require.GreaterOrEqual(t, len(s.pending), 1, "the probe with another state has left its login")
	op.EndSession(t, "kari")
	require.Empty(t, s.sessions)
}
