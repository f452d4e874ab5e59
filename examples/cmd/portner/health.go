package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/portner-go/portner/internal/standin"
)

// healthWithin is how long a server may take to answer. It is longer in the tests.
var healthWithin = 3 * time.Second

// health reports whether a server is ready, for the health check of a container: its image has no other program that could.
func health(ctx context.Context, args []string, stdout, _ io.Writer) error {
	fs := flag.NewFlagSet("health", flag.ContinueOnError)
	var tls standin.TLS
	standin.BoolVar(fs, &tls.InsecureTrustSelfSigned, "insecure-trust-self-signed", "the request accepts any certificate")
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		args = append(args[1:], "--", args[0]) // flags may follow the URL
	}
	urls, err := standin.ParseArgs(fs, args, stdout)
	if err != nil {
		return err
	}
	if len(urls) != 1 {
		return errors.New("usage: portner health URL [flags], such as http://localhost:8080")
	}
	u, err := url.Parse(urls[0])
	if err != nil || u.Host == "" || u.Path != "" && u.Path != "/" {
		return fmt.Errorf("%q must be the URL of a server without a path, such as http://localhost:8080", urls[0])
	}
	ctx, stop := context.WithTimeout(ctx, healthWithin)
	defer stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.JoinPath(standin.PathReady).String(), nil)
	if err != nil {
		return err
	}
	resp, err := tls.Outgoing().Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: status %d: %s", u.Host, resp.StatusCode, text)
	}
	_, err = stdout.Write(text)
	return err
}
