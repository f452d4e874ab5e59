package resource

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/jose"
)

// Introspection describes the issuer's introspection endpoint (RFC 7662). ID-porten returns the user of an opaque or
// pseudonymous token only to clients of the organisation that owns the token's scopes.
type Introspection struct {
	// Endpoint is the issuer's introspection_endpoint: https, or http to a loopback address. Required.
	Endpoint string
	// ClientID and ClientSecret authenticate the API with client_secret_basic. Required, unless Authenticate is set. An
	// issuer whose secrets [portner.Secret.Validate] rejects needs Authenticate.
	ClientID     string
	ClientSecret portner.Secret
	// Authenticate adds the authentication of the API to the request or its form, such as a client_assertion. If nil,
	// client_secret_basic.
	Authenticate func(r *http.Request, form url.Values) error
	// Keys are the keys of signed responses, which are usually those of the access tokens (RFC 9701): [RemoteKeys] or [StaticKeys]. If set, the
	// endpoint must respond with a JWT for ClientID, which is required then, and a response without a signature is a fault. If nil,
	// responses are JSON.
	Keys Keys
	// WithoutPID also introspects signed tokens of a user without the claim pid: pseudonymous tokens.
	WithoutPID bool
	// CacheFor is the time an active response is cached, at most until the token expires. Requests with a token that is being
	// introspected share the response. Inactive responses are not cached. If zero, every request is introspected, and a
	// revocation takes effect at once.
	CacheFor time.Duration
	// HTTP makes the requests. If nil, a client with the default transport.
	HTTP *http.Client
	// Timeout is the timeout of one request. The default is 3 s.
	Timeout time.Duration
}

// maxCached is the largest number of cached responses.
const maxCached = 4096

// maxOpaque is the greatest length of an opaque token that is introspected.
const maxOpaque = 4 << 10

// introspector is a validated Introspection with its cache: two generations of at most maxCached/2 responses. One that is used moves
// into the recent generation; when that is full, it becomes the older one, and the former older one is forgotten. A user with many
// tokens therefore does not remove the responses for tokens that are in use.
type introspector struct {
	Introspection
	keys keySource // of signed responses; nil for JSON

	mu            sync.Mutex
	recent, older map[[sha256.Size]byte]response
	calls         map[[sha256.Size]byte]*call // in flight; one for each token. Not used without CacheFor
}

// call is an introspection in flight. Its fields are set before done is closed.
type call struct {
	done  chan struct{}
	token *Token
	err   error
}

type response struct {
	token *Token
	from  time.Time
	until time.Time
}

func newIntrospector(cfg Introspection, check *fields.Checker) *introspector {
	check.Add("Introspection.Endpoint", checkEndpoint(cfg.Endpoint))
	if cfg.Authenticate == nil {
		check.Require(cfg.ClientID != "", "Introspection.ClientID")
		check.Secret("Introspection.ClientSecret", cfg.ClientSecret)
	}
	in := &introspector{recent: map[[sha256.Size]byte]response{}, calls: map[[sha256.Size]byte]*call{}}
	check.OptionalValue(cfg.Keys, "Introspection.Keys")
	if !fields.IsNil(cfg.Keys) {
		check.Want(cfg.ClientID != "" || cfg.Authenticate == nil, "Introspection.ClientID", "is required with Keys")
		var keys fields.Checker
		in.keys = cfg.Keys.source(&keys)
		check.Join("Introspection", keys.Err())
	}
	check.Want(cfg.CacheFor >= 0, "Introspection.CacheFor", "must not be negative")
	check.Want(cfg.Timeout >= 0, "Introspection.Timeout", "must not be negative")
	if cfg.Timeout == 0 {
		cfg.Timeout = responseTimeout
	}
	cfg.HTTP = withoutRedirects(cfg.HTTP)
	in.Introspection = cfg
	return in
}

// resolves reports whether the pid of a verified token must be requested from the issuer.
func (in *introspector) resolves(t *Token) bool {
	return in != nil && in.WithoutPID && t.PID.IsZero() && t.HasUser()
}

