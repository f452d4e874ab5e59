package audit

import "github.com/portner-go/portner"

// Cause is the event and the reason of a rejected request. A package that rejects a request sets it as the Err of the *portner.Error;
// the endpoint that handles the request emits the event.
type Cause struct {
	Event   portner.EventName // event to report
	Reason  string            // snake_case, listed in docs/log-reasons.md
	GrantID string            // may be empty
	// Expected is Explanation.Expected in place of the text of the rule of Reason. It may be empty.
	Expected string
}

// Error returns the reason.
func (c *Cause) Error() string { return "refused: " + c.Reason }
