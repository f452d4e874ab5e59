package authorize

import (
	"net/http"

	"github.com/portner-go/portner/internal/httpx"
)

// LanguageCookie is the name of the cookie with the language that the user chose on a page. Set it only then: it takes precedence
// over the ui_locales of clients.
const LanguageCookie = httpx.LanguageCookie

// Locale returns the language of a page, one of Config.Locales: the value of LanguageCookie in the header of the request, then
// ui_locales, then the field Accept-Language if Config.AcceptLanguage is set, then the first of Config.Locales. It is for pages of the
// host outside an authorization request; uiLocales may be "".
func (e *Endpoint) Locale(h http.Header, uiLocales string) string {
	return httpx.Locale(h, uiLocales, e.cfg.Locales, e.cfg.AcceptLanguage)
}

// localeOf returns the language of the page of a request, which may be an error page. The answer to a posted form is in the language
// of the form, also if the user has chosen another one in the meantime.
func (e *Endpoint) localeOf(x *exchange) string {
	if x.form.locale != "" {
		return x.form.locale
	}
	return e.Locale(x.r.Header, x.params.Get("ui_locales"))
}
