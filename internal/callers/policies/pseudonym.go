package policies

import (
	"encoding/json"

	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/pseudonym"
)

// claimsFor encodes the claims for a client. A protected document has no identifying claims.
func claimsFor(p pseudonym.Protection, pairwise *pseudonym.Pairwise, clientID string, pid norway.PID, claims map[string]any) ([]byte, error) {
	id, err := pseudonym.NewIdentifier("pid", pid.Reveal())
	if err != nil {
		return nil, err
	}
	if claims["sub"], err = pairwise.Subject(p, clientID, id); err != nil {
		return nil, err
	}
	if p != pseudonym.Open { // the zero value is the strictest
		return pseudonym.Encode(claims, id)
	}
	claims["pid"] = pid.Reveal()
	return json.Marshal(claims)
}
