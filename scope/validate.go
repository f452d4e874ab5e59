package scope

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxName            = 255
	maxDescription     = 255  // characters
	maxLongDescription = 1023 // characters
	maxClientID        = 256
	maxURI             = 2048
	maxLifetime        = 10 * 365 * 24 * 60 * 60 // seconds; longer consents are not ours (section 12.5)
)

// problems collects what is wrong with one record, each naming the scope and the property.
type problems struct {
	scope string
	errs  []error
}

func (p *problems) add(property, format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("scope %q: %s: %s", p.scope, property, fmt.Sprintf(format, args...)))
}

// check reports everything that is wrong with a record by itself.
func check(s *Scope) error {
	p := &problems{scope: s.Name}
	checkName(p, s)
	checkTexts(p, s)
	checkUse(p, s)
	checkAudiences(p, s)
	return errors.Join(p.errs...)
}

func checkName(p *problems, s *Scope) {
	switch {
	case s.Name == "" || len(s.Name) > maxName:
		p.add("name", "must have 1 to %d characters", maxName)
	case strings.IndexFunc(s.Name, func(r rune) bool { return !nameChar(r) }) >= 0:
		p.add("name", "may have only a-z 0-9 . _ : / -")
	case s.Name != Profile && builtin(s.Name):
		p.add("name", "is built in or retired and takes no record")
	}
	prefix, subscope, ok := strings.Cut(s.Name, ":")
	switch {
	case ok && (prefix == "" || subscope == ""):
		p.add("name", "must be prefix:subscope")
	case ok && (s.Prefix != prefix || s.Subscope != subscope),
		!ok && (s.Prefix != "" || s.Subscope != ""):
		p.add("prefix", "prefix and subscope do not make the name")
	}
	if s.OwnerOrgno != "" && !isOrgno(s.OwnerOrgno) {
		p.add("owner_orgno", "must be nine digits")
	}
	// A prefix may be shared within a sector, but one that is an organisation number is that
	// organisation's (section 12.1).
	if isOrgno(s.Prefix) && s.OwnerOrgno != "" && s.OwnerOrgno != s.Prefix {
		p.add("prefix", "is the number of another organisation than owner_orgno")
	}
}

func nameChar(r rune) bool {
	return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || strings.ContainsRune("._:/-", r)
}

// builtin are the reserved names a registry has no say about.
func builtin(name string) bool {
	return Reserved(name) && !slices.Contains([]string{Email, Address, Phone, OfflineAccess}, name)
}

func isOrgno(s string) bool {
	return len(s) == 9 && strings.Trim(s, "0123456789") == ""
}

func checkTexts(p *problems, s *Scope) {
	if s.RequiresUserConsent && s.Description == "" {
		p.add("description", "is required for consent: nobody agrees to a blank line")
	}
	checkText(p, "description", s.Description, maxDescription, false)
	checkText(p, "long_description", s.LongDescription, maxLongDescription, true)
	checkTranslations(p, "descriptions", s.Descriptions, maxDescription, false)
	checkTranslations(p, "long_descriptions", s.LongDescriptions, maxLongDescription, true)
}

func checkTranslations(p *problems, property string, texts map[string]string, limit int, markdown bool) {
	for _, lang := range slices.Sorted(maps.Keys(texts)) {
		if lang != "nn" && lang != "en" && lang != "se" {
			p.add(property, "language %q is none of nn, en, se (bokmål needs no translation)", lang)
		}
		checkText(p, property+"."+lang, texts[lang], limit, markdown)
	}
}

// checkText keeps what stands on a consent page readable as written (security G14): no control,
// bidirectional or invisible characters, no HTML, no link but https.
func checkText(p *problems, property, text string, limit int, markdown bool) {
	if !utf8.ValidString(text) {
		p.add(property, "is not UTF-8")
		return
	}
	if utf8.RuneCountInString(text) > limit {
		p.add(property, "is longer than %d characters", limit)
	}
	if strings.IndexFunc(text, func(r rune) bool { return unprintable(r) && !(markdown && r == '\n') }) >= 0 {
		p.add(property, "has a control, bidirectional or invisible character")
	}
	if text != "" && strings.TrimSpace(text) == "" {
		p.add(property, "is blank")
	}
	if markdown && !safeMarkdown(text) {
		p.add(property, "may have bold, italic, paragraphs and links to https only")
	}
}

// unprintable are Unicode's categories C (control, format, private, surrogate) and the line and
// paragraph separators.
func unprintable(r rune) bool { return unicode.Is(unicode.C, r) || r == '\u2028' || r == '\u2029' }

// safeMarkdown refuses HTML, images and reference links, and links to anything but https, so
// that a careless renderer is no hole.
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

func checkUse(p *problems, s *Scope) {
	if !slices.Contains([]string{"", VisibilityPublic, VisibilityPrivate, VisibilityInternal}, s.Visibility) {
		p.add("visibility", "must be PUBLIC, PRIVATE or INTERNAL")
	}
	if !slices.Contains([]TokenType{"", SelfContained, Opaque}, s.TokenType) {
		p.add("token_type", "must be SELF_CONTAINED or OPAQUE")
	}
	if s.ATMaxAge < 0 || s.ATMaxAge > maxLifetime {
		p.add("at_max_age", "must be 0 to %d seconds", maxLifetime)
	}
	if s.AuthorizationMaxLifetime < 0 || s.AuthorizationMaxLifetime > maxLifetime {
		p.add("authorization_max_lifetime", "must be 0 to %d seconds", maxLifetime)
	}
	for i, t := range s.AllowedIntegrationTypes {
		if t != "maskinporten" && t != "api_klient" && t != "ansattporten" {
			p.add("allowed_integration_types", "%q is none of maskinporten, api_klient, ansattporten", t)
		}
		if slices.Contains(s.AllowedIntegrationTypes[:i], t) {
			p.add("allowed_integration_types", "%q is given twice", t)
		}
	}
	if s.DelegationSource == "" {
		return
	}
	if !isIssuer(s.DelegationSource) {
		p.add("delegation_source", "must be an issuer URL with https")
	}
	if len(s.AllowedIntegrationTypes) > 0 && !slices.Contains(s.AllowedIntegrationTypes, "maskinporten") {
		p.add("delegation_source", "works for maskinporten only, which allowed_integration_types leaves out")
	}
}

// isIssuer: https without query and fragment (OpenID Connect Discovery 1.0 section 3); http is
// taken on loopback only, where development servers live.
func isIssuer(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || len(s) > maxURI || strings.ContainsAny(s, "?# \\") {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	loopback := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	return u.Scheme == "https" || u.Scheme == "http" && loopback
}

func checkAudiences(p *problems, s *Scope) {
	for i, id := range s.EnforcedAudForIntrospection {
		if id == "" || len(id) > maxClientID || strings.IndexFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0 {
			p.add("enforced_aud_for_introspection", "entry %d is no client_id", i)
		}
		if slices.Contains(s.EnforcedAudForIntrospection[:i], id) {
			p.add("enforced_aud_for_introspection", "entry %d is given twice", i)
		}
	}
	if aud := s.EnforcedAudForAccessToken; aud != "" {
		u, err := url.Parse(aud)
		if err != nil || !u.IsAbs() || u.Host == "" && u.Opaque == "" || len(aud) > maxURI || strings.ContainsAny(aud, "# \\") {
			p.add("enforced_aud_for_access_token", "must be an absolute URI without fragment")
		}
	}
}
