package bound

import "encoding/base64"

// IsThumbprint reports whether a value is a SHA-256 hash in base64url, as RFC 7638 and RFC 8705 §3.1 write the thumbprints of keys and
// certificates. Each hash has one such spelling.
func IsThumbprint(value string) bool {
	var sum [33]byte // one byte more than a hash, so that Decode has room for a value that is too long
	if len(value) != 43 {
		return false
	}
	n, err := base64.RawURLEncoding.Strict().Decode(sum[:], []byte(value))
	return err == nil && n == 32
}
