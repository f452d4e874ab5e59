package exchange

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/resource"
	"github.com/portner-go/portner/storage"
)

// maxAct bounds the text of a chain that came with a token of another issuer.
const maxAct = 4 << 10

// actor is the claim act (RFC 8693 section 4.1): who acts, and inside it who acted before.
type actor struct {
	Sub      string          `json:"sub,omitempty"`
	Iss      string          `json:"iss,omitempty"`
	ClientID string          `json:"client_id,omitempty"`
	Act      json.RawMessage `json:"act,omitempty"`
}

// chain is the claim act of the new token if somebody new acts: the newest outermost, older ones inside. On
// the way it checks that the subject token lets them (section 4.4).
func (x *exchanging) chain() (json.RawMessage, error) {
	before := x.subject.grant.Delegation.Actor
	length, err := chainLength(before)
	if err != nil {
		return nil, subjectRole.badToken("act")
	}
	if x.self() {
		return before, nil
	}
	if length >= x.cfg.MaxActors {
		return nil, subjectRole.badToken("act_too_long")
	}
	now, err := x.acting()
	if err != nil {
		return nil, err
	}
	if ok := named(x.subject.grant.Delegation.MayAct, now, now.Iss == x.cfg.Issuer || now.Iss == x.subject.Issuer); !ok {
		return nil, subjectRole.badToken("may_act")
	}
	now.Act = before
	act, err := json.Marshal(now)
	if err != nil {
		return nil, fmt.Errorf("exchange: encoding act: %w", err)
	}
	return act, nil
}

// acting is who acts now: whom the actor token speaks of, or the client.
func (x *exchanging) acting() (actor, error) {
	a := x.actor
	if a == nil {
		return actor{Sub: machine(x.Client.OrganisationNo, x.Client.ClientID), Iss: x.cfg.Issuer, ClientID: x.Client.ClientID}, nil
	}
	if len(a.grant.Delegation.Actor) > 0 { // whoever acts for the actor would be lost
		return actor{}, actorRole.badToken("delegated")
	}
	sub := a.Subject
	if sub == "" {
		sub = machine(a.Orgno, a.ClientID)
	}
	// Some issuers name people by their numbers. And nobody is an organisation by calling themselves so.
	if sub == "" || holdsPID(sub) || holdsPID(a.ClientID) || isOrganisation(a.Subject) {
		return actor{}, actorRole.badToken("sub")
	}
	return actor{Sub: sub, Iss: a.Issuer, ClientID: a.ClientID}, nil
}

// isOrganisation reports whether a sub is an organisation's, which is the same one at every issuer.
func isOrganisation(sub string) bool {
	_, ok := norway.Identifier{Authority: norway.Authority, ID: sub}.Orgno()
	return ok
}

// holdsPID reports whether a text has a national identity number in it.
func holdsPID(text string) bool {
	other := func(r rune) bool { return r < '0' || r > '9' }
	return slices.ContainsFunc(strings.FieldsFunc(text, other), func(digits string) bool {
		_, err := norway.ParsePID(digits)
		return err == nil
	})
}

// foreignChain is the claim act of another issuer's token: of each actor who it is, and nothing else that the
// issuer tells of them. A number is no name (security row H6).
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

var errActor = errors.New("exchange: an actor that cannot be named")

// readActor reads one actor and those before. How deep they nest the strict reader has bounded.
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
		before, err := o.Object("act")
		if err != nil {
			return nil, errActor
		}
		if a.Act, err = readActor(before); err != nil {
			return nil, err
		}
	}
	return json.Marshal(a)
}

// machine names a client by its organisation, or by itself if it has none (maskinporten-altinn section 4.4).
func machine(orgno, clientID string) string {
	if orgno != "" {
		return norway.OrgIdentifier(orgno).ID
	}
	return clientID
}

// chainLength counts the actors of a chain.
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

// named reports whether may_act lets the actor act; a token without it says nothing. Each member must fit:
// what is not understood may be what excludes this actor. sub and client_id name the party, and one of them
// is needed; iss is whose name it is, and needed if the actor is not known here or where the token is from:
// another issuer's may be a namesake.
func named(mayAct []byte, a actor, known bool) bool {
	if len(mayAct) == 0 {
		return true
	}
	o, err := jose.ParseObject(mayAct)
	if err != nil {
		return false
	}
	known = known || o.Has("iss")
	who := false
	for _, name := range o.Names() {
		value, err := o.String(name)
		fits := err == nil && value != ""
		switch name {
		case "sub":
			fits, who = fits && (known && (value == a.Sub || value == a.ClientID) || value == a.Sub && isOrganisation(value)), true
		case "client_id":
			fits, who = fits && known && value == a.ClientID, true
		case "iss":
			fits = fits && value == a.Iss
		default:
			fits = false
		}
		if !fits {
			return false
		}
	}
	return who
}

// delegation is who acts for whom in the new token. A machine's token stays that of the organisation it was
// for (consumer), and the actor's is the supplier; a person's is now in the hands of the client's own.
func (x *exchanging) delegation(act json.RawMessage) storage.Delegation {
	from := x.subject.grant.Delegation
	d := storage.Delegation{Source: from.Source, Actor: act, MayAct: from.MayAct, Subject: x.subject.hash}
	if x.verdict.DelegationSource != "" {
		d.Source = x.verdict.DelegationSource
	}
	switch {
	case x.self():
		d.Consumer, d.Supplier = from.Consumer, from.Supplier
	case x.subject.Machine():
		d.Consumer, d.Supplier = x.subject.Orgno, from.Supplier
		if orgno := x.actingOrganisation(); !x.silent() && orgno != "" && orgno != d.Consumer {
			d.Supplier = orgno
		}
	}
	return d
}

func (x *exchanging) actingOrganisation() string {
	if x.actor != nil {
		return x.actor.Orgno
	}
	return x.Client.OrganisationNo
}
