package canary

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"

	"github.com/portner-go/portner"
)

// Logger returns a handler that records each line at every level, and passes it to next if next is enabled for it.
func (r *Recorder) Logger(next slog.Handler) slog.Handler {
	lines := slog.NewTextHandler(lineWriter{r}, &slog.HandlerOptions{Level: slog.LevelDebug - 100})
	return both{lines, next}
}

// lineWriter writes to the log of a recorder.
type lineWriter struct{ r *Recorder }

// Write implements io.Writer: it records a line of the log.
func (w lineWriter) Write(line []byte) (int, error) {
	w.r.See(Log, string(line))
	return len(line), nil
}

// both is a handler for two.
type both struct{ first, second slog.Handler }

// Enabled implements slog.Handler.
func (b both) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (b both) Handle(ctx context.Context, r slog.Record) error {
	_ = b.first.Handle(ctx, r.Clone())
	if b.second.Enabled(ctx, r.Level) {
		return b.second.Handle(ctx, r)
	}
	return nil
}

// WithAttrs implements slog.Handler.
func (b both) WithAttrs(attrs []slog.Attr) slog.Handler {
	return both{b.first.WithAttrs(attrs), b.second.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (b both) WithGroup(name string) slog.Handler {
	return both{b.first.WithGroup(name), b.second.WithGroup(name)}
}

// Event records an event. It has the signature of provider.Config.OnEvent.
func (r *Recorder) Event(_ context.Context, e portner.Event) { r.See(Log, fmt.Sprintf("%+v", e)) }

// Handler returns a handler that records the requests and responses of next, and what a panic of next prints.
func (r *Recorder) Handler(next http.Handler) http.Handler { return r.handler(next, Page, URL) }

// Client returns a handler like that of Handler, around a client.
func (r *Recorder) Client(next http.Handler) http.Handler {
	return r.handler(next, ClientPage, ClientURL)
}

// Administration returns a handler like that of Handler, around an administration.
func (r *Recorder) Administration(next http.Handler) http.Handler {
	return r.handler(next, AdministrationPage, URL)
}

// handler returns a handler that records pages and addresses in two channels.
func (r *Recorder) handler(next http.Handler, page, address Channel) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var body bytes.Buffer
		if req.Body != nil && req.Body != http.NoBody {
			req.Body = struct {
				io.Reader
				io.Closer
			}{io.TeeReader(req.Body, &body), req.Body}
		}
		header, rec := req.Header.Clone(), httptest.NewRecorder()
		defer func() {
			if p := recover(); p != nil {
				r.See(Panic, fmt.Sprint(p))
				panic(p)
			}
		}()
		next.ServeHTTP(&twice{ResponseWriter: w, copy: rec}, req)
		r.exchange(req.URL, header, body.Bytes(), rec)
		r.leaves(rec, page, address)
	})
}

// twice writes a response, and a copy of it.
type twice struct {
	http.ResponseWriter
	copy  *httptest.ResponseRecorder
	wrote bool
}

// WriteHeader implements http.ResponseWriter.
func (t *twice) WriteHeader(status int) {
	if status >= 200 {
		t.begin(status)
	}
	t.ResponseWriter.WriteHeader(status)
}

func (t *twice) begin(status int) {
	if !t.wrote {
		t.wrote = true
		for name, values := range t.Header() {
			t.copy.Header()[name] = slices.Clone(values)
		}
		t.copy.WriteHeader(status)
	}
}

