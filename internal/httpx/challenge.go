package httpx

import "strings"

// Challenge makes the value of WWW-Authenticate of a server that accepts access tokens. Each field holds the parameters that every challenge
// of the scheme has; a scheme that the server does not accept is nil.
type Challenge struct {
	Bearer []Param // RFC 6750 §3
	DPoP   []Param // RFC 9449 §7.1
}

// Param is a parameter of a challenge. One with an empty value is left out.
type Param struct{ Name, Value string }

// For returns the challenges of a response to a request that used a scheme, "" for none or for several. The parameters of the error, if
// there are any, are part of the challenge for the scheme that the request used: a client that sent a bound token as a bearer token finds the
// error there, and the other scheme beside it (RFC 9449 §7.2). The response to a request with DPoP has no challenge for Bearer, which is weaker.
func (c Challenge) For(used Scheme, errors ...Param) string {
	var b strings.Builder
	if used != DPoP && (c.Bearer != nil || used == Bearer) {
		writeChallenge(&b, Bearer, c.Bearer, errors)
	}
	if c.DPoP == nil {
		return b.String()
	}
	if b.Len() > 0 {
		b.WriteString(", ")
	}
	if used == Bearer {
		errors = nil
	}
	writeChallenge(&b, DPoP, errors, c.DPoP)
	return b.String()
}

func writeChallenge(b *strings.Builder, scheme Scheme, lists ...[]Param) {
	b.WriteString(string(scheme))
	separator := " "
	for _, params := range lists {
		for _, p := range params {
			if p.Value != "" {
				b.WriteString(separator + p.Name + `=` + quoted(p.Value))
				separator = ", "
			}
		}
	}
}

// quoted returns s as a quoted-string (RFC 9110 §5.6.4). It leaves out quotes, backslashes and everything but printable ASCII: a line break
// must not start another header field.
func quoted(s string) string {
	return `"` + strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s) + `"`
}
