// Command landscape starts stand-ins for ID-porten, Ansattporten, Maskinporten, Altinn and HelseID that trust one another. Its page plays
// stories in which clients use several of them, and shows every request and response.
//
//	go run ./examples/landscape
//	go run ./examples/landscape -config my-clients
package main

import (
	"github.com/portner-go/portner/examples/internal/landscape"
	"github.com/portner-go/portner/internal/standin"
)

func main() { standin.Main(landscape.Run) }
