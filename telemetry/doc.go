// Package telemetry reports the metrics and traces of a provider to OpenTelemetry: events by name, endpoint, client and reason, the
// duration of requests and of each call of the store, the age of signing keys, and the removal of expired records.
//
// It has no exporter. The host chooses one when it makes the MeterProvider and the TracerProvider:
//
//	t, err := telemetry.New(telemetry.Config{MeterProvider: meters, TracerProvider: tracers})
//	op, err := provider.New(provider.Config{
//		Store: t.Store(store), PushedRequests: t.PushedRequests(store), Replay: t.Replay(store), // and what the host has beside these
//		OnEvent: t.OnEvent,
//	})
//	srv := &http.Server{Handler: t.Handler(op, op.Endpoint)}
//
// docs/telemetry.md lists every instrument and its attributes.
//
// # Attributes
//
// No attribute has a value that a peer chooses: no path, no query, no header field, no address, no error text and no value of a request. A
// client is named only after package provider found its registration. Identity numbers, subjects, names, codes, tokens, secrets and
// identifiers of sessions and grants are in no attribute of a metric or a span.
//
// The number of attribute sets of each instrument is bounded. What exceeds a bound is counted with the value "other", so that a total stays
// right, and an event never loses its name.
package telemetry
