package pseudonym

// Protection is how the number of a person is kept from the client of a grant.
type Protection string

// The protections, from none to strongest.
const (
	// Open: the client gets the pid.
	Open Protection = "open"
	// ByReference is method 1: nothing the client gets says who the person is, and an entitled
	// API learns it at introspection.
	ByReference Protection = "by_reference"
	// Pseudonymous is methods 2 and 3: no identifying claim leaves, and only the owner of the
	// scopes resolves the pid.
	Pseudonymous Protection = "pseudonymous"
)

// Request is what Decide looks at. Describe the whole grant, not one of its tokens.
type Request struct {
	// Scope: any requested scope requires pseudonymous tokens, also one the person declined
	// (idporten section 13.2, rules 1 and 6).
	Scope bool
	// NoPID: no_pid was requested or is registered on the client. It counts with AllowNoPID only.
	NoPID, AllowNoPID bool
	// Inherited: the grant was stored as pseudonymous. It stays so over every refresh and
	// exchange, however few scopes are left (security K8, H4).
	Inherited bool

	Opaque  bool // access tokens are references
	OpenID  bool // there is an id_token
	Profile bool // the access token opens UserInfo
}

// Decide returns the protection of a grant. An opaque token protects nothing if the same login
// puts the pid into an id_token or opens UserInfo.
func Decide(r Request) Protection {
	switch {
	case r.Inherited, r.Scope, r.NoPID && r.AllowNoPID:
		return Pseudonymous
	case r.Opaque && !r.OpenID && !r.Profile:
		return ByReference
	}
	return Open
}
