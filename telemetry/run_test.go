package telemetry_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/telemetry"
)

var epoch = time.Date(2031, time.March, 4, 12, 0, 0, 0, time.UTC)

// bed is a Telemetry with a reader of its metrics and a recorder of its spans.
type bed struct {
	*telemetry.Telemetry
	reader *metric.ManualReader
	spans  *tracetest.InMemoryExporter
}

func newBed(t testing.TB, cfg telemetry.Config) *bed {
	t.Helper()
	b := &bed{reader: metric.NewManualReader(), spans: tracetest.NewInMemoryExporter()}
	cfg.MeterProvider = metric.NewMeterProvider(metric.WithReader(b.reader))
	cfg.TracerProvider = trace.NewTracerProvider(trace.WithSyncer(b.spans))
	var err error
	b.Telemetry, err = telemetry.New(cfg)
	require.NoError(t, err)
	return b
}

// metrics returns the instruments by name.
func (b *bed) metrics(t testing.TB) map[string]metricdata.Metrics {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, b.reader.Collect(context.Background(), &all))
	found := map[string]metricdata.Metrics{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			require.NotContains(t, found, m.Name)
			found[m.Name] = m
		}
	}
	return found
}

// point is one attribute set of an instrument.
type point struct {
	set   attribute.Set
	count int64 // of measurements, or the value of a counter or gauge
}

func points(t testing.TB, m metricdata.Metrics) (found []point) {
	t.Helper()
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range data.DataPoints {
			found = append(found, point{p.Attributes, p.Value})
		}
	case metricdata.Gauge[int64]:
		for _, p := range data.DataPoints {
			found = append(found, point{p.Attributes, p.Value})
		}
	case metricdata.Gauge[float64]:
		for _, p := range data.DataPoints {
			found = append(found, point{p.Attributes, int64(p.Value)})
		}
	case metricdata.Histogram[float64]:
		for _, p := range data.DataPoints {
			found = append(found, point{p.Attributes, int64(p.Count)})
		}
	default:
		t.Fatalf("%s: %T", m.Name, m.Data)
	}
	return found
}

// count returns the sum of the points of an instrument with some attributes, given as "name", "value" and so on.
func (b *bed) count(t testing.TB, name string, attributes ...string) (n int64) {
	t.Helper()
	for _, p := range points(t, b.metrics(t)[name]) {
		fits := true
		for i := 0; i+1 < len(attributes); i += 2 {
			v, ok := p.set.Value(attribute.Key(attributes[i]))
			fits = fits && ok && v.AsString() == attributes[i+1]
		}
		if fits {
			n += p.count
		}
	}
	return n
}

// exported returns everything that left the process, as text.
func (b *bed) exported(t testing.TB) string {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, b.reader.Collect(context.Background(), &all))
	metrics, err := json.Marshal(all)
	require.NoError(t, err)
	var text strings.Builder
	text.Write(metrics)
	for _, s := range b.spans.GetSpans().Snapshots() {
		text.WriteString("\n" + s.Name() + " " + s.Status().Description + " " + s.SpanContext().TraceState().String())
		for _, a := range s.Attributes() {
			text.WriteString("\n" + string(a.Key) + "=" + a.Value.String())
		}
		for _, e := range s.Events() {
			text.WriteString("\n" + e.Name)
			for _, a := range e.Attributes {
				text.WriteString("\n" + string(a.Key) + "=" + a.Value.String())
			}
		}
	}
	return text.String()
}

// observe returns a provider with all telemetry of b.
func (b *bed) observe(t testing.TB) *optest.OP {
	t.Helper()
	store := memory.New()
	secrets := []portner.Secret{portner.NewSecret()}
	keys, err := keyset.Shared{Store: b.SigningKeys(store), Set: optest.Issuer, Secrets: secrets, Alg: keyset.ES256}.Open(t.Context())
	require.NoError(t, err)
	require.NoError(t, b.ObserveKeys(keys, nil))
	op := optest.New(t, optest.Options{Keys: keys, Unobserved: true, Change: func(c *provider.Config) {
		c.Store, c.PushedRequests, c.Replay, c.History = b.Store(store), b.PushedRequests(store), b.Replay(store), b.History(store)
		c.OnEvent = b.OnEvent
	}})
	op.Front = b.Handler(op.Provider, op.Endpoint)
	return op
}

