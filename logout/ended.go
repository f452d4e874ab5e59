package logout

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/storage"
)

// maxBackground bounds the logout tokens that NotifyEnded sends at the same time.
const maxBackground = 128

// slots counts the logout tokens that are being sent. A client may have at most as many as are free, so that one that does not answer
// holds half of them, and leaves the others to other clients.
type slots struct {
	mu   sync.Mutex
	used int
	held map[string]int // by client
}

func (s *slots) take(clientID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[clientID] >= maxBackground-s.used {
		return false
	}
	if s.held == nil {
		s.held = map[string]int{}
	}
	s.used++
	s.held[clientID]++
	return true
}

func (s *slots) give(clientID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used--
	if s.held[clientID]--; s.held[clientID] == 0 {
		delete(s.held, clientID)
	}
}

// NotifyEnded sends logout tokens to the clients of a session that a login ended, because another user logged in in the same browser
// or the user had too many sessions. It is for session.Config.OnEnded. now is the time of the login.
//
// NotifyEnded returns at once, so that no client can delay the login. The tokens are sent in the background, with one attempt and six
// seconds each, although ctx ends meanwhile. A token is not sent if the process ends, or if 128 others are being sent, or as many to
// its client as there is room for: clients must not rely on them alone. Clients with only a frontchannel_logout_uri are not notified,
// because no page of the user of the session is left that could show their frames.
func (e *Endpoint) NotifyEnded(ctx context.Context, ended storage.Session, now time.Time) {
	if e.cfg.Backchannel == nil {
		return
	}
	ctx = context.WithoutCancel(ctx)
	for _, part := range ended.Clients {
		if !e.background.take(part.ClientID) {
			e.log.Emit(ctx, portner.Event{Name: portner.EventBackchannel, Time: now, ClientID: part.ClientID, Reason: "notifications_full"})
			continue
		}
		one := ended
		one.Clients = []storage.SessionClient{part}
		go e.notifyInBackground(ctx, one, now)
	}
}

// notifyInBackground notifies one client of a session. A panic of the host's code is logged without its value, which may hold
// anything: in a goroutine it would end the process.
func (e *Endpoint) notifyInBackground(ctx context.Context, ended storage.Session, now time.Time) {
	defer e.background.give(ended.Clients[0].ClientID)
	defer func() { _ = recover() }() // of the host's logger
	defer func() {
		if v := recover(); v != nil {
			e.log.Fault(ctx, fmt.Errorf("logout: panic of type %T\n%s", v, debug.Stack()), httpx.NewCorrelationID(), now)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, backchannelTimeout)
	defer cancel()
	e.notifyBackchannel(ctx, ended, e.participants(ctx, ended, now), now)
}
