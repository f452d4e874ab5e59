package exchange

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/resource"
	"github.com/portner-go/portner/storage"
)

// maxAct is the largest size of act in a token of another issuer.
const maxAct = 4 << 10

// actor is the claim act (RFC 8693 §4.1). Act is the earlier actor.
type actor struct {
	Sub      string          `json:"sub,omitempty"`
	Iss      string          `json:"iss,omitempty"`
	ClientID string          `json:"client_id,omitempty"`
	Act      json.RawMessage `json:"act,omitempty"`

	orgno string // organisation number, for Config.ActorOrganisation; "" if there is none
}

// encodeActor returns an actor as JSON, with the member that Config.ActorOrganisation names.
func (c *Config) encodeActor(a actor) (json.RawMessage, error) {
	text, err := json.Marshal(a)
	if err != nil || c.ActorOrganisation == "" || a.orgno == "" {
		return text, err
	}
	further, err := json.Marshal(map[string]string{c.ActorOrganisation: a.orgno})
	if err != nil || len(text) == len("{}") {
		return further, err
	}
	return slices.Concat(text[:len(text)-1], []byte{','}, further[1:]), nil
}

// actorChain returns the claim act of the new token: the current actor with the earlier ones nested in it. It checks that may_act
// allows the current actor (RFC 8693 §4.4).
func (x *exchange) actorChain() (json.RawMessage, error) {
	earlier := x.subject.grant.Delegation.Actor
	length, err := chainLength(earlier)
	if err != nil {
		return nil, subjectRole.badToken("act_malformed")
	}
	if x.narrowsOwn() {
		return earlier, nil
	}
	if length >= x.cfg.MaxActors {
		return nil, subjectRole.badToken("actors_exceeded")
	}
	current, err := x.currentActor()
	if err != nil {
		return nil, err
	}
	known := current.Iss == x.cfg.Issuer || current.Iss == x.subject.Issuer
	if !x.cfg.mayActAllows(x.subject.grant.Delegation.MayAct, current, known) {
		return nil, subjectRole.badToken("may_act_mismatch")
	}
	current.Act = earlier
	act, err := x.cfg.encodeActor(current)
	if err != nil {
		return nil, fmt.Errorf("exchange: encoding act: %w", err)
	}
	return act, nil
}

// currentActor returns the subject of the actor token, or the client if there is none.
func (x *exchange) currentActor() (actor, error) {
	a, orgno := x.actor, x.actorOrganisation()
	if a == nil {
		return actor{Sub: machine(orgno, x.Client.ClientID), Iss: x.cfg.Issuer, ClientID: x.Client.ClientID, orgno: orgno}, nil
	}
	if len(a.grant.Delegation.Actor) > 0 { // the new token could not name the actors of the actor token
		return actor{}, actorRole.badToken("has_actor")
	}
	sub := a.Subject
	if a.IsMachine() {
		sub = machine(a.Consumer, a.ClientID)
	}
	// Reject users without a sub, and subjects that hold a national identity number or look like an organisation identifier.
	if sub == "" || holdsPID(sub) || holdsPID(a.ClientID) || isOrganisation(a.Subject) {
		return actor{}, actorRole.badToken("subject_not_allowed")
	}
	return actor{Sub: sub, Iss: a.Issuer, ClientID: a.ClientID, orgno: orgno}, nil
}

// isPublicUser reports whether an actor token, nil for none, names its user by a subject that other parties know: the public subject at
// this provider, or the sub at another issuer, which can be the same. A pseudonymous token must not contain that of its user.
func (f *presented) isPublicUser() bool {
	return f != nil && f.user && (f.identity.IsZero() || f.Subject == f.identity.Subject)
}

// isOrganisation reports whether sub is an organisation identifier. It names the same organisation at every issuer.
func isOrganisation(sub string) bool {
	_, ok := norway.Identifier{Authority: norway.Authority, ID: sub}.Number()
	return ok
}

// holdsPID reports whether a text contains a national identity number.
func holdsPID(text string) bool {
	other := func(r rune) bool { return r < '0' || r > '9' }
	return slices.ContainsFunc(strings.FieldsFunc(text, other), func(digits string) bool {
		_, err := norway.ParsePID(digits)
		return err == nil
	})
}

