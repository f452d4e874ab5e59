package telemetry

import (
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// overflow is the value of an attribute whose values exceed their bound.
const overflow = "other"

// Names of attributes.
const (
	keyEventAttr    = "portner.event"
	keyEndpointAttr = "portner.endpoint"
	keyReasonAttr   = "portner.reason"
	keyClientAttr   = "portner.client"
	keyStatusAttr   = "portner.status"
	keyVerbAttr     = "portner.store.verb"
	keyOutcomeAttr  = "portner.outcome"
)

type eventKey struct{ event, endpoint, reason string }

func (k eventKey) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String(keyEventAttr, k.event), attribute.String(keyEndpointAttr, k.endpoint), attribute.String(keyReasonAttr, k.reason),
	}
}

type clientKey struct {
	eventKey

	client string
}

func (k clientKey) attributes() []attribute.KeyValue {
	return append(k.eventKey.attributes(), attribute.String(keyClientAttr, k.client))
}

type requestKey struct{ endpoint, status string }

func (k requestKey) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String(keyEndpointAttr, k.endpoint), attribute.String(keyStatusAttr, k.status)}
}

type callKey struct{ verb, result string }

func (k callKey) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String(keyVerbAttr, k.verb), attribute.String(keyOutcomeAttr, k.result)}
}

// names bounds the values of one attribute: the first ones keep their name.
type names struct {
	most int
	mu   sync.RWMutex
	seen map[string]bool
}

func newNames(most int) *names { return &names{most: most, seen: map[string]bool{}} }

// bound returns the name, or overflow if there are too many names. It returns "" for "".
func (n *names) bound(name string) string {
	if name == "" {
		return ""
	}
	n.mu.RLock()
	known := n.seen[name]
	n.mu.RUnlock()
	if known {
		return name
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.seen[name] {
		if len(n.seen) >= n.most {
			return overflow
		}
		n.seen[name] = true
	}
	return name
}

// sets holds the attribute sets of one instrument, so that a measurement makes none.
type sets[K comparable] struct {
	common     []attribute.KeyValue
	attributes func(K) []attribute.KeyValue
	mu         sync.RWMutex
	made       map[K]metric.MeasurementOption
}

func newSets[K comparable](common []attribute.KeyValue, attributes func(K) []attribute.KeyValue) *sets[K] {
	return &sets[K]{common: common, attributes: attributes, made: map[K]metric.MeasurementOption{}}
}

// option returns the attribute set of k, or that of rest if there are too many sets.
func (s *sets[K]) option(k, rest K) metric.MeasurementOption {
	s.mu.RLock()
	o := s.made[k]
	s.mu.RUnlock()
	if o != nil {
		return o
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.made) >= maxSets {
		k = rest
	}
	if o = s.made[k]; o == nil {
		o = metric.WithAttributeSet(attribute.NewSet(append(s.attributes(k), s.common...)...))
		s.made[k] = o
	}
	return o
}
