// Command install installs axe-core for the tests of the pages.
package main

import (
	"log"

	"github.com/portner-go/portner/examples/internal/axe"
)

func main() {
	if err := axe.Install(); err != nil {
		log.Fatal(err)
	}
}
