package telemetry_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/telemetry"
)

func newMeters() *metric.MeterProvider {
	return metric.NewMeterProvider(metric.WithReader(metric.NewManualReader()))
}

// TestBounds: whatever number of clients and reasons there are, each event keeps its name, the sums stay right, and no set is lost to the
// limit of the SDK.
func TestBounds(t *testing.T) {
	t.Parallel()
	b := newBed(t, telemetry.Config{MaxClients: 1000})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 1000 {
				b.OnEvent(t.Context(), portner.Event{
					Name: portner.EventRefused, Endpoint: fmt.Sprint("endpoint ", j%100), ClientID: fmt.Sprint("client ", i, j), Reason: fmt.Sprint("reason ", i, j),
				})
			}
		})
	}
	wg.Wait()
	b.OnEvent(t.Context(), portner.Event{Name: portner.EventCodeReplay, Endpoint: "late endpoint", ClientID: "late client", Reason: "late reason"})
	require.EqualValues(t, 8000, b.count(t, "portner.events", "portner.event", "req.refused"))
	require.EqualValues(t, 8000, b.count(t, "portner.client.events", "portner.event", "req.refused"))
	require.EqualValues(t, 1, b.count(t, "portner.events", "portner.event", "sec.code_replay", "portner.endpoint", "other"))
	require.EqualValues(t, 1, b.count(t, "portner.client.events", "portner.event", "sec.code_replay", "portner.client", "other"))
	for name, m := range b.metrics(t) {
		sets := points(t, m)
		require.Less(t, len(sets), 2000, name)
		for _, p := range sets {
			require.False(t, p.set.HasValue("otel.metric.overflow"), name)
		}
	}
}

// TestNoClients: a negative MaxClients names no client in metrics.
func TestNoClients(t *testing.T) {
	t.Parallel()
	b := newBed(t, telemetry.Config{MaxClients: -1})
	b.OnEvent(t.Context(), portner.Event{Name: portner.EventTokenIssued, Endpoint: "token", ClientID: "a"})
	require.EqualValues(t, 1, b.count(t, "portner.client.events", "portner.client", "other"))
	require.Len(t, points(t, b.metrics(t)["portner.client.events"]), 1)
}
