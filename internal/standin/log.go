package standin

import (
	"context"
	"io"
	"log/slog"
	"strings"

	"github.com/portner-go/portner"
)

// Logger returns a logger that writes one line of text for each event, with the time of day. The explanation of a rejected request is one
// sentence at the end of the line.
func Logger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(explaining{slog.NewTextHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		switch {
		case len(groups) > 0:
		case a.Key == slog.TimeKey:
			a.Value = slog.StringValue(a.Value.Time().Format("15:04:05.000"))
		case a.Key == "at": // the time of the event, equal to that of the line
			return slog.Attr{}
		}
		return a
	}})})
}

// explaining writes the attributes of a portner.Explanation as one attribute.
type explaining struct{ slog.Handler }

// Handle handles a record.
func (h explaining) Handle(ctx context.Context, r slog.Record) error {
	var x portner.Explanation
	parts := map[string]*string{"parameter": &x.Parameter, "received": &x.Received, "expected": &x.Expected, "property": &x.Property}
	kept := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if part := parts[a.Key]; part != nil {
			*part = a.Value.String()
		} else {
			kept.AddAttrs(a)
		}
		return true
	})
	if text := sentence(x); text != "" {
		kept.AddAttrs(slog.String("explanation", text))
	}
	return h.Handler.Handle(ctx, kept)
}

// sentence says what a request had, what is expected, and which property of the registration can permit it.
func sentence(x portner.Explanation) string {
	var b strings.Builder
	b.WriteString(x.Parameter)
	if x.Received != "" {
		b.WriteString(" is <" + x.Received + ">")
	}
	if x.Expected != "" {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString("expected: " + x.Expected)
	}
	if x.Property != "" {
		b.WriteString("; property of the client: " + x.Property)
	}
	return b.String()
}

// WithAttrs returns a handler whose records have attributes.
func (h explaining) WithAttrs(attrs []slog.Attr) slog.Handler {
	return explaining{h.Handler.WithAttrs(attrs)}
}

// WithGroup returns a handler whose records are in a group.
func (h explaining) WithGroup(name string) slog.Handler { return explaining{h.Handler.WithGroup(name)} }
