package telemetry

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Handler returns a handler that measures each request of next and starts its span. The name of its endpoint is what the function returns
// for the path of the request, such as Provider.Endpoint; "" is counted as "other". The function must not return the path. If endpoint is nil,
// every request is counted as "other".
func (t *Telemetry) Handler(next http.Handler, endpoint func(path string) string) http.Handler {
	if endpoint == nil {
		endpoint = func(string) string { return "" }
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := t.endpoints.bound(endpoint(r.URL.Path))
		if name == "" {
			name = overflow
		}
		t.serve(w, r, next, name)
	})
}

func (t *Telemetry) serve(w http.ResponseWriter, r *http.Request, next http.Handler, endpoint string) {
	start, ctx := t.cfg.Now(), r.Context()
	if t.cfg.AcceptTraceparent && !trace.SpanContextFromContext(ctx).IsValid() {
		ctx = propagation.TraceContext{}.Extract(ctx, traceparent(r.Header))
	}
	var span trace.Span = noSpan
	if t.tracer != nil {
		ctx, span = t.tracer.Start(ctx, endpoint, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(append(
			[]attribute.KeyValue{attribute.String(keyEndpointAttr, endpoint), attribute.String("http.request.method", methodOf(r))}, t.common...)...))
		r = r.WithContext(ctx)
	}
	defer span.End()
	out, status := &response{ResponseWriter: w}, "aborted"
	defer func() { // also after a panic, which net/http handles
		k := requestKey{endpoint: endpoint, status: status}
		t.requests.Record(ctx, t.cfg.Now().Sub(start).Seconds(), t.requestSets.option(k, k))
		if status == "aborted" || out.status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
	}()
	next.ServeHTTP(out, r)
	if out.status == 0 {
		out.status = http.StatusOK // net/http writes it
	}
	span.SetAttributes(attribute.Int("http.response.status_code", out.status))
	status = classOf(out.status)
}

// traceparent has the header field of that name only, and only a single one: tracestate has text of the caller.
type traceparent http.Header

// Get implements propagation.TextMapCarrier.
func (h traceparent) Get(key string) string {
	if values := http.Header(h).Values(key); key == "traceparent" && len(values) == 1 {
		return values[0]
	}
	return ""
}

// Set implements propagation.TextMapCarrier. It does nothing, because the carrier is only read.
func (traceparent) Set(string, string) {}

// Keys implements propagation.TextMapCarrier.
func (traceparent) Keys() []string { return []string{"traceparent"} }

// methodOf returns the method of a request, and "_OTHER" for one that HTTP does not define.
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodConnect,
		http.MethodOptions, http.MethodTrace:
		return r.Method
	}
	return "_OTHER"
}

func classOf(status int) string {
	switch status / 100 {
	case 2:
		return "2xx"
	case 3:
		return "3xx"
	case 4:
		return "4xx"
	case 5:
		return "5xx"
	}
	return overflow
}

// response remembers the status of a response.
type response struct {
	http.ResponseWriter

	status int // 0 until the header is written
}

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK { // others are informational
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }
