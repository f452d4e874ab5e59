package compat_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/compat"
)

// prepared is a server that is opened and not run.
type prepared interface {
	standin.Server
	Handler() http.Handler
	Issuers() []string
}

// prepare opens the program with arguments and an environment.
func prepare(t *testing.T, env map[string]string, args ...string) (prepared, string, error) {
	t.Helper()
	opt := &compat.Options{Environ: []string{}, DefaultFile: filepath.Join(t.TempDir(), "config.json")}
	for name, value := range env {
		opt.Environ = append(opt.Environ, name+"="+value)
	}
	if text, ok := env["config.json"]; ok {
		require.NoError(t, os.WriteFile(opt.DefaultFile, []byte(text), 0o600))
	}
	var log bytes.Buffer
	s, err := compat.Command(opt).Prepare(args, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		return nil, log.String(), err
	}
	t.Cleanup(func() { // Serve closes the port
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.Serve(ctx)
	})
	return s.(prepared), log.String(), nil
}

// ecdsaOnly is a configuration whose key is made fast.
const ecdsaOnly = `{"tokenProvider": {"keyProvider": {"algorithm": "ES256"}}, "issuers": ["x"]}`

// TestEnvironment: the variables of mock-oauth2-server, and their precedence.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file.json")
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(ecdsaOnly, `"x"`, `"from-path"`, 1)), 0o600))
	for name, tc := range map[string]struct {
		env  map[string]string
		args []string
		want string
	}{
		"config.json":           {map[string]string{"config.json": ecdsaOnly}, nil, "/x"},
		"path before it":        {map[string]string{"config.json": "{", "JSON_CONFIG_PATH": file}, nil, "/from-path"},
		"text before the path":  {map[string]string{"JSON_CONFIG": ecdsaOnly, "JSON_CONFIG_PATH": "/nonexistent"}, nil, "/x"},
		"the flag before those": {map[string]string{"JSON_CONFIG": "{"}, []string{"-config", file}, "/from-path"},
	} {
		tc.env["SERVER_PORT"], tc.env["PORT"] = "0", "1"
		s, _, err := prepare(t, tc.env, tc.args...)
		require.NoError(t, err, name)
		require.Len(t, s.Issuers(), 1, name)
		require.True(t, strings.HasPrefix(s.Issuers()[0], "http://127.0.0.1:"), s.Issuers()[0])
		require.True(t, strings.HasSuffix(s.Issuers()[0], tc.want), "%s: %s", name, s.Issuers()[0])
	}
}

// TestOnePrecedence: a flag wins over its variable, also one that turns all switches off; a variable that is misspelled is an error.
func TestOnePrecedence(t *testing.T) {
	t.Parallel()
	env := map[string]string{"JSON_CONFIG": ecdsaOnly, "SERVER_PORT": "0", "PORTNER_LENIENT": "any-client,any-secret"}
	_, log, err := prepare(t, env)
	require.NoError(t, err)
	require.Contains(t, log, "switch=any-secret")
	for _, args := range [][]string{{"-lenient", ""}, {"-lenient="}} {
		_, log, err = prepare(t, env, args...)
		require.NoError(t, err)
		require.NotContains(t, log, "lenient")
	}
	env["PORTNER_TEST_ISSUER"] = "https://mock.example.no"
	s, _, err := prepare(t, env, "-test-issuer", "https://other.example.no", "-addr", "127.0.0.1:0")
	require.NoError(t, err)
	require.Equal(t, []string{"https://other.example.no/x"}, s.Issuers())
	s, _, err = prepare(t, env, "-test-issuer", "", "-addr", ":0")
	require.NoError(t, err, "without a test issuer the server is on loopback")
	require.Regexp(t, `^http://127\.0\.0\.1:\d+/x$`, s.Issuers()[0])
	env["PORTNER_LENIANT"] = "any-client"
	_, _, err = prepare(t, env)
	require.ErrorContains(t, err, "PORTNER_LENIANT: is an unknown variable")
}

