package metrics_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/examples/internal/metrics"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/altinn"
	"github.com/portner-go/portner/internal/standin/ansattporten"
	"github.com/portner-go/portner/internal/standin/helseid"
	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/portner-go/portner/internal/standin/maskinporten"
)

// TestStandIns: each stand-in has the metrics of a provider, under the names of docs/telemetry.md, and its requests have the name of an
// endpoint.
func TestStandIns(t *testing.T) {
	t.Parallel()
	flags := standin.Flags{MetricsFlags: standin.MetricsFlags{NewMeter: metrics.New}}
	for name, c := range map[string]struct {
		command        standin.Command
		path, endpoint string
	}{
		"idporten":     {(&idporten.Options{Flags: flags}).Command(), "/.well-known/openid-configuration", "metadata"},
		"ansattporten": {(&ansattporten.Options{Flags: flags}).Command(), "/jwks.json", "jwks"},
		"maskinporten": {(&maskinporten.Options{Flags: flags}).Command(), "/token", "token"},
		"helseid":      {(&helseid.Options{Flags: flags}).Command(), "/.well-known/openid-configuration", "metadata"},
		"altinn":       {(&altinn.Options{Flags: flags}).Command(), "/authentication/api/v1/exchange/maskinporten", "exchange"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base, at := serve(t, c.command)
			fetch(t, base+c.path)
			text := fetch(t, at)
			require.Contains(t, text, `portner_request_duration_seconds_count{portner_endpoint="`+c.endpoint+`"`)
			require.Contains(t, text, "\nportner_keys_ready 1\n")
			require.Contains(t, text, `portner_alarms_total{portner_event="sec.code_replay"} 0`)
			require.NotContains(t, text, "otel_scope")
		})
	}
}

// serve runs a stand-in, and returns its URL and that of its metrics.
func serve(t *testing.T, c standin.Command) (base, at string) {
	t.Helper()
	server, err := c.Prepare([]string{"-addr", "localhost:0", "-metrics", "localhost:0"}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	var greeting strings.Builder
	server.Greet(&greeting)
	found := regexp.MustCompile(`Metrics: (http://localhost:\d+/metrics)\n`).FindStringSubmatch(greeting.String())
	require.NotNil(t, found, greeting.String())
	issuer := regexp.MustCompile(`issuer +(http://localhost:\d+)`).FindStringSubmatch(greeting.String())
	require.NotNil(t, issuer, greeting.String())
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx) }()
	t.Cleanup(func() { stop(); require.NoError(t, <-ended) })
	return issuer[1], found[1]
}

func fetch(t *testing.T, rawURL string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, rawURL, nil)
	require.NoError(t, err)
	r.Close = true
	resp, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(text)
}

// TestNames: the exporter makes the names that the dashboard and the alerts have.
func TestNames(t *testing.T) {
	t.Parallel()
	m, err := metrics.New()
	require.NoError(t, err)
	state, err := standin.StateFlags{Store: "memory"}.Open(t.Context(), slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	keys, err := standin.Signing{Algorithms: []string{"ES256"}}.Keys(t.Context(), state, "http://localhost", nil, false, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.NoError(t, m.Keys(keys.Set(), nil))
	m.OnSweep(t.Context())(1, nil)
	_, err = m.Store(state.Store).SigningKeys(t.Context(), "x")
	require.NoError(t, err)
	m.OnEvent(t.Context(), event())
	m.Requests(http.NotFoundHandler(), func(string) string { return "token" }).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/token", nil))
	w := httptest.NewRecorder()
	m.Handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	var have []string
	for _, m := range regexp.MustCompile(`(?m)^portner_\w+`).FindAllString(w.Body.String(), -1) {
		if !slices.Contains(have, m) {
			have = append(have, m)
		}
	}
	var used []string
	for _, file := range []string{"../../../docs/grafana/portner.json", "../../../docs/prometheus/alerts.yaml"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`\b(portner_\w+)(?:\{|\[| ?\))`).FindAllStringSubmatch(string(text), -1) {
			if regexp.MustCompile(`(_total|_seconds|_count|_sum|_bucket|_keys|_ready)$`).MatchString(m[1]) {
				used = append(used, m[1])
			}
		}
	}
	require.Greater(t, len(used), 30)
	require.Subset(t, have, used)
}

func event() portner.Event {
	return portner.Event{Name: portner.EventTokenIssued, Endpoint: "token", ClientID: "a", Reason: "refresh_token"}
}
