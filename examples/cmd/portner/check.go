package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/altinn"
	"github.com/portner-go/portner/internal/standin/ansattporten"
	"github.com/portner-go/portner/internal/standin/compat"
	"github.com/portner-go/portner/internal/standin/helseid"
	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/portner-go/portner/internal/standin/krr"
	"github.com/portner-go/portner/internal/standin/maskinporten"
	"github.com/portner-go/portner/internal/standin/strictjson"
)

func readIDPorten(d standin.Document) error {
	_, err := idporten.ParseConfig(d, false)
	return err
}

func readAnsattporten(d standin.Document) error {
	_, err := ansattporten.ParseConfig(d)
	return err
}

func readMaskinporten(d standin.Document) error {
	_, err := maskinporten.ParseConfig(d)
	return err
}

func readAltinn(d standin.Document) error {
	_, err := altinn.ParseConfig(d)
	return err
}

func readHelseID(d standin.Document) error {
	_, err := helseid.ParseConfig(d)
	return err
}

func readKRR(d standin.Document) error {
	_, err := krr.ParseConfig(d)
	return err
}

func readMock(d standin.Document) error {
	_, err := compat.Parse(d.Text)
	return d.Wrap(err)
}

// check reads configuration files, and reports every problem.
func check(_ context.Context, args []string, stdout, _ io.Writer) error {
	fs := flag.NewFlagSet("check", flag.ContinueOnError)
	as := fs.String("as", "", "`name` of the server (default: that of $schema, or of the name of the file)")
	files, err := standin.ParseArgs(fs, args, stdout)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return errors.New("usage: portner check [-as NAME] FILE…")
	}
	failed := false
	for _, file := range files {
		s, err := serverOf(file, *as)
		if err == nil {
			err = s.check(file)
		}
		if err != nil {
			failed = true
			fmt.Fprintf(stdout, "%s: %s\n", cmp.Or(s.name, "portner"), strings.TrimPrefix(err.Error(), "-config: "))
			continue
		}
		fmt.Fprintf(stdout, "%s: %s: no problem\n", s.name, file)
	}
	if failed {
		return errors.New("a configuration has problems")
	}
	return nil
}

// check reports every problem of a configuration file and of its settings.
func (s server) check(file string) error {
	c := s.command()
	settings := c.Parse([]string{"-config", file}, io.Discard)
	d, err := c.Flags.Document()
	if err == nil {
		err = s.read(d)
	}
	return errors.Join(err, settings)
}

// serverOf returns the server of a configuration file: as, or the one that $schema or the name of the file names.
func serverOf(file, as string) (server, error) {
	if as != "" {
		s, _, err := named([]string{as}, "", io.Discard)
		return s, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return server{}, err
	}
	var head struct {
		Schema           string `json:"$schema"`
		InteractiveLogin any    // a JSON_CONFIG has no $schema
		TokenCallbacks   any
	}
	var all any
	if err := strictjson.Decode(standin.Plain(text), &all); err != nil { // before it is unknown of which server the file is
		return server{}, standin.Document{Path: file}.Wrap(err)
	}
	_ = json.Unmarshal(standin.Plain(text), &head) // members of other types are reported by what reads all of them
	if head.Schema == "" && (head.InteractiveLogin != nil || head.TokenCallbacks != nil) {
		head.Schema = compat.Name
	}
	for _, hint := range []string{filepath.Base(head.Schema), filepath.Base(file)} {
		for _, s := range servers {
			if strings.HasPrefix(hint, s.name) {
				return s, nil
			}
		}
	}
	return server{}, fmt.Errorf("%s: of which server? Write -as NAME, or \"$schema\": \"NAME-config.schema.json\", with one of %s", file, names())
}
