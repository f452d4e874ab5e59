// Command altinn is a local Altinn for development and test: it exchanges tokens of ID-porten and Maskinporten for its own, refreshes and
// introspects them, has the register of systems and system users and the lists of authorized parties, and an API that accepts its tokens.
//
//	go run ./examples/altinn
//	go run ./examples/altinn -config my-organisations.json
//	go run ./examples/altinn -idporten https://test.idporten.no -maskinporten https://test.maskinporten.no/
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
	return programs.Altinn().Command().Run(ctx, args, stdout, stderr)
}
