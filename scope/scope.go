package scope

import (
	"strings"
	"time"
)

// TokenType is how access tokens with a scope look.
type TokenType string

// The token types of a scope. The owner of the API decides, not the client (idporten section 7.1).
const (
	SelfContained TokenType = "SELF_CONTAINED" // a signed JWT
	Opaque        TokenType = "OPAQUE"         // a reference, understood at introspection only
)

// Who may see a scope listed. Visibility says nothing about who may use it.
const (
	VisibilityPublic   = "PUBLIC"   // everyone
	VisibilityPrivate  = "PRIVATE"  // the owner and consumers that have access
	VisibilityInternal = "INTERNAL" // the owner
)

// Scope is the record of one scope, with ID-porten's property names (idporten section 12.2).
// Only Name is required; a scope that asks for consent needs a Description too.
//
// In JSON the property "active" (default true) is the negation of Inactive,
// "enforced_aud_for_introspection" may be one string instead of a list, and translations may
// also be written "description#nn" and "long_description#nn". Unknown, repeated and wrongly
// cased members are errors.
type Scope struct {
	// Name is what clients request: Prefix + ":" + Subscope. Characters a-z 0-9 . _ : / -
	// Empty means: made of Prefix and Subscope.
	Name string `json:"name"`
	// Prefix was assigned to the owner; Subscope is the owner's own text. Empty means: taken
	// from Name, cut at the first colon. Names without a colon (older ones, those of OpenID
	// Connect) have neither.
	Prefix   string `json:"prefix,omitempty"`
	Subscope string `json:"subscope,omitempty"`
	// OwnerOrgno is the organisation that owns the API, nine digits. Only its clients learn
	// the national identity number behind a pseudonymous token: without it nobody does.
	OwnerOrgno string `json:"owner_orgno,omitempty"`

	// Description is shown on the consent page, in bokmål, at most 255 characters of one line.
	Description string `json:"description,omitempty"`
	// LongDescription is shown there too: at most 1023 characters in a subset of Markdown
	// (bold, italic, paragraphs, https links).
	LongDescription string `json:"long_description,omitempty"`
	// Descriptions and LongDescriptions are translations by language: nn, en, se.
	Descriptions     map[string]string `json:"descriptions,omitempty"`
	LongDescriptions map[string]string `json:"long_descriptions,omitempty"`

	// Visibility is who sees the scope listed. Empty is PUBLIC.
	Visibility string `json:"visibility,omitempty"`
	// TokenType is how access tokens look. Empty is SELF_CONTAINED.
	TokenType TokenType `json:"token_type,omitempty"`
	// ATMaxAge caps the lifetime of access tokens, in seconds; 0 is no cap from this scope.
	ATMaxAge int `json:"at_max_age,omitempty"`
	// AuthorizationMaxLifetime caps the lifetime of the authorization, and so of consent and
	// refresh tokens, in seconds; 0 is no cap from this scope.
	AuthorizationMaxLifetime int `json:"authorization_max_lifetime,omitempty"`

	// RequiresUserConsent asks the person on a page; without it logging in is the consent.
	RequiresUserConsent bool `json:"requires_user_consent,omitempty"`
	// RequiresUserAuthentication makes the person log in even if a session exists.
	RequiresUserAuthentication bool `json:"requires_user_authentication,omitempty"`
	// RequiresPseudonymousTokens keeps everything that identifies the person from the client,
	// for the whole authorization.
	RequiresPseudonymousTokens bool `json:"requires_pseudonymous_tokens,omitempty"`

	// AccessibleForAll lets every organisation use the scope without an [Access].
	AccessibleForAll bool `json:"accessible_for_all,omitempty"`
	// AllowedIntegrationTypes limits which clients can have the scope: maskinporten,
	// api_klient, ansattporten. Empty is any.
	AllowedIntegrationTypes []string `json:"allowed_integration_types,omitempty"`
	// DelegationSource is the issuer that knows who acts for whom. Maskinporten only.
	DelegationSource string `json:"delegation_source,omitempty"`

	// EnforcedAudForIntrospection lists the client_ids that may introspect tokens with the scope.
	EnforcedAudForIntrospection []string `json:"enforced_aud_for_introspection,omitempty"`
	// EnforcedAudForAccessToken is an absolute URI that is put into "aud" of access tokens.
	EnforcedAudForAccessToken string `json:"enforced_aud_for_access_token,omitempty"`

	// Protected and SupportsEuropeanBusinesses are carried for tools that use ID-porten's
	// record. They decide nothing here.
	Protected                  bool `json:"protected,omitempty"`
	SupportsEuropeanBusinesses bool `json:"supports_european_businesses,omitempty"`

	// Inactive is the negation of the wire property "active", so that the zero value is
	// active. Nobody gets tokens with an inactive scope; registrations and accesses stay.
	Inactive bool `json:"-"`

	// Created and LastUpdated are for administrators.
	Created     time.Time `json:"created,omitzero"`
	LastUpdated time.Time `json:"last_updated,omitzero"`
}

// DescriptionIn returns the description in a language ("nn", "en-GB"), in bokmål if there is
// none, and the name if there is no description at all. It is text, not HTML: escape it.
func (s *Scope) DescriptionIn(lang string) string {
	if text := translated(s.Descriptions, lang); text != "" {
		return text
	}
	if s.Description != "" {
		return s.Description
	}
	return s.Name
}

// LongDescriptionIn returns the long description in a language, in bokmål if there is none.
func (s *Scope) LongDescriptionIn(lang string) string {
	if text := translated(s.LongDescriptions, lang); text != "" {
		return text
	}
	return s.LongDescription
}

// translated looks a language tag up by its first subtag (RFC 5646 section 2.1.1: any case).
func translated(texts map[string]string, lang string) string {
	if len(texts) == 0 {
		return ""
	}
	if i := strings.IndexAny(lang, "-_"); i >= 0 {
		lang = lang[:i]
	}
	return texts[strings.ToLower(lang)]
}

func (s *Scope) opaque() bool { return s.TokenType == Opaque }

// seconds converts a record's cap. Validation keeps it far from overflow; a record of another
// Source that was never validated must not turn a cap into "no limit".
func seconds(n int) time.Duration {
	return time.Duration(min(n, maxLifetime)) * time.Second
}

// lower returns the lower of two caps where 0 is no cap (idporten section 7.5).
func lower(a, b time.Duration) time.Duration {
	if a <= 0 || (b > 0 && b < a) {
		return b
	}
	return a
}
