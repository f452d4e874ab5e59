package authorize_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/httpx"
)

// FuzzClaims: an authorization request with a claims parameter leads to the login page if the parameter is a JSON object without repeated members,
// and to an error at the client otherwise.
func FuzzClaims(f *testing.F) {
	for _, text := range []string{
		"{}", "[]", "null", `{"id_token":{"acr":{"essential":true,"values":["a"]}}}`, `{"userinfo":{"name":null}}`, `{"userinfo":{"name":{}},"userinfo":{}}`,
		`{"id_token":{"sub":{"value":"x","values":["y"]}}}`, `{"id_token":{"acr":{"essential":1}}}`, `{"id_token":[]}`, `{"other":{"a":null}}`, "{", `{"id_token":{"\ud800":null}}`,
	} {
		f.Add(text)
	}
	f.Add(strings.Repeat(" ", httpx.MaxQuery) + "{}")
	w := newWorld(f, withClaims)
	b := w.browser()
	f.Fuzz(func(t *testing.T, text string) {
		p := params("web", "claims", text)
		res := b.authorize(p)
		if oversized(t, p, res) {
			return
		}
		out := outcome(t, res)
		if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
			require.Equal(t, "page Bad Request invalid_request", out, "no form")
			return
		}
		var object map[string]json.RawMessage
		valid := json.Unmarshal([]byte(text), &object) == nil && object != nil
		if text != "" && !valid {
			require.Equal(t, "error invalid_request", out)
		}
		require.Contains(t, []string{"login", "error invalid_request", "error unmet_authentication_requirements"}, out)
	})
}
