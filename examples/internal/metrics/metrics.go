// Package metrics measures a stand-in with OpenTelemetry, and serves the metrics in the format of Prometheus.
package metrics

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/telemetry"
	"github.com/portner-go/portner/token"
)

// New returns a meter with a registry of its own: several servers of a process share nothing.
func New() (*standin.Meter, error) {
	registry := prometheus.NewRegistry()
	m, err := meter(registry)
	if err == nil {
		m.Handler = handler(registry)
	}
	return m, err
}

// Registry holds the metrics of several servers of a process. Each metric has the label server.
type Registry struct{ all *prometheus.Registry }

// NewRegistry returns an empty registry.
func NewRegistry() *Registry { return &Registry{prometheus.NewRegistry()} }

// Meter returns the meter of a server.
func (r *Registry) Meter(server string) (*standin.Meter, error) {
	return meter(prometheus.WrapRegistererWith(prometheus.Labels{"server": server}, r.all))
}

// Handler serves the metrics of all servers.
func (r *Registry) Handler() http.Handler { return handler(r.all) }

func handler(registry *prometheus.Registry) http.Handler {
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

// meter returns a meter without a handler, whose metrics are in a registry.
func meter(registry prometheus.Registerer) (*standin.Meter, error) {
	reader, err := exporter.New(exporter.WithRegisterer(registry), exporter.WithoutScopeInfo(), exporter.WithoutTargetInfo())
	if err != nil {
		return nil, err
	}
	t, err := telemetry.New(telemetry.Config{MeterProvider: metric.NewMeterProvider(metric.WithReader(reader))})
	if err != nil {
		return nil, err
	}
	return &standin.Meter{
		OnEvent: t.OnEvent, OnSweep: t.OnSweep, Requests: t.Handler,
		Keys: func(set standin.KeySet, now func() time.Time) error { return t.ObserveKeys(set, now) },
		Store: func(s standin.Store) standin.Store {
			return store{t.Store(s), t.PushedRequests(s), t.History(s), t.Logins(s), t.Replay(s), t.Grants(s), t.SigningKeys(s), s}
		},
	}, nil
}

type (
	providerStore = provider.Store
	keyStore      = keyset.Store
	logins        = authorizations.HistoryStore
)

// store is a measured store. The methods that no request calls are those of whole.
type store struct {
	providerStore
	authorize.PushedRequestStore
	authorize.HistoryStore
	logins
	client.ReplayStore
	token.GrantStore
	keyStore

	whole standin.Store
}

// Run implements standin.Store.
func (s store) Run(ctx context.Context) { s.whole.Run(ctx) }

// Ping implements standin.Store.
func (s store) Ping(ctx context.Context) error { return s.whole.Ping(ctx) }

// Close implements standin.Store.
func (s store) Close() error { return s.whole.Close() }
