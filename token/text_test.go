package token_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/token"
)

// TestTextOfAClaim: a text and the name of a claim reach the reader unchanged, whatever has to be escaped in JSON.
func TestTextOfAClaim(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for r := range rune(0x180) {
		all.WriteRune(r)
	}
	all.WriteString("\u2028\u2029\ufffd\U0001f600")
	texts := map[string]string{"all": all.String(), "plain": "a<b>&c", "last": "~\x7f", `na"me`: "x", `back\slash`: `"`, "æ": "\\", "line\n": "\u001f"}
	for _, one := range all.String() {
		texts[fmt.Sprintf("%U", one)] = string(one)
	}
	f := newFixture(t, withClaims(provider.OpenIDConnect(), func(_ context.Context, d *token.Document) error {
		for name, text := range texts {
			d.SetString(name, text)
		}
		return nil
	}))
	for kind, claims := range f.documents("openid") {
		for name, text := range texts {
			require.Equal(t, text, claims[name], "%s: %q", kind, name)
		}
	}
}

// TestClaimsAreNotEscapedForHTML: a token has no text that is longer than it has to be.
func TestClaimsAreNotEscapedForHTML(t *testing.T) {
	t.Parallel()
	f := newFixture(t, withClaims(provider.OpenIDConnect(), func(_ context.Context, d *token.Document) error {
		d.SetString("plain", "<&>")
		d.SetString("quoted", `"<&>`)
		return nil
	}))
	raw := f.userInfo(f.login("web", "openid").str("access_token")).Body.Bytes()
	var claims map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(raw, &claims))
	require.Equal(t, `"<&>"`, string(claims["plain"]))
	require.Equal(t, `"\"<&>"`, string(claims["quoted"]))
}
