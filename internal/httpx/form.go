// Package httpx reads forms and writes responses with the limits and header fields that every handler of this module
// needs.
package httpx

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/portner-go/portner"
)

// Limits of forms, in bytes and parameters.
const (
	MaxBody   = 64 << 10
	MaxParams = 64
	MaxQuery  = 16 << 10
)

// FormError is the cause of the [portner.Error] for a form that is rejected. It holds no text of the form.
type FormError struct {
	// Reason is the rule, as a snake_case noun phrase.
	Reason string
	// Parameter is the name of a repeated parameter of the protocols, "" for other parameters and other reasons.
	Parameter string
}

// Error returns the reason.
func (e *FormError) Error() string { return "httpx: " + e.Reason }

// Repeated reports whether a parameter is repeated.
func (e *FormError) Repeated() bool { return e.Reason == "parameter_repeated" }

// reject returns the protocol error for a malformed form.
func reject(reason, description string) error {
	return &portner.Error{Code: portner.InvalidRequest, Description: description, Err: &FormError{Reason: reason}}
}

// TooLarge returns the protocol error for a form or query above the limits, with status 413.
func TooLarge() error {
	return &portner.Error{
		Code: portner.InvalidRequest, Status: http.StatusRequestEntityTooLarge, Description: "The request is too large.",
		Err: &FormError{Reason: "request_too_large"},
	}
}

// Form is a parsed form or query. A parameter may occur more than once; Unique rejects that.
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

// Has reports whether name has a value. RFC 6749 §3.1: parameters without a value are treated as if they were omitted.
func (f Form) Has(name string) bool { return f.Get(name) != "" }

// All returns every value of name. The parameters resource and audience may be repeated (RFC 8707 §2, RFC 8693 §2.1).
func (f Form) All(name string) []string {
	var all []string
	for i := range f.pairs {
		if f.pairs[i].name == name {
			all = append(all, f.pairs[i].value)
		}
	}
	return all
}

// Count returns how often name occurs.
func (f Form) Count(name string) int {
	n := 0
	for i := range f.pairs {
		if f.pairs[i].name == name {
			n++
		}
	}
	return n
}

// Unique returns an error for the first parameter, other than resource and audience, that occurs more than once. It names a known one.
// RFC 6749 §3.1: request parameters must not be included more than once.
func (f Form) Unique() error {
	name := f.Repeated()
	if name == "" {
		return nil
	}
	return &portner.Error{
		Code: portner.InvalidRequest, Description: RepeatedText(name),
		Err: &FormError{Reason: "parameter_repeated", Parameter: KnownParameter(name)},
	}
}

// Repeated returns the name of the first parameter, other than resource and audience, that occurs more than once, or "".
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

// Names returns the names of the parameters in order.
func (f Form) Names() []string {
	names := make([]string, len(f.pairs))
	for i := range f.pairs {
		names[i] = f.pairs[i].name
	}
	return names
}

// With returns a copy in which name has only the given value.
func (f Form) With(name, value string) Form {
	pairs := make([]pair, 0, len(f.pairs)+1)
	for _, p := range f.pairs {
		if p.name != name {
			pairs = append(pairs, p)
		}
	}
	return Form{append(pairs, pair{name, value})}
}

// Concat returns the parameters of both forms.
func Concat(a, b Form) Form { return Form{slices.Concat(a.pairs, b.pairs)} }

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

// ReadPost reads the form of a POST request. It rejects a URL with a query, because URLs with credentials and codes are written to
// logs and Referer fields (RFC 6749 §2.3.1).
func ReadPost(w http.ResponseWriter, r *http.Request) (Form, error) {
	if r.URL.RawQuery != "" {
		return Form{}, reject("parameters_in_query", "The parameters must be in the body, not in the URL.")
	}
	return ReadBody(w, r)
}

// ReadBody reads the form in the body of a request. It ignores the query of the URL.
func ReadBody(w http.ResponseWriter, r *http.Request) (Form, error) {
	if err := checkFormType(r.Header); err != nil {
		return Form{}, err
	}
	body, err := readText(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return Form{}, TooLarge()
		}
		return Form{}, reject("body_unreadable", "The body is incomplete.")
	}
	return Parse(body)
}

// bodies holds space in which bodies are read.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxPooled is the largest space that returns to the pool, in bytes.
const maxPooled = 8 << 10

// readText reads r to its end. It overwrites space that returns to the pool, because a body holds codes and secrets.
func readText(r io.Reader) (string, error) {
	b := bodies.Get().(*bytes.Buffer)
	_, err := b.ReadFrom(r)
	text := b.String()
	if b.Cap() <= maxPooled {
		clear(b.Bytes())
		b.Reset()
		bodies.Put(b)
	}
	return text, err
}

