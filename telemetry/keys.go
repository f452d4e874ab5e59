package telemetry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/keyset"
)

// KeySet is the part of *keyset.Set that ObserveKeys reads. A host that replaces its set implements it with the set in use.
type KeySet interface {
	// The contract of each method is that of the method of keyset.Set with the same name.
	States() []keyset.KeyState
	Ready(now time.Time) error
}

// ObserveKeys reports the signing keys whenever metrics are collected: how long each active key has signed, the number of keys in each phase,
// and whether the set signs. The instants of keys are compared with now; if it is nil, it is time.Now. Call ObserveKeys once: it returns a
// portner.FieldError if set is nil, and if it was called before.
func (t *Telemetry) ObserveKeys(set KeySet, now func() time.Time) error {
	if s, ok := set.(*keyset.Set); set == nil || ok && s == nil {
		return &portner.FieldError{Field: "set", Err: portner.ErrRequired}
	}
	if t.keysObserved.Swap(true) {
		return &portner.FieldError{Field: "set", Err: errors.New("must be the only one: ObserveKeys was called before")}
	}
	if now == nil {
		now = time.Now
	}
	age, err1 := t.meter.Float64ObservableGauge("portner.key.age", metric.WithUnit("s"), metric.WithDescription("Time for which the active signing key has signed."))
	count, err2 := t.meter.Int64ObservableGauge("portner.keys", metric.WithUnit("{key}"), metric.WithDescription("Signing keys by phase."))
	ready, err3 := t.meter.Int64ObservableGauge("portner.keys.ready", metric.WithUnit("{provider}"), metric.WithDescription("1 if the provider can sign, otherwise 0."))
	_, err := t.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		at, value := now(), int64(0)
		if set.Ready(at) == nil {
			value = 1
		}
		o.ObserveInt64(ready, value, metric.WithAttributes(t.common...))
		t.observeStates(o, set.States(), at, age, count)
		return nil
	}, age, count, ready)
	if err = errors.Join(err1, err2, err3, err); err != nil {
		return fmt.Errorf("telemetry: %w", err)
	}
	return nil
}

type phaseKey struct {
	alg   string
	phase keyset.Phase
}

func (t *Telemetry) observeStates(o metric.Observer, states []keyset.KeyState, at time.Time, age metric.Float64Observable, count metric.Int64Observable) {
	keys := map[phaseKey]int64{}
	for i := range states {
		k := &states[i]
		for _, phase := range [...]keyset.Phase{keyset.Planned, keyset.Next, keyset.Active, keyset.Retired} {
			keys[phaseKey{k.Alg, phase}] += 0 // a phase without keys is 0, not missing
		}
		phase := k.Phase(at)
		keys[phaseKey{k.Alg, phase}]++
		since := k.ActiveFrom
		if since.IsZero() {
			since = k.Created // it signed from the start
		}
		if phase == keyset.Active && !since.IsZero() {
			o.ObserveFloat64(age, at.Sub(since).Seconds(), t.with(attribute.String("portner.key.alg", k.Alg)))
		}
	}
	for k, n := range keys {
		if k.phase != keyset.Removed {
			o.ObserveInt64(count, n, t.with(attribute.String("portner.key.alg", k.alg), attribute.String("portner.key.phase", string(k.phase))))
		}
	}
}

// with returns the attributes of a measurement with those that every measurement has.
func (t *Telemetry) with(a ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributes(append(a, t.common...)...)
}
