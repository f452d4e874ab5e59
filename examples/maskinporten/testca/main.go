// Command testca creates a test authority for business certificates: a root, an issuing authority, and certificates of both profiles
// (SEID 1 and SEID 2) for an organisation. It also creates certificates that a server rejects: an expired one, a revoked one, and one
// of another organisation.
//
//	go run ./examples/maskinporten/testca -out testca
//
// Do not trust the authority outside of tests.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/portner-go/portner/internal/testpki"
	"github.com/portner-go/portner/norway"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "testca:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("testca", flag.ContinueOnError)
	out := flags.String("out", "", "the directory to write to; it is made, and no file in it is replaced")
	orgno := flags.String("orgno", "991825827", "the organisation number of the certificates")
	name := flags.String("name", "TESTVIRKSOMHET", "the name of that organisation")
	other := flags.String("other", "910753614", "the organisation number of the certificate that does not fit")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	case *out == "" || flags.NArg() > 0:
		return errors.New("usage: testca -out DIR [-orgno N] [-name NAME] [-other N]")
	}
	for _, n := range []*string{orgno, other} {
		o, err := norway.ParseOrgno(*n)
		if err != nil {
			return fmt.Errorf("%q: %w", *n, err)
		}
		*n = o.String()
	}
	set, err := testpki.NewSet(testpki.Options{
		Orgno: *orgno, Name: *name, OtherOrgno: *other, OtherName: "EN ANNEN VIRKSOMHET", Now: time.Now(),
	})
	if err != nil {
		return err
	}
	if err := set.Write(*out); err != nil {
		return err
	}
	fmt.Printf(`Written to %s:
  root.pem      trust this one in the server (business_certificates.roots)
  issuing.pem   the issuing authority below it, for clients whose x5c holds their own certificate alone (business_certificates.intermediates)
  crl.pem       the revocation lists of the root and of the issuing authority below it
  seid1, seid2  certificates of %s: NAME.pem is the chain for x5c, NAME.key.pem the key
  expired, revoked, other
                certificates that must be refused
`, *out, *orgno)
	return nil
}
