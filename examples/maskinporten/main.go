// Command maskinporten is a local Maskinporten for development and test: clients send a signed grant and receive a token.
//
//	go run ./examples/maskinporten
//	go run ./examples/maskinporten -config my-clients.json -testca testca
//	go run ./examples/cmd/portner token maskinporten -claims '{"consumer_org":"910753614","scope":"eksempel:delegert.read"}'
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
	return programs.Maskinporten().Command().Run(ctx, args, stdout, stderr)
}
