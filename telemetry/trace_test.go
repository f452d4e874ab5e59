package telemetry_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/portner-go/portner/telemetry"
)

const (
	foreignTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	foreignSpan  = "00f067aa0ba902b7"
	traceparent  = "00-" + foreignTrace + "-" + foreignSpan + "-01"
)

// TestSpans: the calls of the store are children of the span of their request, which has its events.
func TestSpans(t *testing.T) {
	t.Parallel()
	b := newBed(t, telemetry.Config{})
	op := b.observe(t)
	r := op.Request("tjeneste", "openid profile")
	code := op.Browser().Login(t, r, "kari").Code(t)
	b.spans.Reset()
	tokens := op.Exchange(t, r, code)
	require.Equal(t, http.StatusOK, tokens.Status)
	spans := b.spans.GetSpans()
	request := named(t, spans, "token")
	require.False(t, request.Parent.IsValid())
	for _, name := range []string{"store.Code", "store.RedeemCode"} {
		call := named(t, spans, name)
		require.Equal(t, request.SpanContext.SpanID(), call.Parent.SpanID(), name)
		require.Equal(t, request.SpanContext.TraceID(), call.SpanContext.TraceID(), name)
	}
	require.Len(t, request.Events, 1)
	require.Equal(t, "token.issued", request.Events[0].Name)
}

// TestEveryCallHasARequest: no call of the store in a flow has a trace of its own, also those that outlive a cancelled request.
func TestEveryCallHasARequest(t *testing.T) {
	t.Parallel()
	b := newBed(t, telemetry.Config{})
	op := b.observe(t)
	b.spans.Reset() // making the keys is no request
	flow(t, op)
	requests := 0
	for _, s := range b.spans.GetSpans() {
		if s.SpanKind.String() == "server" {
			requests++
			continue
		}
		require.True(t, s.Parent.IsValid(), s.Name)
	}
	require.Greater(t, requests, 10)
}

func named(t *testing.T, spans tracetest.SpanStubs, name string) (found tracetest.SpanStub) {
	t.Helper()
	n := 0
	for _, s := range spans {
		if s.Name == name {
			found, n = s, n+1
		}
	}
	require.Equal(t, 1, n, name)
	return found
}

// TestTraceparent: a trace from outside is continued only if the configuration says so, and tracestate never is.
func TestTraceparent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		accept    bool
		header    []string
		continued bool
	}{
		"off":               {false, []string{"Traceparent", traceparent}, false},
		"on":                {true, []string{"Traceparent", traceparent, "Tracestate", "vendor=canary", "Baggage", "user=canary"}, true},
		"repeated":          {true, []string{"Traceparent", traceparent, "Traceparent", traceparent}, false},
		"malformed":         {true, []string{"Traceparent", traceparent + "x"}, false},
		"without the field": {true, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, telemetry.Config{AcceptTraceparent: c.accept})
			do(t, b.Handler(http.NotFoundHandler(), func(string) string { return "token" }), http.MethodGet, "/token", nil, c.header...)
			spans := b.spans.GetSpans()
			require.Len(t, spans, 1)
			require.Equal(t, c.continued, spans[0].SpanContext.TraceID().String() == foreignTrace)
			require.Equal(t, c.continued, spans[0].Parent.SpanID().String() == foreignSpan)
			require.Empty(t, spans[0].SpanContext.TraceState().String())
			require.NotContains(t, b.exported(t), "canary")
		})
	}
}
