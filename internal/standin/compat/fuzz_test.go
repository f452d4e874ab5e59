package compat_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/standin/compat"
)

// FuzzParse: a configuration that is accepted opens a server, and is rejected with one more member, which the error names.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"{}", "", "null", "[]", config, mappings(`"claims": {"sub": "${subject}"}`), `{"issuers":["a"]}`, `{"interactiveLogin":true,"httpServer":"NettyWrapper"}`,
		`{"tokenProvider":{"keyProvider":{"algorithm":"ES256"},"systemTime":"2026-01-01T00:00:00Z"}}`, `{"httpServer":{"type":"NettyWrapper","ssl":{}}}`, `{"lenient":["any-client"]}`,
		`{"audiences":["urn:a"]}`, `{"a":1,"a":2}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		plan, err := compat.Parse(text)
		if err != nil {
			require.Nil(t, plan)
			return
		}
		var members map[string]json.RawMessage
		if json.Unmarshal(text, &members) != nil || members == nil {
			return // no configuration, or null
		}
		members["unknown_member"] = json.RawMessage("1")
		more, err := json.Marshal(members)
		require.NoError(t, err)
		_, err = compat.Parse(more)
		require.Error(t, err)
		found := false
		for _, problem := range portner.FieldErrors(err) {
			found = found || problem.Field == "unknown_member"
		}
		require.True(t, found, "%v", err)
	})
}
