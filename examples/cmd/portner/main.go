// Command portner is one program with every stand-in.
//
//	go run ./examples/cmd/portner idporten
//	go run ./examples/cmd/portner init maskinporten > maskinporten.json
//	go run ./examples/cmd/portner check maskinporten.json
//	go run ./examples/cmd/portner token maskinporten
//	go run ./examples/cmd/portner health http://localhost:8080
//	go run ./examples/cmd/portner ca testca
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/portner-go/portner/examples/internal/landscape"
	"github.com/portner-go/portner/examples/internal/programs"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/compat"
	"github.com/portner-go/portner/internal/standin/strictjson"
)

func main() { standin.Main(run) }

// server is a stand-in.
type server struct {
	name, about string
	// command returns a new program of the stand-in.
	command func() standin.Command
	// read reads a configuration.
	read func(standin.Document) error
}

var servers = []server{
	{"idporten", "users log in", func() standin.Command { return programs.IDPorten().Command() }, readIDPorten},
	{"ansattporten", "users log in for an organisation", func() standin.Command { return programs.Ansattporten().Command() }, readAnsattporten},
	{"maskinporten", "machines get tokens", func() standin.Command { return programs.Maskinporten().Command() }, readMaskinporten},
	{"altinn", "tokens are exchanged", func() standin.Command { return programs.Altinn().Command() }, readAltinn},
	{"helseid", "health: tokens that are bound to a key", func() standin.Command { return programs.HelseID().Command() }, readHelseID},
	{"krr", "the contact register", func() standin.Command { return programs.KRR().Command() }, readKRR},
	{compat.Name, "the issuers of a JSON_CONFIG of navikt/mock-oauth2-server", func() standin.Command { return compat.Command(&compat.Options{}) }, readMock},
}

// command is a command of the program beside the servers.
type command struct {
	name, usage, about string
	run                func(ctx context.Context, args []string, stdout, stderr io.Writer) error
}

func commands() []command {
	return []command{
		{"landscape", "landscape [flags]", "all servers, which trust one another, and a page of stories", nil},
		{"init", "init NAME > FILE", "print a configuration of a server with comments", initialise},
		{"check", "check [-as NAME] FILE…", "report every problem of configuration files", check},
		{"token", "token NAME [flags]", "print an access token", printToken},
		{"health", "health URL", "report whether a server is ready, by the exit status", health},
		{"ca", "ca DIR [flags]", "make a test authority for business certificates", makeCA},
	}
}

// run runs a command until ctx ends and returns its exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 || isHelp(args[0]) {
		usage(stdout)
		return 0
	}
	name, rest := args[0], args[1:]
	if s, ok := find(name); ok {
		return serve(ctx, s, rest, stdout, stderr)
	}
	if name == "landscape" {
		return landscape.Run(ctx, rest, stdout, stderr)
	}
	all := []string{"landscape"}
	for _, s := range servers {
		all = append(all, s.name)
	}
	for _, c := range commands() {
		if c.name == name {
			if len(rest) > 0 && isHelp(rest[0]) {
				fmt.Fprintf(stdout, "usage: portner %s\n%s\n", c.usage, c.about)
			}
			return status(c.run(ctx, rest, stdout, stderr), name, stderr)
		}
		all = append(all, c.name)
	}
	meant := strictjson.Meant(name, all)
	if meant != "" {
		meant = "did you mean " + meant + "? "
	}
	return status(fmt.Errorf("%q is no command (%s-h lists them)", name, meant), "", stderr)
}

func isHelp(arg string) bool { return slices.Contains([]string{"-h", "-help", "--help", "help"}, arg) }

// status prints err and returns the exit status.
func status(err error, name string, stderr io.Writer) int {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return 0
	}
	fmt.Fprintln(stderr, strings.TrimSpace("portner "+name)+":", err)
	return 1
}

func find(name string) (server, bool) {
	return standin.Find(servers, func(s server) bool { return s.name == name })
}

// named returns the server of an argument. For -h it prints the names.
func named(args []string, usage string, stdout io.Writer) (server, []string, error) {
	if len(args) > 0 && isHelp(args[0]) {
		fmt.Fprintf(stdout, "NAME is one of %s\n", names())
		return server{}, nil, flag.ErrHelp
	}
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return server{}, nil, fmt.Errorf("usage: portner %s, with one of %s", usage, names())
	}
	s, ok := find(args[0])
	if !ok {
		return server{}, nil, fmt.Errorf("%q is none of %s", args[0], names())
	}
	return s, args[1:], nil
}

func names() string {
	var all []string
	for _, s := range servers {
		all = append(all, s.name)
	}
	return strings.Join(all, ", ")
}

func usage(w io.Writer) {
	fmt.Fprint(w, "portner runs local stand-ins for Norwegian login and token services, for development and test.\n\n")
	for _, s := range servers {
		fmt.Fprintf(w, "  portner %-28s %s\n", s.name+" [flags]", s.about)
	}
	for _, c := range commands() {
		fmt.Fprintf(w, "  portner %-28s %s\n", c.usage, c.about)
	}
	fmt.Fprint(w, "\nportner NAME -h lists the flags. Each flag has a variable: -tls-cert is PORTNER_TLS_CERT.\n")
}
