package pseudonym

import "slices"

// Resolver is who asks what a token says (introspection).
type Resolver struct {
	ClientID      string // compared with the token's client and with Listed; "" gets nothing
	Orgno         string // of its organisation; "" owns nothing
	Authenticated bool   // with its registered method, and that is not "none"
	Introspects   bool   // holds the scope idporten:token.introspection
}

// TokenScope is what resolving needs to know of each non-reserved scope (not openid, profile and the
// like) of a token. Pass one for every such scope, an empty one if its record is gone.
type TokenScope struct {
	OwnerOrgno string   // owner_orgno of the record; "" is nobody's
	Listed     []string // enforced_aud_for_introspection: client_ids
}

// MayIntrospect reports whether the resolver gets any answer about a token but
// {"active":false} (idporten section 10.2, security H2). It must be authenticated and hold the introspection
// scope, and then be the client the token was issued to, or for every scope be listed or
// belong to its owner. A token without scopes of an API is its own client's business only.
func MayIntrospect(r Resolver, tokenClientID string, scopes []TokenScope) bool {
	return r.qualified() && (r.ClientID == tokenClientID || r.entitled(scopes))
}

// MayResolve reports whether the answer holds the pid of a pseudonymous token: only for the
// organisation that owns the scopes, every one of them (idporten section 13.1).
//
// Pass the scopes of the grant rather than of the token: a refresh for fewer scopes must not show
// the pid to an organisation that the whole grant hides it from (security H4).
func MayResolve(r Resolver, scopes []TokenScope) bool {
	if !r.qualified() || len(scopes) == 0 {
		return false
	}
	for i := range scopes {
		if !r.owns(&scopes[i]) {
			return false
		}
	}
	return true
}

// MayReadPID reports whether the answer to an introspection holds the pid, for each way of
// protecting it. A token by reference shows it to the API, not to the client that the
// reference was meant to keep it from. Scopes are those of the grant.
func MayReadPID(p Protection, r Resolver, tokenClientID string, scopes []TokenScope) bool {
	switch p {
	case Open:
		return MayIntrospect(r, tokenClientID, scopes)
	case ByReference:
		return r.qualified() && r.entitled(scopes)
	}
	return MayResolve(r, scopes)
}

// qualified is conditions 2 and 3 of section 10.2.
func (r *Resolver) qualified() bool {
	return r.Authenticated && r.Introspects && r.ClientID != ""
}

// entitled is condition 1: listed for, or owner of, every scope. No scope entitles nobody.
func (r *Resolver) entitled(scopes []TokenScope) bool {
	for i := range scopes {
		if !r.owns(&scopes[i]) && !slices.Contains(scopes[i].Listed, r.ClientID) {
			return false
		}
	}
	return len(scopes) > 0
}

func (r *Resolver) owns(s *TokenScope) bool { return r.Orgno != "" && r.Orgno == s.OwnerOrgno }
