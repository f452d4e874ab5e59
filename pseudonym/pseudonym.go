// Package pseudonym keeps national identity numbers from those who do not need them.
package pseudonym

// Pairwise makes subject identifiers that differ from client to client.
type Pairwise struct{ stub int }

// NewPairwise takes a secret key of 32 bytes or more that must stay the same for years.
func NewPairwise(key []byte) (*Pairwise, error) { panic("stub") }

// Subject returns the 43-character subject of a person in a sector (ID-porten: the client_id).
func (p *Pairwise) Subject(sector, idType, identifier string) string { panic("stub") }

// Identifying reports whether a claim identifies a person and must go from pseudonymous tokens.
func Identifying(claim string) bool { panic("stub") }

// Leaks reports whether the final bytes of a token or response hold one of the identifiers,
// plain or in an encoding a reader would undo (JSON escapes).
func Leaks(payload []byte, identifiers ...string) bool { panic("stub") }

// Resolver is who asks what a token says (introspection).
type Resolver struct {
	ClientID      string
	Orgno         string
	Authenticated bool // with its registered method
	Introspects   bool // holds the scope idporten:token.introspection
}

// TokenScope is what resolving needs to know of each non-reserved scope of the token.
type TokenScope struct {
	OwnerOrgno string
	Listed     []string // enforced_aud_for_introspection
}

// MayIntrospect reports whether the resolver gets any answer about the token.
func MayIntrospect(r Resolver, tokenClientID string, scopes []TokenScope) bool { panic("stub") }

// MayResolve reports whether the answer holds the pid of a pseudonymous token: only for the
// organisation that owns the scopes.
func MayResolve(r Resolver, scopes []TokenScope) bool { panic("stub") }
