package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/internal/slow"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/storage/storagetest"
	"github.com/portner-go/portner/telemetry"
	"github.com/portner-go/portner/token"
)

// The store behind the wrappers is checked elsewhere: the short form finds a wrapper that loses an argument, a result or an error.
func TestMain(m *testing.M) {
	if os.Getenv("PORTNER_STORAGETEST") == "" {
		_ = os.Setenv("PORTNER_STORAGETEST", "short")
	}
	os.Exit(m.Run())
}

// TestStores: a store behind a wrapper keeps its contract.
func TestStores(t *testing.T) {
	t.Parallel()
	b := newBed(t, telemetry.Config{})
	t.Run("Store", func(t *testing.T) {
		storagetest.Run(t, func(*testing.T) provider.Store { return b.Store(memory.New()) })
	})
	t.Run("PushedRequests", func(t *testing.T) {
		storagetest.RunPushedRequests(t, func(*testing.T) authorize.PushedRequestStore { return b.PushedRequests(memory.New()) })
	})
	t.Run("Replay", func(t *testing.T) {
		storagetest.RunReplay(t, func(*testing.T) client.ReplayStore { return b.Replay(memory.New()) })
	})
	t.Run("History", func(t *testing.T) {
		storagetest.RunHistory(t, func(*testing.T) storagetest.HistoryStore {
			s := memory.New()
			return struct {
				authorize.HistoryStore
				logins
			}{b.History(s), b.Logins(s)}
		})
	})
	t.Run("Grants", func(t *testing.T) {
		storagetest.RunGrants(t, func(*testing.T) storagetest.GrantStore {
			s := memory.New()
			return struct {
				provider.Store
				token.GrantStore
			}{b.Store(s), b.Grants(s)}
		})
	})
	t.Run("SigningKeys", func(t *testing.T) {
		storagetest.RunSigningKeys(t, func(*testing.T) keyset.Store { return b.SigningKeys(memory.New()) })
	})
}

type logins = authorizations.HistoryStore

// wrappers has a wrapper of each interface around s, by the name of its method.
func wrappers(t *telemetry.Telemetry, s *memory.Store) map[string]any {
	return map[string]any{
		"Store": t.Store(s), "PushedRequests": t.PushedRequests(s), "Replay": t.Replay(s), "History": t.History(s), "Logins": t.Logins(s),
		"Grants": t.Grants(s), "SigningKeys": t.SigningKeys(s),
	}
}

// TestEveryVerb: each method of each wrapper is measured under its own name, and no method of the store in memory that an interface has is
// missing.
func TestEveryVerb(t *testing.T) {
	t.Parallel()
	covered := map[string]bool{}
	b := newBed(t, telemetry.Config{})
	for name, wrapper := range wrappers(b.Telemetry, memory.New()) {
		v := reflect.ValueOf(wrapper)
		for i := range v.NumMethod() {
			verb := v.Type().Method(i).Name
			covered[verb] = true
			method := v.Method(i)
			args := []reflect.Value{reflect.ValueOf(t.Context())}
			for j := 1; j < method.Type().NumIn(); j++ {
				args = append(args, reflect.Zero(method.Type().In(j)))
			}
			func() { // a nil issuance is a fault of the caller, and some methods panic
				defer func() { _ = recover() }()
				method.Call(args)
			}()
			require.EqualValues(t, 1, b.count(t, "portner.store.duration", "portner.store.verb", verb), "%s.%s", name, verb)
		}
	}
	for _, iface := range []reflect.Type{
		reflect.TypeFor[provider.Store](), reflect.TypeFor[authorize.PushedRequestStore](), reflect.TypeFor[client.ReplayStore](),
		reflect.TypeFor[authorize.HistoryStore](), reflect.TypeFor[authorizations.HistoryStore](), reflect.TypeFor[token.GrantStore](),
		reflect.TypeFor[keyset.Store](),
	} {
		for i := range iface.NumMethod() {
			require.Contains(t, covered, iface.Method(i).Name, iface)
			delete(covered, iface.Method(i).Name)
		}
	}
	require.Empty(t, covered)
}

// TestNoStore: a field that has no store stays nil, so that its feature stays off.
func TestNoStore(t *testing.T) {
	t.Parallel()
	b := newBed(t, telemetry.Config{})
	require.True(t, b.Store(nil) == nil && b.PushedRequests(nil) == nil && b.Replay(nil) == nil && b.History(nil) == nil &&
		b.Logins(nil) == nil && b.Grants(nil) == nil && b.SigningKeys(nil) == nil)
}

// failing is a store of used assertions with one error, or a panic.
type failing struct{ err error }

var errPanic = errors.New("panic")

func (f failing) ConsumeJTI(context.Context, string, storage.Hash, time.Time, time.Time) error {
	if f.err == errPanic { //nolint:errorlint // the value itself
		panic("secret-of-the-store")
	}
	return f.err
}

// TestOutcomes: the error of a call has one of a few names, and its text is recorded nowhere.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err   error
		want  string
		fault bool
	}{
		{nil, "ok", false},
		{storage.ErrNotFound, "not_found", false},
		{storage.ErrConsumed, "consumed", false},
		{storage.ErrRevoked, "revoked", false},
		{fmt.Errorf("secret-of-the-store: %w", storage.ErrConflict), "conflict", false},
		{storage.ErrFull, "full", true},
		{fmt.Errorf("secret-of-the-store: %w", portner.ErrUnavailable), "unavailable", true},
		{errors.Join(portner.ErrUnavailable, storage.ErrNotFound), "unavailable", true},
		{context.DeadlineExceeded, "unavailable", true},
		{context.Canceled, "canceled", false},
		{errors.New("secret-of-the-store"), "error", true},
		{errPanic, "error", true},
	} {
		b := newBed(t, telemetry.Config{})
		func() {
			defer func() { require.Equal(t, errors.Is(c.err, errPanic), recover() != nil, "the panic goes on") }()
			require.Equal(t, c.err, b.Replay(failing{c.err}).ConsumeJTI(t.Context(), "a", storage.Hash{}, epoch, epoch))
		}()
		require.EqualValues(t, 1, b.count(t, "portner.store.duration", "portner.store.verb", "ConsumeJTI", "portner.outcome", c.want), c.err)
		spans := b.spans.GetSpans()
		require.Len(t, spans, 1)
		require.Equal(t, c.fault, spans[0].Status.Code == codes.Error, c.err)
		require.NotContains(t, b.exported(t), "secret-of-the-store")
	}
}

// TestAllocations: what telemetry adds to a call, with metrics and without traces.
func TestAllocations(t *testing.T) { // not parallel: the allocations of the whole process are counted
	b, err := telemetry.New(telemetry.Config{MeterProvider: newMeters()})
	require.NoError(t, err)
	ctx := t.Context()
	replay := b.Replay(failing{storage.ErrConsumed})
	e := portner.Event{Name: portner.EventTokenIssued, Endpoint: "token", ClientID: "a", Reason: "refresh_token"}
	for name, c := range map[string]struct {
		most float64
		do   func()
	}{
		"a call of the store":    {2, func() { _ = replay.ConsumeJTI(ctx, "a", storage.Hash{}, epoch, epoch) }},
		"an event with a client": {2, func() { b.OnEvent(ctx, e) }},
	} {
		require.LessOrEqual(t, slow.Allocations(t, 100, c.do), c.most, name)
	}
}
