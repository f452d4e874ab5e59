package resource

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/jose"
)

// Limits of responses of the issuer.
const (
	maxResponse     = 64 << 10
	responseTimeout = 3 * time.Second
	// maxStale is the time a key set is used after its lifetime if a new one cannot be fetched.
	maxStale = 10 * time.Minute
)

// keyCache holds the last key set fetched from a jwks_uri.
type keyCache struct {
	uri             string
	http            *http.Client
	maxAge, refetch time.Duration
	standardBase64  bool

	mu     sync.Mutex
	keys   []jose.PublicKey
	from   time.Time     // start of the fetch of keys
	until  time.Time     // the keys are fresh from from until it
	tried  time.Time     // start of the last fetch
	failed error         // error of the last fetch
	flight chan struct{} // closed at the end of the current fetch; nil if there is none
}

func (c *keyCache) find(ctx context.Context, kid string, now time.Time) ([]jose.PublicKey, error) {
	c.mu.Lock()
	known := holds(c.keys, kid)
	if known && c.usable(now, 0) {
		defer c.mu.Unlock()
		return c.keys, nil
	}
	flight := c.fetch(ctx, now)
	if flight == nil || known && c.usable(now, maxStale) { // a stale set that has the key is used at once
		defer c.mu.Unlock()
		return c.current(kid, now)
	}
	c.mu.Unlock()
	select {
	case <-flight:
	case <-ctx.Done():
		return nil, fmt.Errorf("resource: waiting for keys: %w: %w", portner.ErrUnavailable, ctx.Err())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current(kid, now)
}

// holds reports whether keys may verify a token with this kid. A token without kid may be signed with any key.
func holds(keys []jose.PublicKey, kid string) bool {
	return len(keys) > 0 && (kid == "" || slices.ContainsFunc(keys, func(k jose.PublicKey) bool { return k.KID == kid }))
}

// usable reports whether now is in the lifetime of the keys, with some slack. Keys from the future are not: they were fetched while
// the clock was ahead, and the issuer may have withdrawn them since. The caller holds the lock.
func (c *keyCache) usable(now time.Time, slack time.Duration) bool {
	return now.Before(c.until.Add(slack)) && !now.Before(c.from.Add(-slack))
}

// current returns the keys without a fetch. If kid is unknown and the last fetch failed, the key may be a new one: the result
// is a fault, not a rejection. The caller holds the lock.
func (c *keyCache) current(kid string, now time.Time) ([]jose.PublicKey, error) {
	if holds(c.keys, kid) && c.usable(now, maxStale) {
		return c.keys, nil
	}
	if c.failed != nil {
		return nil, fmt.Errorf("resource: fetching keys: %w: %w", portner.ErrUnavailable, c.failed)
	}
	return c.keys, nil
}

// fetch starts a fetch of the key set, or returns the current one. It returns nil if the last fetch was less than refetch
// ago. An instant in the future does not count: the clock was ahead then. The caller holds the lock.
func (c *keyCache) fetch(ctx context.Context, now time.Time) chan struct{} {
	if c.flight != nil {
		return c.flight
	}
	if !c.tried.IsZero() && now.Sub(c.tried).Abs() < c.refetch {
		return nil
	}
	c.tried, c.flight = now, make(chan struct{})
	flight := c.flight
	go func() { // independent of the request: other requests wait for the same keys
		defer close(flight)
		c.load(context.WithoutCancel(ctx), now)
	}()
	return flight
}

// load fetches the key set and stores it. If the fetch fails, the old set is kept.
func (c *keyCache) load(ctx context.Context, now time.Time) {
	keys, maxAge, err := c.get(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flight, c.failed = nil, err
	if err == nil {
		c.keys, c.from, c.until = keys, now, now.Add(maxAge)
	}
}

// get requests the key set once. It recovers from a panic of the transport, which would end the process in this goroutine.
func (c *keyCache) get(ctx context.Context) (keys []jose.PublicKey, maxAge time.Duration, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic of type %T", v)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, responseTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.uri, nil)
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	doc, header, err := fetchDocument(c.http, req, "application/json", "application/jwk-set+json")
	if err != nil {
		return nil, 0, err
	}
	keys, err = usableKeys(doc, c.standardBase64)
	return keys, maxAgeOf(header, c.maxAge), err
}

// fetchDocument sends req and returns the document of the response, of one of the media types and at most maxResponse bytes.
func fetchDocument(client *http.Client, req *http.Request, types ...string) ([]byte, http.Header, error) {
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("the response has status %d", resp.StatusCode)
	}
	if mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); !slices.Contains(types, mediaType) {
		return nil, nil, fmt.Errorf("the response is not %s", types[0])
	}
	doc, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	if err != nil {
		return nil, nil, err
	}
	if len(doc) > maxResponse {
		return nil, nil, fmt.Errorf("the response is longer than %d bytes", maxResponse)
	}
	return doc, resp.Header, nil
}

// maxAgeOf returns the lifetime of a response (RFC 9111 §5.2.2), at most limit. It is zero for no-store and no-cache: the set
// is fetched again as soon as refetch allows.
func maxAgeOf(h http.Header, limit time.Duration) time.Duration {
	for _, directive := range strings.Split(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if err != nil {
				return 0
			}
			limit = min(limit, time.Duration(seconds)*time.Second)
		}
	}
	return limit
}
