package resource

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/norway"
)

// Types of authorization_details (docs.digdir.no: Maskinporten, system users and consent tokens).
const (
	TypeSystemUser = "urn:altinn:systemuser"
	TypeConsent    = "urn:altinn:consent"
)

// SystemUser is a system user of a customer at Altinn. To learn its rights, the API sends IDs and Org to Altinn's decision point.
type SystemUser struct {
	IDs      []string // systemuser_id: UUIDs, in practice one
	SystemID string   // system_id: <organisation number of the vendor>_<name>
	// Org is the customer. Base access decisions on it: the consumer of the token is the vendor of the system.
	Org Organisation
}

// SystemUser returns the system user of a token. It returns false unless the token has exactly one, with an organisation
// number and an identifier.
func (t *Token) SystemUser() (SystemUser, bool) {
	o, ok := t.detail(TypeSystemUser)
	if !ok {
		return SystemUser{}, false
	}
	r := reader{Object: o}
	s := SystemUser{IDs: r.texts("systemuser_id"), SystemID: r.text("system_id"), Org: altinnIssuer.organisation(&r, "systemuser_org")}
	ok = r.err == nil && s.Org.Orgno != "" && s.Org.SubEntity == "" && len(s.IDs) > 0 && s.IDs[0] != ""
	if !ok {
		return SystemUser{}, false
	}
	return s, true
}

// Consent is a consent that a person or an organisation gave to the consumer.
type Consent struct {
	ID        string         // identifier of the consent at Altinn
	PID       norway.PID     // the person who consented; zero if an organisation did
	Orgno     string         // the organisation that consented; "" if a person did
	To        Organisation   // the organisation that may use the consent
	Consented time.Time      // the time of the consent
	ValidTo   time.Time      // the consent is valid before this time
	Rights    []ConsentRight // at least one
}

// ConsentRight is one right of a consent.
type ConsentRight struct {
	Actions   []string          // such as "consent"
	Resources []ConsentResource // what the right applies to
	Metadata  map[string]string // parameters of the right, such as the year of income
}

// ConsentResource names one resource.
type ConsentResource struct {
	Type, Value string // such as "urn:altinn:resource" and its identifier
}

// Consent returns the consent of a token. It returns false unless the token has exactly one, with giver, receiver, end and
// rights. Whether it is still valid is checked by [Rules] with RequireConsent.
func (t *Token) Consent() (Consent, bool) {
	o, ok := t.detail(TypeConsent)
	if !ok {
		return Consent{}, false
	}
	r := reader{Object: o}
	c := Consent{
		ID: r.text("id"), To: altinnIssuer.organisation(&r, "to"),
		Consented: r.instant("consented"), ValidTo: r.instant("validTo"), Rights: r.rights(),
	}
	c.PID, c.Orgno = r.giver()
	complete := c.To.Orgno != "" && !c.ValidTo.IsZero() && len(c.Rights) > 0 && (!c.PID.IsZero() || c.Orgno != "")
	if r.err != nil || !complete {
		return Consent{}, false
	}
	return c, true
}

// altinnIssuer reads the organisations in Altinn's details: they use the standard coding only.
var altinnIssuer = &issuer{}

// detail returns the detail of a type. It returns false if there is none, or more than one.
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

// giver reads the member from, a URN of a person or an organisation.
func (r *reader) giver() (norway.PID, string) {
	from := r.text("from")
	if digits, ok := strings.CutPrefix(from, "urn:altinn:person:identifier-no:"); ok {
		pid, err := norway.ParsePID(digits)
		r.fail(err)
		return pid, ""
	}
	number, ok := strings.CutPrefix(from, "urn:altinn:organization:identifier-no:")
	orgno, good := norway.OrgIdentifier(number).Number()
	if !ok || !good || orgno != number {
		return norway.PID{}, ""
	}
	return norway.PID{}, orgno
}

// instant reads an ISO 8601 time with a zone. A time without one is rejected: the end of the consent would be unknown.
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

// metadata reads the member metadata, which Altinn also spells metaData.
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
