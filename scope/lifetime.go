package scope

import "time"

// Expiry returns the end of a grant or token that is issued now: the earliest of now+lifetime, now+maxAge and end. A maxAge of 0
// and a zero end are no limits. If lifetime is 0 or less, the result is now: apply the provider's default before the call.
//
//	grant:         Expiry(now, authorizationLifetime, plan.AuthorizationMaxAge, time.Time{})
//	access token:  Expiry(now, accessTokenLifetime, plan.AccessTokenMaxAge, grant.ExpiresAt)
//	refresh token: Expiry(now, refreshTokenLifetime, 0, grant.ExpiresAt)
//
// Pass the end of the same grant at each refresh, so that a refresh does not extend it. The result is never before now.
func Expiry(now time.Time, lifetime, maxAge time.Duration, end time.Time) time.Time {
	lifetime = max(lifetime, 0)
	if maxAge > 0 {
		lifetime = min(lifetime, maxAge)
	}
	t := now.Add(lifetime)
	if !end.IsZero() && end.Before(t) {
		t = end
	}
	if t.Before(now) {
		return now
	}
	return t
}
