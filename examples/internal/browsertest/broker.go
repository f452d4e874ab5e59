package browsertest

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// Broker is a service behind a login broker: its registered address answers every request with a redirect to a second origin, and that
// one with a redirect to a third one.
type Broker struct {
	Base string // of the registered addresses
	End  string // where the last redirect leads
}

// NewBroker starts the origins until the end of the test. If end is not "", the last redirect leads there instead, such as to the scheme
// of an app. The page at the end has the elements "service" and, with the parameters of the response, "service-query".
func NewBroker(t *testing.T, end string) *Broker {
	t.Helper()
	serve := func(h http.HandlerFunc) string {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return s.URL
	}
	if end == "" {
		end = serve(servicePage) + "/tjeneste"
	}
	// The host localhost is another site than the address.
	second := strings.Replace(serve(redirectTo(end)), "127.0.0.1", "localhost", 1)
	return &Broker{Base: serve(redirectTo(second + "/hopp")), End: end}
}

// redirectTo passes the parameters of a query or a form on.
func redirectTo(next string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/favicon.ico" {
			http.NotFound(w, r)
			return
		}
		_ = r.ParseForm()
		w.Header().Set("Location", next+"?"+r.Form.Encode())
		w.WriteHeader(http.StatusSeeOther)
	}
}

func servicePage(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, `<!DOCTYPE html><title>Tjeneste</title><h1 id="service">Tjeneste</h1><p id="service-query">%s</p>`, html.EscapeString(r.URL.RawQuery))
}

// Arrived returns the parameters that arrived at the end of a Broker.
func (b *Browser) Arrived() url.Values {
	b.t.Helper()
	q, err := url.ParseQuery(b.Text("#service-query"))
	b.must(err)
	return q
}
