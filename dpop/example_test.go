package dpop_test

import (
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/storage/memory"
)

// An API of one process that checks proofs, with nonces. The access token and its cnf.jkt come from the verification of the token.
func Example() {
	nonces, err := dpop.NewNonces("https://api.example.no", portner.NewSecret())
	if err != nil {
		log.Fatal(err)
	}
	policy := &dpop.Policy{Replay: memory.New(), Nonces: nonces}
	proved := func(w http.ResponseWriter, r *http.Request, token, jkt string) bool {
		now, code := time.Now(), "invalid_dpop_proof"
		_, err := policy.Verify(r.Context(), dpop.Request{
			Proofs: r.Header.Values("DPoP"), Method: r.Method, URL: "https://api.example.no" + r.URL.EscapedPath(), AccessToken: token, Key: jkt,
		}, now)
		switch {
		case err == nil:
			return true
		case errors.Is(err, dpop.ErrNonce):
			code = "use_dpop_nonce"
			w.Header().Set("DPoP-Nonce", nonces.Current(now))
		case errors.Is(err, dpop.ErrKey):
			code = "invalid_token"
		case !errors.Is(err, dpop.ErrProof): // a fault of the replay store
			w.WriteHeader(http.StatusServiceUnavailable)
			return false
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf("DPoP error=%q, algs=%q", code, "PS256 ES256 EdDSA"))
		w.WriteHeader(http.StatusUnauthorized)
		return false
	}
	http.HandleFunc("GET /tax", func(w http.ResponseWriter, r *http.Request) {
		if proved(w, r, "the access token", "its cnf.jkt") {
			fmt.Fprintln(w, "tax")
		}
	})
}

// The token endpoint of an authorization server tells the faults of a proof apart.
func ExamplePolicy_Check() {
	policy := &dpop.Policy{Replay: memory.New()}
	_, err := policy.Check(dpop.Request{Proofs: []string{"e30.e30.AA"}, Method: "POST", URL: "https://as.example.no/token"}, time.Now())
	var refused *dpop.Error
	if errors.As(err, &refused) {
		fmt.Println(refused.Reason, errors.Is(err, dpop.ErrProof))
		fmt.Println(refused.Description)
	}
	// Output:
	// dpop_typ true
	// The typ of the DPoP proof is not dpop+jwt.
}
