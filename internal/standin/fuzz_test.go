package standin_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/internal/standin/altinn"
	"github.com/portner-go/portner/internal/standin/ansattporten"
	"github.com/portner-go/portner/internal/standin/helseid"
	"github.com/portner-go/portner/internal/standin/idporten"
	"github.com/portner-go/portner/internal/standin/krr"
	"github.com/portner-go/portner/internal/standin/maskinporten"
)

// parserOf returns a parser of a configuration that returns any type.
func parserOf[C any](parse func(standin.Document) (C, error)) func([]byte) (any, error) {
	return func(text []byte) (any, error) { return parse(standin.Document{Text: text}) }
}

// parsers are those of the configuration files.
var parsers = []struct {
	name  string
	parse func([]byte) (any, error)
}{
	{"idporten", parserOf(func(d standin.Document) (idporten.Config, error) { return idporten.ParseConfig(d, false) })},
	{"maskinporten", parserOf(maskinporten.ParseConfig)},
	{"altinn", parserOf(altinn.ParseConfig)},
	{"ansattporten", parserOf(ansattporten.ParseConfig)},
	{"helseid", parserOf(helseid.ParseConfig)},
	{"krr", parserOf(krr.ParseConfig)},
}

// FuzzConfig: a configuration that is accepted is one JSON object, is equal when it is read again, and is rejected with one more member, which
// the error names. One that is rejected is rejected again with the same error.
func FuzzConfig(f *testing.F) {
	for i, p := range parsers {
		for _, text := range []string{"{}", "", "null", "[]", `{"settings":{"drain":"5s"}}`, `{"issuer":"http://localhost:8080"}`, `{"clients":[{"client_id":"a"}]}`, "// a comment\n{}", `{"a":1,"a":2}`} {
			f.Add(uint8(i), []byte(text))
		}
		example, err := os.ReadFile("../../docs/" + p.name + "-config.example.json")
		require.NoError(f, err)
		f.Add(uint8(i), example)
	}
	f.Fuzz(func(t *testing.T, server uint8, text []byte) {
		parse := parsers[int(server)%len(parsers)].parse
		config, err := parse(text)
		again, second := parse(text)
		if err != nil {
			require.EqualError(t, second, err.Error())
			return
		}
		require.NoError(t, second)
		require.Equal(t, config, again)
		plain := bytes.TrimSpace(standin.Plain(text))
		var members map[string]json.RawMessage
		if len(plain) == 0 || json.Unmarshal(plain, &members) != nil || members == nil {
			return // no configuration, or null
		}
		members["unknown_member"] = json.RawMessage("1")
		more, err := json.Marshal(members)
		require.NoError(t, err)
		_, err = parse(more)
		require.Error(t, err)
		found := false
		for _, problem := range portner.FieldErrors(err) {
			found = found || problem.Field == "unknown_member"
		}
		require.True(t, found, "%v", err)
	})
}
