package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/resource"
)

// Policy decides whether an exchange is allowed. It is called for every exchange after the presented tokens were verified, also
// if a client narrows its own token. It rejects the exchange with [ErrRejected]. A *portner.Error is sent to the client; every
// other error is a fault.
//
// The consent of a user to one client does not extend to another client. The policy must take that into account.
type Policy func(ctx context.Context, r *Request) (Decision, error)

// ErrRejected is returned by a Policy that rejects the exchange. The client receives invalid_request (RFC 8693 §2.2.2).
var ErrRejected = errors.New("exchange: rejected by policy")

// Request is an exchange that a [Policy] decides. The policy must not modify it.
type Request struct {
	// Client is the authenticated client. The new token is issued to it.
	Client client.Authenticated
	// Subject is the presented subject token.
	Subject Token
	// Actor is the presented actor token. If nil, the client itself acts for the subject, unless Own is set.
	Actor *Token
	// Own reports that the subject token is an access token of this provider that was issued to the client, and that there is
	// no actor token.
	Own bool
	// MayAct reports that the claim may_act of the subject token names the actor.
	MayAct bool

	Scopes   []string  // requested scopes; nil for all of the subject token
	Audience []string  // requested resources and audiences; nil for those of the subject token
	Now      time.Time // the time of the request
}

// Token is a presented token that was verified.
type Token struct {
	Type      string    // AccessToken or IDToken
	Issuer    string    // its issuer
	ClientID  string    // the client it was issued to; "" if a token of another issuer has no client_id
	Subject   string    // sub; "" for machines, and for a user whom the client of the token may not identify
	Consumer  string    // organisation number of the consumer; "" if there is none
	Scopes    []string  // granted scopes
	Audience  []string  // aud; if empty, APIs that require an audience reject the token
	ACR       string    // level of assurance of the login; "" for machines
	ExpiresAt time.Time // the token is valid before this time
	// Foreign holds every claim of a token of another issuer. It is nil for tokens of the provider.
	Foreign *resource.Token

	user bool // the token has a user, also if Subject is ""
}

// IsMachine reports whether the token was issued without a user.
func (t *Token) IsMachine() bool { return t.Subject == "" && !t.user }

// Party is a party that a token names in may_act. At least one of Subject, ClientID and Orgno is required. An actor matches if every
// field that is set is its own.
type Party struct {
	Subject  string // sub: an organisation identifier ("0192:" and the number), a client_id, or the sub of an actor token
	Issuer   string // iss: the issuer of the actor; "" for this provider and that of the subject token
	ClientID string // client_id
	Orgno    string // organisation number; requires Config.ActorOrganisation
}

var (
	errLifetime = errors.New("exchange: Decision.Lifetime must not be negative")
	errParty    = errors.New("exchange: Decision.MayAct needs Subject, ClientID or Orgno")
	errPartyOrg = errors.New("exchange: Decision.MayAct.Orgno requires Config.ActorOrganisation")
	errPartyPID = errors.New("exchange: Decision.MayAct contains a national identity number")
)

// mayAct returns the claim may_act of a party, nil without one.
func (c *Config) mayAct(p *Party) (json.RawMessage, error) {
	switch {
	case p == nil:
		return nil, nil
	case p.Subject == "" && p.ClientID == "" && p.Orgno == "":
		return nil, errParty
	case p.Orgno != "" && c.ActorOrganisation == "":
		return nil, errPartyOrg
	case holdsPID(p.Subject), holdsPID(p.ClientID), holdsPID(p.Issuer):
		return nil, errPartyPID
	}
	return c.encodeActor(actor{Sub: p.Subject, Iss: p.Issuer, ClientID: p.ClientID, orgno: p.Orgno})
}

// Decision allows an exchange. The zero value allows it within the limits of the subject token.
type Decision struct {
	// Impersonate leaves the actor out of the new token (RFC 8693 §1.1). Earlier actors are kept.
	Impersonate bool
	// Scopes bounds the scopes of the new token. If nil, the scopes of the subject token are the only bound. An id_token has
	// no scopes: if it is the subject token, Scopes are the scopes that can be requested.
	Scopes []string
	// Audience holds audiences that the client may request beside those of the subject token. If nil, and the subject token has no
	// audience, neither has the new token.
	Audience []string
	// MayAct is the party that may act for the subject of the new token (RFC 8693 §4.4), if the subject token has no may_act of its
	// own, which is kept. If nil, there is none.
	MayAct *Party
	// Lifetime bounds the lifetime of the new token. Zero is no bound, and a negative value is a fault: no token is issued.
	Lifetime time.Duration
	// DelegationSource is the delegation_source of the new token: the register that holds the delegation from the consumer
	// to the organisation of the actor. If "", it is that of the subject token.
	DelegationSource string
}
