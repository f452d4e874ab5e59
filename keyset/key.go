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
	// KID is the RFC 7638 SHA-256 thumbprint of the public key. If "", it is computed. Every other value is rejected.
	KID string
	// Alg is the signature algorithm. A key signs with one algorithm only.
	Alg string
	// Signer is an *rsa.PrivateKey, *ecdsa.PrivateKey or ed25519.PrivateKey, or the key of an HSM or KMS. It must be safe
	// for concurrent use.
	Signer crypto.Signer `json:"-"`
	// X5C is the certificate chain in DER, leaf first. It is published in the JWKS and, with Config.IncludeX5C, part of
	// token headers.
	X5C [][]byte
	// Created is when the key was made. A set that keeps its keys itself sets it; for the keys of a host, zero is unknown.
	Created time.Time

	Life
}

// Life holds the planned instants of a key.
type Life struct {
	// PublishFrom is when the key appears in the JWKS. If zero, it is published from the start.
	PublishFrom time.Time `json:"publish_from,omitzero"`
	// ActiveFrom is when the key begins to sign. If zero, it signs from the start.
	ActiveFrom time.Time `json:"active_from,omitzero"`
	// RetireAt is when the key stops signing. If zero, it is when the next key of its algorithm begins.
	RetireAt time.Time `json:"retire_at,omitzero"`
	// RemoveAt is when the key is no longer published or trusted. If zero, no removal is planned.
	RemoveAt time.Time `json:"remove_at,omitzero"`
}

// KeyState is the life of a key without the key, to be stored.
type KeyState struct {
	KID     string    `json:"kid"`              // RFC 7638 thumbprint
	Alg     string    `json:"alg"`              // signature algorithm
	Created time.Time `json:"created,omitzero"` // zero if unknown
	Life
}

// Phase is a phase in the life of a key.
type Phase string

// The phases, in order.
const (
	Planned Phase = "planned" // not yet published
	Next    Phase = "next"    // published before it signs, so that clients have it in time
	Active  Phase = "active"  // signs
	Retired Phase = "retired" // still published, because tokens that it signed are valid
	Removed Phase = "removed" // neither published nor trusted
)

// Phase returns the phase of the key at now.
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

// State returns the life of the key without the key.
func (k Key) State() KeyState {
	return KeyState{KID: k.KID, Alg: k.Alg, Created: k.Created, Life: k.Life}
}

func states(keys []Key) []KeyState {
	list := make([]KeyState, len(keys))
	for i, k := range keys {
		list[i] = k.State()
	}
	return list
}

// Format writes the algorithm and the kid for every verb. Without this method, fmt would print a private Ed25519 key.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "key[%s %s]", k.Alg, k.KID) }

// LogValue returns what Format writes.
func (k Key) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(k)) }

// rsaBits is the size of generated RSA keys. 3072 bits would triple the cost of every token.
const rsaBits = 2048

// Generate returns a new key for alg.
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
	return withKID(Key{Alg: alg, Signer: signer})
}

// withKID sets the kid, or checks the one that is set.
func withKID(k Key) (Key, error) {
	if k.Signer == nil {
		return k, errors.New("no Signer")
	}
	kid, err := jose.Thumbprint(k.Signer.Public())
	if err != nil {
		return k, err
	}
	if k.KID != "" && k.KID != kid {
		return k, fmt.Errorf("kid %q is not the thumbprint of the key, %q", k.KID, kid)
	}
	k.KID = kid
	return k, nil
}

// MarshalPEM returns the private key in PKCS #8 and the certificate chain, as ParsePEM reads them. It returns an error for the
// key of an HSM or KMS. The result is a secret: write it with mode 0600.
func MarshalPEM(k Key) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.Signer)
	if err != nil {
		return nil, fmt.Errorf("keyset: the private key of %v cannot be exported", k) // the cause names the type only
	}
	out := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	for _, c := range k.X5C {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c})...)
	}
	return out, nil
}

// ParsePEM parses one private key (PKCS #8, PKCS #1 or SEC 1) and its certificate chain, if the text has one. If alg is "",
// it is RS256 for RSA, ES256 for P-256 and EdDSA for Ed25519. ParsePEM does not verify that alg fits the key; New does. Encrypted
// keys are not supported. Text outside of the blocks is ignored.
func ParsePEM(data []byte, alg string) (Key, error) {
	k, _, err := parsePEM(data, alg)
	return k, err
}

// parsePEM also returns what follows the last block.
func parsePEM(data []byte, alg string) (k Key, rest []byte, err error) {
	k.Alg = alg
	block, rest := pem.Decode(data)
	for ; block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY":
			if k.Signer != nil {
				return Key{}, nil, errors.New("keyset: the PEM text has several private keys")
			}
			if k.Signer, err = parseDER(block.Type, block.Bytes); err != nil {
				return Key{}, nil, err
			}
		case "CERTIFICATE":
			k.X5C = append(k.X5C, block.Bytes)
		case "EC PARAMETERS": // name of the curve; the key has it too
		default:
			return Key{}, nil, errors.New("keyset: the PEM text has a block that is no private key and no certificate")
		}
	}
	if k.Signer == nil {
		return Key{}, nil, errors.New("keyset: the PEM text has no private key")
	}
	if k.Alg == "" {
		k.Alg = jose.AlgFor(k.Signer.Public())
	}
	k, err = withKID(k)
	return k, rest, err
}

// parseDER drops the error of the parser, which may quote the key.
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
		return nil, errors.New("keyset: the private key is malformed, or not an RSA, EC or Ed25519 key")
	}
	return signer, nil
}
