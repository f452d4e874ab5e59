package token

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/httpx"
)

// Claims is the response of introspection or userinfo.
type Claims struct {
	// Active is false for introspection of a token that may not be used, or that the caller may not introspect.
	Active bool
	// JSON is the response body, nil if it is JWT.
	JSON json.RawMessage
	// JWT is the body of a signed introspection response (RFC 9701), of the type application/token-introspection+jwt. It is "" for JSON.
	JWT string

	nonce string // header field DPoP-Nonce, "" for none
}

// Format writes "REDACTED" for every verb.
func (Claims) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("REDACTED")) }

// LogValue returns "REDACTED".
func (Claims) LogValue() slog.Value { return slog.StringValue("REDACTED") }

// Reply returns the 200 response.
func (c *Claims) Reply() portner.Reply {
	if c.JWT != "" {
		signed := reply([]byte(c.JWT))
		signed.Header["Content-Type"] = []string{introspectionType}
		return signed
	}
	answer := reply(c.JSON)
	setNonce(answer.Header, c.nonce)
	return answer
}

// Reply returns the 200 response.
func (r *Response) Reply() portner.Reply {
	out, err := encode(r)
	if err != nil {
		return portner.ErrorReply(err)
	}
	defer out.free()
	answer := reply(append([]byte(nil), out.bytes()...))
	setNonce(answer.Header, r.nonce)
	return answer
}

func reply(body []byte) portner.Reply {
	h := http.Header{}
	httpx.JSON(h, len(body))
	return portner.Reply{Status: http.StatusOK, Header: h, Body: body}
}

// setNonce adds the nonce for the next proof of the client (RFC 9449 §8.2). The response must not be cached.
func setNonce(h http.Header, nonce string) {
	if nonce != "" {
		h[headerNonce] = []string{nonce}
	}
}
