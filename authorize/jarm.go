package authorize

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
)

// responseLifetime is how long a signed response is valid. JARM §2.1 allows ten minutes.
const responseLifetime = 120 * time.Second

// responseAlg returns the algorithm of the signed responses of a client: the registered one, or the first one that Config allows. It is
// "" if there is no key.
func (e *Endpoint) responseAlg(c *client.Client, now time.Time) string {
	if e.cfg.Keys == nil {
		return ""
	}
	for _, alg := range e.cfg.Keys.Algs(now) { // the default of the keys first
		if (c.AuthorizationSignedResponseAlg == "" || c.AuthorizationSignedResponseAlg == alg) && e.mayUse(alg) {
			return alg
		}
	}
	return ""
}

// mayUse reports whether Config.SigningAlgorithms allows an algorithm.
func (e *Endpoint) mayUse(alg string) bool {
	return e.cfg.SigningAlgorithms == nil || slices.Contains(e.cfg.SigningAlgorithms, alg)
}

// signResponse returns the JWT of a response (JARM §2.1). The parameters are pairs of a name and a value, with iss among them.
func (e *Endpoint) signResponse(x *exchange, params []string) (string, error) {
	alg := e.responseAlg(x.client, x.now)
	if alg == "" {
		return "", fmt.Errorf("authorize: no key for the signed responses of client %q", x.client.ClientID)
	}
	claims := map[string]any{"aud": x.client.ClientID, "exp": x.now.Add(responseLifetime).Unix()}
	for i := 0; i+1 < len(params); i += 2 {
		claims[params[i]] = params[i+1]
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("authorize: encoding a response: %w", err)
	}
	response, err := e.cfg.Keys.Sign(alg, "", payload, x.now)
	if err != nil {
		return "", fmt.Errorf("%w: signing a response: %w", portner.ErrUnavailable, err)
	}
	return response, nil
}
