package systemuser

import (
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/portner-go/portner/storage"
)

// AccessManagement is the path below which the lists of authorized parties are.
const AccessManagement = "/accessmanagement/api/v1/"

// Scopes of service owners who ask for the parties of others.
const (
	ScopeParties      = "altinn:accessmanagement/authorizedparties.resourceowner"
	ScopePartiesAdmin = "altinn:accessmanagement/authorizedparties.admin"
)

// Subject names who is authorized.
type Subject struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// SubjectUser is the Type of a Subject that is a user, by the identifier.
const SubjectUser = "urn:altinn:userid"

// subjects are the types of subjects. Enterprise users, which Altinn has too, are gone.
var subjects = []string{
	"urn:altinn:person:identifier-no", "urn:altinn:person:uuid", "urn:altinn:organization:identifier-no", "urn:altinn:organization:uuid", "urn:altinn:partyid", SubjectUser,
}

// AuthorizedParty is a party that a subject may represent.
type AuthorizedParty struct {
	PartyUUID          string            `json:"partyUuid"`
	Name               string            `json:"name"`
	OrganizationNumber *string           `json:"organizationNumber"`
	PersonID           *string           `json:"personId"`
	PartyID            int64             `json:"partyId"`
	Type               string            `json:"type"` // Person or Organization
	UnitType           *string           `json:"unitType"`
	IsDeleted          bool              `json:"isDeleted"`
	OnlyHierarchy      bool              `json:"onlyHierarchyElementWithNoAccess"`
	Resources          []string          `json:"authorizedResources"`
	Roles              []string          `json:"authorizedRoles"`
	Instances          []struct{}        `json:"authorizedInstances"`
	Subunits           []AuthorizedParty `json:"subunits"`
}

// withLists returns p with empty lists for those that are absent.
func (p AuthorizedParty) withLists() AuthorizedParty {
	p.Resources, p.Roles, p.Instances = orEmpty(p.Resources), orEmpty(p.Roles), []struct{}{}
	sub := make([]AuthorizedParty, len(p.Subunits))
	for i := range p.Subunits {
		sub[i] = p.Subunits[i].withLists()
	}
	p.Subunits = sub
	return p
}

// partiesOf returns the parties of a subject, none if it is unknown.
func (c *call) partiesOf(s Subject) ([]AuthorizedParty, error) {
	all, err := c.cfg.Parties.Authorized(c.r.Context(), s)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return nil, unavailable(err)
	}
	out := make([]AuthorizedParty, len(all))
	for i := range all {
		out[i] = all[i].withLists()
	}
	return out, nil
}

// ownParties returns the parties of the user of the token.
func (c *call) ownParties() (answer, error) {
	id, _ := c.userID()
	all, err := c.partiesOf(Subject{SubjectUser, strconv.FormatInt(id, 10)})
	return answer{status: http.StatusOK, body: all}, err
}

var errInvalidParty = malformed("InvalidParty", "The party id is either invalid or is not an authorized party for the authenticated user")

// oneParty serves authorizedparty/{partyId} and {party}/authorizedparties, which are one pattern to http.ServeMux.
func (c *call) oneParty() (answer, error) {
	switch {
	case c.r.PathValue("party") == "authorizedparty":
		return c.ownParty()
	case c.r.PathValue("partyId") == "authorizedparties":
		return c.partiesOfParty()
	}
	return answer{}, errNotFound
}

// ownParty returns one of the parties of the user of the token, or of their subunits.
func (c *call) ownParty() (answer, error) {
	id, _ := c.userID()
	all, err := c.partiesOf(Subject{SubjectUser, strconv.FormatInt(id, 10)})
	if err != nil {
		return answer{}, err
	}
	for _, p := range all {
		units := append([]AuthorizedParty{p}, p.Subunits...)
		i := slices.IndexFunc(units, func(u AuthorizedParty) bool {
			return strconv.FormatInt(u.PartyID, 10) == c.r.PathValue("partyId") && !u.OnlyHierarchy
		})
		if i >= 0 {
			return answer{status: http.StatusOK, body: units[i]}, nil
		}
	}
	return answer{}, errInvalidParty
}

// partiesOfParty returns the parties of an organisation that the user of the token manages.
func (c *call) partiesOfParty() (answer, error) {
	p, err := c.party()
	if err != nil {
		return answer{}, err
	}
	all, err := c.partiesOf(Subject{"urn:altinn:organization:identifier-no", p.Orgno})
	return answer{status: http.StatusOK, body: all}, err
}

// partiesOfSubject returns the parties of a subject that a service owner names.
func (c *call) partiesOfSubject() (answer, error) {
	var s Subject
	if err := c.decode(&s); err != nil {
		return answer{}, err
	}
	switch {
	case s.Type == "" || s.Value == "":
		return answer{}, malformed("$", "type and value are required")
	case !slices.Contains(subjects, s.Type):
		return answer{}, malformed("Argument exception", "Unknown attribute type: "+strconv.Quote(bounded(s.Type)))
	}
	all, err := c.partiesOf(s)
	return answer{status: http.StatusOK, body: all}, err
}

// bounded returns at most 64 bytes of a text of the peer.
func bounded(s string) string { return s[:min(len(s), 64)] }
