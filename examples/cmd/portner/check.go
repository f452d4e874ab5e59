package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/url"
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
	"github.com/portner-go/portner/keyset"
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
func check(ctx context.Context, args []string, stdout, _ io.Writer) error {
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
			err = s.check(ctx, file)
		}
		if err != nil {
			failed = true
			fmt.Fprintf(stdout, "%s: %s\n", cmp.Or(s.name, "portner"), strings.TrimPrefix(standin.WithHint(err).Error(), "-config: "))
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
func (s server) check(ctx context.Context, file string) error {
	c := s.command()
	settings := c.Parse([]string{"-config", file}, io.Discard)
	d, err := c.Flags.Document()
	if err == nil {
		err = s.read(d)
	}
	if err = errors.Join(err, settings); err != nil {
		return err
	}
	return d.Wrap(s.start(ctx, file, d))
}

// issuerPaths are the paths of issuers where a configuration has none, of the servers that start without a listener.
var issuerPaths = map[string]string{
	"idporten": "", "ansattporten": "", "helseid": "", "maskinporten": "/", "altinn": "/authentication/api/v1/openid/",
}

// start opens a server with a configuration, without a listener and a store: what refuses the start of a server is a problem of its
// configuration.
func (s server) start(ctx context.Context, file string, d standin.Document) error {
	var head struct {
		Issuer    string
		Skyporten bool
		MTLS      struct{ Addr string }
	}
	path, ok := issuerPaths[s.name]
	if err := json.Unmarshal(standin.Plain(d.Text), &head); err != nil || !ok || head.MTLS.Addr != "" {
		return err // a listener for certificates is opened at the start only
	}
	if u, err := url.Parse(head.Issuer); head.Issuer != "" && (err != nil || u.Host == "") {
		return fmt.Errorf("issuer: %q must be a URL, such as http://localhost:8080", head.Issuer)
	}
	if head.Skyporten {
		path = "" // whose issuers have no slash
	}
	c := s.command()
	args := []string{"-config", file}
	if s.name == "idporten" || s.name == "ansattporten" || s.name == "helseid" {
		args = append(args, "-demo=false") // which needs listeners
	}
	if s.name == "maskinporten" {
		args = append(args, "-testca=") // which makes the folder
	}
	if err := c.Parse(args, io.Discard); err != nil {
		return err
	}
	f := c.Flags
	if err := f.CheckAddr(); err != nil {
		return err
	}
	f.Addr, f.Issuer, f.NewKey = "", cmp.Or(head.Issuer, "https://localhost"+path), publicKey
	f.TestIssuer = f.Issuer // a flag can repeat it
	f.StateFlags, f.AdminFlags, f.MetricsFlags = standin.StateFlags{Store: "memory"}, standin.AdminFlags{}, standin.MetricsFlags{}
	_, err := c.Open(ctx, slog.New(slog.DiscardHandler))
	return err
}

// publicKey returns a key of a server that signs nothing. A new RSA key takes longer than everything else.
func publicKey(alg string) (keyset.Key, error) {
	if alg != keyset.RS256 && alg != keyset.PS256 {
		return keyset.Generate(alg)
	}
	der, err := x509.MarshalPKCS8PrivateKey(maskinporten.DemoKey())
	if err != nil {
		return keyset.Key{}, err
	}
	return keyset.ParsePEM(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), alg)
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
