package token

import (
	"encoding/json"
	"net/http"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/httpx"
)

// The media type of signed introspection responses, and the typ of their JWT (RFC 9701 §5).
const (
	introspectionType = "application/" + introspectionTyp
	introspectionTyp  = "token-introspection+jwt"
)

// signsIntrospection reports whether the response to a client is signed (RFC 9701 §4 and §6). A client that registered an algorithm gets no
// other response, so that a request without the field Accept cannot obtain one without a signature. Only resource servers get a signed response:
// it is a statement of the issuer, and a client must not be able to obtain one about its own tokens.
func (x *exchange) signsIntrospection(c *client.Client) (bool, error) {
	weight, named := httpx.Accepts(x.request.Header, introspectionType)
	registered := c.IntrospectionSignedResponseAlg != ""
	if !registered {
		unsigned, _ := httpx.Accepts(x.request.Header, "application/json")
		if !named || weight == 0 || weight < unsigned {
			return false, nil
		}
	}
	if !c.Introspects() && len(c.Resources) == 0 {
		return false, refuse(portner.UnauthorizedClient, "Only resource servers may receive signed responses.", "not_resource_server")
	}
	if weight == 0 {
		e := refuse(portner.InvalidRequest, "The responses to this client are signed. Accept application/token-introspection+jwt.", "signed_response_not_accepted")
		e.Status = http.StatusNotAcceptable
		return false, e
	}
	return true, nil
}

// introspectionResponse holds the claims of a signed response. RFC 9701 §5: sub and exp are not among them, so that it cannot be taken for an
// access token.
type introspectionResponse struct {
	Iss    string
	Aud    string
	Iat    int64
	Member json.RawMessage
}

func (r *introspectionResponse) write(b *buffer) {
	b.text("iss", r.Iss)
	b.text("aud", r.Aud)
	b.number("iat", r.Iat)
	b.optionalJSON("token_introspection", r.Member)
}

// signIntrospection returns the signed response with the claims of a token, nil for an inactive one. It frees the claims.
func (x *exchange) signIntrospection(claims *buffer) (*buffer, error) {
	member := inactive
	if claims != nil {
		defer claims.free()
		member = claims.bytes()
	}
	out, err := encode(&introspectionResponse{Iss: x.cfg.Issuer, Aud: x.client.ClientID, Iat: x.now.Unix(), Member: member})
	if err != nil {
		return nil, err
	}
	jwt, err := x.cfg.Keys.Sign(x.client.IntrospectionSignedResponseAlg, introspectionTyp, out.bytes(), x.now)
	if err != nil {
		out.free()
		return nil, unavailable("signing", err)
	}
	out.buf = append(out.buf[:0], jwt...)
	return out, nil
}
