package httpx

import (
	"net/http"
	"strings"
)

// DefaultLocales returns the languages of the pages of ID-porten: Bokmål, Nynorsk, English and Northern Sami.
func DefaultLocales() []string { return []string{"nb", "nn", "en", "se"} }

// LanguageCookie is the name of the cookie with the language that the user chose on a page of the provider.
const LanguageCookie = "IDPORTEN_SELECTED_LANGUAGE"

// Locale returns the language of a page: the choice of the user in the cookies of h, then ui_locales, then the first of
// supported. The result is always one of supported.
func Locale(h http.Header, uiLocales string, supported []string) string {
	if len(h["Cookie"]) > 0 {
		r := http.Request{Header: h}
		if chosen := r.CookiesNamed(LanguageCookie); len(chosen) == 1 {
			if l := language(chosen[0].Value, supported); l != "" {
				return l
			}
		}
	}
	for tag := range strings.SplitSeq(uiLocales, " ") {
		if l := language(tag, supported); l != "" {
			return l
		}
	}
	return supported[0]
}

// maxLanguageTag bounds the tags that are compared (RFC 5646 §4.4.1).
const maxLanguageTag = 35

// language returns the supported language for a BCP 47 tag: the tag itself, or its primary language. The tag "no" is treated as
// "nb". It returns "" if there is none.
func language(tag string, supported []string) string {
	if tag == "" || len(tag) > maxLanguageTag {
		return ""
	}
	for _, l := range supported {
		if strings.EqualFold(tag, l) {
			return l
		}
	}
	primary, _, _ := strings.Cut(tag, "-")
	if strings.EqualFold(primary, "no") {
		primary = "nb"
	}
	for _, l := range supported {
		if strings.EqualFold(primary, l) {
			return l
		}
	}
	return ""
}
