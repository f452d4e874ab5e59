package businesscert_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/portner-go/portner/client/businesscert"
	"github.com/portner-go/portner/internal/testpki"
)

// Verify the certificates of the header x5c.
func ExampleVerifier_Verify() {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	set, err := testpki.NewSet(testpki.Options{Orgno: "991825827", OtherOrgno: "910753614", Now: at, NewKey: testKey})
	if err != nil {
		panic(err)
	}
	verifier, err := businesscert.New(businesscert.Config{
		Roots:      set.Roots(),
		Revocation: businesscert.InsecureNoRevocation{}, // in production NewCRLFiles("crl.pem")
	})
	if err != nil {
		panic(err)
	}
	good, _ := verifier.Verify(context.Background(), testpki.Chain(set.Chain(testpki.NameSEID2)...), at)
	fmt.Println(good.Orgno, good.Class)

	_, err = verifier.Verify(context.Background(), testpki.Chain(set.Chain(testpki.NameExpired)...), at)
	fmt.Println(errors.Is(err, businesscert.ErrExpired))
	// Output:
	// 991825827 QCForESeal
	// true
}
