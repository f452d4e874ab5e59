package client_test

import (
	"strings"
	"testing"

	"github.com/portner-go/portner/client"
	"github.com/stretchr/testify/require"
)

// TestValidateNames: a name that a page shows is one short line without characters that change how it is displayed.
func TestValidateNames(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"": true, "Min tjeneste": true, "Sámediggi – Sametinget (æøå) 東京": true, strings.Repeat("ø", 200): true,
		strings.Repeat("ø", 201): false,
		"Skatteetaten\u202e":     false, // reverses the following text
		"\u2066NAV\u2069":        false,
		"NA\u200bV":              false, // an invisible character
		"NAV\u00ad":              false,
		"a\nLogg inn her":        false,
		"a\u2028b":               false,
		"a\x00b":                 false,
		"\xff":                   false,
		"   ":                    false,
		"Skаtteetaten":           false, // a Cyrillic letter
		"\u2800":                 false, // a blank
		"N\u0336A\u0336V\u0336":  false, // combining marks
		"Đávvir Ŧ – Ähtäri":      true,
	} {
		c := web(func(c *client.Client) { c.ClientName = name })
		d := web(func(c *client.Client) { c.OnBehalfOf = []client.OnBehalfOf{{Value: "a", Name: name}} })
		if ok {
			require.NoError(t, c.Validate(production), "%q", name)
			require.NoError(t, d.Validate(production), "%q", name)
			continue
		}
		require.Equal(t, []string{"client_name"}, problems(t, c, production), "%q", name)
		require.Equal(t, []string{"onbehalfof[0].display_name"}, problems(t, d, production), "%q", name)
	}
}
