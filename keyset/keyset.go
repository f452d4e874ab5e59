// Package keyset holds a provider's signing keys: publication, use and rotation.
package keyset

import (
	"crypto"
	"time"
)

// The signature algorithms a provider may sign with.
const (
	RS256 = "RS256" // the default of OpenID Connect and of ID-porten
	PS256 = "PS256"
	ES256 = "ES256"
	EdDSA = "EdDSA"
)

// Key is one signing key and its life. NotBefore and RetireAt are instants the operator plans: publish
// (Published) long before use, keep publishing (RemoveAt) until the last token is dead.
type Key struct {
	Alg    string
	Signer crypto.Signer // *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey, or an HSM's or KMS's
	// X5C is the DER certificate chain, leaf first; published in the JWKS and, if IncludeX5C, sent in headers.
	X5C [][]byte

	ActiveFrom time.Time // zero: from the start
	RetireAt   time.Time // no new signatures from here; zero: not planned
	RemoveAt   time.Time // no longer published or trusted from here; zero: not planned
}

// Config configures a Set.
type Config struct {
	Keys       []Key
	DefaultAlg string // "" is RS256 if there is such a key, else the first key's
	IncludeX5C bool   // send x5c in token headers
}

// Set is a provider's keys. It is safe for concurrent use.
type Set struct{ stub int }

// New reports all problems at once.
func New(cfg Config) (*Set, error) { panic("stub") }

// Generate makes a key for alg.
func Generate(alg string) (Key, error) { panic("stub") }

// Sign returns the compact JWS of payload under the active key of alg ("" is the default).
// typ "" leaves the header out.
func (s *Set) Sign(alg, typ string, payload []byte, now time.Time) (string, error) { panic("stub") }

// Supports reports whether a key of alg is active at now.
func (s *Set) Supports(alg string, now time.Time) bool { panic("stub") }

// DefaultAlg is the algorithm "" stands for.
func (s *Set) DefaultAlg() string { panic("stub") }

// Algs returns the algorithms of published keys, default first.
func (s *Set) Algs(now time.Time) []string { panic("stub") }

// Verify checks a token this set signed and returns its payload and typ header. Expired claims are
// not its business.
func (s *Set) Verify(token string, now time.Time) (payload []byte, typ string, err error) {
	panic("stub")
}

// JWKS returns the published keys as a JSON document and its strong ETag. The bytes are shared: do not change them.
func (s *Set) JWKS(now time.Time) (doc []byte, etag string) { panic("stub") }

// Add publishes a further key: it signs from key.ActiveFrom, and the active key of its algorithm retires then.
func (s *Set) Add(key Key, removeOldAfter time.Duration, now time.Time) error { panic("stub") }
