// Package audit is the one way events and faults reach the host's logger and hook.
package audit

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/portner-go/portner"
)

// Log emits events. The zero value discards.
type Log struct {
	Endpoint string
	Logger   *slog.Logger                         // nil discards
	OnEvent  func(context.Context, portner.Event) // nil: nobody listens
}

// Active reports whether anybody listens, so that callers can skip work.
func (l Log) Active() bool { return l.Logger != nil || l.OnEvent != nil }

// Emit sends one event. Faults (sys.*) are logged as errors, attacks (sec.*) as warnings, the rest as
// information.
func (l Log) Emit(ctx context.Context, e portner.Event) {
	if !l.Active() {
		return
	}
	if e.Endpoint == "" {
		e.Endpoint = l.Endpoint
	}
	l.tell(ctx, e)
	if l.Logger != nil {
		l.Logger.LogAttrs(ctx, level(e.Name), string(e.Name), attrs(e)...)
	}
}

// Fault reports an internal error once, with its text, which goes to the log only.
func (l Log) Fault(ctx context.Context, err error, corrID string, now time.Time) {
	e := portner.Event{Name: portner.EventFault, Time: now, CorrelationID: corrID, Endpoint: l.Endpoint}
	l.tell(ctx, e)
	if l.Logger != nil {
		l.Logger.LogAttrs(ctx, slog.LevelError, string(e.Name), append(attrs(e), slog.String("error", err.Error()))...)
	}
}

// tell calls the hook. It listens and decides nothing, so its panic changes nothing: it may come in a
// goroutine where it would end the process (security row J13). The panic's value may be anything and is
// not logged.
func (l Log) tell(ctx context.Context, e portner.Event) {
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
	a := make([]slog.Attr, 0, 6)
	a = append(a, slog.Time("at", e.Time.UTC()), slog.String("endpoint", e.Endpoint))
	for _, f := range [...]struct{ k, v string }{
		{"corr_id", e.CorrelationID}, {"client_id", e.ClientID}, {"grant_id", e.GrantID}, {"reason", e.Reason},
	} {
		if f.v != "" {
			a = append(a, slog.String(f.k, f.v))
		}
	}
	return a
}
