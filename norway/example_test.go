package norway_test

import (
	"fmt"

	"github.com/portner-go/portner/norway"
)

func Example() {
	pid, err := norway.ParsePID("21879498012") // synthetic
	fmt.Println(pid, err, pid.IsSynthetic())
	fmt.Println(len(pid.Reveal()))

	_, err = norway.ParsePID("21879498013")
	fmt.Println(err)

	consumer, _ := norway.ParseIdentifier("0192:991825827")
	orgno, ok := consumer.Orgno()
	fmt.Println(orgno, ok, norway.ValidOrgno(orgno))
	// Output:
	// REDACTED <nil> true
	// 11
	// norway: not a national identity number: wrong check digits
	// 991825827 true true
}
