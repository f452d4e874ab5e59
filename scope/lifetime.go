package scope

import "time"

// Expiry returns when something that is issued now ends: the earliest of now+lifetime, now+maxAge and
// the end of what it belongs to (idporten section 7.5). A maxAge of 0 is no cap, a zero end no
// end. A lifetime of 0 or less has ended at once: put the provider's default in before.
//
//	authorization: Expiry(now, authorizationLifetime, plan.AuthorizationMaxAge, time.Time{})
//	access token:  Expiry(now, accessTokenLifetime, plan.AccessTokenMaxAge, authorizationEnd)
//	refresh token: Expiry(now, refreshTokenLifetime, 0, authorizationEnd)
//
// The authorization starts once; a refresh passes the same end again and never moves it
// (security D7). The result is never before now.
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
