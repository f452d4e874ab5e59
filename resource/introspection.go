package resource

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/jose"
)

// Introspection asks the issuer what a token says (RFC 7662). An issuer like ID-porten tells the person
// behind an opaque or pseudonymous token only to a client of the organisation that owns the token's scopes
// (idporten section 10.2).
type Introspection struct {
	// Endpoint is the issuer's introspection_endpoint: https, or http on this machine. Required.
	Endpoint string
	// ClientID and ClientSecret authenticate the API with client_secret_basic. Required, unless
	// Authenticate does it.
	ClientID     string
	ClientSecret portner.Secret
	// Authenticate adds what authenticates the API, to the request or the form, such as a
	// client_assertion. nil: client_secret_basic.
	Authenticate func(r *http.Request, form url.Values) error
	// WithoutPID also asks about signed tokens of a person that hold no pid: pseudonymous ones.
	WithoutPID bool
	// CacheFor remembers positive answers that long, never beyond the token's life. Zero asks each time,
	// and so sees a revocation at once. Negative answers are never remembered.
	CacheFor time.Duration
	// HTTP makes the requests. nil: a client with the standard transport.
	HTTP *http.Client
	// Timeout of one question. Zero is three seconds.
	Timeout time.Duration
}

// maxRemembered bounds the cache of answers.
const maxRemembered = 4096

// maxOpaque is the greatest length of an opaque token that is sent on.
const maxOpaque = 4 << 10

// introspector is a checked Introspection and its memory.
type introspector struct {
	Introspection

	mu         sync.Mutex
	remembered map[[sha256.Size]byte]answer
}

type answer struct {
	token *Token
	until time.Time
}

func newIntrospector(cfg Introspection) (*introspector, error) {
	var errs []error
	if err := safeURL(cfg.Endpoint); err != nil {
		errs = append(errs, fmt.Errorf("Introspection: Endpoint %w", err))
	}
	if cfg.Authenticate == nil && (cfg.ClientID == "" || len(cfg.ClientSecret) == 0) {
		errs = append(errs, errors.New("Introspection: ClientID and ClientSecret, or Authenticate, are required"))
	}
	if cfg.CacheFor < 0 || cfg.Timeout < 0 {
		errs = append(errs, errors.New("Introspection: CacheFor and Timeout must not be negative"))
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = answerTimeout
	}
	cfg.HTTP = outgoing(cfg.HTTP)
	return &introspector{Introspection: cfg, remembered: map[[sha256.Size]byte]answer{}}, errors.Join(errs...)
}

// resolves reports whether the issuer must be asked who is behind a token that verified.
func (in *introspector) resolves(t *Token) bool {
	return in != nil && in.WithoutPID && t.PID.IsZero() && t.Person()
}

// resolve completes a pseudonymous token. The answer must be about this very token: nothing but the pid is
// taken from it.
func (i *issuer) resolve(ctx context.Context, token string, t *Token, now time.Time) (*Token, error) {
	told, err := i.introspect(ctx, token, now)
	if err != nil {
		return nil, err
	}
	if differs(told.Subject, t.Subject) || differs(told.ClientID, t.ClientID) || differs(told.ID, t.ID) {
		return nil, fmt.Errorf("%w: introspection answered about another token", ErrUnavailable)
	}
	t.PID, t.Introspected = told.PID, true
	return t, nil
}

func differs(told, signed string) bool { return told != "" && told != signed }

// introspect accepts a token on the issuer's word.
func (i *issuer) introspect(ctx context.Context, token string, now time.Time) (*Token, error) {
	in := i.introspection
	if in == nil {
		return nil, errOpaque()
	}
	if !wellFormed(token) || !jwtShaped(token) && len(token) > maxOpaque {
		return nil, invalid("malformed", "The access token is malformed.", nil)
	}
	key := sha256.Sum256([]byte(token))
	if t := in.recall(key, now); t != nil {
		return t, nil
	}
	claims, err := in.ask(ctx, token)
	if err != nil {
		return nil, fmt.Errorf("%w: introspection: %w", ErrUnavailable, err)
	}
	if active, err := claims.Bool("active"); err != nil || !active {
		return nil, invalid("inactive", "The access token is not active.", err)
	}
	t, err := i.accept(claims, origin{introspected: true}, now)
	if err != nil {
		return nil, err
	}
	in.remember(key, t, now)
	return t, nil
}

// ask puts one question (RFC 7662 section 2.1). Errors never quote the token.
func (in *introspector) ask(ctx context.Context, token string) (jose.Object, error) {
	ctx, cancel := context.WithTimeout(ctx, in.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, in.Endpoint, nil)
	if err != nil {
		return jose.Object{}, err
	}
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	if in.Authenticate == nil { // RFC 6749 section 2.3.1: both are form-encoded first
		req.SetBasicAuth(url.QueryEscape(in.ClientID), url.QueryEscape(string(in.ClientSecret)))
	} else if err := in.Authenticate(req, form); err != nil {
		return jose.Object{}, fmt.Errorf("authenticating: %w", err)
	}
	setBody(req, form.Encode())
	req.Header.Set("Accept", "application/json")
	doc, _, err := fetchJSON(in.HTTP, req)
	if err != nil {
		return jose.Object{}, err
	}
	return jose.ParseObject(doc)
}

// setBody gives a request its form. The body cannot be read again: a question is never repeated on its own.
func setBody(req *http.Request, form string) {
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Body = http.NoBody
	if body := strings.NewReader(form); body.Len() > 0 {
		req.Body, req.ContentLength = readCloser{body}, int64(body.Len())
	}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

func (in *introspector) recall(key [sha256.Size]byte, now time.Time) *Token {
	if in.CacheFor == 0 {
		return nil
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if a, ok := in.remembered[key]; ok && now.Before(a.until) {
		return a.token
	}
	return nil
}

// remember keeps a positive answer.
func (in *introspector) remember(key [sha256.Size]byte, t *Token, now time.Time) {
	if in.CacheFor == 0 {
		return
	}
	until := now.Add(in.CacheFor)
	if t.ExpiresAt.Before(until) {
		until = t.ExpiresAt
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.remembered) >= maxRemembered {
		clear(in.remembered) // costs some questions more, and never a walk for each answer
	}
	in.remembered[key] = answer{t, until}
}

// wellFormed reports whether s is a b64token (RFC 6750 section 2.1).
func wellFormed(s string) bool {
	body := strings.TrimRight(s, "=")
	for i := range len(body) {
		c := body[i]
		if !('A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-._~+/", c) >= 0) {
			return false
		}
	}
	return body != ""
}
