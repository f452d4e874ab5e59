package jose

import (
	"crypto"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// PublicKey is one key a peer may have signed with.
type PublicKey struct {
	KID string // "" if the key has no name
	Alg string // the only alg it may be used with; "" is every alg that fits Key
	Use string // "sig" or ""; a key with another use verifies nothing
	X5C [][]byte
	Key crypto.PublicKey // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// Header is a JOSE header, as far as it is believed.
type Header struct {
	Alg string
	KID string
	Typ string
	// X5C is the chain the sender offers, DER, leaf first. It proves nothing until someone verified it.
	X5C [][]byte
	// Ignored names the parameters that would have us take or fetch the sender's own key (jku, x5u, jwk).
	// They are never used; their presence is worth an event (security row E5).
	Ignored []string
}

// Token is a verified JWS.
type Token struct {
	Header  Header
	Payload []byte
}

// Verify checks a compact JWS against the keys of the one peer who may have signed it, with one of the
// algorithms agreed with that peer. The key is chosen first, by kid; alg must be on the list and fit it.
// Length is checked before anything is decoded; use MaxToken or MaxTokenX5C.
//
// The header is returned with every error that comes after it was read, so that callers can report it.
func Verify(token string, maxLen int, algs []string, keys []PublicKey) (Token, error) {
	head, body, signature, err := split(token, maxLen)
	if err != nil {
		return Token{}, err
	}
	header, err := parseHeader(head)
	if err != nil {
		return Token{Header: header}, err
	}
	t := Token{Header: header}
	if !slices.Contains(algs, header.Alg) {
		return t, fmt.Errorf("%w: not agreed", ErrAlgorithm)
	}
	key, err := choose(keys, header.KID)
	if err != nil {
		return t, err
	}
	if key.Alg != "" && key.Alg != header.Alg {
		return t, fmt.Errorf("%w: the key is for another", ErrAlgorithm)
	}
	if err := Fits(header.Alg, key.Key); err != nil {
		return t, err
	}
	sig, err := decode(signature)
	if err != nil {
		return t, err
	}
	payload, err := decode(body)
	if err != nil {
		return t, err
	}
	signed := []byte(token[:len(head)+1+len(body)])
	if algorithms[header.Alg].verifier.Verify(signed, sig, key.Key) != nil {
		return t, ErrSignature
	}
	t.Payload = payload
	return t, nil
}

// choose finds the key by equality of kid. Without a kid it takes the only key there is, never a guess.
func choose(keys []PublicKey, kid string) (PublicKey, error) {
	var found PublicKey
	n := 0
	for _, k := range keys {
		if (k.Use == "" || k.Use == "sig") && (kid == "" || k.KID == kid) {
			found = k
			n++
		}
	}
	if n != 1 {
		return PublicKey{}, fmt.Errorf("%w: %d candidates", ErrNoKey, n)
	}
	return found, nil
}

// ParseHeader reads the header of a compact JWS without verifying anything: use it to find out whose
// keys to look up, and for nothing else.
func ParseHeader(token string, maxLen int) (Header, error) {
	head, _, _, err := split(token, maxLen)
	if err != nil {
		return Header{}, err
	}
	return parseHeader(head)
}

// PeekPayload reads the claims of a compact JWS without verifying anything: use it to find out who
// claims to speak, and for nothing else.
func PeekPayload(token string, maxLen int) (Object, error) {
	_, body, _, err := split(token, maxLen)
	if err != nil {
		return Object{}, err
	}
	payload, err := decode(body)
	if err != nil {
		return Object{}, err
	}
	return ParseObject(payload)
}

// split cuts a compact JWS into its three segments. Five would be a JWE: encrypted input is not
// supported anywhere, so there is nothing to decrypt and no decompression (security row E12).
func split(token string, maxLen int) (head, body, signature string, err error) {
	if len(token) > maxLen {
		return "", "", "", fmt.Errorf("%w: longer than %d bytes", ErrMalformed, maxLen)
	}
	head, rest, ok1 := strings.Cut(token, ".")
	body, signature, ok2 := strings.Cut(rest, ".")
	if !ok1 || !ok2 || strings.IndexByte(signature, '.') >= 0 {
		return "", "", "", fmt.Errorf("%w: not three segments", ErrMalformed)
	}
	if head == "" || body == "" || signature == "" {
		return "", "", "", fmt.Errorf("%w: empty segment", ErrMalformed)
	}
	return head, body, signature, nil
}

var base64url = base64.RawURLEncoding.Strict()

// decode is base64url without padding, spare bits or line breaks. The standard library skips line
// breaks even when strict, which would give one token many spellings.
func decode(segment string) ([]byte, error) {
	if strings.IndexByte(segment, '\n') >= 0 || strings.IndexByte(segment, '\r') >= 0 {
		return nil, fmt.Errorf("%w: line break in base64url", ErrMalformed)
	}
	b, err := base64url.DecodeString(segment)
	if err != nil {
		return nil, fmt.Errorf("%w: not base64url", ErrMalformed)
	}
	return b, nil
}
