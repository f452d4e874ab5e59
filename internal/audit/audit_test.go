package audit_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/audit"
)

// TestPanickingHook verifies that a hook that panics ends neither the caller nor the log line, and that the value of the panic is
// not logged (docs/threat-model.md J13).
func TestPanickingHook(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := audit.Log{
		Endpoint: "logout", Logger: slog.New(slog.NewJSONHandler(&out, nil)),
		OnEvent: func(context.Context, portner.Event) { panic("21879498012") },
	}
	l.Emit(t.Context(), portner.Event{Name: portner.EventLoggedOut, Reason: "hint"})
	l.Fault(t.Context(), errors.New("db down"), "corr", time.Time{})
	require.Contains(t, out.String(), `"msg":"logout.done"`)
	require.Contains(t, out.String(), `"error":"db down"`)
	require.Equal(t, 2, bytes.Count(out.Bytes(), []byte("OnEvent panicked")))
	require.NotContains(t, out.String(), "21879498012")

	l.OnEvent = func(context.Context, portner.Event) { panic(http.ErrAbortHandler) }
	require.NotPanics(t, func() { l.Emit(t.Context(), portner.Event{Name: portner.EventRefused}) })
}

// TestLevels: violations of security rules are warnings, faults are errors, and only the log has the text of a fault.
func TestLevels(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	var heard []portner.Event
	l := audit.Log{
		Endpoint: "token", Logger: slog.New(slog.NewTextHandler(&out, nil)),
		OnEvent: func(_ context.Context, e portner.Event) { heard = append(heard, e) },
	}
	require.True(t, l.Active())
	l.Emit(t.Context(), portner.Event{Name: portner.EventCSRF, Reason: "a\nb=c"})
	l.Emit(t.Context(), portner.Event{Name: portner.EventRefused, Endpoint: "par"})
	l.Fault(t.Context(), errors.New("a\nlevel=ERROR msg=forged"), "c", time.Time{})
	require.Equal(t, 3, bytes.Count(out.Bytes(), []byte("\n")), "one event, one line: %s", out.String())
	for _, want := range []string{"level=WARN msg=sec.csrf", "level=INFO msg=req.refused", "level=ERROR msg=sys.fault", "endpoint=par"} {
		require.Contains(t, out.String(), want)
	}
	require.Equal(t, []string{"token", "par", "token"}, []string{heard[0].Endpoint, heard[1].Endpoint, heard[2].Endpoint})
	require.NotContains(t, heard[2].Reason, "forged")

	silent := audit.Log{}
	require.False(t, silent.Active())
	silent.Emit(t.Context(), portner.Event{Name: portner.EventCSRF})
	silent.Fault(t.Context(), errors.New("x"), "c", time.Time{})
}
