package standin_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/standin"
)

// TestLoggerExplains: the explanation of a rejected request is one sentence at the end of its line, and other lines have none.
func TestLoggerExplains(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := standin.Logger(&out, slog.LevelInfo).With("node", "a")
	secret, err := client.NewSecret(client.GenerateSecret(), time.Time{})
	require.NoError(t, err)
	clients, err := client.NewRegistry(client.Environment{}, client.Client{
		ClientID: "tjeneste", RedirectURIs: []string{"https://tjeneste.example.no/cb"}, Secrets: []client.Secret{secret},
	})
	require.NoError(t, err)
	a, err := client.NewAuthenticator(client.Config{Issuer: "https://login.example.no", Clients: clients, Logger: log})
	require.NoError(t, err)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/token", strings.NewReader("client_id=tjeneste&client_secret=hemmelig"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	q, err := client.RequestFrom(httptest.NewRecorder(), r, nil)
	require.NoError(t, err)
	_, err = a.Authenticate(t.Context(), q, "token", time.Now())
	require.ErrorIs(t, err, portner.InvalidClient)
	log.Info("session.started", "reason", "login")
	require.Regexp(t, `^time=[0-9:.]{12} level=WARN msg=sec.client_auth_failed node=a endpoint=token client_id=tjeneste reason=auth_method_mismatch explanation="token_endpoint_auth_method is <client_secret_post>, expected: client_secret_basic \(the default: none is registered\); property of the client: token_endpoint_auth_method"
time=[0-9:.]{12} level=INFO msg=session.started node=a reason=login
$`, out.String())
	require.NotContains(t, out.String(), "hemmelig")
}
