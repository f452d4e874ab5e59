package helseid

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/token"
)

// Types of authorization_details and assertion_details.
const (
	typeOrganisation = "helseid_authorization"
	typeJournal      = "nhn:sfm:journal-id"

	memberRole  = "practitioner_role"
	memberValue = "value"

	organisationType = "ENH"
	prefixNumbers    = "NO:ORGNR:"
)

// Identifier systems of an organisation (utviklerportal.nhn.no: Organisasjonsnumre). Published samples and libraries use two for children.
var systemsChild = []string{"urn:oid:2.16.578.1.12.4.1.4.101", "urn:oid:2.16.578.1.12.4.1.2.101"}

const systemParent = "urn:oid:1.0.6523"

// organisation holds what tokens contain about the organisation of the client.
type organisation struct{ parent, child, supplier, tenancy, journal string }

// named is what a request names.
type named struct {
	system        string
	parent, child string
}

// DetailTypes returns the types of authorization_details that requests may have. No page shows them: they name the organisation of the
// client, and the journal it works with.
func (s *Service) DetailTypes() []rar.Type {
	return []rar.Type{
		{
			Name: typeOrganisation, Members: []string{memberRole}, Single: true, NoApproval: true,
			Check: s.checkOrganisations, Grant: grant, Refresh: s.stillAllowed,
		},
		{Name: typeJournal, Members: []string{memberValue}, Single: true, NoApproval: true, Validate: checkJournal, Check: oneJournal, Grant: grant, Refresh: unchanged},
	}
}

func grant(_ context.Context, _ rar.Request, details []rar.Detail, _ []string) ([]json.RawMessage, error) {
	return unchanged(context.Background(), rar.Request{}, details)
}

func unchanged(_ context.Context, _ rar.Request, details []rar.Detail) ([]json.RawMessage, error) {
	var all []json.RawMessage
	for _, d := range details {
		all = append(all, d.JSON)
	}
	return all, nil
}

// stillAllowed returns the details if the client may still name the organisation.
func (s *Service) stillAllowed(ctx context.Context, r rar.Request, details []rar.Detail) ([]json.RawMessage, error) {
	err := s.checkOrganisations(ctx, r, details)
	if portner.IsFault(err) {
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf("%w: the organisation is no longer allowed", rar.ErrDenied)
	}
	return unchanged(ctx, r, details)
}

// hid is an error of HelseID for organisations. Its number begins the description.
func hid(number int, text string) error {
	return invalidDetails(fmt.Sprintf("HID-%d: %s", number, text))
}

func invalidDetails(text string) error {
	return refuse(portner.InvalidAuthorizationDetails, text, "organisation_rejected")
}

// refuse returns a protocol error. The reason is for the log.
func refuse(code portner.ErrorCode, text, reason string) error {
	return &portner.Error{Code: code, Description: text, Err: &audit.Cause{Event: portner.EventRefused, Reason: reason}}
}

// checkOrganisations checks that the client may name the organisation.
func (s *Service) checkOrganisations(ctx context.Context, r rar.Request, details []rar.Detail) error {
	if len(details) != 1 {
		return hid(1007, "Exactly one organisation must be named.")
	}
	n, err := readOrganisation(details[0].JSON)
	if err != nil {
		return err
	}
	reg, err := s.registration(ctx, r.ClientID)
	if err != nil {
		return err
	}
	return reg.allows(n)
}

// allows returns an error if a client with this registration may not name an organisation.
func (r *Registration) allows(n named) error {
	switch r.Tenancy {
	case SingleTenant:
		switch {
		case n.parent != "":
			return hid(1005, "The client may not send the parent organisation.")
		case len(r.Children) == 0:
			return hid(1006, "The client may not send a child organisation.")
		case !slices.Contains(r.Children, n.child):
			return hid(1002, "The child organisation is not allowed for the client.")
		}
		return nil
	case MultiTenant:
		switch {
		case n.parent == "":
			return hid(1007, "A multi-tenant client must send the parent organisation.")
		case !slices.Contains(r.Parents, n.parent):
			return hid(1001, "The parent organisation is not allowed for the client.")
		}
		return nil
	}
	return hid(1010, "The client is not set up for organisations.")
}

