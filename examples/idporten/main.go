// Command idporten is a local ID-porten for development and test: the provider, three demo services and a demo
// API.
//
//	go run ./examples/idporten
//	go run ./examples/idporten -config my-clients.json
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
	return programs.IDPorten().Command().Run(ctx, args, stdout, stderr)
}
