package standin

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/keyset"
)

// Meter measures a server. The program makes it, because the engines need no library for metrics.
type Meter struct {
	// Handler serves the metrics. If nil, the host serves them, and the server opens no port for them.
	Handler http.Handler
	// OnEvent counts an event.
	OnEvent func(context.Context, portner.Event)
	// OnSweep measures the removal of expired records.
	OnSweep OnSweep
	// Requests measures the requests of a handler. endpoint returns the name of what is at a path.
	Requests func(next http.Handler, endpoint func(path string) string) http.Handler
	// Keys reports the signing keys, by a clock.
	Keys func(keys KeySet, now func() time.Time) error
	// Store measures the calls of a store.
	Store func(Store) Store
}

// KeySet is the part of *keyset.Set that a meter reads.
type KeySet interface {
	States() []keyset.KeyState
	Ready(now time.Time) error
}

// OnSweep is called when a store begins to remove expired records, and the function that it returns afterwards.
type OnSweep = func(ctx context.Context) (done func(removed int, err error))

// MetricsFlags are the flags of metrics.
type MetricsFlags struct {
	Metrics string // address; if "", there are none
	// NewMeter makes the meter. A program without it has no metrics.
	NewMeter func() (*Meter, error)
	// Meter measures the server in place of one of NewMeter, for a host with several servers.
	Meter *Meter
}

// PathMetrics is the path of the metrics.
const PathMetrics = "/metrics"

// Define adds the flag.
func (f *MetricsFlags) Define(fs *flag.FlagSet) {
	fs.StringVar(&f.Metrics, "metrics", "", "`address` of the metrics for Prometheus, at "+PathMetrics+", with -tags servers (default: none); without a host it is on loopback")
}

// check returns an error if the program has no metrics.
func (f *MetricsFlags) check(program string) error {
	if f.Metrics != "" && f.NewMeter == nil {
		return ErrNoMetrics(program, f.Metrics)
	}
	return nil
}

// ErrNoMetrics returns the error of a program that is compiled without metrics, for the address of -metrics.
func ErrNoMetrics(program, addr string) error {
	return fmt.Errorf("-metrics: this program is compiled without OpenTelemetry: go run -tags servers ./examples/%s -metrics %s", program, addr)
}

// meter returns the meter, or nil without -metrics.
func (f *MetricsFlags) meter() (*Meter, error) {
	switch {
	case f.Meter != nil || f.Metrics == "":
		return f.Meter, nil
	case f.NewMeter == nil:
		return nil, errors.New("-metrics: the program has no metrics")
	}
	m, err := f.NewMeter()
	if err != nil {
		return nil, fmt.Errorf("-metrics: %w", err)
	}
	return m, nil
}

// openMetrics opens the port of the metrics, unless the host serves them.
func (d *Administration) openMetrics(f Flags, m *Meter) (err error) {
	d.meter = m
	if m != nil && m.Handler != nil {
		d.metrics, err = ListenMetrics(f.Metrics, m.Handler)
	}
	return err
}

// ListenMetrics opens the address of -metrics for a handler. A host that was not given is loopback, and only requests for its own name are
// answered there: a page in a browser cannot read the metrics with a name that leads to loopback. A scraper on another machine may use any name.
func ListenMetrics(addr string, metrics http.Handler) (*Site, error) {
	host, port, err := splitAddr("-metrics", addr, 0)
	if err != nil {
		return nil, err
	}
	if host == "" {
		host = "localhost"
	}
	site, err := open("metrics", host, port, nil)
	if err != nil {
		return nil, fmt.Errorf("-metrics: %w", err)
	}
	site.anyHost = !site.onLoopback()
	site.Handle(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != PathMetrics:
			w.WriteHeader(http.StatusNotFound)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			w.WriteHeader(http.StatusMethodNotAllowed)
		default:
			metrics.ServeHTTP(w, r)
		}
	}))
	return site, nil
}

// measure makes the sites of the provider measure their requests, and reports the keys.
func (d *Administration) measure(sites Sites, run Running) error {
	if d == nil || d.meter == nil {
		return nil
	}
	for _, s := range sites {
		if s.probes { // a site of the provider
			s.measured = d.meter.Requests(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.Handler().ServeHTTP(w, r) }), run.Endpoint)
		}
	}
	if run.Keys == nil {
		return nil
	}
	return d.meter.Keys(keySets{run.Keys}, run.Keys.state.now)
}

// keySets is the set of keys that is in use.
type keySets struct{ keys *Keys }

// States returns the lives of the keys.
func (k keySets) States() []keyset.KeyState { return k.keys.Set().States() }

// Ready returns nil if the set signs.
func (k keySets) Ready(now time.Time) error { return k.keys.Set().Ready(now) }

func (d *Administration) greetMetrics(w io.Writer) {
	if d.metrics != nil {
		fmt.Fprintf(w, "\n  Metrics: %s%s\n", d.metrics.Base, PathMetrics)
	}
}