// formType is the media type of forms.
const formType = "application/x-www-form-urlencoded"

func checkFormType(h http.Header) error {
	types := h["Content-Type"]
	if len(types) == 1 && types[0] == formType {
		return checkEncoding(h)
	}
	if len(types) != 1 {
		return reject("content_type", "The Content-Type must be application/x-www-form-urlencoded.")
	}
	mt, params, err := mime.ParseMediaType(types[0])
	if err != nil || mt != formType {
		return reject("content_type", "The Content-Type must be application/x-www-form-urlencoded.")
	}
	for k, v := range params {
		if k != "charset" || !strings.EqualFold(v, "utf-8") {
			return reject("content_type_parameter", "The charset of the Content-Type must be utf-8.")
		}
	}
	return checkEncoding(h)
}

func checkEncoding(h http.Header) error {
	if h.Get("Content-Encoding") != "" {
		return reject("content_encoding", "The body must not have a Content-Encoding.")
	}
	return nil
}

// ParseQuery parses the raw query of a URL.
func ParseQuery(raw string) (Form, error) {
	if len(raw) > MaxQuery {
		return Form{}, TooLarge()
	}
	return Parse(raw)
}

// Parse parses application/x-www-form-urlencoded text. If a part of it is malformed, the whole text is rejected;
// url.ParseQuery returns the other parameters beside its error.
func Parse(raw string) (Form, error) {
	if raw == "" {
		return Form{}, nil
	}
	n := strings.Count(raw, "&") + 1
	if n > MaxParams {
		return Form{}, reject("too_many_parameters", "The request has too many parameters.")
	}
	f := Form{make([]pair, 0, n)}
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

// Assertion is the parameter of RFC 7521 §4.1. Its value may contain line breaks here, because Maskinporten answers such
// an assertion with an error code of its own (MP-011).
const Assertion = "assertion"

// unescape decodes a name or a value. Line breaks are rejected unless lineBreaks is set.
func unescape(s string, lineBreaks bool) (string, error) {
	if isPlain(s) {
		return s, nil
	}
	if strings.IndexByte(s, ';') >= 0 {
		return "", reject("semicolon", "The parameters must be separated by &; a semicolon must be percent-encoded.")
	}
	var room [256]byte // most values fit, so that only the result is allocated
	u, ok := appendDecoded(slices.Grow(room[:0], len(s)), s)
	if !ok {
		return "", reject("percent_encoding", "A parameter has an invalid percent-encoding.")
	}
	if !utf8.Valid(u) {
		return "", reject("invalid_utf8", "A parameter is not UTF-8.")
	}
	for _, c := range u {
		if (c < 0x20 || c == 0x7f) && !(lineBreaks && (c == '\r' || c == '\n')) {
			return "", reject("control_character", "A parameter has a control character.")
		}
	}
	return string(u), nil
}

// appendDecoded appends the text that s encodes. It is url.QueryUnescape for a buffer of the caller.
func appendDecoded(b []byte, s string) ([]byte, bool) {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			var ok bool
			if c, ok = HexByte(s[i+1:]); !ok {
				return nil, false
			}
			i += 2
		}
		b = append(b, c)
	}
	return b, true
}

// HexByte returns the byte whose two hexadecimal digits s begins with, and whether there are two.
func HexByte(s string) (byte, bool) {
	if len(s) < 2 {
		return 0, false
	}
	hi, ok1 := hexDigit(s[0])
	lo, ok2 := hexDigit(s[1])
	return hi<<4 | lo, ok1 && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// isPlain reports whether s is printable ASCII without an escape, as most parameters are. Sealed requests are long, so it reads four
// bytes between two branches.
func isPlain(s string) bool {
	for ; len(s) >= 4; s = s[4:] {
		if plain[s[0]]&plain[s[1]]&plain[s[2]]&plain[s[3]] == 0 {
			return false
		}
	}
	for i := range len(s) {
		if plain[s[i]] == 0 {
			return false
		}
	}
	return true
}

// plain is 1 for the bytes that isPlain accepts. One table costs less than five comparisons.
var plain = func() (table [256]byte) {
	for c := range table {
		if c > ' ' && c < 0x7f && c != '%' && c != '+' && c != ';' {
			table[c] = 1
		}
	}
	return table
}()

// String returns the names of the parameters without their values.
func (f Form) String() string { return fmt.Sprintf("Form%v", f.Names()) }

// Format writes the names of the parameters without their values, for every verb.
func (f Form) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, f.String()) }
