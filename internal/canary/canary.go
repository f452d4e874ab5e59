// Package canary searches what leaves a server for identity numbers, secrets and tokens. A [Recorder] observes the requests, the log and the
// events of a server in a test. It collects the values that must stay where they belong, and at the end of the test searches logs, error
// pages, URLs, panics and metrics for each of them in several encodings (docs/threat-model.md H6, I5, I9).
package canary

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Channel is where a text goes.
type Channel string

// Channels.
const (
	Log       Channel = "log"        // log lines and events
	Metric    Channel = "metric"     // metrics
	Trace     Channel = "trace"      // spans
	Panic     Channel = "panic"      // values of panics that leave a handler
	ErrorPage Channel = "error page" // headers and body of a response with a status of 400 or more
	Page      Channel = "page"       // body of another response that a browser shows
	URL       Channel = "URL"        // addresses that a response leads to, with what browsers send on in Referer

	ClientPage         Channel = "page of a client"           // Page or ErrorPage of a client
	ClientURL          Channel = "URL of a client"            // URL of a client
	AdministrationPage Channel = "page of the administration" // Page of an administration
)

// Kind is what a value is.
type Kind string

// Kinds.
const (
	IdentityNumber Kind = "identity number"
	ClientSecret   Kind = "client secret"
	Password       Kind = "password"
	Key            Kind = "key"
	Code           Kind = "code"
	Verifier       Kind = "code_verifier"
	AccessToken    Kind = "access token"
	RefreshToken   Kind = "refresh token"
	IDToken        Kind = "id_token"
	Assertion      Kind = "assertion"
	Proof          Kind = "DPoP proof"
	Cookie         Kind = "cookie"
	RequestURI     Kind = "request_uri"
	PendingRequest Kind = "pending request"
	FormToken      Kind = "form token"
	SignedResponse Kind = "signed response"
	Subject        Kind = "subject"
	ChosenByCaller Kind = "what a caller chose"
)

const (
	shortest   = 11       // shorter values are in texts by chance
	mostValues = 2000     // of one recorder
	mostText   = 16 << 20 // of one recorder
	longPart   = 20       // characters at the begin and at the end of a long value: texts may be cut
)

// Allowance is a kind of value that a channel may have.
type Allowance struct {
	Channel Channel
	Kind    Kind
	// Parameter is the only query parameter that may have it, in the channel URL; "" is anywhere in the other channels.
	Parameter string
	Why       string
}

// allowances are those of every server. Logs, metrics, traces and panics have none.
var allowances = []Allowance{
	{URL, Code, "code", "RFC 6749 §4.1.2: the authorization response is in the redirect URI"},
	{URL, SignedResponse, "response", "JARM §2.3: the signed response is in the redirect URI"},
	{URL, PendingRequest, "request", "the address of a login page has the sealed request, which is of use in the same browser only"},
	{Page, Code, "", "OAuth 2.0 Form Post Response Mode: the page posts the code to the client"},
	{Page, SignedResponse, "", "JARM §2.3.3: the page posts the signed response to the client"},
	{Page, PendingRequest, "", "the form of a login page repeats the sealed request"},
	{Page, FormToken, "", "the form of a page has the token that its post repeats"},
	{Page, IDToken, "", "the page that confirms a logout repeats id_token_hint in its form"},
	{Page, IdentityNumber, "", "the login pages of a stand-in list its test persons"},
	{Page, Subject, "", "the pages of a stand-in list its test persons"},
	{ErrorPage, PendingRequest, "", "a page that rejects what a user entered has a status of 400 or more, and its form repeats the sealed request"},
	{ErrorPage, FormToken, "", "the form of such a page has the token that its post repeats"},
	{AdministrationPage, FormToken, "", "the form of a page has the token that its post repeats"},
	{AdministrationPage, IdentityNumber, "", "it lists the test persons"},
	{AdministrationPage, Subject, "", "it lists the test persons"},
	{AdministrationPage, ClientSecret, "", "a secret that the administration makes is shown once, to be copied"},
	{ClientPage, IdentityNumber, "", "a client shows users who they are"},
	{ClientPage, Subject, "", "a client shows users who they are"},
	{ClientURL, PendingRequest, "request", "RFC 9101 §5: a client sends the browser on with its request"},
	{ClientURL, RequestURI, "request_uri", "RFC 9126 §4: a client sends the browser on with this address"},
	{ClientURL, IDToken, "id_token_hint", "OpenID Connect RP-Initiated Logout §2: a client sends the browser on with the id_token"},
}

