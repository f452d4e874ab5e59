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
		now := time.Now()
		_, err := policy.Verify(r.Context(), dpop.Request{
			Proofs: r.Header.Values("DPoP"), Method: r.Method, URL: "https://api.example.no" + r.URL.EscapedPath(), AccessToken: token, Key: jkt,
		}, now)
		if errors.Is(err, dpop.ErrNonce) {
			w.Header().Set("DPoP-Nonce", nonces.Current(now))
			w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce", algs="PS256 ES256 EdDSA"`)
		}
		return err == nil
	}
	http.HandleFunc("GET /tax", func(w http.ResponseWriter, r *http.Request) {
		if !proved(w, r, "the access token", "its cnf.jkt") {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprintln(w, "tax")
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