// Write implements http.ResponseWriter.
func (t *twice) Write(p []byte) (int, error) {
	t.begin(http.StatusOK)
	t.copy.Body.Write(p)
	return t.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (t *twice) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// exchange collects the values of a request and its response.
func (r *Recorder) exchange(u *url.URL, header http.Header, body []byte, resp *httptest.ResponseRecorder) {
	accepted := resp.Code < 400
	form, _ := url.ParseQuery(string(body))
	query := u.Query()
	for _, values := range []url.Values{form, query} {
		for name, all := range values {
			for _, v := range all {
				r.numbers(v)
				if kind, known := parameters[name]; known && accepted {
					r.Keep(kind, v)
				}
			}
		}
	}
	if accepted {
		r.credentials(header)
		if isJSON(header) {
			r.Document(body)
		}
	}
	r.issued(resp)
}

// parameters are the kinds of parameters, whose values count if the request is accepted.
var parameters = map[string]Kind{
	"client_secret": ClientSecret, "code": Code, "code_verifier": Verifier, "refresh_token": RefreshToken, "id_token_hint": IDToken,
	"client_assertion": Assertion, "assertion": Assertion, "password": Password, "request": PendingRequest, "csrf": FormToken, "access_token": AccessToken,
}

// members are the kinds of members of JSON documents.
var members = map[string]Kind{
	"access_token": AccessToken, "refresh_token": RefreshToken, "id_token": IDToken, "request_uri": RequestURI, "client_secret": ClientSecret, "pid": IdentityNumber,
	"password": Password, "secrets": Key, "pairwise_key": Key,
}

// credentials collects the values of the header fields of an accepted request.
func (r *Recorder) credentials(header http.Header) {
	for _, v := range header["Authorization"] {
		scheme, text, _ := strings.Cut(v, " ")
		if !strings.EqualFold(scheme, "Basic") {
			r.Keep(AccessToken, text)
			continue
		}
		raw, _ := base64.StdEncoding.DecodeString(text)
		if _, secret, found := strings.Cut(string(raw), ":"); found {
			r.Keep(ClientSecret, secret)
			r.Keep(ClientSecret, text)
			if plain, err := url.QueryUnescape(secret); err == nil {
				r.Keep(ClientSecret, plain)
			}
		}
	}
	for _, v := range header["Dpop"] {
		r.Keep(Proof, v)
	}
	r.cookies((&http.Request{Header: header}).Cookies())
}

// cookies collects cookies, other than settings such as the language.
func (r *Recorder) cookies(all []*http.Cookie) {
	for _, k := range all {
		if len(k.Value) > longPart {
			r.Keep(Cookie, k.Value)
		}
	}
}

// issued collects the values that a response issues.
func (r *Recorder) issued(resp *httptest.ResponseRecorder) {
	r.cookies((&http.Response{Header: resp.Header()}).Cookies())
	if u, err := url.Parse(resp.Header().Get("Location")); err == nil {
		q := u.Query()
		r.Keep(Code, q.Get("code"))
		r.Keep(SignedResponse, q.Get("response"))
		r.Keep(PendingRequest, q.Get("request"))
	}
	if isJSON(resp.Header()) && resp.Code < 400 {
		r.Document(resp.Body.Bytes())
	}
}

func isJSON(h http.Header) bool { return strings.Contains(h.Get("Content-Type"), "json") }

// claims collects the identity in an id_token.
func (r *Recorder) claims(idToken string) {
	parts := strings.Split(idToken, ".")
	if len(parts) != 3 {
		return
	}
	var claims struct{ PID, Sub string }
	if raw, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil && json.Unmarshal(raw, &claims) == nil {
		r.Keep(IdentityNumber, claims.PID)
		r.Keep(Subject, claims.Sub)
	}
}

// leaves records where a response can be seen.
func (r *Recorder) leaves(resp *httptest.ResponseRecorder, page, address Channel) {
	for _, name := range []string{"Location", "Content-Location", "Refresh", "Link", "Referer"} {
		for _, v := range resp.Header()[name] {
			r.address(address, v)
		}
	}
	body := resp.Body.String()
	if resp.Code >= 400 {
		h := resp.Header().Clone()
		h.Del("Set-Cookie")
		if page != ClientPage { // which shows the same, with a notice
			page = ErrorPage
		}
		r.See(page, fmt.Sprint(h)+body)
		return
	}
	if strings.Contains(resp.Header().Get("Content-Type"), "html") {
		r.See(page, body)
	}
}

// address records an address without the parameters that may have a value.
func (r *Recorder) address(channel Channel, text string) {
	before, query, found := strings.Cut(text, "?")
	if !found {
		r.See(channel, text)
		return
	}
	query, fragment, _ := strings.Cut(query, "#")
	pairs := slices.DeleteFunc(strings.Split(query, "&"), func(pair string) bool {
		name, escaped, _ := strings.Cut(pair, "=")
		v, err := url.QueryUnescape(escaped)
		return err == nil && slices.ContainsFunc(r.allowed, func(a Allowance) bool { return a.Channel == channel && a.Parameter == name && r.mayHave(a.Kind, v) })
	})
	r.See(channel, before+"?"+strings.Join(pairs, "&")+"#"+fragment)
}

// mayHave reports whether a text is a value, or may be one that was beyond the limit. Values that one key has sealed begin alike.
func (r *Recorder) mayHave(k Kind, text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.values[value{k, text}] || len(r.values) == mostValues
}
