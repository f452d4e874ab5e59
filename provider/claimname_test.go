package provider_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/token"
)

// A claim whose name contains JSON is one member of every document, and adds no other (GHSA-4cf7-xm37-g63h is the same defect in the
// encoders of jwx, which this module does not call).
func TestClaimNamesAreEscaped(t *testing.T) {
	t.Parallel()
	names := []string{`x":0,"admin`, "a\\\",\"admin\":true,\"b", "x\u2028\n\t</script>", `",`, `}`}
	op := optest.New(t, optest.Options{Change: func(c *provider.Config) {
		c.Claims = func(_ context.Context, d *token.Document) error {
			for i, name := range names {
				if i%2 == 0 {
					d.Set(name, true)
				} else {
					d.SetString(name, "true")
				}
			}
			return nil
		}
	}})
	r := op.Request("tjeneste", "openid profile test:api")
	answer := op.Exchange(t, r, op.Browser().Login(t, r, "kari").Code(t))
	access := answer.String("access_token")
	documents := map[string]map[string]any{
		"id_token": payload(t, answer.String("id_token")), "userinfo": op.UserInfo(t, access).JSON, "introspection": op.Introspect(t, "owner", access).JSON,
	}
	if strings.Count(access, ".") == 2 {
		documents["access_token"] = payload(t, access)
	}
	require.Len(t, documents, 4)
	for kind, document := range documents {
		for _, name := range names {
			require.Contains(t, document, name, kind)
		}
		require.NotContains(t, document, "admin", kind)
		require.NotContains(t, document, "b", kind)
	}
}
