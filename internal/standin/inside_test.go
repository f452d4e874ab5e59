package standin_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/altinn"
	"github.com/portner-go/portner/internal/standin/ansattporten"
	"github.com/portner-go/portner/internal/standin/helseid"
	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/portner-go/portner/internal/standin/maskinporten"
)

// embedded is a server whose handler the test serves.
type embedded interface {
	standin.Server
	Handler() http.Handler
	Configure(ctx context.Context, text []byte) error
}

// opened returns v as one of the servers. Open of each returns its own type.
func opened[S embedded](s S, err error) (embedded, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// openers opens each server with flags.
var openers = map[string]struct {
	open           func(context.Context, standin.Flags, *slog.Logger) (embedded, error)
	path, metadata string // of the issuer, and of its metadata
}{
	"idporten": {func(ctx context.Context, f standin.Flags, log *slog.Logger) (embedded, error) {
		return opened(idporten.Open(ctx, idporten.Options{Flags: f}, log))
	}, "", "/.well-known/openid-configuration"},
	"maskinporten": {func(ctx context.Context, f standin.Flags, log *slog.Logger) (embedded, error) {
		return opened(maskinporten.Open(ctx, maskinporten.Options{Flags: f}, log))
	}, "/", "/.well-known/oauth-authorization-server"},
	"altinn": {func(ctx context.Context, f standin.Flags, log *slog.Logger) (embedded, error) {
		return opened(altinn.Open(ctx, altinn.Options{Flags: f, IDPorten: "http://localhost:1"}, log))
	}, "/authentication/api/v1/openid/", "/authentication/api/v1/openid/.well-known/openid-configuration"},
	"ansattporten": {func(ctx context.Context, f standin.Flags, log *slog.Logger) (embedded, error) {
		return opened(ansattporten.Open(ctx, ansattporten.Options{Flags: f}, log))
	}, "", "/.well-known/openid-configuration"},
	"helseid": {func(ctx context.Context, f standin.Flags, log *slog.Logger) (embedded, error) {
		return opened(helseid.Open(ctx, helseid.Options{Flags: f}, log))
	}, "", "/.well-known/openid-configuration"},
}

// inside starts a server in this process.
func inside(t *testing.T, name string, change func(*standin.Flags)) (s embedded, base string) {
	t.Helper()
	srv := httptest.NewUnstartedServer(nil)
	base = "http://" + srv.Listener.Addr().String()
	f := standin.Flags{Issuer: base + openers[name].path}
	change(&f)
	s, err := openers[name].open(t.Context(), f, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	srv.Config.Handler = s.Handler()
	srv.Start()
	t.Cleanup(srv.Close)
	return s, base
}

// TestInside: a program has each server inside: it opens no port, and its configuration is a text.
func TestInside(t *testing.T) {
	t.Parallel()
	for name, c := range openers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, base := inside(t, name, func(f *standin.Flags) { f.Text, f.Hosts = []byte(`{}`), "idp:8080,idp.local" })
			get := func(url, host string) (int, string) {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
				require.NoError(t, err)
				r.Host = host
				resp, err := http.DefaultClient.Do(r)
				require.NoError(t, err)
				defer resp.Body.Close()
				body, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				return resp.StatusCode, string(body)
			}
			status, body := get(base+c.metadata, "")
			require.Equal(t, 200, status)
			require.Contains(t, body, `"issuer":"`+base+c.path+`"`)
			status, _ = get(base+c.metadata, "evil.example")
			require.Equal(t, http.StatusMisdirectedRequest, status)
			for _, host := range []string{"idp:8080", "idp.local"} {
				status, _ = get(base+c.metadata, host)
				require.Equal(t, 200, status, "-hosts")
			}
			require.Eventually(t, func() bool { // on a slow machine a store may not answer a ping in time
				status, _ := get(base+standin.PathReady, "any.example")
				return status == 200
			}, time.Minute, time.Millisecond)

			require.NoError(t, s.Configure(t.Context(), []byte(`{}`)))
			require.ErrorContains(t, s.Configure(t.Context(), []byte(`{"isuer":""}`)), "isuer: is an unknown member")

			ctx, stop := context.WithCancel(t.Context())
			stop()
			require.NoError(t, s.Serve(ctx), "it ends with the context, and closes its store")
		})
	}
}

// TestInsideNeedsAnIssuer: without a port the server cannot derive its issuer.
func TestInsideNeedsAnIssuer(t *testing.T) {
	t.Parallel()
	for name, c := range openers {
		_, err := c.open(t.Context(), standin.Flags{}, slog.New(slog.DiscardHandler))
		require.EqualError(t, err, "-issuer: must be a URL if there is no -addr", name)
		_, err = c.open(t.Context(), standin.Flags{Issuer: "https://login.example" + c.path}, slog.New(slog.DiscardHandler))
		require.ErrorContains(t, err, "is not on loopback", name)
	}
}

// TestInsideClock: the clock of the host decides.
func TestInsideClock(t *testing.T) {
	t.Parallel()
	now := time.Date(2031, 5, 17, 12, 0, 0, 0, time.UTC)
	_, base := inside(t, "maskinporten", func(f *standin.Flags) { f.Now = func() time.Time { return now } })
	request := func(at time.Time) (int, int64) {
		assertion, err := maskinporten.Sign(maskinporten.DemoKey(), map[string]any{"alg": "RS256", "kid": maskinporten.DemoKID}, map[string]any{
			"aud": base + "/", "iss": maskinporten.DemoClient, "scope": maskinporten.DemoScope, "iat": at.Unix(), "exp": at.Unix() + 60, "jti": at.String(),
		})
		require.NoError(t, err)
		resp, err := http.PostForm(base+"/token", url.Values{"grant_type": {client.JWTBearer}, "assertion": {assertion}})
		require.NoError(t, err)
		defer resp.Body.Close()
		var body struct {
			ExpiresIn int64 `json:"expires_in"`
		}
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&body))
		return resp.StatusCode, body.ExpiresIn
	}
	status, _ := request(now)
	require.Equal(t, 200, status)
	status, _ = request(time.Now())
	require.Equal(t, 400, status)
}

// TestInsideHTTP: logout tokens are sent with the client of the host.
func TestInsideHTTP(t *testing.T) {
	t.Parallel()
	var sent string
	answer := http.StatusOK
	hc := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		sent = r.Method + " " + r.URL.String() + " " + string(body)
		return &http.Response{StatusCode: answer, Status: "status", Body: io.NopCloser(strings.NewReader(""))}, err
	})}
	f := standin.Flags{HTTP: hc}
	require.Same(t, hc, f.Outgoing())
	require.NoError(t, f.Backchannel().Send(t.Context(), "http://app.example/logout", "token"))
	require.Equal(t, "POST http://app.example/logout logout_token=token", sent)
	answer = http.StatusBadGateway
	require.Error(t, f.Backchannel().Send(t.Context(), "http://app.example/logout", "token"))
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
