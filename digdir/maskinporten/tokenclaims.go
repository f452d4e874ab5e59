package maskinporten

import (
	"context"

	"github.com/portner-go/portner/internal/orgclaims"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/token"
)

// Claims adds the claims of machine tokens. It is a [token.ClaimsFunc].
func Claims(_ context.Context, d *token.Document) error {
	if d.Kind != token.AccessToken && d.Kind != token.Introspection {
		return nil
	}
	if d.Kind == token.AccessToken {
		d.SetString("token_type", "Bearer")
	}
	d.SetString("client_amr", d.ClientAMR)
	orgclaims.Add(d)
	pid, _ := d.Identity.Identifier(session.TypePID) // the zero value has no text
	d.SetString("pid", pid.Reveal())
	return nil
}