// foreignChain returns the claim act of a token of another issuer, with the identifying members of each actor only. It rejects
// national identity numbers (docs/threat-model.md H6).
func foreignChain(t *resource.Token) (json.RawMessage, error) {
	act, ok := t.Claim("act")
	if !ok {
		return nil, nil
	}
	o, err := jose.ParseObject(act)
	if err != nil || len(act) > maxAct {
		return nil, errActor
	}
	return readActor(o)
}

var errActor = errors.New("exchange: invalid actor in act")

// readActor reads an actor with the earlier ones. The parser has bounded their depth.
func readActor(o jose.Object) (json.RawMessage, error) {
	var a actor
	for name, into := range map[string]*string{"sub": &a.Sub, "iss": &a.Iss, "client_id": &a.ClientID} {
		var err error
		if *into, err = o.OptionalString(name); err != nil || holdsPID(*into) {
			return nil, errActor
		}
	}
	if a.Sub == "" && a.ClientID == "" {
		return nil, errActor
	}
	if o.Has("act") {
		earlier, err := o.Object("act")
		if err != nil {
			return nil, errActor
		}
		if a.Act, err = readActor(earlier); err != nil {
			return nil, err
		}
	}
	return json.Marshal(a)
}

// machine returns the sub of a machine: its organisation, or its client_id if it has none (docs/spec/ansattporten.md §4.4).
func machine(orgno, clientID string) string {
	if orgno != "" {
		return norway.OrgIdentifier(orgno).ID
	}
	return clientID
}

// chainLength returns the number of actors in act.
func chainLength(act []byte) (int, error) {
	if len(act) == 0 {
		return 0, nil
	}
	o, err := jose.ParseObject(act)
	for n := 1; err == nil; n++ {
		if !o.Has("act") {
			return n, nil
		}
		o, err = o.Object("act")
	}
	return 0, err
}

// mayActAllows reports whether may_act names the actor. If may_act is absent, every actor is allowed. Otherwise every member must
// match. A member that this package does not support matches no actor, because it could exclude this one. At least one of sub and
// client_id is required.
//
// The parameter known reports whether the issuer of the actor is this provider or the issuer of the subject token. If it is not,
// iss is required, because clients of different issuers may have equal identifiers; only the identifier of an organisation means
// the same at every issuer.
func (c *Config) mayActAllows(mayAct []byte, a actor, known bool) bool {
	if len(mayAct) == 0 {
		return true
	}
	o, err := jose.ParseObject(mayAct)
	if err != nil {
		return false
	}
	known = known || o.Has("iss")
	identified := false
	for _, name := range o.Names() {
		value, err := o.String(name)
		matches := err == nil && value != ""
		switch name {
		case "sub":
			matches, identified = matches && (known && (value == a.Sub || value == a.ClientID) || value == a.Sub && isOrganisation(value)), true
		case "client_id":
			matches, identified = matches && known && value == a.ClientID, true
		case "iss":
			matches = matches && value == a.Iss
		case c.ActorOrganisation:
			if number, err := o.Int(name); err == nil { // the page on token kinds shows a number
				value, matches = strconv.FormatInt(number, 10), true
			}
			matches, identified = matches && value == a.orgno, true
		default:
			matches = false
		}
		if !matches {
			return false
		}
	}
	return identified
}

// delegation returns consumer, supplier and actors of the new token. The consumer of a machine's token is kept, and the
// organisation of the actor becomes the supplier. The consumer of a user's token is the client's organisation.
func (x *exchange) delegation(act json.RawMessage) storage.Delegation {
	from := x.subject.grant.Delegation
	d := storage.Delegation{Source: from.Source, Actor: act, MayAct: from.MayAct, Subject: x.subject.hash}
	if d.MayAct == nil {
		d.MayAct = x.mayAct
	}
	if x.actor != nil {
		d.ActorToken = x.actor.hash // also if the policy leaves the actor out: the exchange rests on it
	}
	if x.decision.DelegationSource != "" {
		d.Source = x.decision.DelegationSource
	}
	switch {
	case x.narrowsOwn():
		d.Consumer, d.Supplier = from.Consumer, from.Supplier
	case x.subject.IsMachine():
		d.Consumer, d.Supplier = x.subject.Consumer, from.Supplier
		if orgno := x.actorOrganisation(); !x.addsNoActor() && orgno != "" && orgno != d.Consumer {
			d.Supplier = orgno
		}
	}
	return d
}

func (x *exchange) actorOrganisation() string {
	if x.actor != nil {
		return x.actor.Consumer
	}
	return x.Client.OrganisationNo
}
