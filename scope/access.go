package scope

import "slices"

// Client is what evaluation needs to know of a client.
type Client struct {
	// ID is the client_id. It decides nothing; it tells in a log whose question this was.
	ID string
	// ConsumerOrgno is the organisation whose access counts: client_orgno, or supplier_orgno
	// for a supplier-run client and for onbehalfof (idporten section 12.3).
	ConsumerOrgno string
	// IntegrationType is ID-porten's; "" for clients of other providers, which only scopes
	// without allowed_integration_types take.
	IntegrationType string
	Scopes          []string // registered
}

// Reason says why a scope is refused.
type Reason string

// The reasons, in the order they are tried, with Maskinporten's numbers where it has them. A
// client learns nothing about scopes it has not registered, not even whether they exist.
const (
	NotRegistered   Reason = "not_registered"   // not among the client's scopes (MP-200)
	Unknown         Reason = "unknown"          // no record
	Disabled        Reason = "inactive"         // the record is inactive (MP-200)
	IntegrationType Reason = "integration_type" // not for this kind of client (MP-201)
	NoAccess        Reason = "no_access"        // the owner has not given the organisation access (MP-250)
)

// Refusal is one scope the client may not have.
type Refusal struct {
	Scope  string // as requested: it comes from outside, do not log it unescaped
	Reason Reason // a fixed word, safe to log
}

// CheckRegistration returns the registered scopes the client would be refused if it asked for
// them now. Providers report them when they start; a refusal may be the owner's present wish.
func CheckRegistration(c Client, src Source) []Refusal {
	var refused []Refusal
	for _, name := range c.Scopes {
		if name == NoPID {
			continue
		}
		if _, reason := admit(name, c, src); reason != "" {
			refused = append(refused, Refusal{name, reason})
		}
	}
	return refused
}

// admit returns the record of a scope the client may have now, or why not (idporten section
// 12.3, security G13).
func admit(name string, c Client, src Source) (*Scope, Reason) {
	if !slices.Contains(c.Scopes, name) {
		return nil, NotRegistered
	}
	s := find(src, name)
	switch {
	case s == nil:
		return nil, Unknown
	case s.Inactive:
		return nil, Disabled
	case len(s.AllowedIntegrationTypes) > 0 && !slices.Contains(s.AllowedIntegrationTypes, c.IntegrationType):
		return nil, IntegrationType
	case s.AccessibleForAll:
		return s, ""
	case c.ConsumerOrgno == "" || src.Access(name, c.ConsumerOrgno) != Approved:
		return nil, NoAccess
	}
	return s, ""
}
