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
