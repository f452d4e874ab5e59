// Command ansattporten is a local Ansattporten for development and test: users log in and choose whom to represent. A demo
// service shows the claims that it receives.
//
//	go run ./examples/ansattporten
//	go run ./examples/ansattporten -config my-clients.json
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
	return programs.Ansattporten().Command().Run(ctx, args, stdout, stderr)
}
