package jose

import (
	"crypto"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// PublicKey is a key with which a peer may sign.
type PublicKey struct {
	KID string // "" if the key has no kid
	Alg string // algorithm; "" for every alg that fits Key
	Use string // "sig" or ""; a key with another use verifies no signature
	X5C [][]byte
	Key crypto.PublicKey // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// Header holds the parameters of a JOSE header that are used.
type Header struct {
	Alg string
	KID string
	Typ string
	// X5C is the certificate chain of the sender in DER, leaf first. It is not verified.
	X5C [][]byte
	// Ignored has the names of parameters that offer a key of the sender (jku, x5u, jwk). They are never used; callers log
	// their presence.
	Ignored []string
}

// Token is a verified JWT.
type Token struct {
	Header  Header
	Key     PublicKey // the key that verified the signature
	Payload []byte
	Claims  Object // of Payload
}

// Verify verifies a compact JWT with the keys and algorithms of the peer that may have signed it. The key is chosen by kid; alg must be one
// of algs and fit the key. Of several keys with the kid, each one that fits alg is tried (FAPI 2.0 SP §5.4.3). The length is checked before
// anything is decoded: use MaxToken or MaxTokenX5C. A JWT of another kind than purpose is rejected after its signature is verified.
//
// If Verify returns an error after it has parsed the header, the Token has the header, so that callers can log it. Claims and payload
// are those of a token without error only.
func Verify(token string, maxLen int, algs []string, keys []PublicKey, purpose *Purpose) (Token, error) {
	t, err := verify(token, maxLen, algs, keys)
	if err != nil {
		return t, err
	}
	claims, err := ParseObject(t.Payload)
	if err == nil {
		err = purpose.Check(t.Header, claims)
	}
	if err != nil {
		return Token{Header: t.Header}, err
	}
	t.Claims = claims
	return t, nil
}

// verify verifies a compact JWS of any kind.
func verify(token string, maxLen int, algs []string, keys []PublicKey) (Token, error) {
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
		return t, fmt.Errorf("%w: not accepted", ErrAlgorithm)
	}
	if err := choose(keys, header); err != nil {
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
	for i := range keys {
		if k := &keys[i]; k.named(header.KID) && k.fits(header.Alg) == nil && algorithms[header.Alg].verify(signed, sig, k.Key) {
			t.Key, t.Payload = *k, payload
			return t, nil
		}
	}
	return t, ErrSignature
}

// choose returns an error unless a key may have signed a token with this header. Without kid there must be only one key.
func choose(keys []PublicKey, h Header) error {
	named, fitting := 0, 0
	var unfit error
	for i := range keys {
		if !keys[i].named(h.KID) {
			continue
		}
		named++
		if err := keys[i].fits(h.Alg); err != nil {
			unfit = err
		} else {
			fitting++
		}
	}
	switch {
	case named == 0 || h.KID == "" && named > 1:
		return fmt.Errorf("%w: %d candidates", ErrNoKey, named)
	case fitting == 0:
		return unfit
	}
	return nil
}

// named reports whether a kid names the signature key. A token without kid names every one.
func (k *PublicKey) named(kid string) bool {
	return (k.Use == "" || k.Use == "sig") && (kid == "" || k.KID == kid)
}

// fits returns an error unless the key is for alg.
func (k *PublicKey) fits(alg string) error {
	if k.Alg != "" && k.Alg != alg {
		return fmt.Errorf("%w: the key has another", ErrAlgorithm)
	}
	return Fits(alg, k.Key)
}

// ParseHeader parses the header of a compact JWS without verification. Use it only to find the keys for Verify.
func ParseHeader(token string, maxLen int) (Header, error) {
	head, _, _, err := split(token, maxLen)
	if err != nil {
		return Header{}, err
	}
	return parseHeader(head)
}

// PeekPayload parses the claims of a compact JWS without verification. Use it only to find the sender whose keys Verify needs.
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

// Peek returns the text of a header parameter or claim of a compact JWS without verification, for logs. It returns "" if there is none.
func Peek(token string, maxLen int, name string) string {
	head, body, _, err := split(token, maxLen)
	if err != nil {
		return ""
	}
	for _, segment := range [...]string{head, body} {
		text, err := decode(segment)
		if err != nil {
			continue
		}
		o, err := ParseObject(text)
		if err != nil {
			continue
		}
		if s, err := o.String(name); err == nil {
			return s
		}
		if raw, ok := o.Raw(name); ok {
			return raw
		}
	}
	return ""
}

// split splits a compact JWS into three segments. It rejects five segments, a JWE: encrypted and compressed input is not
// supported.
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

// decode decodes base64url without padding, spare bits or line breaks.
func decode(segment string) ([]byte, error) {
	return appendDecoded(make([]byte, 0, base64url.DecodedLen(len(segment))), segment)
}

// appendDecoded appends what a segment decodes to. The strict decoder of the standard library skips line breaks, so one token could be
// written in several ways.
func appendDecoded(dst []byte, segment string) ([]byte, error) {
	if strings.IndexByte(segment, '\n') >= 0 || strings.IndexByte(segment, '\r') >= 0 {
		return nil, fmt.Errorf("%w: line break in base64url", ErrMalformed)
	}
	dst = slices.Grow(dst, base64url.DecodedLen(len(segment)))
	n, err := base64url.Decode(dst[len(dst):cap(dst)], []byte(segment))
	if err != nil {
		return nil, fmt.Errorf("%w: not base64url", ErrMalformed)
	}
	return dst[:len(dst)+n], nil
}
