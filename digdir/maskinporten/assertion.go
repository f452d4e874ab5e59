package maskinporten

import (
	"errors"
	"slices"
	"strings"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/jose"
)

// algorithms are the signature algorithms of assertions.
var algorithms = client.GrantAlgorithms()

// checkHeader is steps 2 and 3 of docs/spec/maskinporten.md §1.5: the assertion is a compact JWS, and its header names a key and
// an algorithm. The signature is verified later.
func checkHeader(assertion string) error {
	if assertion == "" {
		return reject(mp011, "assertion_missing")
	}
	h, err := jose.ParseHeader(withSignature(assertion), jose.MaxTokenX5C)
	if err != nil {
		return headerRejection(err)
	}
	switch {
	case !slices.Contains(algorithms, h.Alg) || strings.HasSuffix(assertion, "."):
		return rejectClient(mp124, portner.EventAssertionAlgorithm, "assertion_algorithm_not_accepted")
	case h.KID == "" && len(h.X5C) == 0:
		return rejectClient(noKeyID, portner.EventClientAuthFailed, "assertion_key_missing")
	}
	return nil
}

func headerRejection(err error) error {
	switch {
	case errors.Is(err, jose.ErrX5C):
		return rejectClient(mp123, portner.EventClientAuthFailed, "assertion_x5c_malformed")
	case errors.Is(err, jose.ErrHeader):
		return rejectClient(mp011, portner.EventAssertionHeader, "assertion_crit_present")
	}
	return rejectClient(mp011, portner.EventClientAuthFailed, "assertion_malformed")
}

// withSignature appends a signature to an unsecured JWS (alg none, RFC 7515 appendix A.5), so that its header is parsed and
// rejected for its algorithm.
func withSignature(assertion string) string {
	if strings.HasSuffix(assertion, ".") {
		return assertion + "AA"
	}
	return assertion
}

// unverifiedIssuer returns the iss of an assertion whose signature has not been verified.
func unverifiedIssuer(assertion string) (string, error) {
	claims, err := jose.PeekPayload(assertion, jose.MaxTokenX5C)
	if err != nil {
		return "", rejectClient(mp011, portner.EventClientAuthFailed, "assertion_malformed")
	}
	iss, err := claims.String("iss")
	if err != nil {
		return "", rejectClient(mp100, portner.EventClientAuthFailed, "assertion_issuer_malformed")
	}
	return iss, nil
}
