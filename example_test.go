package portner_test

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/portner-go/portner"
)

// A grant handler rejects a request with a protocol error. The cause is for the log; the peer does not see it.
func Example() {
	err := fmt.Errorf("device grant: %w", &portner.Error{
		Code:        portner.InvalidGrant,
		Description: "The parameter device_code is unknown or expired.",
		Err:         errors.New("row 4711 expired"),
	})
	if errors.Is(err, portner.InvalidGrant) {
		reply := portner.ErrorReply(err)
		fmt.Println(reply.Status, string(reply.Body))
	}

	// A fault of a dependency.
	reply := portner.ErrorReply(fmt.Errorf("reading a grant: %w", portner.ErrUnavailable))
	fmt.Println(reply.Status, reply.Header["Retry-After"])
	// Output:
	// 400 {"error":"invalid_grant","error_description":"The parameter device_code is unknown or expired."}
	// 503 [2]
}

// The New functions of this module return every problem of a configuration.
func ExampleFieldErrors() {
	err := errors.Join(
		&portner.FieldError{Field: "Issuer", Err: portner.ErrRequired},
		&portner.FieldError{Field: "Secrets[0]", Err: portner.Secret("change me change me change me change me").Validate()},
	)
	for _, problem := range portner.FieldErrors(err) {
		fmt.Println(problem.Field, "→", problem.Err)
	}
	// Output:
	// Issuer → is required
	// Secrets[0] → must be random: the value is a placeholder from documentation
}

// A Secret redacts itself.
func ExampleSecret() {
	secret := portner.NewSecret()
	doc, _ := json.Marshal(map[string]any{"secret": secret})
	fmt.Println(secret, string(doc))
	// Output: REDACTED {"secret":"REDACTED"}
}
