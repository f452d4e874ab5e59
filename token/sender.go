package token

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/internal/bound"
	"github.com/portner-go/portner/storage"
)

// sender is what the sender of a token request proves. The access token of the request is bound to it.
type sender struct {
	proof       dpop.Proof // zero without a valid proof
	refused     error      // why the proof is refused; nil if there is none, or a valid one
	certificate string     // thumbprint of the TLS client certificate, "" without
	consumed    bool       // the proof is recorded
}

// header field names, in the form of http.Header.
const (
	headerDPoP  = "Dpop"
	headerNonce = "Dpop-Nonce"
)

// readSender checks the proof of a token request. It returns an error only if the proof needs a nonce, before the client is authenticated:
// the request is sent again with the nonce, and its assertion must not be spent (RFC 9449 §8). Other errors of the proof wait until the client
// is known, and nothing is recorded before consume.
func (x *exchange) readSender() error {
	s := &x.minter.sender
	s.certificate = client.CertificateThumbprint(x.request.Certificate)
	proofs := x.request.Header[headerDPoP]
	if x.cfg.DPoP == nil || len(proofs) == 0 {
		return nil
	}
	s.proof, s.refused = x.cfg.DPoP.Check(dpop.Request{
		Proofs: proofs, Method: x.request.Method, URL: x.cfg.TokenURL, AliasURL: x.cfg.alias(x.cfg.TokenURL),
	}, x.now)
	switch {
	case errors.Is(s.refused, dpop.ErrNonce):
		return refuseProof(s.refused, x.cfg.DPoP.Nonces, x.now)
	case s.refused != nil:
		s.proof = dpop.Proof{}
	case x.cfg.DPoP.Nonces != nil: // the next proof
		x.nonce = x.cfg.DPoP.Nonces.Current(x.now)
	}
	return nil
}

// alias returns the URL for mutual TLS of an endpoint below the issuer, "" if there is none.
func (c *Config) alias(url string) string {
	path, ok := strings.CutPrefix(url, c.Issuer)
	if c.MTLSURL == "" || !ok || !strings.HasPrefix(path, "/") { // otherwise the URL is of another host, or of another issuer of this one
		return ""
	}
	return c.MTLSURL + path
}

// refuseProof returns the error of a request whose sender does not prove what it must, and nil for nil. Only use_dpop_nonce has the header
// field DPoP-Nonce: some clients repeat the request after every response that has it.
func refuseProof(err error, nonces *dpop.Nonces, now time.Time) error {
	err = bound.Refusal(err)
	e, refused := errors.AsType[*bound.Error](err)
	switch {
	case err == nil:
		return nil
	case !refused:
		return unavailable("recording a proof", err)
	}
	answer := refuse(e.Code, e.Description, e.Reason)
	if e.Code == portner.UseDPoPNonce && nonces != nil {
		answer.Description = nonceRequired
		answer.Header = http.Header{headerNonce: {nonces.Current(now)}}
	}
	return answer
}

// nonceRequired is the description of RFC 9449 §8, which clients of HelseID may look for.
const nonceRequired = "Authorization server requires nonce in DPoP proof"

// admit checks that the request proves what the access tokens of the client must be bound to. c is authenticated. Mint calls it too, so that
// no grant handler issues a token without it.
func (m *Minter) admit(c *client.Client) error {
	s := &m.sender
	switch {
	case s.refused != nil:
		return refuseProof(s.refused, nil, m.instant())
	case c.DPoPBoundAccessTokens && s.proof.Key == "":
		return refuse(portner.InvalidDPoPProof, "The DPoP proof is missing.", "dpop_missing")
	case c.TLSClientCertificateBoundAccessTokens && s.certificate == "":
		return refuse(portner.InvalidRequest, "The TLS client certificate is missing.", "tls_certificate_missing")
	case m.cfg.SenderConstrained && m.confirmation(c) == storage.Confirmation{}:
		return m.cfg.unconstrained()
	}
	return nil
}

// consume records the proof of the request, once. It comes last, right before the request issues or ends something: anyone can send requests of a
// public client, and those without a code or token of the client must not use up its room in the replay store.
func (m *Minter) consume(ctx context.Context, c *client.Client) error {
	s := &m.sender
	if s.proof.Key == "" || s.consumed {
		return nil
	}
	if err := m.cfg.DPoP.Consume(ctx, c.ClientID, s.proof, m.instant()); err != nil {
		return refuseProof(err, nil, m.instant())
	}
	s.consumed = true
	return nil
}

// unconstrained rejects a request whose access token would be a bearer token, where it must not be.
func (c *Config) unconstrained() error {
	if c.DPoP == nil {
		return refuse(portner.InvalidRequest, "The access token must be bound to a TLS client certificate.", "sender_not_constrained")
	}
	return refuse(portner.InvalidDPoPProof, "The DPoP proof is missing.", "sender_not_constrained")
}

// confirmation returns what the access tokens of a client are bound to: the key of the proof, if there is one, and the certificate, if the client
// registers that (RFC 8705 §3.4). Both can be.
func (m *Minter) confirmation(c *client.Client) storage.Confirmation {
	cnf := storage.Confirmation{Key: m.sender.proof.Key}
	if c.TLSClientCertificateBoundAccessTokens {
		cnf.Certificate = m.sender.certificate
	}
	return cnf
}

// exchangesBound reports whether a token that the grant handler looked up is bound to its sender. The token that is issued for it must be bound
// too, to the sender of this request: an exchange must not make a stolen bound token usable.
func (m *Minter) exchangesBound() bool {
	for _, t := range m.lookedUp {
		if t.Token.Confirmation != (storage.Confirmation{}) {
			return true
		}
	}
	return false
}

// Proves reports whether the sender of the request has proved everything that a code or token is bound to.
func (r *Request) Proves(bound storage.Confirmation) bool {
	return (bound.Key == "" || bound.Key == r.Confirmation.Key) && (bound.Certificate == "" || bound.Certificate == r.Confirmation.Certificate)
}

// The values of token_type (RFC 6749 §7.1, RFC 9449 §5). A token that is bound to a certificate only is a bearer token (RFC 8705 §3).
const (
	typeBearer = "Bearer"
	typeDPoP   = "DPoP"
)

func tokenType(cnf storage.Confirmation) string {
	if cnf.Key != "" {
		return typeDPoP
	}
	return typeBearer
}

// writeConfirmation writes the claim cnf (RFC 7800 §3.1), unless the token is a bearer token.
func writeConfirmation(b *buffer, c storage.Confirmation) {
	if c == (storage.Confirmation{}) {
		return
	}
	b.name("cnf")
	b.buf = append(b.buf, '{')
	b.optionalText("jkt", c.Key)              // RFC 9449 §6.1
	b.optionalText("x5t#S256", c.Certificate) // RFC 8705 §3.1
	b.closeObject()
}
