package telemetry

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	noopmetric "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/fields"
)

// scope is the name of the instrumentation in metrics and traces.
const scope = "github.com/portner-go/portner/telemetry"

// Config configures a Telemetry. One of MeterProvider and TracerProvider is required.
type Config struct {
	// MeterProvider receives the metrics. If nil, there are none.
	MeterProvider metric.MeterProvider
	// TracerProvider receives the spans. If nil, there are none.
	TracerProvider trace.TracerProvider
	// AcceptTraceparent continues the trace of the header field traceparent (W3C Trace Context) of a request. Set it only if every request
	// comes from a proxy that removes or replaces the field of its callers: otherwise any caller decides which requests are sampled, and
	// in which trace they appear. The header fields tracestate and baggage are never read.
	AcceptTraceparent bool
	// Provider is the attribute portner.provider of every metric and span, for a process with several providers. If "", there is no such
	// attribute.
	Provider string
	// MaxClients is how many clients have a name in metrics. Further ones are counted as "other". The default is 100, the largest value
	// 1,000; a negative value counts all of them as "other".
	MaxClients int
	// Now measures durations. If nil, it is time.Now. The clock of a test that jumps makes durations of its jumps.
	Now func() time.Time
}

// The bounds of attribute sets. The SDK has one of its own, 2,000 by default, beyond which a measurement loses all attributes: those here are
// lower, so that an event keeps its name.
const (
	maxSets           = 1800
	defaultMaxClients = 100
	largestMaxClients = 1000
	maxEndpoints      = 64
)

// Telemetry makes metrics and spans. It is safe for concurrent use.
type Telemetry struct {
	cfg    Config
	tracer trace.Tracer // nil without traces
	meter  metric.Meter
	common []attribute.KeyValue // of every metric and span

	keysObserved atomic.Bool // by ObserveKeys

	events       metric.Int64Counter
	alarms       metric.Int64Counter
	clientEvents metric.Int64Counter
	requests     metric.Float64Histogram
	calls        metric.Float64Histogram
	sweeps       metric.Float64Histogram
	swept        metric.Int64Counter

	clients, endpoints *names
	eventSets          *sets[eventKey]
	clientSets         *sets[clientKey]
	requestSets        *sets[requestKey]
	callSets           *sets[callKey]
	sweepSets          *sets[string]
	alarmSets          *sets[string]
}

// New returns a Telemetry. It reports every invalid field as portner.FieldErrors.
func New(cfg Config) (*Telemetry, error) {
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	t := &Telemetry{
		cfg: cfg, meter: cfg.MeterProvider.Meter(scope), clients: newNames(cfg.MaxClients), endpoints: newNames(maxEndpoints),
	}
	if cfg.TracerProvider != nil {
		t.tracer = cfg.TracerProvider.Tracer(scope)
	}
	if cfg.Provider != "" {
		t.common = []attribute.KeyValue{attribute.String("portner.provider", cfg.Provider)}
	}
	t.eventSets, t.clientSets = newSets(t.common, eventKey.attributes), newSets(t.common, clientKey.attributes)
	t.requestSets, t.callSets = newSets(t.common, requestKey.attributes), newSets(t.common, callKey.attributes)
	t.sweepSets = newSets(t.common, func(result string) []attribute.KeyValue {
		return []attribute.KeyValue{attribute.String(keyOutcomeAttr, result)}
	})
	t.alarmSets = newSets(t.common, alarmAttributes)
	if err := t.instruments(); err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	for _, name := range alarms {
		t.countAlarm(context.Background(), string(name), 0)
	}
	return t, nil
}

// complete sets the defaults and returns the problems.
func (c *Config) complete() error {
	var f fields.Checker
	f.Want(c.MeterProvider != nil || c.TracerProvider != nil, "MeterProvider", "is required, or TracerProvider")
	f.OptionalValue(c.MeterProvider, "MeterProvider")
	f.OptionalValue(c.TracerProvider, "TracerProvider")
	f.Want(c.MaxClients <= largestMaxClients, "MaxClients", fmt.Sprintf("must be at most %d", largestMaxClients))
	f.Want(c.TracerProvider != nil || !c.AcceptTraceparent, "AcceptTraceparent", "needs a TracerProvider")
	if err := f.Err(); err != nil {
		return err
	}
	if c.MeterProvider == nil {
		c.MeterProvider = noopmetric.NewMeterProvider()
	}
	if c.MaxClients == 0 {
		c.MaxClients = defaultMaxClients
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}

// Bounds of the buckets, in seconds.
var (
	requestBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	callBuckets    = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 3, 10}
	sweepBuckets   = []float64{.001, .01, .05, .1, .5, 1, 5, 10, 30, 60, 300}
)

