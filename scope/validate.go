package scope

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/portner-go/portner/internal/display"
	"github.com/portner-go/portner/internal/fields"
)

const (
	maxName            = 255
	maxDescription     = 255  // characters
	maxLongDescription = 1023 // characters
	maxConsentVersion  = 64
	maxClientID        = 256
	maxURI             = 2048
	maxLifetime        = 10 * 365 * 24 * 60 * 60 // seconds: a consent lasts at most ten years
)

// record is one record under validation.
type record struct {
	*Scope
	path     string // of the record in the configuration: "scopes[2]"
	problems *fields.Checker
}

// want reports a property whose value breaks a rule, unless ok. The rule says what the value must be.
func (r *record) want(ok bool, property, rule string) {
	r.problems.Want(ok, r.path+"."+property, fmt.Sprintf("scope %q: %s", r.Name, rule))
}

// validate reports every problem of the record itself.
func (r *record) validate() {
	r.validateName()
	r.validateTexts()
	r.validateUse()
	r.validateAudiences()
}

func (r *record) validateName() {
	r.want(r.Name != "" && len(r.Name) <= maxName, "name", fmt.Sprintf("must have 1 to %d characters", maxName))
	r.want(!strings.ContainsFunc(r.Name, func(c rune) bool { return !nameChar(c) }), "name", "must consist of the characters a-z 0-9 . _ : / -")
	r.want(r.Name == Profile || !builtin(r.Name), "name", "must not be a built-in or retired scope")
	prefix, subscope, ok := strings.Cut(r.Name, ":")
	if !ok {
		r.want(r.Prefix == "" && r.Subscope == "", "prefix", "must be empty for a name without a colon, as subscope")
	} else {
		r.want(prefix != "" && subscope != "", "name", "must be prefix:subscope")
		r.want(r.Prefix == prefix && r.Subscope == subscope, "prefix", "must be the name together with subscope")
	}
	r.want(r.OwnerOrgno == "" || isOrgno(r.OwnerOrgno), "owner_orgno", "must be nine digits")
	// Organisations may share a prefix, but a prefix that is an organisation number belongs to that organisation.
	r.want(!isOrgno(r.Prefix) || r.OwnerOrgno == "" || r.OwnerOrgno == r.Prefix, "prefix", "must not be the number of another organisation than owner_orgno")
}

func nameChar(c rune) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.ContainsRune("._:/-", c)
}

// builtin reports whether name is a reserved scope that a registry cannot define.
func builtin(name string) bool {
	return Reserved(name) && !slices.Contains([]string{Email, Address, Phone, OfflineAccess}, name)
}

func isOrgno(s string) bool {
	return len(s) == 9 && strings.Trim(s, "0123456789") == ""
}

func (r *record) validateTexts() {
	r.want(!r.RequiresUserConsent || r.Description != "", "description", "is required with requires_user_consent")
	r.validateText("description", r.Description, maxDescription, false)
	r.validateText("long_description", r.LongDescription, maxLongDescription, true)
	r.validateTranslations("descriptions", r.Descriptions, maxDescription, false)
	r.validateTranslations("long_descriptions", r.LongDescriptions, maxLongDescription, true)
	r.want(len(r.ConsentVersion) <= maxConsentVersion && printable(r.ConsentVersion), "consent_version",
		fmt.Sprintf("must be at most %d printable ASCII characters without spaces", maxConsentVersion))
}

func (r *record) validateTranslations(property string, texts map[string]string, limit int, markdown bool) {
	for _, lang := range slices.Sorted(maps.Keys(texts)) {
		r.want(lang == "nn" || lang == "en" || lang == "se", property, fmt.Sprintf("language %q must be nn, en or se", lang))
		r.validateText(property+"."+lang, texts[lang], limit, markdown)
	}
}

// validateText ensures that a consent page shows a text as it was written and as users read it, without HTML, with links to https
// only.
func (r *record) validateText(property, text string, limit int, markdown bool) {
	if text == "" {
		return
	}
	rule := display.Problem(text, limit, markdown)
	r.want(rule == "", property, rule)
	r.want(!markdown || safeMarkdown(text), property, "must contain no markup but bold, italic, paragraphs and links to https")
}

// safeMarkdown rejects HTML, images, reference links and links to other schemes than https, for renderers that do not.
func safeMarkdown(text string) bool {
	if strings.ContainsAny(text, "<>`") || strings.Contains(text, "![") || strings.Contains(text, "]:") {
		return false
	}
	for rest := text; ; {
		_, after, found := strings.Cut(rest, "](")
		if !found {
			return true
		}
		if !strings.HasPrefix(after, "https://") {
			return false
		}
		rest = after
	}
}

func (r *record) validateUse() {
	r.want(slices.Contains([]string{"", VisibilityPublic, VisibilityPrivate, VisibilityInternal}, r.Visibility), "visibility", "must be PUBLIC, PRIVATE or INTERNAL")
	r.want(slices.Contains([]TokenType{"", SelfContained, Opaque}, r.TokenType), "token_type", "must be SELF_CONTAINED or OPAQUE")
	seconds := fmt.Sprintf("must be 0 to %d seconds", maxLifetime)
	r.want(r.ATMaxAge >= 0 && r.ATMaxAge <= maxLifetime, "at_max_age", seconds)
	r.want(r.AuthorizationMaxLifetime >= 0 && r.AuthorizationMaxLifetime <= maxLifetime, "authorization_max_lifetime", seconds)
	for i, t := range r.AllowedIntegrationTypes {
		property := fmt.Sprintf("allowed_integration_types[%d]", i)
		r.want(t == "maskinporten" || t == "api_klient" || t == "ansattporten", property, fmt.Sprintf("%q must be maskinporten, api_klient or ansattporten", t))
		r.want(!slices.Contains(r.AllowedIntegrationTypes[:i], t), property, fmt.Sprintf("%q is repeated", t))
	}
	if r.DelegationSource == "" {
		return
	}
	r.want(isIssuer(r.DelegationSource), "delegation_source", "must be an issuer: an https URL without query and fragment")
	r.want(len(r.AllowedIntegrationTypes) == 0 || slices.Contains(r.AllowedIntegrationTypes, "maskinporten"), "delegation_source",
		"requires maskinporten among allowed_integration_types")
}

// isIssuer reports whether s is an https URL without query and fragment (OIDC Discovery §3), or an http URL of a loopback
// address.
func isIssuer(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || len(s) > maxURI || strings.ContainsAny(s, "?# \\") {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && fields.PlainHTTP(u.Hostname())
}

func (r *record) validateAudiences() {
	for i, id := range r.EnforcedAudForIntrospection {
		property := fmt.Sprintf("enforced_aud_for_introspection[%d]", i)
		r.want(id != "" && len(id) <= maxClientID && printable(id), property, "must be a client_id")
		r.want(!slices.Contains(r.EnforcedAudForIntrospection[:i], id), property, "is repeated")
	}
	r.want(r.EnforcedAudForAccessToken == "" || isAudience(r.EnforcedAudForAccessToken), "enforced_aud_for_access_token", "must be an absolute URI without fragment")
}

func isAudience(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.IsAbs() && (u.Host != "" || u.Opaque != "") && len(s) <= maxURI && !strings.ContainsAny(s, "# \\")
}

// printable reports whether s consists of ASCII characters without spaces and control characters.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' })
}
