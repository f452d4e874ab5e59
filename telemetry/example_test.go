package telemetry_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/telemetry"
)

// newObserved returns a provider whose metrics and traces go to the exporters of the host. cfg has its profile, clients and secrets.
func newObserved(cfg provider.Config, store *memory.Store, meters *metric.MeterProvider, tracers *trace.TracerProvider) (http.Handler, error) {
	t, err := telemetry.New(telemetry.Config{MeterProvider: meters, TracerProvider: tracers})
	if err != nil {
		return nil, err
	}
	if err := t.ObserveKeys(cfg.Keys, nil); err != nil {
		return nil, err
	}
	cfg.Store, cfg.PushedRequests, cfg.Replay, cfg.History = t.Store(store), t.PushedRequests(store), t.Replay(store), t.History(store)
	cfg.OnEvent = t.OnEvent
	op, err := provider.New(cfg)
	if err != nil {
		return nil, err
	}
	return t.Handler(op, op.Endpoint), nil
}

func Example() {
	clients, err := client.NewRegistry(client.Environment{Test: true}, client.Client{
		ClientID: "my-app", ApplicationType: client.Native, RedirectURIs: []string{"http://127.0.0.1/cb"}, Scopes: []string{"openid"},
	})
	if err != nil {
		panic(err)
	}
	key, err := keyset.Generate(keyset.ES256)
	if err != nil {
		panic(err)
	}
	keys, err := keyset.New(keyset.Config{Keys: []keyset.Key{key}})
	if err != nil {
		panic(err)
	}
	reader := metric.NewManualReader() // of a program: an exporter, such as that of Prometheus
	handler, err := newObserved(provider.Config{
		Issuer: "http://localhost:8080", Profile: provider.OpenIDConnect(), Clients: clients, Keys: keys,
		Secrets: []portner.Secret{portner.NewSecret()}, PairwiseKey: portner.NewSecret(),
	}, memory.New(), metric.NewMeterProvider(metric.WithReader(reader)), trace.NewTracerProvider())
	if err != nil {
		panic(err)
	}
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "http://localhost:8080/authorize?client_id=my-app&redirect_uri=https://evil.example", nil)
	handler.ServeHTTP(httptest.NewRecorder(), r)

	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		panic(err)
	}
	for _, m := range all.ScopeMetrics[0].Metrics {
		if events, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name != "portner.alarms" {
			event, _ := events.DataPoints[0].Attributes.Value("portner.event")
			fmt.Println(m.Name, event.AsString(), events.DataPoints[0].Value)
		}
	}
	// Output:
	// portner.events sec.redirect_mismatch 1
	// portner.client.events sec.redirect_mismatch 1
}
