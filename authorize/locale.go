package authorize

import (
	"net/http"

	"github.com/portner-go/portner/internal/httpx"
)

// LanguageCookie is the name of the cookie with the language that the user chose on a page. Set it only then: it takes precedence
// over the ui_locales of clients.
const LanguageCookie = httpx.LanguageCookie

// locale returns the language of a page.
func (e *Endpoint) locale(h http.Header, uiLocales string) string {
	return httpx.Locale(h, uiLocales, e.cfg.Locales)
}

// localeOf returns the language of the page of a request. The answer to a posted form is in the language of the form, also if the
// user has chosen another one in the meantime.
func (e *Endpoint) localeOf(x *exchange) string {
	if x.form.locale != "" {
		return x.form.locale
	}
	return e.locale(x.r.Header, x.req.form.Get("ui_locales"))
}
