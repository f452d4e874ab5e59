package httpx

import (
	"net/http"
	"strings"
)

// DefaultLocales returns the languages of the pages of ID-porten: Bokmål, Nynorsk, English and Northern Sami.
func DefaultLocales() []string { return []string{"nb", "nn", "en", "se"} }

// LanguageCookie is the name of the cookie with the language that the user chose on a page of the provider.
const LanguageCookie = "IDPORTEN_SELECTED_LANGUAGE"

// Locale returns the language of a page, one of supported: the choice of the user in the cookies of h, then ui_locales, then
// Accept-Language if it is used, then the first of supported.
func Locale(h http.Header, uiLocales string, supported []string, useAcceptLanguage bool) string {
	if chosen, _ := Cookie(h, LanguageCookie); chosen != "" {
		if l := language(chosen, supported); l != "" {
			return l
		}
	}
	for tag := range strings.SplitSeq(uiLocales, " ") {
		if l := language(tag, supported); l != "" {
			return l
		}
	}
	if useAcceptLanguage {
		if l := accepted(h["Accept-Language"], supported); l != "" {
			return l
		}
	}
	return supported[0]
}

// maxAccepted bounds the ranges of Accept-Language that are compared.
const maxAccepted = 32

// accepted returns the supported language with the highest weight in Accept-Language, the first of those with one weight (RFC 9110
// §12.5.4). It returns "" if there is none. The range "*" names no language.
func accepted(lines, supported []string) string {
	best, weight, n := "", 0, 0
	for _, line := range lines {
		for element := range strings.SplitSeq(line, ",") {
			if n++; n > maxAccepted {
				return best
			}
			tag, params, _ := strings.Cut(element, ";")
			q := weightOf(params)
			if q <= weight {
				continue
			}
			if l := language(strings.Trim(tag, " \t"), supported); l != "" {
				best, weight = l, q
			}
		}
	}
	return best
}

// weightOf returns a weight in thousandths: 1000 without one, and 0 if it is malformed (RFC 9110 §12.4.2).
func weightOf(params string) int {
	params = strings.Trim(params, " \t")
	if params == "" {
		return 1000
	}
	name, value, _ := strings.Cut(params, "=")
	whole, fraction, _ := strings.Cut(value, ".")
	if !strings.EqualFold(name, "q") || whole != "0" && whole != "1" || len(fraction) > 3 {
		return 0
	}
	q := int(whole[0] - '0')
	for i := range 3 {
		q *= 10
		if i < len(fraction) {
			if fraction[i] < '0' || fraction[i] > '9' {
				return 0
			}
			q += int(fraction[i] - '0')
		}
	}
	if q > 1000 {
		return 0
	}
	return q
}

// maxLanguageTag bounds the tags that are compared (RFC 5646 §4.4.1).
const maxLanguageTag = 35

// language returns the supported language for a BCP 47 tag: the tag itself, or its primary language. The tags "no" and "nb" stand for
// one another. It returns "" if there is none.
func language(tag string, supported []string) string {
	if tag == "" || len(tag) > maxLanguageTag {
		return ""
	}
	primary, _, _ := strings.Cut(tag, "-")
	other := ""
	switch {
	case strings.EqualFold(primary, "no"):
		other = "nb"
	case strings.EqualFold(primary, "nb"):
		other = "no"
	}
	for _, want := range [...]string{tag, primary, other} {
		for _, l := range supported {
			if want != "" && strings.EqualFold(want, l) {
				return l
			}
		}
	}
	return ""
}
