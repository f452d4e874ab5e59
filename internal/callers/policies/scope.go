package policies

import (
	"errors"
	"time"

	"github.com/portner-go/portner/scope"
)

// decideScopes returns the granted scopes of an authorization request, and those that the user must still consent to.
func decideScopes(param string, c scope.Client, records scope.Source, remembered []scope.Consent, answer *scope.Answer) (granted []string, ask []*scope.Scope, err error) {
	requested, err := scope.Parse(param)
	if err != nil {
		return nil, nil, err // invalid_scope
	}
	plan, err := scope.Evaluate(scope.Request{
		Requested: requested, Client: c, Scopes: records, Consents: remembered, Answer: answer, Now: time.Now(),
	})
	if errors.Is(err, scope.ErrAllDeclined) {
		return nil, nil, err // access_denied
	}
	return plan.Granted, plan.NeedsConsent, err // *RefusedError: invalid_scope
}
