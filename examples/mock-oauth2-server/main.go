// Command mock-oauth2-server serves a configuration of navikt/mock-oauth2-server with providers that make the checks of real ones. Its variables and
// paths are those of that server; docs/migrating-from-mock-oauth2-server.md lists the differences.
//
//	JSON_CONFIG_PATH=config.json go run ./examples/mock-oauth2-server
//	go run ./examples/mock-oauth2-server -lenient any-client,any-secret
package main

import (
	"context"
	"io"

	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/compat"
)

func main() { standin.Main(run) }

// run runs the program until ctx ends and returns its exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return compat.Command(&compat.Options{}).Run(ctx, args, stdout, stderr)
}
