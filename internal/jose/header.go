package jose

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// maxKID bounds the length of a kid.
const maxKID = 128

// isKID reports whether kid has the grammar of registered keys: 1 to 128 letters, digits, dots, underscores and hyphens. A
// kid of another form is rejected before any look-up, so it cannot be a path or SQL.
func isKID(kid string) bool {
	if kid == "" || len(kid) > maxKID {
		return false
	}
	for i := range len(kid) {
		c := kid[i]
		if !('A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-') {
			return false
		}
	}
	return true
}

func parseHeader(segment string) (Header, error) {
	raw, err := decode(segment)
	if err != nil {
		return Header{}, err
	}
	o, err := ParseObject(raw)
	if err != nil {
		return Header{}, err
	}
	return headerOf(o)
}

// headerOf reads the parameters of RFC 7515 §4.1. It rejects crit, because no extension is supported, and b64 (RFC 7797),
// which changes what is signed. Other parameters are ignored, as the RFC requires.
func headerOf(o Object) (Header, error) {
	var h Header
	for i := range o.members {
		switch o.members[i].name {
		case "jku", "x5u", "jwk":
			h.Ignored = append(h.Ignored, o.members[i].name)
		}
	}
	var err error
	if h.Alg, err = o.String("alg"); err != nil {
		return h, malformed(err)
	}
	if h.KID, err = o.OptionalString("kid"); err != nil {
		return h, malformed(err)
	}
	if o.Has("kid") && !isKID(h.KID) {
		h.KID = ""
		return h, fmt.Errorf("%w: kid has an invalid form", ErrMalformed)
	}
	if h.Typ, err = o.OptionalString("typ"); err != nil {
		return h, malformed(err)
	}
	if o.Has("crit") || o.Has("b64") {
		return h, fmt.Errorf("%w: crit or b64", ErrHeader)
	}
	h.X5C, err = certificates(o)
	return h, err
}

// malformed returns an error that wraps ErrMalformed and the error of a member.
func malformed(err error) error { return fmt.Errorf("%w: %w", ErrMalformed, err) }

// certificates reads x5c. RFC 7515 §4.1.6: base64, not base64url.
func certificates(o Object) ([][]byte, error) {
	list, err := o.Strings("x5c")
	if errors.Is(err, ErrAbsent) {
		return nil, nil
	}
	if err != nil {
		return nil, badX5C(err)
	}
	if len(list) == 0 {
		return nil, badX5C(errors.New("empty"))
	}
	chain := make([][]byte, len(list))
	for i, text := range list {
		if strings.ContainsAny(text, "\r\n") {
			return nil, badX5C(errors.New("line break"))
		}
		if chain[i], err = base64.StdEncoding.Strict().DecodeString(text); err != nil {
			return nil, badX5C(errors.New("not base64"))
		}
	}
	return chain, nil
}

func badX5C(err error) error { return fmt.Errorf("%w: %w: %w", ErrMalformed, ErrX5C, err) }
