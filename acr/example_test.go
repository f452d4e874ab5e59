package acr_test

import (
	"fmt"
	"strings"

	"github.com/portner-go/portner/acr"
)

func Example() {
	requested := strings.Fields("idporten-loa-high eidas-loa-high")

	// A session that began with MinID answers a service that asks for high.
	fmt.Println(acr.IDPorten.Decide(acr.Substantial, requested))
	// The person logs in with BankID.
	fmt.Println(acr.IDPorten.Satisfies(acr.High, requested))
	// The login page offers foreign eIDs too, because they were asked for.
	fmt.Printf("%+v\n", acr.IDPorten.Choice(requested))
	// Output:
	// step-up
	// true
	// {National:true EIDAS:true Email:false}
}
