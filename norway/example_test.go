package norway_test

import (
	"errors"
	"fmt"

	"github.com/portner-go/portner/norway"
)

// testUser accepts synthetic persons only.
func testUser(pidText, orgnoText string) (norway.PID, norway.Orgno, error) {
	pid, err := norway.ParsePID(pidText)
	if err != nil {
		return norway.PID{}, norway.Orgno{}, err
	}
	if !pid.IsSynthetic() {
		return norway.PID{}, norway.Orgno{}, errors.New("not a synthetic person")
	}
	employer, err := norway.ParseOrgno(orgnoText)
	return pid, employer, err
}

func Example() {
	pid, employer, err := testUser("21879498012", "0192:991825827")
	fmt.Println(pid, employer, err)
	fmt.Println(len(pid.Reveal()))

	_, _, err = testUser("21879498013", "991825827")
	fmt.Println(err)
	// Output:
	// REDACTED 991825827 <nil>
	// 11
	// norway: not a national identity number: wrong check digits
}

// The claim consumer of an access token.
func ExampleIdentifier_Number() {
	consumer := norway.Identifier{Authority: norway.Authority, ID: "0192:991825827"}
	fmt.Println(consumer.Number())
	// Output: 991825827 true
}
