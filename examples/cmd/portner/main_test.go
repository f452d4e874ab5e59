package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin/compat"
)

// ran runs the program and returns its status and output.
func ran(t *testing.T, args ...string) (status int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	status = run(t.Context(), args, &o, &e)
	return status, o.String(), e.String()
}

// TestInitIsValid: the configuration that init prints has no problem.
func TestInitIsValid(t *testing.T) {
	t.Parallel()
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			status, config, errs := ran(t, "init", s.name)
			require.Zero(t, status, errs)
			require.NotContains(t, config, "SECRET")
			file := filepath.Join(t.TempDir(), "my.json")
			require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
			status, out, errs := ran(t, "check", file)
			require.Zero(t, status, out+errs)
			require.Equal(t, s.name+": "+file+": no problem\n", out)
		})
	}
}

// TestCheck: every problem of every file is reported, and says which server has it.
func TestCheck(t *testing.T) {
	t.Parallel()
	file := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	bad := file("maskinporten.json", `{"client":[],"settings":{"adr":"x","drain":"soon"}} // comment`)
	good := file("x.json", `{"$schema":"https://example.no/altinn-config.schema.json"}`)
	unknown, broken := file("y.json", `{}`), file("z.json", "{\n\"clients\": [],\n}")
	status, out, errs := ran(t, "check", bad, good, unknown, broken, filepath.Join(t.TempDir(), "none.json"))
	require.Equal(t, 1, status)
	require.Equal(t, "portner check: a configuration has problems\n", errs)
	for _, want := range []string{
		"maskinporten: " + bad + ":\nclient: is an unknown member (did you mean \"clients\"?)\n", "settings.adr: is an unknown member", "settings.drain: must be a time with its unit, such as 5s",
		"altinn: " + good + ": no problem\n", "portner: " + unknown + ": of which server?", "portner: " + broken + ":\nline 3: ", "none.json: no such file",
	} {
		require.Contains(t, out, want)
	}
	status, out, _ = ran(t, "check", "-as", "helseid", unknown)
	require.Zero(t, status, out)
}

// TestCheckStarts: what would refuse the start of a server is a problem of its configuration. The check opens no port and makes no file.
func TestCheckStarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for config, want := range map[string]string{
		`"issuer":"localhost:8080"`:                                  `issuer: "localhost:8080" must be a URL, such as http://localhost:8080`,
		`"issuer":"http://localhost:8080/"`:                          "Issuer: must not end in a slash",
		`"issuer":"http://idp.started.example"`:                      "which needs -allow-http",
		`"settings":{"addr":"x"}`:                                    `-addr: "x" must be HOST:PORT`,
		`"settings":{"tls_cert":"none.pem","tls_key":"none.pem"}`:    "-tls-cert, -tls-key: open none.pem",
		`"settings":{"machine_issuer":"x"}`:                          `-machine-issuer: "x" must be a URL`,
		`"business_certificates":{"roots":["none.pem"]}`:             "business_certificates.roots: open",
		`"mtls":{"client_ca":"none.pem"}`:                            "-tls-client-ca: open",
		`"lifetimes":{"code":601}`:                                   "Lifetimes.Code: must be",
		`"issuer":"https://idp.example.no","profile":"fapi2"`:        "no problem",
		`"settings":{"demo":true,"store":"sqlite:` + dir + `/x.db"}`: "no problem",
		`"settings":{"admin":"localhost:1"},"scope_access":[{"scope":"a:b","consumer_orgno":"991825827","state":"APPROVED"}]`: `scope_access[0].scope: scope "a:b": has no record`,
	} {
		file := filepath.Join(t.TempDir(), "idporten.json")
		require.NoError(t, os.WriteFile(file, []byte("{"+config+"}"), 0o600))
		_, out, _ := ran(t, "check", file)
		require.Contains(t, out, want, config)
	}
	skyporten := filepath.Join(t.TempDir(), "maskinporten.json")
	require.NoError(t, os.WriteFile(skyporten, []byte(`{"skyporten":true,"settings":{"testca":"`+dir+`/ca"}}`), 0o600))
	status, out, _ := ran(t, "check", skyporten)
	require.Zero(t, status, out)
	made, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, made)
}

