package scope

import (
	"errors"
	"slices"
)

// Why Narrow gives no scopes.
var (
	// ErrNotGranted says that a requested scope is not part of the grant, or no longer allowed.
	// Answer invalid_scope and leave the refresh token as it is.
	ErrNotGranted = errors.New("scope: not granted")
	// ErrNothingLeft says that no scope of the grant is allowed any more. Answer invalid_grant
	// and revoke the grant.
	ErrNothingLeft = errors.New("scope: nothing left of the grant")
)

// Narrow answers at the token endpoint, for a code as well as for a refresh token: which of a
// grant's scopes the token holds that is issued now (RFC 6749 section 6, security D6 and D7). Client and
// scopes are asked again, so that a withdrawn access or a deactivated scope counts at once.
//
// Requested is the scope parameter of the refresh, nil for all of the grant; naming a scope that the grant
// does not hold or that is not allowed now is ErrNotGranted. Without it scopes that are not
// allowed now are left out; the plan has them in Refused, for the log. The result never holds
// more than the grant, and keeps the grant's order.
//
// A narrower token is never less private: Pseudonymous and TokenType are those of the whole
// grant, as its records stand today; a scope without a record counts as opaque. Keep a grant pseudonymous that was stored so. OpenID and
// the lifetimes follow the token's scopes, LoginOnly the grant's.
func Narrow(requested, granted []string, c Client, src Source) (Plan, error) {
	for _, name := range requested {
		if !slices.Contains(granted, name) {
			return Plan{}, ErrNotGranted
		}
	}
	p := Plan{Requested: requested, TokenType: SelfContained, LoginOnly: true}
	if len(requested) == 0 {
		p.Requested = granted
	}
	loginOnlyGrant, opaque := true, false
	for _, name := range granted {
		loginOnlyGrant = loginOnlyGrant && loginOnly(name)
		if s := find(src, name); s != nil { // privacy counts for inactive scopes too
			p.Pseudonymous = p.Pseudonymous || s.RequiresPseudonymousTokens
			opaque = opaque || s.opaque()
		} else {
			opaque = true // a record that is gone may have been an opaque one
		}
		if !slices.Contains(p.Requested, name) {
			continue
		}
		s, reason := admit(name, c, src)
		if reason == "" {
			p.grant(s, len(granted))
			continue
		}
		p.Refused = append(p.Refused, Refusal{name, reason})
	}
	if len(requested) > 0 && len(p.Refused) > 0 {
		return Plan{}, ErrNotGranted
	}
	if len(p.Granted) == 0 {
		return Plan{}, ErrNothingLeft
	}
	p.LoginOnly = loginOnlyGrant
	if opaque {
		p.TokenType = Opaque
	}
	return p, nil
}
