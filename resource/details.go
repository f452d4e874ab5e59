package resource

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/norway"
)

// The types of authorization_details that are read here (maskinporten-altinn sections 1.10 and 1.11).
const (
	TypeSystemUser = "urn:altinn:systemuser"
	TypeConsent    = "urn:altinn:consent"
)

// SystemUser is a customer's system user at Altinn. The API asks Altinn's decision point with ID, for Org.
type SystemUser struct {
	IDs      []string // systemuser_id: UUIDs, in practice one
	SystemID string   // system_id: <orgno of the vendor>_<name>
	// Org is the customer: decide on it, not on the token's consumer, which is the vendor.
	Org Organisation
}

// SystemUser returns the system user a token is for. It is false unless there is exactly one, with an
// organisation number and an identifier.
func (t *Token) SystemUser() (SystemUser, bool) {
	o, ok := t.detail(TypeSystemUser)
	if !ok {
		return SystemUser{}, false
	}
	r := reader{Object: o}
	s := SystemUser{IDs: r.texts("systemuser_id"), SystemID: r.text("system_id"), Org: plain.organisation(&r, "systemuser_org")}
	ok = r.err == nil && s.Org.Orgno != "" && s.Org.SubEntity == "" && len(s.IDs) > 0 && s.IDs[0] != ""
	if !ok {
		return SystemUser{}, false
	}
	return s, true
}

// Consent is what a person or organisation has agreed that the consumer may get.
type Consent struct {
	ID        string         // of the consent at Altinn
	PID       norway.PID     // who consented, if a person
	Orgno     string         // who consented, if an organisation
	To        Organisation   // who may use it
	Consented time.Time      // when it was given
	ValidTo   time.Time      // it holds before this time
	Rights    []ConsentRight // for what
}

// ConsentRight is one thing that was consented to.
type ConsentRight struct {
	Actions   []string          // e.g. "consent"
	Resources []ConsentResource // what it is about
	Metadata  map[string]string // such as the year of income
}

// ConsentResource names one resource.
type ConsentResource struct {
	Type, Value string // e.g. "urn:altinn:resource" and its identifier
}

// Consent returns the consent a token is for. It is false unless there is exactly one, which says who gave
// it to whom, until when and for what. [Rules] with Consent check that it holds.
func (t *Token) Consent() (Consent, bool) {
	o, ok := t.detail(TypeConsent)
	if !ok {
		return Consent{}, false
	}
	r := reader{Object: o}
	c := Consent{
		ID: r.text("id"), To: plain.organisation(&r, "to"),
		Consented: r.instant("consented"), ValidTo: r.instant("validTo"), Rights: r.rights(),
	}
	c.PID, c.Orgno = r.giver()
	complete := c.To.Orgno != "" && !c.ValidTo.IsZero() && len(c.Rights) > 0 && (!c.PID.IsZero() || c.Orgno != "")
	if r.err != nil || !complete {
		return Consent{}, false
	}
	return c, true
}

// plain trusts today's coding of organisations only: Altinn knows no other.
var plain = &issuer{}

// detail finds the only detail of a type.
func (t *Token) detail(typ string) (jose.Object, bool) {
	var found []Detail
	for _, d := range t.AuthorizationDetails {
		if d.Type == typ {
			found = append(found, d)
		}
	}
	if len(found) != 1 {
		return jose.Object{}, false
	}
	o, err := jose.ParseObject(found[0].JSON)
	return o, err == nil
}

// giver reads from, a URN of a person or an organisation.
func (r *reader) giver() (norway.PID, string) {
	from := r.text("from")
	if digits, ok := strings.CutPrefix(from, "urn:altinn:person:identifier-no:"); ok {
		pid, err := norway.ParsePID(digits)
		r.fail(err)
		return pid, ""
	}
	number, ok := strings.CutPrefix(from, "urn:altinn:organization:identifier-no:")
	orgno, good := norway.OrgIdentifier(number).Orgno()
	if !ok || !good || orgno != number {
		return norway.PID{}, ""
	}
	return norway.PID{}, orgno
}

// instant reads an ISO 8601 time with its zone: without one nobody knows when a consent ends.
func (r *reader) instant(name string) time.Time {
	text := r.text(name)
	if text == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	r.fail(err)
	return at
}

func (r *reader) rights() []ConsentRight {
	list, err := r.Objects("consentRights")
	r.fail(err)
	var rights []ConsentRight
	for _, o := range list {
		sub := reader{Object: o}
		right := ConsentRight{Actions: sub.texts("action"), Metadata: sub.metadata()}
		resources, err := o.Objects("resource")
		sub.fail(err)
		for _, res := range resources {
			one := reader{Object: res}
			right.Resources = append(right.Resources, ConsentResource{Type: one.text("type"), Value: one.text("value")})
			sub.fail(one.err)
		}
		r.fail(sub.err)
		rights = append(rights, right)
	}
	return rights
}

// metadata reads the member that is written metadata and metaData.
func (r *reader) metadata() map[string]string {
	for _, name := range []string{"metadata", "metaData"} {
		raw, ok := r.Raw(name)
		if !ok || r.Kind(name) == jose.KindNull {
			continue
		}
		var values map[string]string
		if json.Unmarshal([]byte(raw), &values) != nil {
			r.fail(jose.ErrType)
		}
		return values
	}
	return nil
}
