package resource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/portner-go/portner/internal/jose"
)

// Keys are the public keys of an issuer: [RemoteKeys] or [StaticKeys].
type Keys interface {
	source() (keySource, error)
}

// keySource finds the keys that may have signed a token whose header names kid, "" if it names none. They
// need not hold kid: then the token is refused. An error says that we cannot tell.
type keySource interface {
	find(ctx context.Context, kid string, now time.Time) ([]jose.PublicKey, error)
}

// StaticKeys is a JWKS document that never changes: for tests, and for APIs that get the issuer's keys
// another way. It is read strictly: one bad key refuses the set.
type StaticKeys []byte

type fixedKeys []jose.PublicKey

func (s StaticKeys) source() (keySource, error) {
	keys, err := jose.ParseJWKS(s)
	if err != nil {
		return nil, fmt.Errorf("Keys: %w", err)
	}
	if len(keys) == 0 {
		return nil, errors.New("Keys: the set is empty")
	}
	return fixedKeys(keys), nil
}

func (f fixedKeys) find(context.Context, string, time.Time) ([]jose.PublicKey, error) { return f, nil }

// Defaults of [RemoteKeys].
const (
	DefaultKeysMaxAge  = 24 * time.Hour   // how long a fetched set is good, unless its max-age is shorter
	DefaultKeysRefetch = 30 * time.Second // between two fetches, whatever tokens arrive
)

// RemoteKeys are fetched from the issuer's jwks_uri when they are first needed and kept for a day. A token
// with an unknown kid fetches them again, at most once per Refetch for all tokens together. While the issuer
// does not answer, the last set is used for ten minutes beyond its time.
//
// What must not verify anything is dropped from the set: private and symmetric keys, RSA below 2048 bits,
// keys for encryption, unknown types.
type RemoteKeys struct {
	// URI is the issuer's jwks_uri: https, or http on this machine. Redirects are not followed.
	URI string
	// HTTP makes the requests. nil: a client with the standard transport.
	HTTP *http.Client
	// MaxAge is how long a set is used. Cache-Control: max-age of the answer may shorten it, to Refetch at
	// the least. Zero is [DefaultKeysMaxAge].
	MaxAge time.Duration
	// Refetch is the time between two fetches. Zero is [DefaultKeysRefetch].
	Refetch time.Duration
	// AllowStandardBase64 reads keys written in the standard alphabet with padding, as Altinn publishes
	// them (Q14). RFC 7517 wants base64url.
	AllowStandardBase64 bool
}

func (r RemoteKeys) source() (keySource, error) {
	if err := safeURL(r.URI); err != nil {
		return nil, fmt.Errorf("Keys: URI %w", err)
	}
	if r.MaxAge < 0 || r.Refetch < 0 {
		return nil, errors.New("Keys: MaxAge and Refetch must not be negative")
	}
	c := &keyCache{uri: r.URI, http: outgoing(r.HTTP), maxAge: r.MaxAge, refetch: r.Refetch, standardBase64: r.AllowStandardBase64}
	if c.maxAge == 0 {
		c.maxAge = DefaultKeysMaxAge
	}
	if c.refetch == 0 {
		c.refetch = DefaultKeysRefetch
	}
	return c, nil
}

// safeURL reports why a URL must not be asked for keys or about tokens: what comes back decides who gets in.
func safeURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return errors.New("is not an absolute URL")
	case u.User != nil || u.Fragment != "":
		return errors.New("must not have credentials or a fragment")
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return errors.New("must be https")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// outgoing is a client that neither follows redirects nor keeps cookies: the answer comes from the
// configured address or not at all.
func outgoing(c *http.Client) *http.Client {
	own := http.Client{}
	if c != nil {
		own = *c
	}
	own.Jar = nil
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// usableKeys reads a key set of somebody else: it takes what is good and drops the rest (security row F2).
// Two keys of one kid stay both, and then verify nothing.
func usableKeys(doc []byte, standardBase64 bool) ([]jose.PublicKey, error) {
	set, err := jose.ParseObject(doc)
	if err != nil {
		return nil, err
	}
	raw, _ := set.Raw("keys")
	var list []json.RawMessage
	if set.Kind("keys") != jose.KindArray || json.Unmarshal([]byte(raw), &list) != nil {
		return nil, errors.New("no keys in it")
	}
	var keys []jose.PublicKey
	for _, jwk := range list {
		if standardBase64 {
			jwk = base64URL(jwk)
		}
		one, err := jose.ParseJWKS([]byte(`{"keys":[` + string(jwk) + `]}`))
		if err == nil && one[0].Use != "enc" {
			keys = append(keys, one[0])
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("no usable key in it")
	}
	return keys, nil
}

// base64URL rewrites the numbers of a key to base64url without padding.
func base64URL(jwk json.RawMessage) json.RawMessage {
	var members map[string]json.RawMessage // the set was parsed strictly: no name is there twice
	if json.Unmarshal(jwk, &members) != nil {
		return jwk
	}
	for _, name := range []string{"n", "e", "x", "y"} {
		var text string // decoded: writers of JSON may escape + and /
		if json.Unmarshal(members[name], &text) == nil {
			members[name] = json.RawMessage(`"` + toURL.Replace(text) + `"`)
		}
	}
	rewritten, err := json.Marshal(members)
	if err != nil {
		return jwk
	}
	return rewritten
}

var toURL = strings.NewReplacer("+", "-", "/", "_", "=", "")
