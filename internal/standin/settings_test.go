package standin_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/portner-go/portner/internal/standin/maskinporten"
)

// parsed returns the flags of a program with these arguments, variables and configuration.
func parsed(t *testing.T, config string, environ []string, args ...string) (standin.Flags, error) {
	t.Helper()
	if config != "" {
		file := filepath.Join(t.TempDir(), "config.json")
		require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
		args = append([]string{"-config", file}, args...)
	}
	var f standin.Flags
	c := standin.Command{
		Name: "idporten", Addr: "localhost:8080", Flags: &f, Environ: environ,
		Open: func(context.Context, *slog.Logger) (standin.Server, error) { return nil, nil },
	}
	_, err := c.Prepare(args, slog.New(slog.DiscardHandler))
	return f, err
}

// TestPrecedence: a flag wins over its variable, which wins over the configuration, which wins over the default.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	const config = `{"settings":{"addr":"localhost:1","drain":"1s","hosts":"idp:80"}}`
	variables := []string{"PORTNER_ADDR=localhost:2", "PORTNER_DRAIN=2s", "HOME=/", "PORTNER_CLIENTS=of a test"}
	for name, c := range map[string]struct {
		config  string
		environ []string
		args    []string
		addr    string
		drain   time.Duration
	}{
		"default":       {"", []string{}, nil, "localhost:8080", 0},
		"configuration": {config, []string{}, nil, "localhost:1", time.Second},
		"variable":      {config, variables, nil, "localhost:2", 2 * time.Second},
		"flag":          {config, variables, []string{"-addr", "localhost:3"}, "localhost:3", 2 * time.Second},
	} {
		f, err := parsed(t, c.config, c.environ, c.args...)
		require.NoError(t, err, name)
		require.Equal(t, c.addr, f.Addr, name)
		require.Equal(t, c.drain, f.Drain, name)
	}
}

// TestSettingsRefused: every setting that cannot be used is named, with where it was set.
func TestSettingsRefused(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		`{"settings":{"adr":"x","tls-cert":"x"}}`: "settings.adr: is an unknown member: settings has the names of flags, such as tls_cert (did you mean addr? -h lists them)\nsettings.tls-cert: is an unknown member",
		`{"settings":{"config":"x"}}`:             "settings.config: is an unknown member",
		`{"settings":{"issuer":"x"}}`:             "settings.issuer: is an unknown member: write issuer beside settings",
		`{"settings":{"drain":"soon"}}`:           "settings.drain: must be a time with its unit, such as 5s",
		`{"settings":{"allow_http":"yes"}}`:       "settings.allow_http: must be true or false",

		`{"$schema":"https://example.no/krr-config.schema.json","settings":{"adr":"x"}}`: "$schema: is that of krr, and the server is idporten",

		`{"settings":{"drain":[]}}`:         "settings.drain: must be a string, a boolean or a number",
		`{"settings":{"hosts":"http://a"}}`: `-hosts: "http://a" must be HOST or HOST:PORT`,
	} {
		_, err := parsed(t, config, []string{})
		require.ErrorContains(t, err, want, config)
	}
	for variable, want := range map[string]string{
		"PORTNER_ADRESS=x":       "PORTNER_ADRESS: is an unknown variable (-h lists the flags; that of -tls-cert is PORTNER_TLS_CERT)",
		"PORTNER_ADR=x":          "PORTNER_ADR: is an unknown variable (did you mean PORTNER_ADDR? -h lists the flags;",
		"PORTNER_TLS-CERT=x":     "PORTNER_TLS-CERT: is an unknown variable",
		"PORTNER_ALLOW_HTTP=yes": "PORTNER_ALLOW_HTTP: must be true or false",
		"PORTNER_DRAIN=soon":     "PORTNER_DRAIN: must be a time with its unit, such as 5s",
	} {
		_, err := parsed(t, "", []string{variable})
		require.ErrorContains(t, err, want, variable)
	}
}

