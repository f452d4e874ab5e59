package telemetry

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	nooptrace "go.opentelemetry.io/otel/trace/noop"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/storage"
)

// call is one call of a store.
type call struct {
	*Telemetry
	ctx   context.Context
	verb  string
	start time.Time
	span  trace.Span
}

// noSpan is the span of a Telemetry without traces.
var noSpan nooptrace.Span

var errPanicked = errors.New("telemetry: the store panicked")

// begin starts the span of a call. It sets *err to a fault, which the result of the call replaces, unless the store panics.
func (t *Telemetry) begin(ctx context.Context, verb string, err *error) (context.Context, call) {
	*err = errPanicked
	var span trace.Span = noSpan
	if t.tracer != nil {
		ctx, span = t.tracer.Start(ctx, "store."+verb, trace.WithSpanKind(trace.SpanKindClient))
	}
	return ctx, call{Telemetry: t, ctx: ctx, verb: verb, start: t.cfg.Now(), span: span}
}

// end records the call. The text of its error is not recorded: that of a database can have values.
func (c call) end(err *error) {
	k := callKey{verb: c.verb, result: resultOf(*err)}
	c.calls.Record(c.ctx, c.cfg.Now().Sub(c.start).Seconds(), c.callSets.option(k, k))
	if c.span.IsRecording() {
		c.span.SetAttributes(append([]attribute.KeyValue{attribute.String(keyVerbAttr, k.verb), attribute.String(keyOutcomeAttr, k.result)}, c.common...)...)
		if isFault(k.result) {
			c.span.SetStatus(codes.Error, "")
		}
	}
	c.span.End()
}

// results are the errors of a store that have a name, in the order in which they are looked for.
var results = []struct {
	err  error
	name string
}{
	{storage.ErrFull, "full"},
	{portner.ErrUnavailable, "unavailable"},
	{storage.ErrNotFound, "not_found"},
	{storage.ErrConsumed, "consumed"},
	{storage.ErrRevoked, "revoked"},
	{storage.ErrConflict, "conflict"},
	{context.Canceled, "canceled"},
	{context.DeadlineExceeded, "unavailable"},
}

// isFault reports whether a result is a fault of the store, and not a verdict.
func isFault(result string) bool {
	return result == "full" || result == "unavailable" || result == "error"
}

// resultOf returns the name of an error of a store.
func resultOf(err error) string {
	if err == nil {
		return "ok"
	}
	for _, o := range results {
		if errors.Is(err, o.err) {
			return o.name
		}
	}
	return "error"
}
