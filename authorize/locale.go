package authorize

import (
	"net/http"
	"strings"
)

// LanguageCookie holds the language a person chose on the provider's pages. Set it only then: it goes
// before what clients ask for (idporten section 3.6).
const LanguageCookie = "IDPORTEN_SELECTED_LANGUAGE"

// locale is the language of the pages: the person's own choice, then ui_locales, then the fallback.
// The result is always one of Config.Locales (security row B7).
func (e *Endpoint) locale(r *http.Request, uiLocales string) string {
	if len(r.Header["Cookie"]) > 0 {
		if c, err := r.Cookie(LanguageCookie); err == nil {
			if l := e.language(c.Value); l != "" {
				return l
			}
		}
	}
	for tag := range strings.SplitSeq(uiLocales, " ") {
		if l := e.language(tag); l != "" {
			return l
		}
	}
	return e.cfg.Locales[0]
}

// language finds the provider's language for a BCP 47 tag: the tag itself, or its language without
// region and script. "no" is bokmål to most who write it.
func (e *Endpoint) language(tag string) string {
	if tag == "" || len(tag) > 35 { // the longest tag BCP 47 section 4.4.1 counts on
		return ""
	}
	for _, l := range e.cfg.Locales {
		if strings.EqualFold(tag, l) {
			return l
		}
	}
	primary, _, _ := strings.Cut(tag, "-")
	if strings.EqualFold(primary, "no") {
		primary = "nb"
	}
	for _, l := range e.cfg.Locales {
		if strings.EqualFold(primary, l) {
			return l
		}
	}
	return ""
}