// do sends a request to the provider with header fields, given as "name", "value" and so on.
func do(t testing.TB, h http.Handler, method, target string, form url.Values, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// everything makes each instrument measure something.
func everything(t testing.TB) *bed {
	b := newBed(t, telemetry.Config{Provider: "idporten"})
	op := b.observe(t)
	r := op.Request("tjeneste", "openid profile")
	tokens := op.Exchange(t, r, op.Browser().Login(t, r, "kari").Code(t))
	require.Equal(t, http.StatusOK, tokens.Status)
	done := b.OnSweep(t.Context())
	done(3, nil)
	return b
}

func TestEventsAreCounted(t *testing.T) {
	t.Parallel()
	b := newBed(t, telemetry.Config{MaxClients: 1})
	ctx := t.Context()
	b.OnEvent(ctx, portner.Event{Name: portner.EventTokenIssued, Endpoint: "token", ClientID: "a", Reason: "authorization_code"})
	b.OnEvent(ctx, portner.Event{Name: portner.EventTokenIssued, Endpoint: "token", ClientID: "a", Reason: "authorization_code"})
	b.OnEvent(ctx, portner.Event{Name: portner.EventTokenIssued, Endpoint: "token", ClientID: "b", Reason: "authorization_code"})
	b.OnEvent(ctx, portner.Event{Name: portner.EventFault, Endpoint: "session"})
	require.EqualValues(t, 3, b.count(t, "portner.events", "portner.event", "token.issued", "portner.endpoint", "token", "portner.reason", "authorization_code"))
	require.EqualValues(t, 1, b.count(t, "portner.events", "portner.event", "sys.fault", "portner.reason", ""))
	require.EqualValues(t, 2, b.count(t, "portner.client.events", "portner.client", "a", "portner.reason", "authorization_code", "portner.endpoint", "token"))
	require.EqualValues(t, 1, b.count(t, "portner.client.events", "portner.client", "other"))
	require.EqualValues(t, 3, b.count(t, "portner.client.events"), "the fault concerns no client")
}

// TestAlarms: each event that an alert can be about is 0 from the start, and counted by its name alone.
func TestAlarms(t *testing.T) {
	t.Parallel()
	names := alarms(t)
	b := newBed(t, telemetry.Config{})
	require.Len(t, points(t, b.metrics(t)["portner.alarms"]), len(names))
	for _, name := range names {
		require.Zero(t, b.count(t, "portner.alarms", "portner.event", name))
		b.OnEvent(t.Context(), portner.Event{Name: portner.EventName(name), Endpoint: "token", Reason: "a"})
		b.OnEvent(t.Context(), portner.Event{Name: portner.EventName(name), Endpoint: "par", Reason: "b"})
		require.EqualValues(t, 2, b.count(t, "portner.alarms", "portner.event", name))
	}
	b.OnEvent(t.Context(), portner.Event{Name: portner.EventTokenIssued})
	require.Len(t, points(t, b.metrics(t)["portner.alarms"]), len(names))
}

// TestRequestsAreMeasured: endpoint and class of status, for each kind of end that a request has.
func TestRequestsAreMeasured(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		class   string
	}{
		"nothing is written":      {func(http.ResponseWriter, *http.Request) {}, "2xx"},
		"a body without a status": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("x")); w.WriteHeader(500) }, "2xx"},
		"a redirect":              {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(303) }, "3xx"},
		"an error of the client":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, "4xx"},
		"early hints":             {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(404) }, "4xx"},
		"an outage":               {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, "5xx"},
		"a panic":                 {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "aborted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := epoch
			b := newBed(t, telemetry.Config{Now: func() time.Time { now = now.Add(time.Second); return now }})
			h := b.Handler(c.handler, func(string) string { return "token" })
			func() {
				defer func() { _ = recover() }()
				do(t, h, http.MethodPost, "/token", nil)
			}()
			require.EqualValues(t, 1, b.count(t, "portner.request.duration", "portner.endpoint", "token", "portner.status", c.class))
			require.EqualValues(t, 1, b.count(t, "portner.request.duration"))
			data := b.metrics(t)["portner.request.duration"].Data.(metricdata.Histogram[float64])
			require.InDelta(t, 1, data.DataPoints[0].Sum, 1e-9, "seconds")
			spans := b.spans.GetSpans()
			require.Len(t, spans, 1)
			require.Equal(t, c.class == "5xx" || c.class == "aborted", spans[0].Status.Code == 1, spans[0].Status)
		})
	}
}

