package admin

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/portner-go/portner"
)

// Bounds of the refusals that are kept.
const (
	maxRefusals = 500
	keepFor     = 12 * time.Hour
)

// Refusals are the rejected requests of the last hours, at most 500. Make one with NewRefusals, and call Observe for the events of the stand-in.
type Refusals struct {
	mu   sync.Mutex
	ring []portner.Event
	next int // where the next one goes, once the ring is full
}

// NewRefusals returns refusals without any.
func NewRefusals() *Refusals { return &Refusals{} }

// Observe keeps an event if it is the rejection of a request or a fault. It has the signature of provider.Config.OnEvent. Events have no
// secret and no identity number; the value that was received is masked and shortened.
func (r *Refusals) Observe(_ context.Context, e portner.Event) {
	if e.Name != portner.EventRefused && !strings.HasPrefix(string(e.Name), "sec.") && !strings.HasPrefix(string(e.Name), "sys.") {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ring) < maxRefusals {
		r.ring = append(r.ring, e)
		return
	}
	r.ring[r.next] = e
	r.next = (r.next + 1) % maxRefusals
}

// List returns the refusals that are less than twelve hours old, the newest first.
func (r *Refusals) List(now time.Time) []portner.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []portner.Event
	for i := range r.ring {
		e := r.ring[(r.next+len(r.ring)-1-i)%len(r.ring)]
		if now.Sub(e.Time) < keepFor {
			list = append(list, e)
		}
	}
	return list
}
