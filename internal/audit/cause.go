package audit

import "github.com/portner-go/portner"

// Cause is the event and the reason of a rejected request, for the log. It is the Err of a *portner.Error, so that one package can
// reject what another reports.
type Cause struct {
	Event   portner.EventName // event to report
	Reason  string            // snake_case, listed in docs/log-reasons.md
	GrantID string            // may be empty
}

// Error returns the reason.
func (c *Cause) Error() string { return "refused: " + c.Reason }
