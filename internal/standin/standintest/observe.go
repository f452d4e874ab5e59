package standintest

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/canary"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/keyset"
)

// Prepare opens a server as [standin.Command.Prepare] does. At the end of the test its log, events, metrics, pages, URLs and panics are
// searched for the identity numbers, secrets, tokens and private keys of its files, requests and responses (docs/threat-model.md H6).
func Prepare(t *testing.T, c standin.Command, log slog.Handler, args ...string) (standin.Server, error) {
	t.Helper()
	return PrepareWith(t, canary.Watch(t), c, log, args...)
}

// PrepareWith is Prepare with a recorder.
func PrepareWith(t *testing.T, r *canary.Recorder, c standin.Command, log slog.Handler, args ...string) (standin.Server, error) {
	t.Helper()
	c.Flags.Observe = func(site string, next http.Handler) http.Handler {
		switch site {
		case "provider", "mutual TLS":
			return r.Handler(next)
		case "administration":
			return r.Administration(next)
		}
		return r.Client(next)
	}
	c.Flags.NewKey = recordKeys(r, c.Flags.NewKey)
	if !slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "-metrics") }) {
		m, err := recordMeter(t, r, c.Flags.NewMeter)
		if err != nil {
			return nil, err
		}
		c.Flags.Meter = m
	}
	s, err := c.Prepare(args, slog.New(r.Logger(log)))
	for _, arg := range args { // after the server has made those that are absent
		_, name, found := strings.Cut(arg, "=")
		if !found {
			name = arg
		}
		for _, file := range []string{name, strings.TrimPrefix(name, "sqlite:") + ".secrets"} {
			if text, err := os.ReadFile(file); err == nil && len(text) < 1<<20 {
				r.Document(text)
			}
		}
	}
	return s, err
}

// recordKeys returns a function that makes keys, and adds them to the values of a recorder.
func recordKeys(r *canary.Recorder, next func(alg string) (keyset.Key, error)) func(alg string) (keyset.Key, error) {
	if next == nil {
		next = keyset.Generate
	}
	return func(alg string) (keyset.Key, error) {
		k, err := next(alg)
		r.PrivateKey(k.Signer)
		return k, err
	}
}

// recordMeter returns a meter whose events and metrics are recorded, without a port. Without newMeter it measures nothing.
func recordMeter(t *testing.T, r *canary.Recorder, newMeter func() (*standin.Meter, error)) (*standin.Meter, error) {
	if newMeter == nil {
		return &standin.Meter{
			OnEvent:  r.Event,
			OnSweep:  func(context.Context) func(int, error) { return func(int, error) {} },
			Requests: func(next http.Handler, _ func(string) string) http.Handler { return next },
			Keys:     func(standin.KeySet, func() time.Time) error { return nil },
			Store:    func(s standin.Store) standin.Store { return s },
		}, nil
	}
	m, err := newMeter()
	if err != nil {
		return nil, err
	}
	metrics, count := m.Handler, m.OnEvent
	m.Handler = nil
	m.Store = func(s standin.Store) standin.Store { return s } // tests look into it
	m.OnEvent = func(ctx context.Context, e portner.Event) {
		r.Event(ctx, e)
		count(ctx, e)
	}
	t.Cleanup(func() {
		rec := httptest.NewRecorder()
		metrics.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, standin.PathMetrics, nil))
		r.See(canary.Metric, rec.Body.String())
	})
	return m, nil
}
