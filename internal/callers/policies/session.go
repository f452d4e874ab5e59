package policies

import (
	"time"

	"github.com/portner-go/portner/session"
)

// loggedIn reports whether a session is live: at most 8 hours, with requests at most 30 minutes apart.
func loggedIn(startedAt, lastRequestAt, now time.Time) bool {
	limits := session.Limits{Max: 8 * time.Hour} // Idle: 30 min
	return limits.State(session.Times{StartedAt: startedAt, LastRequestAt: lastRequestAt}, now) == session.Active
}
