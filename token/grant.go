package token

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/storage"
)

// GrantHandler handles the token requests of one grant type. The endpoint has read the form, rejected repeated parameters,
// authenticated the client and found the grant type in its registration before it calls Handle. It writes the response and the
// events afterwards.
type GrantHandler struct {
	// Type is the grant_type. Required.
	Type string
	// Unauthenticated lets requests reach Handle without client authentication: Handle verifies an assertion that names the
	// client (RFC 7523 §2.1), checks that the client may use the grant type, and sets Request.Client. Mint issues nothing to a client that
	// Config.Clients does not find.
	Unauthenticated bool
	// Handle decides a request. An error that is not a *portner.Error is a fault. Required.
	Handle func(ctx context.Context, r *Request, m *Minter) (*Response, error)
}

// Request is a token request as a grant handler receives it.
type Request struct {
	// Request is the request as it was read. Its CorrelationID is "" if Config has neither Logger nor OnEvent. Handle may set
	// it.
	client.Request
	// Client is the authenticated client.
	Client client.Authenticated
	// Confirmation is what the sender has proved to have: the key of its DPoP proof and its TLS client certificate. It is zero for
	// neither. Mint binds the access token to it, the certificate only if the client registers that.
	Confirmation storage.Confirmation
	// Now is the instant of the request.
	Now time.Time
}

// Response is a token response (RFC 6749 §5.1).
type Response struct {
	AccessToken           string          `json:"access_token"`                       // never empty
	TokenType             string          `json:"token_type"`                         // Bearer, or DPoP for a token that is bound to a key
	ExpiresIn             int64           `json:"expires_in"`                         // seconds
	IDToken               string          `json:"id_token,omitempty"`                 // "" without openid
	RefreshToken          string          `json:"refresh_token,omitempty"`            // "" if the client gets none
	RefreshTokenExpiresIn int64           `json:"refresh_token_expires_in,omitempty"` // seconds
	RTExpiresIn           int64           `json:"rt_expires_in,omitempty"`            // seconds, in place of refresh_token_expires_in: see Form
	RejectedScope         string          `json:"rejected_scope,omitempty"`           // scopes that Config.Adjust removed
	Scope                 string          `json:"scope"`                              // granted; may be fewer than requested
	IssuedTokenType       string          `json:"issued_token_type,omitempty"`        // RFC 8693 §2.2.1
	AuthorizationDetails  json.RawMessage `json:"authorization_details,omitempty"`    // RFC 9396, granted

	// GrantID is the ID of the grant, for events. It is not part of the response.
	GrantID string `json:"-"`

	nonce string // header field DPoP-Nonce, "" for none
}

// write writes the members that the tags describe.
func (r *Response) write(b *buffer) {
	b.text("access_token", r.AccessToken)
	b.text("token_type", r.TokenType)
	b.number("expires_in", r.ExpiresIn)
	b.optionalText("id_token", r.IDToken)
	b.optionalText("refresh_token", r.RefreshToken)
	b.optionalNumber("refresh_token_expires_in", r.RefreshTokenExpiresIn)
	b.optionalNumber("rt_expires_in", r.RTExpiresIn)
	b.optionalText("rejected_scope", r.RejectedScope)
	b.text("scope", r.Scope)
	b.optionalText("issued_token_type", r.IssuedTokenType)
	b.optionalJSON("authorization_details", r.AuthorizationDetails)
}

// Format writes "REDACTED" for every verb.
func (Response) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("REDACTED")) }

// LogValue returns "REDACTED".
func (Response) LogValue() slog.Value { return slog.StringValue("REDACTED") }