// resolve adds the pid to a pseudonymous token. It uses no other claim of the response, which must describe the same token.
func (i *issuer) resolve(ctx context.Context, token string, t *Token, now time.Time) (*Token, error) {
	introspected, err := i.introspect(ctx, token, now)
	if err != nil {
		return nil, err
	}
	if differs(introspected.Subject, t.Subject) || differs(introspected.ClientID, t.ClientID) || differs(introspected.ID, t.ID) ||
		introspected.Confirmation != t.Confirmation {
		return nil, fmt.Errorf("resource: the introspection response describes another token: %w", portner.ErrUnavailable)
	}
	t.PID, t.Introspected = introspected.PID, true
	return t, nil
}

func differs(introspected, signed string) bool { return introspected != "" && introspected != signed }

var errPanicked = fmt.Errorf("resource: introspection panicked: %w", portner.ErrUnavailable)

// introspect accepts a token that the issuer reports as active.
func (i *issuer) introspect(ctx context.Context, token string, now time.Time) (*Token, error) {
	in := i.introspection
	if in == nil {
		return nil, errOpaque()
	}
	if !jwtShaped(token) && len(token) > maxOpaque {
		return nil, errMalformed(nil)
	}
	key := sha256.Sum256([]byte(token))
	if in.CacheFor == 0 { // a response to an earlier request may be older than a revocation
		return i.requestToken(ctx, token, now)
	}
	if t := in.load(key, now); t != nil {
		return t, nil
	}
	c, first := in.join(key)
	if first {
		// The other callers wait for this request, so it does not end with the context of its caller.
		go func() {
			defer in.leave(key, c)
			if c.token, c.err = i.requestToken(context.WithoutCancel(ctx), token, now); c.err == nil {
				in.store(key, c.token, now)
			}
		}()
	}
	select {
	case <-c.done:
		return c.token, c.err
	case <-ctx.Done():
		return nil, fmt.Errorf("resource: introspection: %w: %w", portner.ErrUnavailable, ctx.Err())
	}
}

// join returns the call for a token, and whether the caller must make it.
func (in *introspector) join(key [sha256.Size]byte) (c *call, first bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if c := in.calls[key]; c != nil {
		return c, false
	}
	c = &call{done: make(chan struct{}), err: errPanicked}
	in.calls[key] = c
	return c, true
}

// leave ends a call. A panic of Authenticate or of the transport is the error of every caller.
func (in *introspector) leave(key [sha256.Size]byte, c *call) {
	if v := recover(); v != nil {
		c.token, c.err = nil, fmt.Errorf("%w: a value of type %T", errPanicked, v)
	}
	in.mu.Lock()
	delete(in.calls, key)
	in.mu.Unlock()
	close(c.done)
}

// requestToken sends an introspection request and accepts an active response.
func (i *issuer) requestToken(ctx context.Context, token string, now time.Time) (*Token, error) {
	claims, err := i.requestClaims(ctx, token, now)
	if err != nil {
		return nil, fmt.Errorf("resource: introspection: %w: %w", portner.ErrUnavailable, err)
	}
	if active, err := claims.Bool("active"); err != nil || !active {
		return nil, invalid("token_inactive", "The access token is not active.", err)
	}
	return i.accept(claims, origin{introspected: true}, now)
}

// requestClaims sends one introspection request and returns the claims of the response (RFC 7662 §2.2).
func (i *issuer) requestClaims(ctx context.Context, token string, now time.Time) (jose.Object, error) {
	if i.introspection.keys == nil {
		doc, err := i.introspection.request(ctx, token, "application/json")
		if err != nil {
			return jose.Object{}, err
		}
		return jose.ParseObject(doc)
	}
	doc, err := i.introspection.request(ctx, token, "application/token-introspection+jwt")
	if err != nil {
		return jose.Object{}, err
	}
	return i.openResponse(ctx, string(doc), now)
}

