package pseudonym

import "strconv"

// Protection is what the client and the APIs of a grant learn about its user. The zero value is the strictest.
type Protection int

// Protections, strictest first.
const (
	// Pseudonymous keeps every identifying claim from the client. Only the owner of the scopes receives the identity.
	Pseudonymous Protection = iota
	// ByReference gives the client an opaque token. An entitled API receives the identity at introspection.
	ByReference
	// Open gives the client the identifying claims.
	Open
)

// String returns the name of the protection: "pseudonymous", "by_reference" or "open".
func (p Protection) String() string {
	switch p {
	case Pseudonymous:
		return "pseudonymous"
	case ByReference:
		return "by_reference"
	case Open:
		return "open"
	}
	return "Protection(" + strconv.Itoa(int(p)) + ")"
}

// Grant describes a whole grant, not one of its tokens.
type Grant struct {
	// Prior is the protection so far: Open for a new grant, otherwise the protection that was stored for the grant, or for
	// the grant that it was exchanged from. The result is never weaker.
	Prior Protection
	// RequiresPseudonym reports that a requested scope has requires_pseudonymous_tokens, also if the user declined it, or that
	// no_pid applies.
	RequiresPseudonym bool
	OpaqueTokens      bool // access tokens are opaque
	IDToken, UserInfo bool // the client gets an id_token, or its token gives access to userinfo
}

// Decide returns the protection of a grant. The zero Grant is Pseudonymous. Opaque tokens do not protect the identity if the
// client also gets an id_token or access to userinfo.
func Decide(g Grant) Protection {
	switch {
	case g.RequiresPseudonym:
		return Pseudonymous
	case g.OpaqueTokens && !g.IDToken && !g.UserInfo:
		return min(g.Prior, ByReference)
	}
	return min(g.Prior, Open)
}
