package maskinporten

import (
	"context"

	"github.com/portner-go/portner/internal/orgclaims"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// Claims adds the claims of machine tokens, except for those that the profile of the provider has added. It leaves the tokens of users
// as they are. It is a [token.ClaimsFunc].
func Claims(_ context.Context, d *token.Document) error {
	if d.Kind != token.AccessToken && d.Kind != token.Introspection || d.Grant.UserKey != (storage.Hash{}) {
		return nil
	}
	if d.Kind == token.AccessToken {
		orgclaims.Text(d, "token_type", tokenType(d))
	}
	orgclaims.Add(d)
	pid, _ := d.Identity.Identifier(session.TypePID) // the zero value has no text
	orgclaims.Text(d, "pid", pid.Reveal())
	return nil
}

// tokenType returns the token_type of the response with a token.
func tokenType(d *token.Document) string {
	if d.Confirmation.Key != "" {
		return "DPoP"
	}
	return "Bearer"
}