// TestRefused: a command line that cannot be used gets one message and status 1.
func TestRefused(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"serve":                                `portner: "serve" is no command (-h lists them)`,
		"idportn":                              `portner: "idportn" is no command (did you mean idporten? -h lists them)`,
		"tokn idporten":                        `portner: "tokn" is no command (did you mean token? -h lists them)`,
		"token krr":                            "portner token: krr: there is no such token",
		"health localhost:8080":                "must be the URL of a server without a path, such as http://localhost:8080",
		"health -x":                            "portner health: flag provided but not defined: -x (-h lists the flags)",
		"init":                                 "portner init: usage: portner init NAME, with one of idporten,",
		"init bankid":                          `portner init: "bankid" is none of idporten,`,
		"init idporten x":                      "portner init: usage:",
		"check":                                "portner check: usage:",
		"check -as bankid x.json":              "portner check: a configuration has problems",
		"ca":                                   "portner ca: usage: portner ca DIR",
		"token":                                "portner token: usage:",
		"token helseid -key x":                 "-key: needs -config",
		"token helseid -config x":              "-key: is required with -config",
		"token helseid -client none":           `-client: the configuration has no client "none" with client_credentials`,
		"token helseid -scope nhn:x/y":         "invalid_scope",
		"token altinn":                         "-token: is required",
		"token altinn -token x -from y":        `-from: "y" is none of id-porten, maskinporten, altinnstudio`,
		"landscape -admin-secret x":            "landscape: -admin-secret: needs -admin",
		"landscape -config main.go":            "landscape: -config: main.go is a file: write the name of the folder with",
		"token idporten -user nobody":          `-user: the configuration has no user "nobody": it has kari, `,
		"token idporten -client none":          `-client: the configuration has no client "none"`,
		"token idporten -scope a:b":            `(the client is "min-tjeneste" of the configuration, and its scopes are openid profile`,
		"token maskinporten -claims x":         "-claims: must be a JSON object, such as",
		"idporten -adr x":                      "idporten: flag provided but not defined: -adr",
		"idporten -config a -config b -addr x": "portner idporten: -addr: each of several -config has its own",
		"landscape -store x":                   "landscape: -store: must be memory or sqlite:FOLDER",
		"landscape -drain -1s":                 "landscape: -drain: must not be negative",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			status, _, errs := ran(t, strings.Fields(args)...)
			require.Equal(t, 1, status)
			require.Contains(t, errs, want)
			require.NotContains(t, errs, "goroutine")
		})
	}
}

// TestTokenOfNobody: a configuration without users cannot log one in.
func TestTokenOfNobody(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "idporten.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"clients": [{"client_id": "a", "client_secret": "Zs8RkHx5WqNv2TyBm4LcGj7PdKf1UaEo", "client_orgno": "991825827", "redirect_uris": ["http://localhost:3000/cb"]}]}`), 0o600))
	status, _, errs := ran(t, "token", "idporten", "-config", file)
	require.Equal(t, 1, status)
	require.Equal(t, "portner token: the configuration has no users: add one to users\n", errs)
}

// TestRefusedExchange: a refusal of Altinn has no body, and the command says where the reason is.
func TestRefusedExchange(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	t.Cleanup(s.Close)
	status, _, errs := ran(t, "token", "altinn", "-altinn", s.URL, "-token", "x")
	require.Equal(t, 1, status)
	require.Equal(t, "portner token: 401 Unauthorized: no body, as at Altinn; the log of the server has the reason\n", errs)
}

