// Command krr is a local contact register (Kontakt- og reservasjonsregisteret) for development and test: it looks up synthetic persons for
// machines with a token of Maskinporten, and for users with a token of ID-porten.
//
//	go run ./examples/krr
//	go run ./examples/krr -config my-persons.json
//	go run ./examples/krr -maskinporten https://test.maskinporten.no/ -idporten https://test.idporten.no
package main

import (
	"context"
	"io"

	"github.com/portner-go/portner/examples/internal/programs"
	"github.com/portner-go/portner/internal/standin"
)

func main() { standin.Main(run) }

// run runs the program until ctx ends and returns its exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return programs.KRR().Command().Run(ctx, args, stdout, stderr)
}