// value is a value that must stay where it belongs.
type value struct {
	kind Kind
	text string
}

// parts returns the parts of a value that are searched for.
func (v *value) parts() []string {
	text := v.text
	if strings.Count(text, ".") == 2 && strings.HasPrefix(text, "eyJ") { // the beginnings of JWTs are alike
		text = text[strings.LastIndexByte(text, '.')+1:]
	}
	if v.kind == RequestURI {
		text = text[strings.LastIndexByte(text, ':')+1:]
	}
	switch {
	case len(text) < shortest:
		return nil
	case len(text) <= longPart:
		return []string{text}
	}
	return []string{text[:longPart], text[len(text)-longPart:]}
}

// Leak is a value in a channel.
type Leak struct {
	Channel  Channel
	Kind     Kind
	Spelling string
	Near     string // the text before it
}

// String returns the channel, the kind and the spelling of the value, and the text before it, but not the value.
func (l Leak) String() string {
	return fmt.Sprintf("%s: %s (%s) after %q", l.Channel, l.Kind, l.Spelling, l.Near)
}

// Recorder keeps the values and the texts of one server. Its methods may be called at once.
type Recorder struct {
	allowed []Allowance

	mu      sync.Mutex
	values  map[value]bool
	texts   []text
	size    int
	dropped int // values and texts beyond the limits
}

// text is a part of a channel.
type text struct {
	channel Channel
	text    string
}

// New returns a recorder with allowances in addition to those of every server.
func New(more ...Allowance) *Recorder {
	return &Recorder{allowed: append(slices.Clone(allowances), more...), values: map[value]bool{}}
}

// Watch returns a recorder that is searched when the test and the cleanup functions that are registered later have ended. Each leak fails
// the test.
func Watch(tb testing.TB, more ...Allowance) *Recorder {
	tb.Helper()
	r := New(more...)
	tb.Cleanup(func() {
		for _, l := range r.Leaks() {
			tb.Errorf("a value has left: %s", l)
		}
	})
	return r
}

// Keep adds a value that must stay where it belongs. Values of fewer than 11 characters are in texts by chance, and ignored.
func (r *Recorder) Keep(kind Kind, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := value{kind, text}
	switch {
	case v.parts() == nil || r.values[v]:
	case len(r.values) < mostValues:
		r.values[v] = true
	default:
		r.dropped++
	}
}

// See adds a text of a channel.
func (r *Recorder) See(channel Channel, seen string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.size+len(seen) > mostText {
		r.dropped++
		return
	}
	r.size += len(seen)
	r.texts = append(r.texts, text{channel, seen})
}

// Seen returns the number of values and of bytes of text, and how many of both were beyond the limits.
func (r *Recorder) Seen() (values, bytes, dropped int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.values), r.size, r.dropped
}

// Leaks returns the values in channels that have no allowance for them, each once for a channel and spelling.
func (r *Recorder) Leaks() []Leak {
	r.mu.Lock()
	defer r.mu.Unlock()
	var values []*value
	for v := range r.values {
		values = append(values, &v)
	}
	x, found := newIndex(values), map[string]Leak{}
	for _, t := range r.texts {
		x.find(t.text, func(p pattern, at int) {
			if r.allows(t.channel, p.value.kind) {
				return
			}
			l := Leak{t.channel, p.value.kind, p.name, t.text[max(at-60, 0):at]}
			key := fmt.Sprint(l.Channel, l.Kind, l.Spelling)
			if _, again := found[key]; !again {
				found[key] = l
			}
		})
	}
	var leaks []Leak
	for _, l := range found {
		leaks = append(leaks, l)
	}
	slices.SortFunc(leaks, func(a, b Leak) int { return strings.Compare(a.String(), b.String()) })
	return leaks
}

func (r *Recorder) allows(c Channel, k Kind) bool {
	return slices.ContainsFunc(r.allowed, func(a Allowance) bool { return a.Channel == c && a.Kind == k && a.Parameter == "" })
}
