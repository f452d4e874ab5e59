// Command program is the program of the image: every stand-in by its name.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/portner-go/portner/examples/internal/programs"
	"github.com/portner-go/portner/internal/standin"
)

func main() { standin.Main(run) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c standin.Command
	if len(args) == 0 {
		return 2
	}
	switch args[0] {
	case "idporten":
		c = programs.IDPorten().Command()
	case "ansattporten":
		c = programs.Ansattporten().Command()
	case "maskinporten":
		c = programs.Maskinporten().Command()
	case "altinn":
		c = programs.Altinn().Command()
	case "helseid":
		c = programs.HelseID().Command()
	default:
		fmt.Fprintln(os.Stderr, "unknown")
		return 2
	}
	return c.Run(ctx, args[1:], stdout, stderr)
}
