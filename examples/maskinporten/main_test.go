package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/configtest"
	"github.com/portner-go/portner/examples/internal/programs"
	"github.com/portner-go/portner/internal/standin/maskinporten"
	"github.com/portner-go/portner/internal/standin/standintest"
)

// start starts the server on a free port until the end of the test.
func start(t *testing.T, args ...string) *maskinporten.Server {
	t.Helper()
	return startWith(t, slog.DiscardHandler, args...)
}

// startWith is start with a log.
func startWith(t *testing.T, log slog.Handler, args ...string) *maskinporten.Server {
	t.Helper()
	prepared, err := standintest.Prepare(t, programs.Maskinporten().Command(), log, append([]string{"-addr", "localhost:0"}, args...)...)
	require.NoError(t, err)
	s := prepared.(*maskinporten.Server)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return s
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.json")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// printToken prints a token, as portner token maskinporten does, and returns the exit status.
func printToken(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if err := programs.Maskinporten().PrintToken(ctx, args, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// token prints a token and returns the claims of the token.
func token(t *testing.T, args ...string) map[string]any {
	t.Helper()
	var out, errs bytes.Buffer
	require.Zero(t, printToken(t.Context(), args, &out, &errs), errs.String())
	parts := strings.Split(strings.TrimSpace(out.String()), ".")
	require.Len(t, parts, 3)
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	var claims map[string]any
	require.NoError(t, json.Unmarshal(payload, &claims))
	return claims
}

// TestPrintToken requests every kind of token from a running server.
func TestPrintToken(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "testca")
	s := start(t, "-testca", dir)
	claims := token(t, "-issuer", s.Issuer)
	require.Equal(t, s.Issuer, claims["iss"])
	require.True(t, strings.HasSuffix(s.Issuer, "/"))
	require.Equal(t, maskinporten.DemoClient, claims["client_id"])
	require.Equal(t, "private_key_jwt", claims["client_amr"])

	require.Equal(t, "QCForESeal", token(t, "-issuer", s.Issuer, "-testca", dir)["client_amr"])

	claims = token(t, "-issuer", s.Issuer, "-claims", `{"scope":"`+maskinporten.DemoDelegated+`","consumer_org":"`+maskinporten.DemoCustomer+`"}`)
	require.Equal(t, "0192:"+maskinporten.DemoCustomer, claims["consumer"].(map[string]any)["ID"])
	require.Equal(t, "0192:"+maskinporten.DemoOrg, claims["supplier"].(map[string]any)["ID"])
	require.Equal(t, maskinporten.DelegationSource, claims["delegation_source"])

	claims = token(t, "-issuer", s.Issuer, "-claims", `{"resource":"https://api.example.no/","pid":"21879498012"}`)
	require.Equal(t, "https://api.example.no/", claims["aud"])
	require.Equal(t, "21879498012", claims["pid"])

	for _, detail := range []string{
		`{"type":"urn:altinn:systemuser","systemuser_org":{"authority":"iso6523-actorid-upis","ID":"0192:` + maskinporten.DemoCustomer + `"}}`,
		`{"type":"urn:altinn:consent","id":"1b2f6c3e-0d6a-4a55-9a4e-0d8c1c3a7d11","from":"urn:altinn:person:identifier-no:21879498012"}`,
	} {
		claims = token(t, "-issuer", s.Issuer, "-claims", `{"authorization_details":[`+detail+`]}`)
		require.Len(t, claims["authorization_details"], 1)
	}

	var out, errs bytes.Buffer
	require.Equal(t, 1, printToken(t.Context(), []string{"-claims", "x"}, &out, &errs))
	require.Contains(t, errs.String(), "-claims:")
	errs.Reset()
	require.Equal(t, 1, printToken(t.Context(), []string{"-issuer", s.Issuer, "-claims", `{"aud":"x"}`}, &out, &errs))
	require.Contains(t, errs.String(), s.Issuer+"errors/MP-110")
	require.Empty(t, out.String())
}

// TestPrintTokenAlone requests a token without a running server.
func TestPrintTokenAlone(t *testing.T) {
	t.Parallel()
	require.Equal(t, maskinporten.DemoScope, token(t, "-addr", "localhost:0")["scope"])
	const closed = "http://localhost:1/" // no server listens there
	require.Equal(t, closed, token(t, "-issuer", closed)["iss"])
	file := filepath.Join(t.TempDir(), "maskinporten.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"$schema":"./maskinporten-config.schema.json","issuer":"`+closed+`"}`), 0o600))
	require.Equal(t, closed, token(t, "-config", file)["iss"])
	s := start(t) // the issuer of a file is that of the server which runs
	require.NoError(t, os.WriteFile(file, []byte(`{"issuer":"`+s.Issuer+`"}`), 0o600))
	var out, errs bytes.Buffer
	require.Zero(t, printToken(t.Context(), []string{"-config", file}, &out, &errs), errs.String())
	require.Empty(t, errs.String())
}

// TestErrorPages checks the page of each error_uri.
func TestErrorPages(t *testing.T) {
	t.Parallel()
	s := start(t)
	require.Len(t, maskinporten.Causes, 17)
	for number, status := range map[string]int{"MP-110": 200, "MP-999": 404, "": 404} {
		resp, err := http.Get(s.Issuer + "errors/" + number)
		require.NoError(t, err)
		_ = resp.Body.Close()
		require.Equal(t, status, resp.StatusCode, number)
		require.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Issuer+"jwk", nil)
	require.NoError(t, err)
	req.Host = "evil.example.no"
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	_ = resp.Body.Close()
	require.Equal(t, http.StatusMisdirectedRequest, resp.StatusCode)
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"unknown flag":  {[]string{"-adr", "x"}, "flag provided but not defined"},
		"argument":      {[]string{"x"}, `unexpected argument "x"`},
		"half":          {[]string{"-tls-cert", "x"}, "are required together"},
		"address":       {[]string{"-addr", "localhost"}, "-addr: \"localhost\" must be HOST:PORT, such as localhost:8080"},
		"no file":       {[]string{"-config", filepath.Join(t.TempDir(), "x")}, "-config: open"},
		"member":        {[]string{"-config", write(t, `{"client":[]}`)}, `client: is an unknown member (did you mean "clients"?)`},
		"organisation":  {[]string{"-config", write(t, `{"delegations":[{"consumer_orgno":"1","supplier_orgno":"991825827","scopes":[]}]}`)}, "delegations[0].consumer_orgno: must be nine digits"},
		"client":        {[]string{"-config", write(t, `{"clients":[{"client_id":"a"}]}`)}, "clients[0].client_orgno: is required"},
		"secret":        {[]string{"-config", write(t, `{"clients":[{"client_id":"a","client_orgno":"991825827","client_secret":"x"}]}`)}, "clients[0].client_secret: is for client_secret_basic and client_secret_post"},
		"scope":         {[]string{"-config", write(t, `{"scope_access":[{"scope":"a:b","consumer_orgno":"991825827","state":"APPROVED"}]}`)}, "a:b"},
		"system":        {[]string{"-config", write(t, `{"system_users":[{"id":"a","system_id":"x","client_ids":[],"vendor_orgno":"991825827","customer_orgno":"910753614"}]}`)}, "system_users[0].system_id: must begin"},
		"no such roots": {[]string{"-addr", "localhost:0", "-config", write(t, `{"business_certificates":{"roots":["none.pem"]}}`)}, "business_certificates.roots: open"},
		"issuer":        {[]string{"-addr", "localhost:0", "-issuer", "x", "-test-issuer", "x"}, "issuer: \"x\" must be a URL, such as"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			require.Equal(t, 1, run(t.Context(), c.args, &out, &errs))
			require.Contains(t, errs.String(), c.want)
			require.Empty(t, out.String())
		})
	}
	standintest.RequireFlags(t, run, append(standintest.ServerFlags, "-testca")...)
}

// greeting holds what a program prints, and calls complete after the last line.
type greeting struct {
	bytes.Buffer
	complete func()
}

func (g *greeting) Write(text []byte) (int, error) {
	n, err := g.Buffer.Write(text)
	if strings.Contains(g.String(), "Ctrl-C stops it.") {
		g.complete()
	}
	return n, err
}

// TestRunStops checks the greeting and the shutdown.
func TestRunStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, errs := greeting{complete: cancel}, bytes.Buffer{}
	require.Zero(t, run(ctx, []string{"-addr", "localhost:0"}, &out, &errs), errs.String())
	require.Contains(t, out.String(), "a local Maskinporten")
	require.Contains(t, out.String(), maskinporten.DemoClient)
}

// TestBusinessCertificates checks that paths of roots and lists are relative to the configuration.
func TestBusinessCertificates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca")
	require.NoError(t, maskinporten.MakeTestCA(ca, time.Now()))
	path := filepath.Join(dir, "config.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"business_certificates":{"roots":["ca/root.pem"],"crls":["ca/crl.pem"]}}`), 0o600))
	s := start(t, "-config", path)
	require.Equal(t, maskinporten.DemoCertificate, token(t, "-issuer", s.Issuer, "-testca", ca)["client_id"])
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	configtest.Check(t, "maskinporten", maskinporten.ReadConfig)
	running := start(t, "-config", "../../docs/maskinporten-config.example.json", "-issuer", "http://127.0.0.1/")
	require.Len(t, running.Config.Clients, 4)
}
