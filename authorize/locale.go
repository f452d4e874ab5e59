package authorize

import (
	"net/http"
	"strings"
)

// LanguageCookie is the name of the cookie with the language that the user chose on a page. Set it only then: it takes precedence
// over the ui_locales of clients.
const LanguageCookie = "IDPORTEN_SELECTED_LANGUAGE"

// locale returns the language of a page: the choice of the user, then ui_locales, then the fallback. The result is always one of
// Config.Locales.
func (e *Endpoint) locale(h http.Header, uiLocales string) string {
	if len(h["Cookie"]) > 0 {
		r := http.Request{Header: h}
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

// language returns the language of Config.Locales for a BCP 47 tag: the tag itself, or its primary language. "no" is treated as "nb". It
// returns "" if there is none.
func (e *Endpoint) language(tag string) string {
	if tag == "" || len(tag) > 35 { // RFC 5646 §4.4.1
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
