package logout

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/storage"
)

// maxBackground bounds the sessions whose clients are notified at the same time by NotifyEnded.
const maxBackground = 64

// NotifyEnded sends logout tokens to the clients of a session that a login ended, because another user logged in in the same browser
// or the user had too many sessions. It is for session.Config.OnEnded. now is the time of the login.
//
// NotifyEnded returns at once, so that no client can delay the login. The tokens are sent in the background, with one attempt each
// and six seconds for all of them, although ctx ends meanwhile. They are not sent if the process ends, or if 64 other sessions are
// being notified: clients must not rely on them alone. Clients with only a frontchannel_logout_uri are not notified, because no page
// of the user of the session is left that could show their frames.
func (e *Endpoint) NotifyEnded(ctx context.Context, ended storage.Session, now time.Time) {
	if e.cfg.Backchannel == nil || len(ended.Clients) == 0 {
		return
	}
	ctx = context.WithoutCancel(ctx)
	select {
	case e.background <- struct{}{}:
		go e.notifyInBackground(ctx, ended, now)
	default:
		for _, part := range ended.Clients {
			e.log.Emit(ctx, portner.Event{Name: portner.EventBackchannel, Time: now, ClientID: part.ClientID, Reason: "notifications_full"})
		}
	}
}

// notifyInBackground notifies the clients of a session. A panic of the host's code is logged without its value, which may hold
// anything: in a goroutine it would end the process.
func (e *Endpoint) notifyInBackground(ctx context.Context, ended storage.Session, now time.Time) {
	defer func() { <-e.background }()
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
