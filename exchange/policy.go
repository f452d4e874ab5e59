package exchange

import (
	"context"
	"errors"
	"time"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/resource"
)

// Policy says whether an exchange may happen. It is asked when everything presented has been verified, and
// about each exchange, a client narrowing its own token included. [ErrRefused] refuses it, a *portner.Error
// is the answer, any other error is a fault.
//
// A person who said yes to one client has not said yes to another. That is for the policy to think of.
type Policy func(ctx context.Context, r *Request) (Decision, error)

// ErrRefused is a Policy's no. The client is told invalid_request, as RFC 8693 section 2.2.2 wants it.
var ErrRefused = errors.New("exchange: refused by policy")

// Request is what a [Policy] decides about. It is not changed.
type Request struct {
	// Client asks, and will hold the new token.
	Client client.Authenticated
	// Subject is who the new token will speak of.
	Subject Token
	// Actor is who acts for the subject; nil if the client itself does, or nobody but the subject's client.
	Actor *Token
	// Own reports that the client presents a token of its own and nobody else acts.
	Own bool
	// Named reports that the subject token names the actor in may_act.
	Named bool

	Scopes   []string  // requested; nil: as many as may be
	Audience []string  // requested, resource and audience together; nil: the subject token's
	Now      time.Time // the instant of the request
}

// Token is a verified token that was presented.
type Token struct {
	Type      string    // AccessToken or IDToken
	Issuer    string    // who issued it
	ClientID  string    // to whom it was issued; "" if another issuer does not say
	Subject   string    // the person as ClientID knows them; "" for machines
	Orgno     string    // the organisation it is for (consumer); "" if none is named
	Scopes    []string  // granted
	Audience  []string  // where it may be used; empty: it does not say
	ACR       string    // the level of the login; "" for machines
	ExpiresAt time.Time // valid iff now is before it
	// Foreign is all a token of another issuer says; nil for the provider's own.
	Foreign *resource.Token
}

// Machine reports whether no person stands behind the token.
func (t *Token) Machine() bool { return t.Subject == "" }

// Decision is a [Policy]'s yes. Its zero value lets the exchange happen within what the subject token allows.
type Decision struct {
	// Impersonate leaves the actor out of the new token, which is then as if the subject's own client had
	// been given it (RFC 8693 section 1.1). An older chain of act stays.
	Impersonate bool
	// Scopes bound the new token's beside the subject's. nil: no further bound. For an id_token, which has
	// none, they are what it may be exchanged for.
	Scopes []string
	// Audience are targets the client may ask for beside those of the subject token.
	Audience []string
	// Lifetime caps the new token's; 0 is no further cap.
	Lifetime time.Duration
	// DelegationSource becomes delegation_source: who vouches that a machine's organisation let the actor's
	// act for it. "" keeps the subject's.
	DelegationSource string
}
