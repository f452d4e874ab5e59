// Package scope decides what of a request for scopes is granted, and on which conditions.
package scope

import (
	"errors"
	"time"
)

// TokenType is how access tokens with a scope look.
type TokenType string

// The token types of a scope.
const (
	SelfContained TokenType = "SELF_CONTAINED"
	Opaque        TokenType = "OPAQUE"
)

// Scope is the record of one scope (ID-porten's property names).
type Scope struct {
	Name                        string            `json:"name"`
	Prefix                      string            `json:"prefix,omitempty"`
	Subscope                    string            `json:"subscope,omitempty"`
	OwnerOrgno                  string            `json:"owner_orgno,omitempty"`
	Description                 string            `json:"description,omitempty"`
	LongDescription             string            `json:"long_description,omitempty"`
	Descriptions                map[string]string `json:"descriptions,omitempty"`      // by language: nn, en, se
	LongDescriptions            map[string]string `json:"long_descriptions,omitempty"` // by language: nn, en, se
	Visibility                  string            `json:"visibility,omitempty"`        // PUBLIC, PRIVATE, INTERNAL
	TokenType                   TokenType         `json:"token_type,omitempty"`        // "" is SELF_CONTAINED
	ATMaxAge                    int               `json:"at_max_age,omitempty"`        // seconds; 0 = no limit
	AuthorizationMaxLifetime    int               `json:"authorization_max_lifetime,omitempty"`
	RequiresUserConsent         bool              `json:"requires_user_consent,omitempty"`
	RequiresUserAuthentication  bool              `json:"requires_user_authentication,omitempty"`
	RequiresPseudonymousTokens  bool              `json:"requires_pseudonymous_tokens,omitempty"`
	AccessibleForAll            bool              `json:"accessible_for_all,omitempty"`
	AllowedIntegrationTypes     []string          `json:"allowed_integration_types,omitempty"`
	DelegationSource            string            `json:"delegation_source,omitempty"`
	EnforcedAudForIntrospection []string          `json:"enforced_aud_for_introspection,omitempty"`
	EnforcedAudForAccessToken   string            `json:"enforced_aud_for_access_token,omitempty"`
	// Inactive is the negation of the wire property "active", so that the zero value is active.
	Inactive bool `json:"-"`
}

// AccessState is an organisation's access to a scope.
type AccessState string

// The states of an access.
const (
	Requested AccessState = "REQUESTED"
	Approved  AccessState = "APPROVED"
	Denied    AccessState = "DENIED"
)

// Source finds scopes and accesses. It is asked on every request and answers from memory.
type Source interface {
	// Scope returns the record, or nil. The caller does not change it.
	Scope(name string) *Scope
	// Access returns the access of an organisation to a scope, "" if there is none.
	Access(name, consumerOrgno string) AccessState
}

// Registry is a Source over fixed records. It is immutable and safe for concurrent use.
type Registry struct{ stub int }

// Access is one entry of the access list.
type Access struct {
	Scope         string      `json:"scope"`
	ConsumerOrgno string      `json:"consumer_orgno"`
	State         AccessState `json:"state"`
}

// NewRegistry checks all records and reports all problems at once. The reserved scopes (openid,
// profile, idporten:token.introspection; with the standard OpenID Connect scopes if named) need no record.
func NewRegistry(scopes []Scope, access []Access) (*Registry, error) { panic("stub") }

// Scope implements Source.
func (r *Registry) Scope(name string) *Scope { panic("stub") }

// Access implements Source.
func (r *Registry) Access(name, consumerOrgno string) AccessState { panic("stub") }

// ErrSyntax says that a scope parameter breaks the grammar of RFC 6749 section 3.3.
var ErrSyntax = errors.New("scope: malformed")

// Parse splits a scope parameter. Order is kept, duplicates are folded.
func Parse(s string) ([]string, error) { panic("stub") }

// Client is what evaluation needs to know of a client.
type Client struct {
	ID              string
	ConsumerOrgno   string // client_orgno, or supplier_orgno for a supplier-run client: whose access counts
	IntegrationType string
	Scopes          []string // registered
}

// Consent is a remembered yes.
type Consent struct {
	Scope     string
	ExpiresAt time.Time
}

// Request is one question to Evaluate.
type Request struct {
	Client   Client
	Scopes   Source
	Consents []Consent // remembered; a consent is valid iff Now.Before(ExpiresAt)
	Now      time.Time

	Answered   bool     // the person has just answered the consent page
	Approved   []string // … with yes to these
	AskConsent bool     // prompt=consent: remembered consents do not count
	AllowNoPID bool     // the retired no_pid scope is understood
}

// Reason says why a scope is refused.
type Reason string

// The reasons, with Maskinporten's numbers where it has them.
const (
	Unknown         Reason = "unknown"
	NotRegistered   Reason = "not_registered"   // MP-200
	Disabled        Reason = "inactive"         //
	IntegrationType Reason = "integration_type" // MP-201
	NoAccess        Reason = "no_access"        // MP-250
)

// Refusal is one scope the client may not have.
type Refusal struct {
	Scope  string
	Reason Reason
}

// Plan is the answer of Evaluate.
type Plan struct {
	Requested []string
	// Granted are the scopes the token will hold if it is issued now: in request order, without
	// declined ones and without those that still need consent.
	Granted      []string
	Refused      []Refusal // not empty: answer invalid_scope
	NeedsConsent []*Scope  // not empty: show the consent page
	Declined     []string  // the person said no to these

	NeedsFreshLogin bool // a requested scope has requires_user_authentication
	Pseudonymous    bool // decided on the requested scopes, declined ones included
	LoginOnly       bool // nothing beyond openid and profile (and other reserved identity scopes) is granted
	OpenID          bool
	TokenType       TokenType
	Audience        []string // enforced_aud_for_access_token of the granted scopes

	AccessTokenMaxAge   time.Duration // lowest at_max_age; 0 = no limit
	AuthorizationMaxAge time.Duration // lowest authorization_max_lifetime; 0 = no limit
}

// ErrAllDeclined says that every consent scope was declined and openid was not requested: answer access_denied.
var ErrAllDeclined = errors.New("scope: everything declined")

// Evaluate answers a request for scopes. It fails only with ErrAllDeclined; refusals are in the plan.
func Evaluate(requested []string, r Request) (Plan, error) { panic("stub") }
