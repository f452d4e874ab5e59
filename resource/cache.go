package resource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/portner-go/portner/internal/jose"
)

// Limits of an answer from the issuer (security row F2).
const (
	maxAnswer     = 64 << 10
	answerTimeout = 3 * time.Second
	// maxStale is how long a set is used beyond its time while no new one is to be had.
	maxStale = 10 * time.Minute
)

// keyCache holds the last key set of a jwks_uri.
type keyCache struct {
	uri             string
	http            *http.Client
	maxAge, refetch time.Duration
	standardBase64  bool

	mu     sync.Mutex
	keys   []jose.PublicKey
	until  time.Time     // the keys are fresh before it
	tried  time.Time     // the last fetch began
	failed error         // how it ended, if badly
	flight chan struct{} // closed at the end of the fetch under way; nil if none is
}

func (c *keyCache) find(ctx context.Context, kid string, now time.Time) ([]jose.PublicKey, error) {
	c.mu.Lock()
	known := holds(c.keys, kid)
	if known && now.Before(c.until) {
		defer c.mu.Unlock()
		return c.keys, nil
	}
	flight := c.fetch(ctx, now)
	if flight == nil || known && now.Before(c.until.Add(maxStale)) { // nobody waits for a set that has the key
		defer c.mu.Unlock()
		return c.verdict(kid, now)
	}
	c.mu.Unlock()
	select {
	case <-flight:
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: waiting for keys: %w", ErrUnavailable, ctx.Err())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.verdict(kid, now)
}

// holds reports whether a set can verify a token with this kid; without one any set may.
func holds(keys []jose.PublicKey, kid string) bool {
	return len(keys) > 0 && (kid == "" || slices.ContainsFunc(keys, func(k jose.PublicKey) bool { return k.KID == kid }))
}

// verdict is what the cache says when no fetch can help. An unknown kid is the token's fault only if the
// issuer answered when it was last asked; otherwise the key may be one we could not fetch.
func (c *keyCache) verdict(kid string, now time.Time) ([]jose.PublicKey, error) {
	if holds(c.keys, kid) && now.Before(c.until.Add(maxStale)) {
		return c.keys, nil
	}
	if c.failed != nil {
		return nil, fmt.Errorf("%w: fetching keys: %w", ErrUnavailable, c.failed)
	}
	return c.keys, nil
}

// fetch begins to fetch the set, or joins who does. It returns nil if the last attempt is too recent. The
// caller holds the lock.
func (c *keyCache) fetch(ctx context.Context, now time.Time) chan struct{} {
	if c.flight != nil {
		return c.flight
	}
	if !c.tried.IsZero() && now.Before(c.tried.Add(c.refetch)) {
		return nil
	}
	c.tried, c.flight = now, make(chan struct{})
	flight := c.flight
	go func() { // not in the request: whoever leaves must not take the keys from those who wait
		defer close(flight)
		c.load(context.WithoutCancel(ctx), now)
	}()
	return flight
}

// load fetches the set and keeps it. A failure keeps the old one.
func (c *keyCache) load(ctx context.Context, now time.Time) {
	keys, maxAge, err := c.get(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flight, c.failed = nil, err
	if err == nil {
		c.keys, c.until = keys, now.Add(maxAge)
	}
}

// get asks the issuer once. A transport that panics must not end the process: nobody would recover here.
func (c *keyCache) get(ctx context.Context) (keys []jose.PublicKey, maxAge time.Duration, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic of type %T", v)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.uri, nil)
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	doc, header, err := fetchJSON(c.http, req)
	if err != nil {
		return nil, 0, err
	}
	keys, err = usableKeys(doc, c.standardBase64)
	return keys, maxAgeOf(header, c.maxAge), err
}

// fetchJSON reads a JSON document of bounded length.
func fetchJSON(client *http.Client, req *http.Request) ([]byte, http.Header, error) {
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("answered with status %d", resp.StatusCode)
	}
	switch mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); mediaType {
	case "application/json", "application/jwk-set+json":
	default:
		return nil, nil, errors.New("the answer is not JSON")
	}
	doc, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, nil, err
	}
	if len(doc) > maxAnswer {
		return nil, nil, fmt.Errorf("the answer is longer than %d bytes", maxAnswer)
	}
	return doc, resp.Header, nil
}

// maxAgeOf reads how long an answer may be kept (RFC 9111 section 5.2.2). Without a word it is the default;
// no-store and no-cache are zero: the set is fetched again as soon as the window allows.
func maxAgeOf(h http.Header, otherwise time.Duration) time.Duration {
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
			otherwise = min(otherwise, time.Duration(seconds)*time.Second)
		}
	}
	return otherwise
}
