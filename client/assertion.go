package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/storage"
)

// Limits of an assertion (docs/spec/idporten.md §5.4).
const (
	defaultAssertionLifetime = 120 * time.Second
	maxAssertionLifetime     = time.Hour
	assertionSkew            = 10 * time.Second // ahead for iat and nbf, behind for exp
	maxJTI                   = 128
	maxKeyAge                = 365 * 24 * time.Hour
	maxKeys                  = 5

	// assertionPurpose separates the jti of client assertions from that of other JWTs that the client signs.
	assertionPurpose = "client_assertion"
)

// assertionAlgorithms are the allowed signature algorithms. The keys of a client decide which of them it can use.
var assertionAlgorithms = []string{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.ES256, jose.EdDSA}

// grantAlgorithms are the signature algorithms of the JWT bearer grant of Maskinporten (docs/spec/maskinporten.md §1.3).
var grantAlgorithms = []string{jose.RS256, jose.RS384, jose.RS512}

// GrantAlgorithms returns the signature algorithms of assertions for the JWT bearer grant of Maskinporten. The keys of its clients are
// registered for one of them.
func GrantAlgorithms() []string { return slices.Clone(grantAlgorithms) }

// verifyAssertion verifies a client assertion (RFC 7523 §3). The jti is consumed last: an assertion that fails another check
// must not consume the jti of a valid one.
func (x *exchange) verifyAssertion(ctx context.Context, c *Client, assertion string) (as Authenticated, r *rejection, err error) {
	token, r, err := x.verifyKey(ctx, c, assertion, AssertionRules{}, x.now)
	if len(token.Ignored) > 0 {
		x.report(ctx, c.ClientID, portner.EventAssertionHeader, token.Ignored[0])
	}
	if r != nil || err != nil {
		return as, r, err
	}
	if x.cfg.TypedAssertions && !token.typed {
		return as, rejectedType, nil
	}
	claims := token.claims
	exp, r := checkTimes(claims, x.cfg.AssertionLifetime, x.now)
	if r != nil {
		return as, r, nil
	}
	legacy, r := x.checkParties(claims, c)
	if r != nil {
		return as, r, nil
	}
	if r, err := x.consume(ctx, claims, c, exp, x.now); r != nil || err != nil {
		return as, r, err
	}
	if legacy {
		x.report(ctx, c.ClientID, portner.EventLegacyAudience, "token_endpoint")
	}
	return Authenticated{AMR: token.AMR, Assertion: token.Payload}, nil, nil
}

// checkTimes checks iat, nbf and exp, and returns exp. iat and exp are required and at most lifetime apart; clocks may differ by 10 s.
func checkTimes(claims jose.Object, lifetime time.Duration, now time.Time) (time.Time, *rejection) {
	iat, err1 := claims.NumericDate("iat")
	exp, err2 := claims.NumericDate("exp")
	if err1 != nil || err2 != nil {
		return time.Time{}, rejectedTimes
	}
	nbf := iat
	if claims.Has("nbf") {
		var err error
		if nbf, err = claims.NumericDate("nbf"); err != nil {
			return time.Time{}, rejectedTimes
		}
	}
	issued, notBefore, expires := time.Unix(iat, 0), time.Unix(nbf, 0), time.Unix(exp, 0)
	latest := now.Add(assertionSkew)
	switch {
	case expires.Before(issued) || expires.Sub(issued) > lifetime:
		return time.Time{}, rejectedLifetime
	case issued.After(latest) || notBefore.After(latest):
		return time.Time{}, rejectedFuture
	case !now.Before(expires.Add(assertionSkew)):
		return time.Time{}, rejectedExpired
	}
	return expires, nil
}

// checkParties checks iss, sub and aud (RFC 7523 §3). It reports whether the audience is the token endpoint.
func (a *Authenticator) checkParties(claims jose.Object, c *Client) (legacy bool, reason *rejection) {
	if iss, err := claims.String("iss"); err != nil || iss != c.ClientID {
		return false, rejectedIssuer
	}
	if sub, err := claims.String("sub"); err != nil || sub != c.ClientID {
		return false, rejectedSubject
	}
	switch aud, ok := a.audience(claims); {
	case ok && aud == a.cfg.Issuer:
		return false, nil
	case ok && c.AllowTokenEndpointAudience && aud != "" && aud == a.cfg.TokenEndpoint:
		return true, nil
	}
	return false, rejectedAudience
}

// audience returns the one audience of an assertion in a form that the AudienceRule allows.
func (a *Authenticator) audience(claims jose.Object) (string, bool) {
	read := claims.String
	if a.cfg.AssertionAudience == IssuerOrList {
		read = claims.OneString
	}
	aud, err := read("aud")
	return aud, err == nil
}

// consume consumes the jti. It is remembered as long as the assertion is valid.
func (a *Authenticator) consume(ctx context.Context, claims jose.Object, c *Client, exp, now time.Time) (*rejection, error) {
	jti, err := claims.String("jti")
	if err != nil || jti == "" || utf8.RuneCountInString(jti) > maxJTI {
		return rejectedJTI, nil
	}
	key := storage.HashOf(a.cfg.Issuer + "\x00" + c.ClientID + "\x00" + assertionPurpose + "\x00" + jti)
	err = a.cfg.Replay.ConsumeJTI(ctx, c.ClientID, key, exp.Add(assertionSkew), now)
	switch {
	case errors.Is(err, storage.ErrConsumed):
		return rejectedReplay, nil
	case err != nil:
		return nil, fmt.Errorf("%w: remembering an assertion: %w", portner.ErrUnavailable, err)
	}
	return nil, nil
}

// maxCachedKeys is the largest number of key sets in a cache.
const maxCachedKeys = 10_000

// keyCache remembers parsed key sets by client. An entry is used only if the registration has the text that it was parsed from.
type keyCache struct {
	mu   sync.RWMutex
	sets map[string]keySet
}

type keySet struct {
	jwks json.RawMessage
	keys []jose.PublicKey
}

func (k *keyCache) of(clientID string, jwks json.RawMessage) ([]jose.PublicKey, error) {
	k.mu.RLock()
	set, ok := k.sets[clientID]
	k.mu.RUnlock()
	if ok && bytes.Equal(set.jwks, jwks) {
		return set.keys, nil
	}
	keys, err := jose.ParseJWKS(jwks)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.sets == nil || len(k.sets) >= maxCachedKeys {
		k.sets = map[string]keySet{} // the next request of each client parses its keys again
	}
	k.sets[clientID] = keySet{bytes.Clone(jwks), keys}
	return keys, nil
}
