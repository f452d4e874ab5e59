package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/testpki"
	"github.com/portner-go/portner/norway"
)

// makeCA makes a test authority for business certificates: a root, an issuing authority, and certificates of both profiles (SEID 1 and SEID 2)
// for an organisation, beside certificates that a server rejects.
func makeCA(_ context.Context, args []string, stdout, _ io.Writer) error {
	fs := flag.NewFlagSet("ca", flag.ContinueOnError)
	orgno := fs.String("orgno", "991825827", "organisation `number` of the certificates")
	name := fs.String("name", "TESTVIRKSOMHET", "`name` of that organisation")
	other := fs.String("other", "910753614", "organisation `number` of the certificate that does not fit")
	dir := ""
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		dir, args = args[0], args[1:]
	}
	if err := standin.ParseFlags(fs, args, stdout); err != nil {
		return err
	}
	if dir == "" {
		return errors.New("usage: portner ca DIR [flags]; -h lists the flags")
	}
	for at, n := range map[string]*string{"-orgno": orgno, "-other": other} {
		o, err := norway.ParseOrgno(*n)
		if err != nil {
			return fmt.Errorf("%s: %q: %w", at, *n, err)
		}
		*n = o.String()
	}
	set, err := testpki.NewSet(testpki.Options{Orgno: *orgno, Name: *name, OtherOrgno: *other, OtherName: "EN ANNEN VIRKSOMHET", Now: time.Now()})
	if err != nil {
		return err
	}
	if err := set.Write(dir); err != nil {
		return err
	}
	fmt.Fprintf(stdout, `Written to %s:
  root.pem      trust this one in the server (business_certificates.roots)
  issuing.pem   the issuing authority below it, for clients whose x5c holds their own certificate alone (business_certificates.intermediates)
  crl.pem       the revocation lists of the root and of the issuing authority below it
  seid1, seid2  certificates of %s: NAME.pem is the chain for x5c, NAME.key.pem the key
  expired, revoked, other
                certificates that must be refused
`, dir, *orgno)
	return nil
}