// openResponse verifies a signed response to a request of now, and returns the claim token_introspection (RFC 9701 §5). The JWT does not say
// which token it is about: as for JSON, that follows from the connection.
func (i *issuer) openResponse(ctx context.Context, jwt string, now time.Time) (jose.Object, error) {
	header, err := jose.ParseHeader(jwt, maxResponse)
	if err == nil {
		err = jose.IntrospectionResponse.CheckTyp(header) // before a key is fetched
	}
	if err != nil {
		return jose.Object{}, err
	}
	keys, err := i.introspection.keys.find(ctx, header.KID, now)
	if err != nil {
		return jose.Object{}, err
	}
	jws, err := jose.Verify(jwt, maxResponse, i.algorithms, keys, jose.IntrospectionResponse)
	if err != nil {
		return jose.Object{}, err
	}
	r := reader{Object: jws.Claims}
	iss, aud, issued := r.text("iss"), r.texts("aud"), r.time("iat")
	claims, ok := r.object("token_introspection")
	switch oldest, latest := now.Add(-i.leeway).Truncate(time.Second), now.Add(i.introspection.Timeout+i.leeway); {
	case r.err != nil:
		return jose.Object{}, r.err
	case !ok:
		return jose.Object{}, errors.New("the signed response has no claim token_introspection")
	case iss != i.name:
		return jose.Object{}, errors.New("the signed response is of another issuer")
	case !slices.Contains(aud, i.introspection.ClientID):
		return jose.Object{}, errors.New("the signed response is for another client")
	case issued.Before(oldest), issued.After(latest): // also if iat is missing
		return jose.Object{}, errors.New("the signed response is not of the time of the request")
	}
	return claims, nil
}

// request sends one introspection request (RFC 7662 §2.1) and returns the body of the response, which must have one of the media types. Its
// errors never hold the token.
func (in *introspector) request(ctx context.Context, token string, accept ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, in.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, in.Endpoint, nil)
	if err != nil {
		return nil, err
	}
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	if in.Authenticate == nil { // RFC 6749 §2.3.1: both values are form-encoded first
		req.SetBasicAuth(url.QueryEscape(in.ClientID), url.QueryEscape(string(in.ClientSecret)))
	} else if err := in.Authenticate(req, form); err != nil {
		return nil, fmt.Errorf("authenticating: %w", err)
	}
	setBody(req, form.Encode())
	req.Header.Set("Accept", accept[0])
	doc, _, err := fetchDocument(in.HTTP, req, accept...)
	return doc, err
}

// setBody sets the form of a request. It sets no GetBody: the transport must not repeat the request.
func setBody(req *http.Request, form string) {
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Body = http.NoBody
	if body := strings.NewReader(form); body.Len() > 0 {
		req.Body, req.ContentLength = readCloser{body}, int64(body.Len())
	}
}

type readCloser struct{ *strings.Reader }

// Close implements io.Closer.
func (readCloser) Close() error { return nil }

func (in *introspector) load(key [sha256.Size]byte, now time.Time) *Token {
	if in.CacheFor == 0 {
		return nil
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	r, ok := in.recent[key]
	if !ok {
		if r, ok = in.older[key]; ok {
			delete(in.older, key)
			in.insert(key, r)
		}
	}
	if !ok || now.Before(r.from) || !now.Before(r.until) { // before from: the clock was ahead
		return nil
	}
	return r.token
}

// store caches an active response.
func (in *introspector) store(key [sha256.Size]byte, t *Token, now time.Time) {
	if in.CacheFor == 0 {
		return
	}
	until := now.Add(in.CacheFor)
	if t.ExpiresAt.Before(until) {
		until = t.ExpiresAt
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	delete(in.older, key)
	in.insert(key, response{t, now, until})
}

// insert adds a response to the recent generation. The caller holds the lock.
func (in *introspector) insert(key [sha256.Size]byte, r response) {
	if _, ok := in.recent[key]; !ok && len(in.recent) >= maxCached/2 {
		in.older, in.recent = in.recent, map[[sha256.Size]byte]response{}
	}
	in.recent[key] = r
}