// TestHelp: each command describes itself, with status 0.
func TestHelp(t *testing.T) {
	t.Parallel()
	for args, want := range map[string][]string{
		"-h":                    {"portner krr [flags]", "portner mock-oauth2-server [flags]", "portner landscape"},
		"init -h":               {"usage: portner init NAME > FILE\n", "NAME is one of idporten, ", "krr, mock-oauth2-server\n"},
		"token -h":              {"usage: portner token NAME [flags]\n", "NAME is one of idporten, "},
		"check -h":              {"usage: portner check [-as NAME] FILE…\n", "-as name"},
		"health -h":             {"usage: portner health URL\n", "-insecure-trust-self-signed"},
		"ca --help":             {"usage: portner ca DIR [flags]\n", "-orgno number"},
		"token maskinporten -h": {"-claims object", "docs/maskinporten-config.md"},
		compat.Name + " -h":     {"docs/migrating-from-mock-oauth2-server.md"},
	} {
		status, out, errs := ran(t, strings.Fields(args)...)
		require.Zero(t, status, args)
		require.Empty(t, errs, args)
		for _, part := range want {
			require.Contains(t, out, part, args)
		}
	}
	for _, s := range servers { // the document of the configuration exists
		_, out, _ := ran(t, s.name, "-h")
		_, rest, _ := strings.Cut(out, "(JSON, see docs/")
		document, _, _ := strings.Cut(rest, ")")
		require.FileExists(t, filepath.Join("../../../docs", document), s.name)
	}
}

// TestTokenWithoutServer: a server that ends with the command issues the token, without a port.
func TestTokenWithoutServer(t *testing.T) {
	t.Parallel()
	for args, parts := range map[string]int{
		"token maskinporten -addr localhost:0":          3,
		"token idporten -issuer http://localhost:1":     3,
		"token ansattporten -issuer http://127.0.0.1:1": 3,
		"token helseid -issuer http://127.0.0.1:1":      3,
	} {
		status, out, errs := ran(t, strings.Fields(args)...)
		require.Zero(t, status, errs)
		require.Len(t, strings.Split(strings.TrimSpace(out), "."), parts, args)
		require.Contains(t, errs, "the key of this token is discarded")
	}
}

// TestSeveralConfigurations: one process has a server for each configuration, and a token comes from the one that is named.
func TestSeveralConfigurations(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var files []string
	for _, name := range []string{"first", "second"} {
		text, err := initial("idporten")
		require.NoError(t, err)
		file := filepath.Join(dir, name+".json")
		require.NoError(t, os.WriteFile(file, bytes.ReplaceAll(text, []byte("localhost:8080"), []byte("localhost:0")), 0o600))
		files = append(files, file)
	}
	ctx, stop := context.WithCancel(t.Context())
	out := &buffer{}
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"idporten", "-config", files[0], "-config=" + files[1]}, out, io.Discard)
	}()
	require.Eventually(t, func() bool { return strings.Count(out.String(), "Ctrl-C stops it.") == 2 }, time.Minute, 10*time.Millisecond)
	var issuers []string
	for line := range strings.Lines(out.String()) {
		if _, issuer, ok := strings.Cut(line, "issuer      "); ok {
			issuers = append(issuers, strings.TrimSpace(issuer))
		}
	}
	require.Len(t, issuers, 2)
	granted := 0
	for _, issuer := range issuers { // the servers start in any order
		if status, _, _ := ran(t, "token", "idporten", "-config", files[0], "-issuer", issuer); status == 0 {
			granted++
		}
	}
	require.Equal(t, 1, granted, "the secret of the first is not that of the second")
	stop()
	require.Zero(t, <-done)
}

// buffer holds the output of a running program.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String returns the output.
func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestCheckReadsTheSettingsOfEachFile: what allow_http permits in one file, it does not permit in the next one.
func TestCheckReadsTheSettingsOfEachFile(t *testing.T) {
	t.Parallel()
	file := func(host, settings string) string {
		name := filepath.Join(t.TempDir(), "maskinporten.json")
		require.NoError(t, os.WriteFile(name, []byte(`{"altinn":"http://`+host+`.example/"`+settings+`}`), 0o600))
		return name
	}
	allowed, refused := file("checked-one", `,"settings":{"allow_http":true}`), file("checked-two", "")
	status, out, _ := ran(t, "check", allowed, refused)
	require.Equal(t, 1, status)
	require.Contains(t, out, allowed+": no problem\n")
	require.Contains(t, out, refused+":\naltinn: must be https")
}
