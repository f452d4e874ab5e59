package scope

import "slices"

// Client holds the members of a client registration on which decisions depend.
type Client struct {
	ID string // the client_id, for logs; no decision depends on it
	// Organisation is the organisation number that must have an approved [Access] entry. For logins it is the organisation that
	// operates the client, and for machines the one the client acts for.
	Organisation string
	// Consumer is the organisation number that tokens name as consumer, if it is not Organisation. It needs no access, but the
	// owner of the scope must not have denied it: APIs decide on the consumer.
	Consumer string
	// IntegrationType is the integration_type of ID-porten. An empty one matches only scopes without
	// AllowedIntegrationTypes, and openid and profile.
	IntegrationType string
	Scopes          []string // registered scopes
}

// Reason is why a scope is refused.
type Reason string

// Reasons in the order of the checks, with the error codes of Maskinporten. The reason for a scope that the client has not
// registered is the same whether the scope has a record or not, so a client cannot detect the scopes of others.
const (
	NotRegistered   Reason = "not_registered"   // not among the client's registered scopes (MP-200)
	Unknown         Reason = "unknown"          // no record
	Inactive        Reason = "inactive"         // the record is inactive (MP-200)
	IntegrationType Reason = "integration_type" // not for clients of this integration type (MP-201)
	NoAccess        Reason = "no_access"        // the organisation has no access (MP-250)
	UserRequired    Reason = "user_required"    // the request has no user; see EvaluateMachine (MP-201)
)

// Refusal is one refused scope.
type Refusal struct {
	Scope  string // as requested: untrusted text
	Reason Reason // safe to log
}

// CheckRegistration returns the registered scopes of c that [Evaluate] would refuse, for a provider to log when it starts. A
// refusal is not always a mistake in the registration: the owner of a scope may have withdrawn the access.
func CheckRegistration(c Client, src Source) []Refusal {
	var refused []Refusal
	for _, name := range c.Scopes {
		if name == NoPID || name == TokenInfo {
			continue
		}
		if _, reason := admit(name, c, src); reason != "" {
			refused = append(refused, Refusal{name, reason})
		}
	}
	return refused
}

// admit returns the record of a scope that c may use, or the reason why not.
func admit(name string, c Client, src Source) (*Scope, Reason) {
	if !slices.Contains(c.Scopes, name) {
		return nil, NotRegistered
	}
	s := find(src, name)
	switch {
	case s == nil:
		return nil, Unknown
	case s.Inactive:
		return nil, Inactive
	case len(s.AllowedIntegrationTypes) > 0 && !slices.Contains(s.AllowedIntegrationTypes, c.IntegrationType):
		return nil, IntegrationType
	case s.AccessibleForAll:
		return s, ""
	case c.Organisation == "" || src.Access(name, c.Organisation) != Approved,
		c.Consumer != "" && c.Consumer != c.Organisation && src.Access(name, c.Consumer) == Denied:
		return nil, NoAccess
	}
	return s, ""
}