// TestProgramRejects: what the program cannot do as it is meant is an error at the start.
func TestProgramRejects(t *testing.T) {
	t.Parallel()
	local := map[string]string{"SERVER_PORT": "0", "JSON_CONFIG": ecdsaOnly}
	with := func(pairs ...string) map[string]string {
		env := map[string]string{"SERVER_PORT": "0", "JSON_CONFIG": ecdsaOnly}
		for i := 0; i < len(pairs); i += 2 {
			env[pairs[i]] = pairs[i+1]
		}
		return env
	}
	for name, tc := range map[string]struct {
		env  map[string]string
		args []string
		want string
	}{
		"a file that does not exist":       {with("JSON_CONFIG", "", "JSON_CONFIG_PATH", "/nonexistent.json"), nil, "nonexistent"},
		"an unknown member":                {with("JSON_CONFIG", `{"x": 1}`), nil, "x: is an unknown member"},
		"an unknown switch":                {with("PORTNER_LENIENT", "everything"), nil, `"everything" is no switch`},
		"a level that does not exist":      {with("LOG_LEVEL", "LOUD"), nil, "LOG_LEVEL"},
		"a configuration of logback":       {with("LOGBACK_CONFIG", "x.xml"), nil, "LOGBACK_CONFIG"},
		"TLS without a certificate":        {with("JSON_CONFIG", `{"httpServer": {"type": "NettyWrapper", "ssl": {}}}`), nil, "-tls-cert"},
		"a store":                          {local, []string{"-store", "sqlite:x"}, "-store"},
		"an administration":                {local, []string{"-admin", "localhost:0"}, "-admin"},
		"a secret of an administration":    {local, []string{"-admin-secret", "x"}, "-admin"},
		"other machines reach it":          {with("SERVER_HOSTNAME", "0.0.0.0"), nil, "-test-issuer"},
		"and it is lenient":                {with("SERVER_HOSTNAME", "0.0.0.0", "PORTNER_LENIENT", "any-client"), nil, "-test-issuer"},
		"an issuer of others":              {with("PORTNER_ISSUER", "https://login.example.no", "PORTNER_LENIENT", "any-client"), nil, "-test-issuer"},
		"a test issuer of another address": {with("PORTNER_ISSUER", "https://login.example.no", "PORTNER_TEST_ISSUER", "https://other.example.no"), nil, "-test-issuer"},
	} {
		_, _, err := prepare(t, tc.env, tc.args...)
		require.ErrorContains(t, err, tc.want, name)
	}
}

// TestLenientProgram: the program with switches tells them at the start, whatever LOG_LEVEL is, and a server for other machines needs no flag but
// the test issuer.
func TestLenientProgram(t *testing.T) {
	t.Parallel()
	s, log, err := prepare(t, map[string]string{
		"JSON_CONFIG": ecdsaOnly, "SERVER_PORT": "0", "PORTNER_TEST_ISSUER": "https://mock.example.no", "PORTNER_LENIENT": "any-client, any-scope", "LOG_LEVEL": "off",
	}, "-lenient", "any-client,any-secret")
	require.NoError(t, err)
	require.Equal(t, []string{"https://mock.example.no/x"}, s.Issuers())
	require.Equal(t, 2, strings.Count(log, "level=WARN"), log)
	require.Contains(t, log, "switch=any-secret", "the flag replaces the variable")
	var greeting bytes.Buffer
	s.Greet(&greeting)
	require.Contains(t, greeting.String(), "issuer:  https://mock.example.no/x\n")
	require.Contains(t, greeting.String(), "lenient: any-client: a client that is not configured")
	require.ErrorContains(t, s.Reload(t.Context()), "restart")
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://mock.example.no/x/.well-known/openid-configuration", nil))
	require.Equal(t, 200, w.Code)
	r := httptest.NewRequest(http.MethodPost, "https://mock.example.no/x/token", strings.NewReader("grant_type=client_credentials&client_id=new&client_secret=theirs&scope=api"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w = httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	require.Equal(t, 400, w.Code, "the scope needs any-scope")
	require.Contains(t, greeting.String(), `clients: {"client_id":"new","token_endpoint_auth_method":"client_secret_post","client_secret":"…","grant_types":["client_credentials"],"scopes":["api"]}`)
	require.NotContains(t, greeting.String(), "theirs")
}
