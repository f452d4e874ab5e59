// Package httpx reads forms and writes answers the one way this module does it.
package httpx

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// The limits of security section 0.6.
const (
	MaxBody   = 64 << 10
	MaxParams = 64
	MaxQuery  = 16 << 10
)

// ErrTooLarge says that a body or query exceeds its limit (413).
var ErrTooLarge = errors.New("httpx: request too large")

// FormError says why a form is refused. It holds no value of the form.
type FormError struct{ Reason string }

// Error returns the reason.
func (e *FormError) Error() string { return "httpx: " + e.Reason }

// Form is a parsed form or query: few parameters, each name once unless Repeated says otherwise.
type Form struct{ pairs []pair }

type pair struct{ name, value string }

// Get returns the first value of name, or "".
func (f Form) Get(name string) string {
	for i := range f.pairs {
		if f.pairs[i].name == name {
			return f.pairs[i].value
		}
	}
	return ""
}

// Has reports whether name was sent with a value. RFC 6749 section 3.1: a parameter without a value is
// treated as if it were omitted.
func (f Form) Has(name string) bool { return f.Get(name) != "" }

// All returns every value of name: resource and audience may be repeated (RFC 8707, RFC 8693 section 2.1).
func (f Form) All(name string) []string {
	var all []string
	for i := range f.pairs {
		if f.pairs[i].name == name {
			all = append(all, f.pairs[i].value)
		}
	}
	return all
}

// Count returns how often name was sent.
func (f Form) Count(name string) int {
	n := 0
	for i := range f.pairs {
		if f.pairs[i].name == name {
			n++
		}
	}
	return n
}

// Repeated returns the first name, other than resource and audience, that was sent more than once (RFC 6749 section
// 3.1: parameters MUST NOT be included more than once), or "".
func (f Form) Repeated() string {
	for i := range f.pairs {
		n := f.pairs[i].name
		if n == "resource" || n == "audience" {
			continue
		}
		for j := range i {
			if f.pairs[j].name == n {
				return n
			}
		}
	}
	return ""
}

// Names returns the names in order.
func (f Form) Names() []string {
	names := make([]string, len(f.pairs))
	for i := range f.pairs {
		names[i] = f.pairs[i].name
	}
	return names
}

// With returns a copy in which name has one value; for parameters that arrive another way (request objects).
func (f Form) With(name, value string) Form {
	pairs := make([]pair, 0, len(f.pairs)+1)
	for _, p := range f.pairs {
		if p.name != name {
			pairs = append(pairs, p)
		}
	}
	return Form{append(pairs, pair{name, value})}
}

// Without returns a copy without the named parameters.
func (f Form) Without(names ...string) Form {
	pairs := make([]pair, 0, len(f.pairs))
next:
	for _, p := range f.pairs {
		for _, n := range names {
			if p.name == n {
				continue next
			}
		}
		pairs = append(pairs, p)
	}
	return Form{pairs}
}

// Encode returns the form in application/x-www-form-urlencoded, in order.
func (f Form) Encode() string {
	var b strings.Builder
	for i, p := range f.pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(p.name))
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(p.value))
	}
	return b.String()
}

// ReadPost reads the form of a POST request. Only the body counts: an OAuth parameter in the URL
// is an error, so that credentials and codes never travel in one (RFC 6749 section 2.3.1).
func ReadPost(w http.ResponseWriter, r *http.Request) (Form, error) {
	if r.URL.RawQuery != "" {
		return Form{}, &FormError{"parameters belong in the body"}
	}
	return ReadBody(w, r)
}

// ReadBody reads the form in a request's body, whatever its URL says.
func ReadBody(w http.ResponseWriter, r *http.Request) (Form, error) {
	if err := checkFormType(r.Header); err != nil {
		return Form{}, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return Form{}, ErrTooLarge
		}
		return Form{}, &FormError{"body cannot be read"}
	}
	return Parse(string(body))
}

func checkFormType(h http.Header) error {
	types := h["Content-Type"]
	if len(types) == 1 && types[0] == "application/x-www-form-urlencoded" {
		return checkEncoding(h)
	}
	if len(types) != 1 {
		return &FormError{"Content-Type must be application/x-www-form-urlencoded"}
	}
	mt, params, err := mime.ParseMediaType(types[0])
	if err != nil || mt != "application/x-www-form-urlencoded" {
		return &FormError{"Content-Type must be application/x-www-form-urlencoded"}
	}
	for k, v := range params {
		if k != "charset" || !strings.EqualFold(v, "utf-8") {
			return &FormError{"Content-Type has an unknown parameter"}
		}
	}
	return checkEncoding(h)
}

func checkEncoding(h http.Header) error {
	if h.Get("Content-Encoding") != "" {
		return &FormError{"Content-Encoding is not supported"}
	}
	return nil
}

// ParseQuery parses a URL's raw query.
func ParseQuery(raw string) (Form, error) {
	if len(raw) > MaxQuery {
		return Form{}, ErrTooLarge
	}
	return Parse(raw)
}

// Parse parses a whole form or nothing: net/url would hand back the parameters it understood next to
// the error, and callers would go on with a part (security row B6).
func Parse(raw string) (Form, error) {
	if raw == "" {
		return Form{}, nil
	}
	if n := strings.Count(raw, "&") + 1; n > MaxParams {
		return Form{}, &FormError{"too many parameters"}
	}
	f := Form{make([]pair, 0, strings.Count(raw, "&")+1)}
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, err := unescape(name, false)
		if err != nil {
			return Form{}, err
		}
		if value, err = unescape(value, name == Assertion); err != nil {
			return Form{}, err
		}
		f.pairs = append(f.pairs, pair{name, value})
	}
	return f, nil
}

// Assertion is the parameter of RFC 7521 section 4.1. A line break in it is the usual mistake of people who
// paste one; its reader refuses it in its own words (maskinporten-altinn section 1.12, MP-011).
const Assertion = "assertion"

// unescape decodes a name or a value, which may have line breaks only where that is said.
func unescape(s string, lines bool) (string, error) {
	if plain(s) {
		return s, nil
	}
	if strings.IndexByte(s, ';') >= 0 {
		return "", &FormError{"a semicolon must be percent-encoded"}
	}
	u, err := url.QueryUnescape(s)
	if err != nil {
		return "", &FormError{"bad percent-encoding"}
	}
	if !utf8.ValidString(u) {
		return "", &FormError{"not UTF-8"}
	}
	for i := range len(u) {
		if (u[i] < 0x20 || u[i] == 0x7f) && !(lines && (u[i] == '\r' || u[i] == '\n')) {
			return "", &FormError{"control character"}
		}
	}
	return u, nil
}

// plain reports whether s is printable ASCII that stands for itself, as most parameters are.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '%' || c == '+' || c == ';' {
			return false
		}
	}
	return true
}

// String names the parameters without their values, so that a printed Form leaks nothing.
func (f Form) String() string { return fmt.Sprintf("Form%v", f.Names()) }
