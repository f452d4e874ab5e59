package maskinporten

import (
	"errors"
	"slices"
	"strings"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/jose"
)

// algorithms of assertions (maskinporten-altinn section 1.3, Q8).
var algorithms = []string{jose.RS256, jose.RS384, jose.RS512}

// readHeader takes steps 2 and 3 of section 1.5: an assertion is a compact JWS of two JSON objects, its
// header names a key and an algorithm. Nothing of it has been verified.
func readHeader(assertion string) (jose.Header, error) {
	if assertion == "" {
		return jose.Header{}, refuse(mp011, "assertion_missing")
	}
	h, err := jose.ParseHeader(signed(assertion), jose.MaxTokenX5C)
	if err != nil {
		return h, headerRefusal(err)
	}
	switch {
	case !slices.Contains(algorithms, h.Alg) || strings.HasSuffix(assertion, "."):
		return h, failed(mp124, portner.EventAssertionAlgorithm, "assertion_alg")
	case h.KID == "" && len(h.X5C) == 0:
		return h, failed(noKeyID, portner.EventClientAuthFailed, "assertion_key")
	}
	return h, nil
}

func headerRefusal(err error) error {
	switch {
	case errors.Is(err, jose.ErrX5C):
		return failed(mp123, portner.EventClientAuthFailed, "assertion_x5c")
	case errors.Is(err, jose.ErrHeader):
		return failed(mp011, portner.EventAssertionHeader, "crit")
	}
	return failed(mp011, portner.EventClientAuthFailed, "assertion_malformed")
}

// signed gives an unsigned JWS (alg none, RFC 7515 appendix A.5) a signature, so that it is read as far as
// its algorithm and refused for that.
func signed(assertion string) string {
	if strings.HasSuffix(assertion, ".") {
		return assertion + "AA"
	}
	return assertion
}

// sender is who claims to have signed the assertion: iss, not yet believed.
func sender(assertion string) (string, error) {
	claims, err := jose.PeekPayload(assertion, jose.MaxTokenX5C)
	if err != nil {
		return "", failed(mp011, portner.EventClientAuthFailed, "assertion_malformed")
	}
	iss, err := claims.String("iss")
	if err != nil || !plausibleID(iss) {
		return "", failed(mp100, portner.EventClientAuthFailed, "assertion_iss")
	}
	return iss, nil
}

// plausibleID reports whether a client could have this client_id, so that nothing else is looked up.
func plausibleID(id string) bool {
	hidden := func(r rune) bool { return r < ' ' || r > '~' }
	return id != "" && len(id) <= 256 && strings.IndexFunc(id, hidden) < 0
}