// TestNoEndpoint: without a function for the names of endpoints, every request is counted as one of an endpoint without a name.
func TestNoEndpoint(t *testing.T) {
	t.Parallel()
	b := newBed(t, telemetry.Config{})
	do(t, b.Handler(http.NotFoundHandler(), nil), http.MethodGet, "/token", nil)
	require.EqualValues(t, 1, b.count(t, "portner.request.duration", "portner.endpoint", "other", "portner.status", "4xx"))
}

// TestResponseController: the wrapped ResponseWriter supports what the one below it does.
func TestResponseController(t *testing.T) {
	t.Parallel()
	b := newBed(t, telemetry.Config{})
	w := do(t, b.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		require.NoError(t, http.NewResponseController(w).Flush())
	}), func(string) string { return "" }), http.MethodGet, "/x", nil)
	require.True(t, w.Flushed)
	require.EqualValues(t, 1, b.count(t, "portner.request.duration", "portner.endpoint", "other"))
}

// TestKeys: the age of the active key, the phases, and whether the set signs.
func TestKeys(t *testing.T) {
	t.Parallel()
	b := newBed(t, telemetry.Config{})
	now := epoch
	clock := func() time.Time { return now }
	keys, err := keyset.Shared{Store: memory.New(), Set: "a", Secrets: []portner.Secret{portner.NewSecret()}, Alg: keyset.ES256, Now: clock}.Open(t.Context())
	require.NoError(t, err)
	require.NoError(t, b.ObserveKeys(keys, clock))
	now = epoch.Add(90 * time.Minute)
	require.EqualValues(t, 90*60, b.count(t, "portner.key.age", "portner.key.alg", "ES256"))
	require.EqualValues(t, 1, b.count(t, "portner.keys.ready"))
	require.EqualValues(t, 1, b.count(t, "portner.keys", "portner.key.phase", "active"))
	require.EqualValues(t, 0, b.count(t, "portner.keys", "portner.key.phase", "retired"))
	require.Len(t, points(t, b.metrics(t)["portner.keys"]), 4)
	now = epoch.Add(365 * 24 * time.Hour)
	require.EqualValues(t, 0, b.count(t, "portner.keys.ready"), "the keys were not loaded for a year")
	require.ErrorContains(t, b.ObserveKeys(keys, clock), "called before")
	other := newBed(t, telemetry.Config{})
	require.ErrorIs(t, other.ObserveKeys(nil, nil), portner.ErrRequired)
	require.ErrorIs(t, other.ObserveKeys((*keyset.Set)(nil), nil), portner.ErrRequired)
	require.NoError(t, other.ObserveKeys(keys, nil))
}

func TestSweeps(t *testing.T) {
	t.Parallel()
	now := epoch
	b := newBed(t, telemetry.Config{Now: func() time.Time { now = now.Add(time.Second); return now }})
	b.OnSweep(t.Context())(5, nil)
	b.OnSweep(t.Context())(2, portner.ErrUnavailable)
	require.EqualValues(t, 7, b.count(t, "portner.sweep.records"))
	require.EqualValues(t, 1, b.count(t, "portner.sweep.duration", "portner.outcome", "ok"))
	require.EqualValues(t, 1, b.count(t, "portner.sweep.duration", "portner.outcome", "unavailable"))
}

func TestConfig(t *testing.T) {
	t.Parallel()
	meters, tracers := metric.NewMeterProvider(), trace.NewTracerProvider()
	for field, cfg := range map[string]telemetry.Config{
		"MeterProvider":     {},
		"TracerProvider":    {MeterProvider: meters, TracerProvider: (*trace.TracerProvider)(nil)},
		"MaxClients":        {MeterProvider: meters, MaxClients: 1001},
		"AcceptTraceparent": {MeterProvider: meters, AcceptTraceparent: true},
	} {
		_, err := telemetry.New(cfg)
		require.Len(t, portner.FieldErrors(err), 1)
		require.Equal(t, field, portner.FieldErrors(err)[0].Field)
	}
	_, err := telemetry.New(telemetry.Config{MeterProvider: (*metric.MeterProvider)(nil)})
	require.ErrorContains(t, err, "MeterProvider: must not hold a nil *metric.MeterProvider")
	for _, cfg := range []telemetry.Config{{MeterProvider: meters}, {TracerProvider: tracers, AcceptTraceparent: true}} {
		b, err := telemetry.New(cfg)
		require.NoError(t, err)
		b.OnEvent(t.Context(), portner.Event{Name: portner.EventFault})
		_, err = b.Store(memory.New()).Session(t.Context(), storage.HashOf("unknown"), epoch)
		require.ErrorIs(t, err, storage.ErrNotFound)
	}
}
