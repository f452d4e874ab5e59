package pseudonym

import "slices"

// Resolver is the client that introspects a token.
type Resolver struct {
	ClientID      string   // if empty, no token may be introspected
	Orgno         string   // organisation number of the client; if empty, it owns no scope
	Authenticated bool     // the client authenticated with its registered method, which is not "none"
	Introspects   bool     // the client is registered as a resource server: it may introspect tokens of others
	Resources     []string // audiences that the resource server serves
}

// Token is what introspection needs of a token and its grant.
type Token struct {
	ClientID      string       // the client of the token
	Organisations []string     // organisation numbers of that client, its supplier and its customer
	Exchanged     bool         // the token was exchanged for another one (RFC 8693), whose client may be of any organisation
	Audience      []string     // aud of the token, as granted
	Scopes        []TokenScope // of the token
	Granted       []TokenScope // of the grant: at least those of the token
}

// TokenScope is what introspection needs of the record of a scope. Pass one for every scope of a token that is not reserved, and
// the zero value for a scope without a record.
type TokenScope struct {
	OwnerOrgno   string   // owner_orgno of the record; if empty, the scope has no owner
	Listed       []string // enforced_aud_for_introspection of the record: client_ids that may introspect tokens with the scope
	Opaque       bool     // the scope requires opaque tokens
	Pseudonymous bool     // the scope requires pseudonymous tokens
}

// MayIntrospect reports whether the introspection response may describe the token; otherwise it must be {"active":false}. The
// resolver must be authenticated. It must be the client of the token, or a resource server that serves an audience of the token or is
// entitled to one of its scopes: its organisation owns the scope, or the scope lists its client_id.
func MayIntrospect(r Resolver, t Token) bool {
	return r.known() && (r.ClientID == t.ClientID || r.Introspects && (r.serves(t.Audience) || slices.ContainsFunc(t.Scopes, r.entitled)))
}

// MaySeeScope reports whether the response names s, a scope of the token; it names reserved scopes in any case. The client of the token
// sees every scope, and so does a resource server that serves every audience of the token. Others see the scopes that they are entitled
// to, and with an audience of their own those without an owner.
func MaySeeScope(r Resolver, t Token, s TokenScope) bool {
	switch {
	case !MayIntrospect(r, t):
		return false
	case r.ClientID == t.ClientID, r.Introspects && r.entitled(s):
		return true
	}
	served := 0
	for _, aud := range t.Audience {
		if slices.Contains(r.Resources, aud) {
			served++
		}
	}
	return served > 0 && (served == len(t.Audience) || s.OwnerOrgno == "" && len(s.Listed) == 0)
}

// MayReadPID reports whether an introspection response contains the pid. For [Open] it is MayIntrospect: the client of the token
// knows the user. Otherwise the resolver must be a resource server that is entitled by a scope of the token with this protection:
//
//   - [ByReference]: its organisation owns the scope, or the scope lists its client_id, and the scope requires opaque tokens.
//   - [Pseudonymous]: its organisation owns the scope, and the scope requires pseudonymous tokens.
//
// A resource server without such a scope, one of the organisation of the client, and every one for an exchanged token must be entitled
// to every scope of the token and of the grant, for Pseudonymous as their owner: a client could request a scope of its own together with
// those of others, and learn from its resource server who the user of their scopes is. Neither being the client of the token nor an
// audience suffices. An unknown protection is Pseudonymous.
func MayReadPID(p Protection, r Resolver, t Token) bool {
	if p == Open {
		return MayIntrospect(r, t)
	}
	if !r.known() || !r.Introspects || len(t.Scopes) == 0 {
		return false
	}
	entitled, protects := r.owns, func(s TokenScope) bool { return s.Pseudonymous }
	if p == ByReference {
		entitled, protects = r.entitled, func(s TokenScope) bool { return s.Opaque || s.Pseudonymous }
	}
	own := t.Exchanged || r.ClientID == t.ClientID || r.Orgno != "" && slices.Contains(t.Organisations, r.Orgno)
	if !own && slices.ContainsFunc(t.Scopes, func(s TokenScope) bool { return protects(s) && entitled(s) }) {
		return true
	}
	foreign := func(s TokenScope) bool { return !entitled(s) }
	return !slices.ContainsFunc(t.Scopes, foreign) && !slices.ContainsFunc(t.Granted, foreign)
}

// known reports whether the resolver authenticated as a client.
func (r *Resolver) known() bool { return r.Authenticated && r.ClientID != "" }

// serves reports whether one of the audiences is a resource of the resolver.
func (r *Resolver) serves(audience []string) bool {
	return slices.ContainsFunc(audience, func(aud string) bool { return slices.Contains(r.Resources, aud) })
}

// entitled reports whether the resolver owns the scope or is listed for it.
func (r *Resolver) entitled(s TokenScope) bool {
	return r.owns(s) || slices.Contains(s.Listed, r.ClientID)
}

func (r *Resolver) owns(s TokenScope) bool { return r.Orgno != "" && r.Orgno == s.OwnerOrgno }
