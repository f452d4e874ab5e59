package main

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/configtest"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/ansattporten"
	"github.com/portner-go/portner/internal/standin/standintest"
)

func TestDocuments(t *testing.T) {
	t.Parallel()
	configtest.Check(t, "ansattporten", ansattporten.ReadConfig)
}

// TestReadme starts the server with the configuration of the README.
func TestReadme(t *testing.T) {
	t.Parallel()
	readme := string(must(os.ReadFile("README.md")))
	found := regexp.MustCompile("(?s)```json\n(.*?)```").FindStringSubmatch(readme)
	require.Len(t, found, 2)
	file := filepath.Join(t.TempDir(), "my.json")
	require.NoError(t, os.WriteFile(file, []byte(found[1]), 0o600))
	for _, demo := range []string{"-demo=true", "-demo=false"} {
		s := start(t, "-config", file, demo)
		require.Equal(t, "min-tjeneste", s.Config.Clients[0].ClientID)
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	write := func(text string) string {
		file := filepath.Join(t.TempDir(), "c.json")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		return file
	}
	for config, want := range map[string]string{
		`{"clients":[{"redirect_uri":["x"]}]}`:                                                                            `clients[0].redirect_uri: is an unknown member`,
		`{"resources":{"x":"y"}}`:                                                                                         `resources.x: must begin with urn:altinn:resource:`,
		`{"scopes":[{"name":"a:b","requires_user_consent":true}]}`:                                                        `scopes[0].requires_user_consent: must be false: this server has no consent page`,
		`{"users":[{"username":"a","password":"b"}]}`:                                                                     `users[0].name: is required`,
		`{"users":[{"username":"a","password":"b","name":"c","pid":"1"}]}`:                                                `users[0].pid: must be a national identity number`,
		`{"users":[{"username":"a","password":"b","name":"c","acr":"x"}]}`:                                                `users[0].acr: "x" is none of low, substantial, high`,
		`{"users":[{"username":"a","password":"b","name":"c","reportees":[{"orgno":"991825828"}]}]}`:                      `users[0].reportees[0].orgno: must be nine digits`,
		`{"users":[{"username":"a","password":"b","name":"c","reportees":[{}]}]}`:                                         `users[0].reportees[0].orgno: must be an organisation number`,
		`{"users":[{"username":"a","password":"b","name":"c","mandates":[{"pid":"1","name":"","owner":"","roles":[]}]}]}`: `users[0].mandates[0].pid`,
	} {
		var out, errs strings.Builder
		require.Equal(t, 1, run(t.Context(), []string{"-addr", "localhost:0", "-config", write(config)}, &out, &errs), config)
		require.Contains(t, errs.String(), want)
		require.Empty(t, out.String())
	}
	for arg, want := range map[string]string{"x": "unexpected argument", "-y": "flag provided but not defined", "-addr=x": "-addr"} {
		var out, errs strings.Builder
		require.Equal(t, 1, run(t.Context(), []string{arg}, &out, &errs))
		require.Contains(t, errs.String(), want)
	}
	standintest.RequireFlags(t, run, append(standintest.ServerFlags, "-demo")...)
}

// TestTexts checks that every language has every text.
func TestTexts(t *testing.T) {
	t.Parallel()
	require.Len(t, ansattporten.AllTexts, len(standin.Languages))
	for _, lang := range standin.Languages {
		v := reflect.ValueOf(ansattporten.TextsFor(lang))
		for i := range v.NumField() {
			require.False(t, v.Field(i).IsZero(), "%s: %s", lang, v.Type().Field(i).Name)
		}
	}
	require.Equal(t, "nb", ansattporten.TextsFor("xx").Lang)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
