package audit

import "github.com/portner-go/portner"

// Cause says in the log why a request was refused. It is the Err of a *portner.Error, so that a package may
// refuse in one place what another reports.
type Cause struct {
	Event   portner.EventName // what to report the refusal as
	Reason  string            // a fixed word
	GrantID string            // of the authorization, if there is one
}

// Error returns the reason.
func (c *Cause) Error() string { return "refused: " + c.Reason }