// TestPlain: comments are spaces, and what looks like one in a string stays.
func TestPlain(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{ // a \"comment\"\n}":             "{               \n}",
		`{"a":"https://b","c":"\"//"} // d`: `{"a":"https://b","c":"\"//"}     `,
		`{"a":"\\"} //`:                     `{"a":"\\"}   `,
		"// only":                           "       ",
		`{"a":"unfinished`:                  `{"a":"unfinished`,
		`"\`:                                `"\`,
		"\ufeff{} // d":                     "   {}     ",
		"{\"a\":\"\ufeff\"}":                "{\"a\":\"\ufeff\"}",
	} {
		require.Equal(t, want, string(standin.Plain([]byte(text))), text)
	}
	f, err := parsed(t, "{ // all of it\n\"settings\": {\"addr\": \"localhost:4\"} // https://example.no\n}", []string{})
	require.NoError(t, err)
	require.Equal(t, "localhost:4", f.Addr)
}

// TestByteOrderMark: the mark that some editors write at the start of a file hides no setting, and does not bring back the built-in users.
func TestByteOrderMark(t *testing.T) {
	t.Parallel()
	const mark = "\ufeff"
	f, err := parsed(t, mark+`{"settings":{"addr":"localhost:4","admin":"localhost:5","admin_secret":"secret.txt"}}`, []string{})
	require.NoError(t, err)
	require.Equal(t, "localhost:4", f.Addr)
	require.Equal(t, "secret.txt", f.AdminSecret)
	_, err = parsed(t, mark+`{"settings":{"adr":"x"}}`, []string{})
	require.ErrorContains(t, err, "settings.adr")

	file := filepath.Join(t.TempDir(), "idporten.json")
	require.NoError(t, os.WriteFile(file, []byte(mark+`{"users":[{"username":"per","password":"hemmelig","pid":"21879498012"}]}`), 0o600))
	var opt idporten.Options
	opt.Addr, opt.Admin, opt.ConfigFile = "localhost:0", "localhost:0", file
	s, err := idporten.Open(t.Context(), opt, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	defer s.Sites.Close()
	require.Len(t, s.Config.Users, 1)
	require.Equal(t, "per", s.Config.Users[0].Username)
}

// TestPlainHTTPIsOfOneConfiguration: -allow-http is a property of the configuration that has it, and permits plain http at the hosts that this
// configuration names.
func TestPlainHTTPIsOfOneConfiguration(t *testing.T) {
	t.Parallel()
	open := func(issuer, config string, args ...string) error {
		file := filepath.Join(t.TempDir(), "maskinporten.json")
		require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
		args = append([]string{"-addr", "localhost:0", "-issuer", issuer, "-test-issuer", issuer, "-config", file}, args...)
		s, err := new(maskinporten.Options).Command().Prepare(args, slog.New(slog.DiscardHandler))
		if err == nil {
			ended, end := context.WithCancel(context.Background())
			end()
			require.NoError(t, s.Serve(ended))
		}
		return err
	}
	const config = `{"scopes":[{"name":"a:b","owner_orgno":"991825827","delegation_source":"http://source.one.example/","allowed_integration_types":["maskinporten"]}],` +
		`"altinn":"http://altinn.one.example/"}`
	another := strings.ReplaceAll(config, "one", "two")
	require.ErrorContains(t, open("http://mp.one.example/", "{}"), "which needs -allow-http")
	require.ErrorContains(t, open("https://mp.one.example/", config), "delegation_source")
	require.NoError(t, open("http://mp.one.example/", config, "-allow-http"))
	require.ErrorContains(t, open("http://mp.two.example/", "{}"), "which needs -allow-http")
	require.ErrorContains(t, open("https://mp.two.example/", another), "delegation_source")
	require.ErrorContains(t, open("https://mp.two.example/", another), "altinn: must be https")
	require.ErrorContains(t, open("http://mp.two.example/", `{"settings":{"allow_http":true}}`, "-allow-http=false"), "which needs -allow-http")
	require.NoError(t, open("http://mp.two.example/", `{"settings":{"allow_http":true}}`))
}
