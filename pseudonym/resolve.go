package pseudonym

import "slices"

// Resolver is the client that introspects a token.
type Resolver struct {
	ClientID      string // if empty, no token may be introspected
	Orgno         string // organisation number of the client; if empty, it owns no scope
	Authenticated bool   // the client authenticated with its registered method, which is not "none"
	Introspects   bool   // the client has the scope idporten:token.introspection
}

// TokenScope is what introspection needs of the record of a scope. Pass one for every scope of a token that is not reserved, and
// the zero value for a scope without a record.
type TokenScope struct {
	OwnerOrgno string   // owner_orgno of the record; if empty, the scope has no owner
	Listed     []string // enforced_aud_for_introspection of the record: client_ids that may introspect tokens with the scope
}

// MayIntrospect reports whether the introspection response may describe the token; otherwise it must be {"active":false}. The
// resolver must be authenticated and have the introspection scope. It must also be the client of the token, or entitled to every
// scope: its organisation owns the scope, or the scope lists its client_id. If scopes is empty, only the client of the token may
// introspect it.
func MayIntrospect(r Resolver, tokenClientID string, scopes []TokenScope) bool {
	return r.qualified() && (r.ClientID == tokenClientID || r.entitled(scopes))
}

// MayResolve reports whether the response for a pseudonymous token contains the pid: the organisation of the resolver must own
// every scope.
//
// Pass the scopes of the grant, not those of the token: otherwise a refresh for fewer scopes would disclose the pid to an
// organisation that does not own all scopes of the grant.
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

// MayReadPID reports whether an introspection response contains the pid, for a token with any protection: for [Open] as
// MayIntrospect, for [Pseudonymous] as MayResolve. For [ByReference] the resolver must be entitled to every scope, as for
// MayIntrospect; being the client of the token does not suffice. scopes are those of the grant. An unknown protection is
// Pseudonymous.
func MayReadPID(p Protection, r Resolver, tokenClientID string, scopes []TokenScope) bool {
	switch p {
	case Open:
		return MayIntrospect(r, tokenClientID, scopes)
	case ByReference:
		return r.qualified() && r.entitled(scopes)
	}
	return MayResolve(r, scopes)
}

// qualified reports whether the client may introspect at all.
func (r *Resolver) qualified() bool {
	return r.Authenticated && r.Introspects && r.ClientID != ""
}

// entitled reports whether the client is listed for, or owns, every scope. It returns false for an empty list.
func (r *Resolver) entitled(scopes []TokenScope) bool {
	for i := range scopes {
		if !r.owns(&scopes[i]) && !slices.Contains(scopes[i].Listed, r.ClientID) {
			return false
		}
	}
	return len(scopes) > 0
}

func (r *Resolver) owns(s *TokenScope) bool { return r.Orgno != "" && r.Orgno == s.OwnerOrgno }
