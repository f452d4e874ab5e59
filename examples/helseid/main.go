// Command helseid is a local HelseID for development and test: persons log in, systems get tokens that are bound to a key, and an API
// checks them. A page plays what a client does and shows every request.
//
//	go run ./examples/helseid
//	go run ./examples/helseid -config my-clients.json
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
	return programs.HelseID().Command().Run(ctx, args, stdout, stderr)
}
