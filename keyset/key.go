package keyset

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/portner-go/portner/internal/jose"
)

// Key is one signing key and its life.
type Key struct {
	// KID is the RFC 7638 SHA-256 thumbprint of the public key. "" has it computed; anything else must be
	// equal to it, so that a private key is never used under another key's name.
	KID string
	// Alg is the one algorithm the key signs with.
	Alg string
	// Signer is an *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey, or an HSM's or KMS's.
	// It must be safe for concurrent use.
	Signer crypto.Signer `json:"-"`
	// X5C is the DER certificate chain, leaf first; published in the JWKS and, if IncludeX5C, sent in headers.
	X5C [][]byte

	Life
}

// Life is when a key does what. All instants are planned ahead and are plain data.
type Life struct {
	// PublishFrom is when the key appears in the JWKS. Zero: from the start.
	PublishFrom time.Time `json:"publish_from,omitzero"`
	// ActiveFrom is when the key begins to sign. Zero: from the start.
	ActiveFrom time.Time `json:"active_from,omitzero"`
	// RetireAt is when it ends to sign. Zero: when the next key of its algorithm begins.
	RetireAt time.Time `json:"retire_at,omitzero"`
	// RemoveAt is when it is no longer published or trusted. Zero: not planned.
	RemoveAt time.Time `json:"remove_at,omitzero"`
}

// KeyState is a key's life without the key, to keep in a store or a configuration beside it.
type KeyState struct {
	KID string `json:"kid"` // the RFC 7638 thumbprint
	Alg string `json:"alg"` // what it signs with
	Life
}

// Phase is where in its life a key is.
type Phase string

// The phases, in their order.
const (
	Planned Phase = "planned" // not yet published
	Next    Phase = "next"    // published, so that clients hold it before it signs
	Active  Phase = "active"  // signs
	Retired Phase = "retired" // published, so that the tokens it signed stay valid
	Removed Phase = "removed" // neither published nor trusted
)

// Phase is the key's phase at now.
func (l Life) Phase(now time.Time) Phase {
	switch {
	case !l.RemoveAt.IsZero() && !now.Before(l.RemoveAt):
		return Removed
	case now.Before(l.PublishFrom):
		return Planned
	case !l.RetireAt.IsZero() && !now.Before(l.RetireAt):
		return Retired
	case now.Before(l.ActiveFrom):
		return Next
	}
	return Active
}

// State is the key's life without the key.
func (k Key) State() KeyState { return KeyState{KID: k.KID, Alg: k.Alg, Life: k.Life} }

func states(keys []Key) []KeyState {
	list := make([]KeyState, len(keys))
	for i, k := range keys {
		list[i] = k.State()
	}
	return list
}

// Format writes the key's name, never the key: formatting verbs would print an Ed25519 key in full.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "key[%s %s]", k.Alg, k.KID) }

// LogValue is Format for slog.
func (k Key) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(k)) }

// rsaBits is the size of generated RSA keys: 2048 is what ID-porten uses and is allowed beyond 2030;
// 3072 triples the cost of every token.
const rsaBits = 2048

// Generate makes a key for alg.
func Generate(alg string) (Key, error) {
	var signer crypto.Signer
	var err error
	switch alg {
	case RS256, PS256:
		signer, err = rsa.GenerateKey(rand.Reader, rsaBits)
	case ES256:
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case EdDSA:
		_, signer, err = ed25519.GenerateKey(rand.Reader)
	default:
		return Key{}, fmt.Errorf("keyset: unknown alg %q", alg)
	}
	if err != nil {
		return Key{}, fmt.Errorf("keyset: generating a key for %s: %w", alg, err)
	}
	return named(Key{Alg: alg, Signer: signer})
}

// named fills in the kid or checks the one that is there.
func named(k Key) (Key, error) {
	if k.Signer == nil {
		return k, errors.New("no Signer")
	}
	kid, err := jose.Thumbprint(k.Signer.Public())
	if err != nil {
		return k, err
	}
	if k.KID != "" && k.KID != kid {
		return k, fmt.Errorf("kid %q is not the thumbprint of the key, which is %q", k.KID, kid)
	}
	k.KID = kid
	return k, nil
}

// ParsePEM reads a private key (PKCS #8, PKCS #1 or SEC 1) and, if they follow in the same file, its
// certificate chain. alg "" takes RS256 for RSA, ES256 for P-256 and EdDSA for Ed25519.
// Encrypted files are not supported.
func ParsePEM(data []byte, alg string) (Key, error) {
	k := Key{Alg: alg}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY":
			if k.Signer != nil {
				return Key{}, errors.New("keyset: the PEM file holds several private keys")
			}
			var err error
			if k.Signer, err = parseDER(block.Type, block.Bytes); err != nil {
				return Key{}, err
			}
		case "CERTIFICATE":
			k.X5C = append(k.X5C, block.Bytes)
		case "EC PARAMETERS": // the curve's name, which the key repeats
		default:
			return Key{}, errors.New("keyset: the PEM file holds something else than a private key and certificates")
		}
	}
	if k.Signer == nil {
		return Key{}, errors.New("keyset: the PEM file holds no private key")
	}
	if k.Alg == "" {
		k.Alg = jose.AlgFor(k.Signer.Public())
	}
	return named(k)
}

// parseDER keeps the parser's words to itself: they can quote the input.
func parseDER(kind string, der []byte) (crypto.Signer, error) {
	var key any
	var err error
	switch kind {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(der)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(der)
	default:
		key, err = x509.ParsePKCS8PrivateKey(der)
	}
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return nil, errors.New("keyset: the PEM file holds no RSA, EC or Ed25519 private key that can be read")
	}
	return signer, nil
}
