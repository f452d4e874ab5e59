package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"io"

	"github.com/portner-go/portner/client"
)

//go:embed configs/*.json
var configs embed.FS

// initialise prints a configuration with comments. Its secret is new.
func initialise(_ context.Context, args []string, stdout, _ io.Writer) error {
	s, rest, err := named(args, "init NAME", stdout)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return errors.New("usage: portner init NAME > FILE")
	}
	text, err := initial(s.name)
	if err == nil {
		_, err = stdout.Write(text)
	}
	return err
}

// initial returns the configuration of a server with a new secret.
func initial(name string) ([]byte, error) {
	text, err := configs.ReadFile("configs/" + name + ".json")
	return bytes.ReplaceAll(text, []byte("SECRET"), []byte(client.GenerateSecret())), err
}
