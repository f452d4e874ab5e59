// Package audit sends events and faults to the logger and the event hook of the host.
package audit

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/portner-go/portner"
)

// Log emits events. The zero value discards them.
type Log struct {
	Endpoint string                               // Event.Endpoint of events without one
	Logger   *slog.Logger                         // if nil, nothing is logged
	OnEvent  func(context.Context, portner.Event) // may be nil
}

// Active reports whether events have a receiver, so that callers can skip work.
func (l Log) Active() bool { return l.Logger != nil || l.OnEvent != nil }

// Emit sends one event to the hook and the logger. Faults (sys.*) are logged at level error, violations of security rules (sec.*) at
// level warning, other events at level info.
func (l Log) Emit(ctx context.Context, e portner.Event) {
	if !l.Active() {
		return
	}
	if e.Endpoint == "" {
		e.Endpoint = l.Endpoint
	}
	if e.Reason != "" && rejection(e.Name) {
		e.Explanation = explain(e)
	}
	l.callHook(ctx, e)
	if l.Logger != nil {
		l.Logger.LogAttrs(ctx, level(e.Name), string(e.Name), attrs(e)...)
	}
}

// Fault reports an internal error. Its text is logged and not part of the event.
func (l Log) Fault(ctx context.Context, err error, corrID string, now time.Time) {
	e := portner.Event{Name: portner.EventFault, Time: now, CorrelationID: corrID, Endpoint: l.Endpoint}
	l.callHook(ctx, e)
	if l.Logger != nil {
		l.Logger.LogAttrs(ctx, slog.LevelError, string(e.Name), append(attrs(e), slog.String("error", err.Error()))...)
	}
}

// callHook calls the hook. A panic of the hook is recovered, because callers may run in goroutines of their own
// (docs/threat-model.md J13). The value of the panic is not logged.
func (l Log) callHook(ctx context.Context, e portner.Event) {
	if l.OnEvent == nil {
		return
	}
	defer func() {
		if v := recover(); v != nil && l.Logger != nil {
			l.Logger.LogAttrs(ctx, slog.LevelError, string(portner.EventFault), slog.String("endpoint", e.Endpoint),
				slog.String("error", fmt.Sprintf("OnEvent panicked with a %T", v)))
		}
	}()
	l.OnEvent(ctx, e)
}

// rejection reports whether an event is the end of a request, or of a part of it.
func rejection(n portner.EventName) bool {
	return n == portner.EventRefused || strings.HasPrefix(string(n), "sec.")
}

func level(n portner.EventName) slog.Level {
	switch {
	case len(n) > 4 && n[:4] == "sys.":
		return slog.LevelError
	case len(n) > 4 && n[:4] == "sec.":
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

func attrs(e portner.Event) []slog.Attr {
	a := make([]slog.Attr, 0, 10)
	a = append(a, slog.Time("at", e.Time.UTC()), slog.String("endpoint", e.Endpoint))
	for _, f := range [...]struct{ k, v string }{
		{"corr_id", e.CorrelationID},
		{"client_id", e.ClientID},
		{"grant_id", e.GrantID},
		{"reason", e.Reason},
		{"parameter", e.Explanation.Parameter},
		{"received", e.Explanation.Received},
		{"expected", e.Explanation.Expected},
		{"property", e.Explanation.Property},
	} {
		if f.v != "" {
			a = append(a, slog.String(f.k, f.v))
		}
	}
	return a
}
