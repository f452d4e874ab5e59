package resource

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/jose"
)

// Keys are the public keys of an issuer: [RemoteKeys] or [StaticKeys].
type Keys interface {
	source(*fields.Checker) keySource
}

// keySource finds the keys that may have signed a token with this kid, "" if its header has none. If kid is not one of them,
// the token is rejected. An error is a fault: the keys are not available.
type keySource interface {
	find(ctx context.Context, kid string, now time.Time) ([]jose.PublicKey, error)
}

// StaticKeys is a JWKS document that does not change, for tests and for APIs that receive the issuer's keys in another way.
// A document with an invalid key is rejected.
type StaticKeys []byte

type fixedKeys []jose.PublicKey

func (s StaticKeys) source(check *fields.Checker) keySource {
	keys, err := jose.ParseJWKS(s)
	check.Add("Keys", err)
	check.Want(err != nil || len(keys) > 0, "Keys", "must hold at least one key")
	return fixedKeys(keys)
}

func (f fixedKeys) find(context.Context, string, time.Time) ([]jose.PublicKey, error) { return f, nil }

// Defaults of [RemoteKeys].
const (
	DefaultKeysMaxAge  = 24 * time.Hour   // lifetime of a fetched key set
	DefaultKeysRefetch = 30 * time.Second // shortest time between two fetches
)

// RemoteKeys are fetched from the issuer's jwks_uri when they are first needed, and cached. A token with an unknown kid
// starts another fetch, at most once per Refetch for all tokens together. If a fetch fails, the last set is used for at most ten
// minutes after the end of its lifetime.
//
// Keys that must not verify access tokens are ignored: private and symmetric keys, RSA keys below 2048 bits, keys for
// encryption and keys of unknown type.
type RemoteKeys struct {
	// URI is the issuer's jwks_uri: https, or http to a loopback address. Redirects are not followed. Package provider serves the
	// keys at /jwks.json below the issuer. Required.
	URI string
	// HTTP makes the requests. If nil, a client with the default transport.
	HTTP *http.Client
	// MaxAge is the lifetime of a key set. Cache-Control: max-age of the response shortens it, to at least Refetch. The
	// default is [DefaultKeysMaxAge].
	MaxAge time.Duration
	// Refetch is the shortest time between two fetches. The default is [DefaultKeysRefetch].
	Refetch time.Duration
	// AllowStandardBase64 accepts keys in standard base64 with padding, as published by Altinn. RFC 7517 requires base64url.
	AllowStandardBase64 bool
}

func (r RemoteKeys) source(check *fields.Checker) keySource {
	check.Add("Keys.URI", checkEndpoint(r.URI))
	check.Want(r.MaxAge >= 0, "Keys.MaxAge", "must not be negative")
	check.Want(r.Refetch >= 0, "Keys.Refetch", "must not be negative")
	c := &keyCache{uri: r.URI, http: withoutRedirects(r.HTTP), maxAge: r.MaxAge, refetch: r.Refetch, standardBase64: r.AllowStandardBase64}
	if c.maxAge == 0 {
		c.maxAge = DefaultKeysMaxAge
	}
	if c.refetch == 0 {
		c.refetch = DefaultKeysRefetch
	}
	return c
}

// checkEndpoint reports why keys or introspection responses must not be fetched from a URL.
func checkEndpoint(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return portner.ErrRequired
	case err != nil || u.Host == "" || u.Opaque != "":
		return errors.New("must be an absolute URL")
	case u.User != nil || u.Fragment != "":
		return errors.New("must not have credentials or a fragment")
	case u.Scheme == "https", u.Scheme == "http" && fields.PlainHTTP(u.Hostname()):
		return nil
	}
	return errors.New("must be an https URL, or an http URL with a loopback host")
}

// withoutRedirects returns a copy of c that follows no redirects and keeps no cookies.
func withoutRedirects(c *http.Client) *http.Client {
	own := http.Client{}
	if c != nil {
		own = *c
	}
	own.Jar = nil
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// usableKeys reads a key set and ignores the keys that are not valid. If several keys have one kid, each is
// kept, and those that fit the alg of a token are tried.
func usableKeys(doc []byte, standardBase64 bool) ([]jose.PublicKey, error) {
	set, err := jose.ParseObject(doc)
	if err != nil {
		return nil, err
	}
	raw, _ := set.Raw("keys")
	var list []json.RawMessage
	if set.Kind("keys") != jose.KindArray || json.Unmarshal([]byte(raw), &list) != nil {
		return nil, errors.New("the document has no array of keys")
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
		return nil, errors.New("the key set has no usable key")
	}
	return keys, nil
}

// base64URL rewrites the numbers of a key to base64url without padding.
func base64URL(jwk json.RawMessage) json.RawMessage {
	var members map[string]json.RawMessage // the set was parsed strictly: names are unique
	if json.Unmarshal(jwk, &members) != nil {
		return jwk
	}
	for _, name := range []string{"n", "e", "x", "y"} {
		var text string // decoded: JSON encoders may escape + and /
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
