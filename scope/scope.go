package scope

import (
	"strings"
	"time"
)

// TokenType is the format of access tokens.
type TokenType string

// Token types. The owner of the scope chooses the type, not the client.
const (
	SelfContained TokenType = "SELF_CONTAINED" // a signed JWT
	Opaque        TokenType = "OPAQUE"         // a random value for introspection
)

// Visibilities determine who sees a scope in lists of scopes. They do not restrict its use.
const (
	VisibilityPublic   = "PUBLIC"   // everyone
	VisibilityPrivate  = "PRIVATE"  // the owner and organisations with access
	VisibilityInternal = "INTERNAL" // the owner
)

// Scope is the record that the owner of a scope keeps, with the property names of ID-porten. Only Name is required;
// RequiresUserConsent requires a Description too.
//
// In JSON the member "active" (true if absent) is the negation of Inactive, "enforced_aud_for_introspection" is a string or a
// list, and translations may also be written as "description#nn" and "long_description#nn". Unknown and repeated members are
// errors, also if only the case differs.
type Scope struct {
	// Name is the value that clients request: Prefix + ":" + Subscope, at most 255 of the characters a-z 0-9 . _ : / -. If
	// empty, it is made of Prefix and Subscope.
	Name string `json:"name"`
	// Prefix is assigned to the owner; the owner chooses Subscope. If both are empty, they are the parts of Name before and
	// after the first colon. A Name without a colon has neither.
	Prefix   string `json:"prefix,omitempty"`
	Subscope string `json:"subscope,omitempty"`
	// OwnerOrgno is the organisation number of the owner. Only clients of the owner receive the national identity number of a
	// pseudonymous token at introspection; if empty, no client does.
	OwnerOrgno string `json:"owner_orgno,omitempty"`

	// Description is one line for the consent page in Norwegian bokmål, at most 255 characters. The texts must be readable: visible
	// characters, a letter or a digit, one script in a word, and accented letters as single characters (NFC).
	Description string `json:"description,omitempty"`
	// LongDescription is a text for the consent page, at most 1023 characters in a subset of Markdown: bold, italic,
	// paragraphs and links to https.
	LongDescription string `json:"long_description,omitempty"`
	// Descriptions and LongDescriptions are translations by language: nn, en, se.
	Descriptions     map[string]string `json:"descriptions,omitempty"`
	LongDescriptions map[string]string `json:"long_descriptions,omitempty"`
	// ConsentVersion is the version of what the texts mean, at most 64 printable ASCII characters. Consents to another version
	// do not count. Change it if users must consent again.
	ConsentVersion string `json:"consent_version,omitempty"`

	// Visibility is one of the constants VisibilityPublic, …. The default is PUBLIC.
	Visibility string `json:"visibility,omitempty"`
	// TokenType is the format of access tokens. The default is SELF_CONTAINED.
	TokenType TokenType `json:"token_type,omitempty"`
	// ATMaxAge limits the lifetime of access tokens, in seconds, at most ten years; 0 is no limit.
	ATMaxAge int `json:"at_max_age,omitempty"`
	// AuthorizationMaxLifetime limits the lifetime of grants, consents and refresh tokens, in seconds, at most ten years; 0 is
	// no limit.
	AuthorizationMaxLifetime int `json:"authorization_max_lifetime,omitempty"`

	// RequiresUserConsent requires the consent of the user on the consent page. Without it, the login counts as consent.
	RequiresUserConsent bool `json:"requires_user_consent,omitempty"`
	// RequiresUserAuthentication requires a login for the request, even if there is a session.
	RequiresUserAuthentication bool `json:"requires_user_authentication,omitempty"`
	// RequiresPseudonymousTokens removes identifying claims from all tokens and responses of the grant.
	RequiresPseudonymousTokens bool `json:"requires_pseudonymous_tokens,omitempty"`

	// RequiresUser refuses the scope in requests without a user. A consent or a login of the user implies it. It is no member of the JSON.
	RequiresUser bool `json:"-"`

	// AccessibleForAll permits every organisation to use the scope, without an [Access].
	AccessibleForAll bool `json:"accessible_for_all,omitempty"`
	// AllowedIntegrationTypes limits the integration types of clients: maskinporten, api_klient, ansattporten. If empty, all
	// are allowed.
	AllowedIntegrationTypes []string `json:"allowed_integration_types,omitempty"`
	// DelegationSource is the issuer of delegations between organisations. It applies to Maskinporten only.
	DelegationSource string `json:"delegation_source,omitempty"`

	// EnforcedAudForIntrospection lists the client_ids that may introspect tokens with the scope.
	EnforcedAudForIntrospection []string `json:"enforced_aud_for_introspection,omitempty"`
	// EnforcedAudForAccessToken is an absolute URI that is added to the claim "aud" of access tokens.
	EnforcedAudForAccessToken string `json:"enforced_aud_for_access_token,omitempty"`

	// Protected and SupportsEuropeanBusinesses are properties of ID-porten's record that no decision depends on.
	Protected                  bool `json:"protected,omitempty"`
	SupportsEuropeanBusinesses bool `json:"supports_european_businesses,omitempty"`

	// Inactive refuses the scope in every request. Registrations and accesses stay.
	Inactive bool `json:"-"`

	// Created and LastUpdated are for administrators.
	Created     time.Time `json:"created,omitzero"`
	LastUpdated time.Time `json:"last_updated,omitzero"`
}

// DescriptionIn returns the description in a language ("nn", "en-GB"). If there is no translation, it returns the description
// in bokmål, and if there is none, the name. The result is text, not HTML: escape it.
func (s *Scope) DescriptionIn(lang string) string {
	if text := translated(s.Descriptions, lang); text != "" {
		return text
	}
	if s.Description != "" {
		return s.Description
	}
	return s.Name
}

// LongDescriptionIn returns the long description in a language, or in bokmål if there is no translation.
func (s *Scope) LongDescriptionIn(lang string) string {
	if text := translated(s.LongDescriptions, lang); text != "" {
		return text
	}
	return s.LongDescription
}

// translated returns the text for the first subtag of a language tag, in any case (RFC 5646 §2.1.1).
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

// seconds converts the limit of a record. A Source may return records that were not validated: min prevents an overflow,
// which would remove the limit.
func seconds(n int) time.Duration {
	return time.Duration(min(n, maxLifetime)) * time.Second
}

// lower returns the lower of two limits; 0 is no limit.
func lower(a, b time.Duration) time.Duration {
	if a <= 0 || (b > 0 && b < a) {
		return b
	}
	return a
}
