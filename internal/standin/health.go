package standin

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Paths of the probes of every provider. They are at the root of its listener, also if the issuer has a path.
const (
	PathAlive = "/healthz" // the process is up
	PathReady = "/readyz"  // requests can be handled
)

// pingWithin is how long the store may take to answer a readiness probe.
const pingWithin = time.Second

// Reasons why a server is not ready.
const (
	reasonDraining = "draining" // the server stops
	reasonKeys     = "keys"     // no key signs
	reasonStore    = "store"    // the store does not answer, or accepts no write
)

// health answers the probes of a server.
type health struct {
	store    Store // may be nil
	keys     *Keys // may be nil
	log      *slog.Logger
	draining atomic.Bool

	mu      sync.Mutex
	ping    *ping // in progress; nil if there is none
	failing bool  // the last ping failed
}

// ping is one call of Store.Ping. Probes that arrive meanwhile share its result, so that probes of strangers are no load.
type ping struct {
	done chan struct{}
	err  error // valid after done is closed
}

// answer answers a probe. It returns false if the request is another one.
func (h *health) answer(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path != PathAlive && r.URL.Path != PathReady {
		return false
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return true
	}
	status, body := http.StatusOK, map[string]string{"status": "ok"}
	if r.URL.Path == PathReady {
		if reason := h.unready(r.Context()); reason != "" {
			status, body = http.StatusServiceUnavailable, map[string]string{"status": "unavailable", "reason": reason}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
	return true
}

// unready returns why the server is not ready. It returns "" if it is ready.
func (h *health) unready(ctx context.Context) string {
	switch {
	case h.draining.Load():
		return reasonDraining
	case h.keys != nil && !h.keys.Ready():
		return reasonKeys
	case h.store != nil && h.reach(ctx) != nil:
		return reasonStore
	}
	return ""
}

// reach returns nil if the store would accept a write. A probe that arrives during a ping waits for its result.
func (h *health) reach(ctx context.Context) error {
	h.mu.Lock()
	p := h.ping
	if p == nil {
		p = &ping{done: make(chan struct{})}
		h.ping = p
		go h.call(context.WithoutCancel(ctx), p)
	}
	h.mu.Unlock()
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pingWithin):
		return errors.New("the store does not answer in time")
	}
}

// call calls Ping of the store, and logs when its result changes.
func (h *health) call(ctx context.Context, p *ping) {
	ctx, cancel := context.WithTimeout(ctx, pingWithin)
	defer cancel()
	p.err = h.store.Ping(ctx)
	h.mu.Lock()
	h.ping = nil
	changed := h.failing != (p.err != nil)
	h.failing = p.err != nil
	h.mu.Unlock()
	close(p.done)
	switch {
	case changed && p.err != nil:
		h.log.Error("the store is not available", "error", p.err)
	case changed:
		h.log.Info("the store is available again")
	}
}
