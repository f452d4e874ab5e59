package optest

import (
	"testing"
	"time"

	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/keyset"
)

// Verified verifies a JWT of any kind with the published keys of a set. It returns the payload and the typ of the header.
func Verified(tb testing.TB, keys *keyset.Set, token string, now time.Time) (payload []byte, typ string) {
	tb.Helper()
	doc, _ := keys.JWKS(now)
	set, err := jose.ParseJWKS(doc)
	if err != nil {
		tb.Fatal(err)
	}
	for _, p := range append(jose.Purposes(), jose.ScopelessToken) {
		var t jose.Token
		if t, err = jose.Verify(token, jose.MaxTokenX5C, keys.Algs(now), set, p); err == nil {
			return t.Payload, t.Header.Typ
		}
	}
	tb.Fatal(err)
	return nil, ""
}
