package scope

import (
	"errors"
	"slices"
)

// Errors of [Narrow].
var (
	// ErrNotGranted reports that a requested scope is not part of the grant, or that the client may no longer have it. It
	// becomes invalid_scope; the refresh token stays valid.
	ErrNotGranted = errors.New("scope: not granted")
	// ErrNothingLeft reports that the client may no longer have any scope of the grant. It becomes invalid_grant; revoke the
	// grant.
	ErrNothingLeft = errors.New("scope: no scope of the grant is left")
)

// Narrow returns the scopes and conditions of a token that is issued now for a grant, for a code, a refresh token or a token
// exchange (RFC 6749 §6). It applies the rules for client and scopes again: a withdrawn access or a deactivated scope takes
// effect at once.
//
// requested is the scope parameter of the token request, nil for all scopes of the grant. A requested scope that the grant
// does not contain, or that the client may no longer have, is [ErrNotGranted]. Without requested, scopes that the client may no
// longer have are left out, and if the result is empty, the error is [ErrNothingLeft]. The result never exceeds the grant and has its order.
//
// Pseudonymous, TokenType and LoginOnly of the result are those of the whole grant (see [Privacy]), so that a narrower token does
// not disclose more. OpenID, Audience and the lifetimes are those of the scopes of the token.
func Narrow(requested, granted []string, c Client, src Source) (Plan, error) {
	for _, name := range requested {
		if !slices.Contains(granted, name) {
			return Plan{}, ErrNotGranted
		}
	}
	p := Plan{TokenType: SelfContained}
	loginOnlyGrant := true
	for _, name := range granted {
		loginOnlyGrant = loginOnlyGrant && loginOnly(name)
		if len(requested) > 0 && !slices.Contains(requested, name) {
			continue
		}
		s, reason := admit(name, c, src)
		switch {
		case reason == "":
			p.grant(s, len(granted))
		case len(requested) > 0:
			return Plan{}, ErrNotGranted
		}
	}
	if len(p.Granted) == 0 {
		return Plan{}, ErrNothingLeft
	}
	p.LoginOnly = loginOnlyGrant
	var opaque bool
	if p.Pseudonymous, opaque = Privacy(granted, src); opaque {
		p.TokenType = Opaque
	}
	return p, nil
}

// Privacy reports what the records of granted scopes require of every token of the grant: that it is pseudonymous, and that it
// is opaque. Inactive scopes count. A scope without a record counts as opaque, because its record may have required that. The
// tokens of a grant that is stored as pseudonymous are pseudonymous, whatever Privacy returns.
func Privacy(granted []string, src Source) (pseudonymous, opaque bool) {
	for _, name := range granted {
		s := find(src, name)
		pseudonymous = pseudonymous || s != nil && s.RequiresPseudonymousTokens
		opaque = opaque || s == nil || s.opaque()
	}
	return pseudonymous, opaque
}