func (t *Telemetry) instruments() error {
	var problems []error
	counter := func(to *metric.Int64Counter, name, unit, text string) {
		c, err := t.meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(text))
		*to, problems = c, append(problems, err)
	}
	histogram := func(to *metric.Float64Histogram, name, text string, bounds []float64) {
		h, err := t.meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(text), metric.WithExplicitBucketBoundaries(bounds...))
		*to, problems = h, append(problems, err)
	}
	counter(&t.events, "portner.events", "{event}", "Events of the provider.")
	counter(&t.clientEvents, "portner.client.events", "{event}", "Events that concern a registered client.")
	counter(&t.alarms, "portner.alarms", "{event}", "Events that report a violation of a security rule or a fault.")
	counter(&t.swept, "portner.sweep.records", "{record}", "Expired records that were removed from the store.")
	histogram(&t.requests, "portner.request.duration", "Duration of HTTP requests.", requestBuckets)
	histogram(&t.calls, "portner.store.duration", "Duration of calls of the store.", callBuckets)
	histogram(&t.sweeps, "portner.sweep.duration", "Duration of the removals of expired records.", sweepBuckets)
	return errors.Join(problems...)
}

// OnEvent counts an event, and adds it to the span of the request. It is for the field OnEvent of configurations. A host with a function of
// its own calls both.
func (t *Telemetry) OnEvent(ctx context.Context, e portner.Event) {
	endpoint := t.endpoints.bound(e.Endpoint)
	k := eventKey{event: string(e.Name), endpoint: endpoint, reason: e.Reason}
	t.events.Add(ctx, 1, t.eventSets.option(k, eventKey{event: string(e.Name), endpoint: endpoint, reason: overflow}))
	if isAlarm(e.Name) {
		t.countAlarm(ctx, string(e.Name), 1)
	}
	if e.ClientID != "" {
		k := clientKey{eventKey: k, client: t.clients.bound(e.ClientID)}
		rest := clientKey{eventKey: eventKey{event: string(e.Name), endpoint: endpoint, reason: overflow}, client: overflow}
		t.clientEvents.Add(ctx, 1, t.clientSets.option(k, rest))
	}
	t.addEvent(trace.SpanFromContext(ctx), e, endpoint)
}

// correlationIDs are the identifiers that the library makes.
var correlationIDs = regexp.MustCompile(`^[0-9a-f]{32}$`)

// addEvent adds an event to a span. Its instant is that of the span's clock: the clock of a provider can be another.
func (t *Telemetry) addEvent(span trace.Span, e portner.Event, endpoint string) {
	if !span.IsRecording() {
		return
	}
	a := append(make([]attribute.KeyValue, 0, 4), attribute.String(keyEndpointAttr, endpoint))
	correlation := e.CorrelationID
	if !correlationIDs.MatchString(correlation) { // a host can have one of its own, which it may take from a request
		correlation = ""
	}
	for _, f := range [...]struct{ key, value string }{
		{keyReasonAttr, e.Reason}, {keyClientAttr, e.ClientID}, {"portner.correlation_id", correlation},
	} {
		if f.value != "" {
			a = append(a, attribute.String(f.key, f.value))
		}
	}
	span.AddEvent(string(e.Name), trace.WithAttributes(a...))
}

// OnSweep counts the records that a store removes because they have expired, and measures how long that takes. It is for the field OnSweep of
// the configurations of storage/postgres, storage/redis and storage/sqlite. A host that sweeps by itself calls it before, and the
// function that it returns afterwards.
func (t *Telemetry) OnSweep(ctx context.Context) (done func(removed int, err error)) {
	start := t.cfg.Now()
	return func(removed int, err error) {
		result := resultOf(err)
		t.sweeps.Record(ctx, t.cfg.Now().Sub(start).Seconds(), t.sweepSets.option(result, result))
		t.swept.Add(ctx, int64(max(removed, 0)), metric.WithAttributes(t.common...))
	}
}
