package scope

import (
	"slices"
	"time"
)

// Consent is the remembered answer of a user for one scope of a client. If the client acts for several customers
// (storage.ConsentKey), the caller passes the consents for the customer of the request.
type Consent struct {
	Scope     string    // the name of the scope
	Version   string    // the ConsentVersion that the scope had when the user consented
	ExpiresAt time.Time // the end is exclusive
}

// Covers reports whether c is a consent to s that is valid at now: it has the ConsentVersion of s and has not expired. It
// returns false for the zero time.
func (c Consent) Covers(s *Scope, now time.Time) bool {
	return s != nil && c.Scope == s.Name && c.Version == s.ConsentVersion && !now.IsZero() && now.Before(c.ExpiresAt)
}

// Answer is what the user answered on the consent page. Shown scopes that are not approved are declined. For a scope that was not
// shown, remembered consents apply.
type Answer struct {
	Shown, Approved []string // names of scopes
}

// consentState is the state of the consent to one scope.
type consentState int

const (
	consentMissing consentState = iota
	consentGiven
	consentDeclined
)

// consent returns the state of the consent to s. The answer of the user takes precedence over a remembered consent.
func (r *Request) consent(s *Scope) consentState {
	switch {
	case !s.RequiresUserConsent:
		return consentGiven // the login is the consent
	case r.Answer != nil && slices.Contains(r.Answer.Shown, s.Name):
		if slices.Contains(r.Answer.Approved, s.Name) {
			return consentGiven
		}
		return consentDeclined
	case r.PromptConsent:
		return consentMissing
	}
	for _, c := range r.Consents {
		if c.Covers(s, r.Now) {
			return consentGiven
		}
	}
	return consentMissing
}