// readOrganisation reads an organisation.
func readOrganisation(text []byte) (named, error) {
	malformed := hid(1007, "The structure of the organisation is wrong.")
	o, err := jose.ParseObject(text)
	for _, name := range []string{memberRole, "organization", "identifier"} {
		if err == nil {
			o, err = o.Object(name)
		}
	}
	if err != nil {
		return named{}, malformed
	}
	system, err1 := o.String("system")
	kind, err2 := o.String("type")
	value, err3 := o.String("value")
	if err1 != nil || err2 != nil || err3 != nil || kind != organisationType {
		return named{}, malformed
	}
	n := named{system: system}
	switch numbers, multi := strings.CutPrefix(value, prefixNumbers); {
	case multi && system == systemParent:
		n.parent, n.child, _ = strings.Cut(numbers, ":") // with or without a colon after the parent
		if n.parent == "" {
			return named{}, hid(1004, "An organisation number must be nine digits.")
		}
	case !multi && slices.Contains(systemsChild, system):
		n.child = value
	default:
		return named{}, malformed
	}
	for _, number := range []string{n.parent, n.child} {
		if number != "" && !isOrgno(number) || n == (named{system: system}) {
			return named{}, hid(1004, "An organisation number must be nine digits.")
		}
	}
	return n, nil
}

func isOrgno(number string) bool {
	o, err := norway.ParseOrgno(number)
	return err == nil && o.String() == number
}

// writeOrganisation returns the detail of an organisation.
func writeOrganisation(n named) (json.RawMessage, error) {
	system, value := systemsChild[0], n.child
	if n.parent != "" {
		system, value = systemParent, prefixNumbers+n.parent+":"+n.child
	}
	return json.Marshal(map[string]any{"type": typeOrganisation, memberRole: map[string]any{
		"organization": map[string]any{"identifier": map[string]any{"system": system, "type": organisationType, "value": value}},
	}})
}

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func checkJournal(d rar.Detail) error {
	if journalOf(d.JSON) == "" {
		return fmt.Errorf("%w: journal_id must be a GUID", rar.ErrValue)
	}
	return nil
}

func oneJournal(_ context.Context, _ rar.Request, details []rar.Detail) error {
	if len(details) != 1 {
		return fmt.Errorf("%w: more than one journal", rar.ErrValue)
	}
	return nil
}

// journalOf returns the journal of a detail, "" if it is malformed.
func journalOf(text []byte) string {
	o, err := jose.ParseObject(text)
	if err == nil {
		o, err = o.Object(memberValue)
	}
	if err != nil {
		return ""
	}
	id, _ := o.String("journal_id")
	if o.Len() != 1 || !guid.MatchString(id) {
		return ""
	}
	return id
}

// organisationOf returns the organisation of the client that a document names.
func (s *Service) organisationOf(ctx context.Context, d *token.Document) (organisation, error) {
	reg, err := s.registration(ctx, d.Client.ClientID)
	if err != nil {
		return organisation{}, err
	}
	o := organisation{tenancy: reg.Tenancy}
	if o.tenancy == "" {
		o.tenancy = NoTenancy
	}
	switch reg.Tenancy {
	case SingleTenant:
		o.supplier = d.Client.SupplierOrgno
		if len(d.Grant.Delegation.Actor) == 0 { // an exchanged token has the organisation of the first client only
			o.parent = d.Client.OrganisationNo
		}
	case MultiTenant:
		o.supplier = d.Client.OrganisationNo
	}
	details, err := split(d.AuthorizationDetails)
	for typ, text := range details {
		switch typ {
		case typeOrganisation:
			n, err := readOrganisation(text)
			if err != nil {
				return o, err
			}
			o.child = n.child
			if n.parent != "" {
				o.parent = n.parent
			}
		case typeJournal:
			o.journal = journalOf(text)
		}
	}
	return o, err
}

// split returns details by type. Each type occurs once.
func split(details json.RawMessage) (map[string]json.RawMessage, error) {
	if len(details) == 0 {
		return nil, nil
	}
	var texts []json.RawMessage
	if err := json.Unmarshal(details, &texts); err != nil {
		return nil, fmt.Errorf("helseid: details: %w", err)
	}
	all := map[string]json.RawMessage{}
	for _, text := range texts {
		o, err := jose.ParseObject(text)
		if err != nil {
			return nil, fmt.Errorf("helseid: details: %w", err)
		}
		typ, err := o.String("type")
		if err != nil {
			return nil, fmt.Errorf("helseid: details: %w", err)
		}
		all[typ] = text
	}
	return all, nil
}
