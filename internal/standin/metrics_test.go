package standin_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/keyset"
)

// fakeMeter records what it measures.
type fakeMeter struct {
	mu       sync.Mutex
	requests []string
	events   []portner.EventName
	keys     int
	stores   int
}

func (m *fakeMeter) new() (*standin.Meter, error) {
	return &standin.Meter{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "portner_alarms_total 0\n") }),
		OnEvent: func(_ context.Context, e portner.Event) { m.events = append(m.events, e.Name) },
		OnSweep: func(context.Context) func(int, error) { return func(int, error) {} },
		Requests: func(next http.Handler, endpoint func(path string) string) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				m.mu.Lock()
				m.requests = append(m.requests, endpoint(r.URL.Path))
				m.mu.Unlock()
				next.ServeHTTP(w, r)
			})
		},
		Keys: func(keys standin.KeySet, now func() time.Time) error {
			m.keys = len(keys.States())
			return keys.Ready(now())
		},
		Store: func(s standin.Store) standin.Store { m.stores++; return s },
	}, nil
}

// serveMetrics runs a server with metrics at an address, and returns its URL and that of the metrics.
func serveMetrics(t *testing.T, m *fakeMeter, at string) (base, metrics string) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	f := standin.Flags{Addr: "localhost:0", MetricsFlags: standin.MetricsFlags{Metrics: at, NewMeter: m.new}}
	sites, err := standin.Listen(f, "")
	require.NoError(t, err)
	state, err := f.OpenState(t.Context(), log)
	require.NoError(t, err)
	admin, err := standin.OpenAdministration(t.Context(), f, standin.Administered{Name: "test"}, sites[0].Base, state, log)
	require.NoError(t, err)
	admin.OnEvent()(t.Context(), portner.Event{Name: portner.EventFault})
	sites[0].Handle(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	keys, err := standin.Signing{Algorithms: []string{keyset.ES256}}.Keys(t.Context(), state, sites[0].Base, nil, false, log)
	require.NoError(t, err)
	base, metrics = sites[0].Base, admin.Sites()[0].Base
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- append(sites, admin.Sites()...).Serve(ctx, standin.Running{
			Log: log, Store: state.Store, Keys: keys, Admin: admin, Endpoint: func(path string) string { return "endpoint of " + path },
		})
	}()
	t.Cleanup(func() { stop(); require.NoError(t, <-ended) })
	return base, metrics
}

func fetch(t *testing.T, method, rawURL, host string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, rawURL, nil)
	require.NoError(t, err)
	r.Close = true
	if host != "" {
		r.Host = host
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

// TestMetrics: the metrics are at one path of a port of their own, which is on loopback and answers for its own name alone. The provider has
// no such path, and its requests, events, keys and store are measured (docs/threat-model.md I13).
func TestMetrics(t *testing.T) {
	t.Parallel()
	m := &fakeMeter{}
	base, metrics := serveMetrics(t, m, ":0")
	require.Regexp(t, `^http://localhost:\d+$`, metrics)
	for _, c := range []struct {
		method, url, host string
		status            int
	}{
		{http.MethodGet, metrics + "/metrics", "", http.StatusOK},
		{http.MethodGet, metrics + "/metrics", "attacker.example", http.StatusMisdirectedRequest},
		{http.MethodPost, metrics + "/metrics", "", http.StatusMethodNotAllowed},
		{http.MethodGet, metrics + "/", "", http.StatusNotFound},
		{http.MethodGet, metrics + "/healthz", "", http.StatusNotFound},
		{http.MethodGet, base + "/metrics", "", http.StatusTeapot},
		{http.MethodGet, base + "/healthz", "", http.StatusOK},
	} {
		status, body := fetch(t, c.method, c.url, c.host)
		require.Equal(t, c.status, status, c.url)
		require.Equal(t, status == http.StatusOK && c.url == metrics+"/metrics", body == "portner_alarms_total 0\n", c.url)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	require.Equal(t, []string{"endpoint of /metrics"}, m.requests, "probes and metrics are no requests")
	require.Equal(t, []portner.EventName{portner.EventFault}, m.events)
	require.Equal(t, 1, m.keys)
	require.Equal(t, 1, m.stores)
}

// TestMetricsForOthers: an address for other machines is a decision of the operator, and a scraper may use any name for it.
func TestMetricsForOthers(t *testing.T) {
	t.Parallel()
	_, metrics := serveMetrics(t, &fakeMeter{}, "0.0.0.0:0")
	status, _ := fetch(t, http.MethodGet, metrics+"/metrics", "idporten.test:9464")
	require.Equal(t, http.StatusOK, status)
}

// TestMetricsOff: without -metrics there is no hook, no port and no meter; a program that was compiled without metrics says what to run.
func TestMetricsOff(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	m := &fakeMeter{}
	f := standin.Flags{MetricsFlags: standin.MetricsFlags{NewMeter: m.new}}
	state, err := f.OpenState(t.Context(), log)
	require.NoError(t, err)
	admin, err := standin.OpenAdministration(t.Context(), f, standin.Administered{}, "http://localhost", state, log)
	require.NoError(t, err)
	require.Nil(t, admin.OnEvent())
	require.Empty(t, admin.Sites())
	require.Zero(t, m.stores)

	c := standin.Command{Name: "idporten", Addr: "localhost:0", Flags: &standin.Flags{}}
	_, err = c.Prepare([]string{"-metrics", "localhost:0"}, log)
	require.EqualError(t, err, "-metrics: this program is compiled without OpenTelemetry: go run -tags servers ./examples/idporten -metrics localhost:0")
	c.Stateless = true
	_, err = c.Prepare([]string{"-metrics", "localhost:0"}, log)
	require.ErrorContains(t, err, "-metrics")
	f.Metrics = "localhost"
	state, err = f.OpenState(t.Context(), log)
	require.NoError(t, err)
	_, err = standin.OpenAdministration(t.Context(), f, standin.Administered{}, "http://localhost", state, log)
	require.ErrorContains(t, err, "-metrics: ")
}
