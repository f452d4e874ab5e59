package systemuser

import (
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/norway"
)

// Lists of the records.
const (
	listSystems  = "systems"
	listRequests = "requests"
	listUsers    = "system_users"
)

// System is a system of the register.
type System struct {
	ID                  string            `json:"id"`
	Vendor              Vendor            `json:"vendor"`
	Name                map[string]string `json:"name"`
	Description         map[string]string `json:"description"`
	Rights              []Right           `json:"rights"`
	AccessPackages      []AccessPackage   `json:"accessPackages"`
	IsDeleted           bool              `json:"isDeleted"`
	ClientID            []string          `json:"clientId"`
	IsVisible           bool              `json:"isVisible"`
	AllowedRedirectURLs []string          `json:"allowedRedirectUrls"`
}

// Vendor is the organisation that owns a system: "0192:" and its number.
type Vendor struct {
	ID string `json:"ID"`
}

// Right is a resource that a system uses.
type Right struct {
	Action   *string    `json:"action"`
	Resource []Resource `json:"resource"`
}

// Resource names a resource: "urn:altinn:resource" and its identifier.
type Resource struct {
	ID    string `json:"id"`
	Value string `json:"value"`
}

// AccessPackage names a package of rights: "urn:altinn:accesspackage:" and its name.
type AccessPackage struct {
	URN string `json:"urn"`
}

// User is a system user.
type User struct {
	ID               string    `json:"id"`
	IntegrationTitle string    `json:"integrationTitle"`
	SystemID         string    `json:"systemId"`
	ProductName      string    `json:"productName"`
	ReporteeOrgNo    string    `json:"reporteeOrgNo"`
	Created          time.Time `json:"created"`
	IsDeleted        bool      `json:"isDeleted"`
	SupplierName     string    `json:"supplierName"`
	SupplierOrgno    string    `json:"supplierOrgno"`
	ExternalRef      string    `json:"externalRef"`
	UserType         string    `json:"userType"`
}

// userTypeStandard is the only type of system users here.
const userTypeStandard = "standard"

// Request is a request of a vendor for a system user.
type Request struct {
	ID               string          `json:"id"`
	IntegrationTitle string          `json:"integrationTitle"`
	ExternalRef      string          `json:"externalRef"`
	SystemID         string          `json:"systemId"`
	PartyOrgNo       string          `json:"partyOrgNo"`
	Rights           []Right         `json:"rights"`
	AccessPackages   []AccessPackage `json:"accessPackages"`
	Status           Status          `json:"status"`
	RedirectURL      *string         `json:"redirectUrl"`
	ConfirmURL       string          `json:"confirmUrl"`
	Escalated        bool            `json:"escalated"`
	Created          time.Time       `json:"created"`
	TimedOut         bool            `json:"timedOut"`
}

// Status is the state of a request.
type Status string

// Values of Status. Altinn has Denied too, which no endpoint sets.
const (
	StatusNew      Status = "New"
	StatusAccepted Status = "Accepted"
	StatusRejected Status = "Rejected"
	StatusTimedOut Status = "Timedout"
)

// maxAge is the age at which a request that was not answered times out, as at Altinn.
const maxAge = 180 * 24 * time.Hour

// at returns the request as it is at a time.
func (r Request) at(now time.Time) Request {
	if r.Status == StatusNew && now.Sub(r.Created) >= maxAge {
		r.Status, r.TimedOut = StatusTimedOut, true
	}
	return r
}

// answers reports whether a request is for a system user.
func (r Request) answers(system, orgno, ref string) bool {
	return r.SystemID == system && r.PartyOrgNo == orgno && r.ExternalRef == ref
}

// Orgno returns the organisation number of the vendor, "" if the identifier is not one.
func (v Vendor) Orgno() string {
	orgno, ok := norway.Identifier{Authority: norway.Authority, ID: v.ID}.Number()
	if !ok || v.ID != norway.OrgIdentifier(orgno).ID {
		return ""
	}
	return orgno
}

// withLists returns s with empty lists for those that are absent, which Altinn sends.
func (s System) withLists() System {
	s.Rights, s.AccessPackages = orEmpty(s.Rights), orEmpty(s.AccessPackages)
	s.ClientID, s.AllowedRedirectURLs = orEmpty(s.ClientID), orEmpty(s.AllowedRedirectURLs)
	return s
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// equal reports whether two rights name the same resources.
func (r Right) equal(other Right) bool {
	return len(r.Resource) == len(other.Resource) && !slices.ContainsFunc(r.Resource, func(one Resource) bool {
		return !slices.Contains(other.Resource, one)
	})
}

// duplicates reports whether two rights are equal.
func duplicates(rights []Right) bool {
	for i, r := range rights {
		if slices.ContainsFunc(rights[:i], r.equal) {
			return true
		}
	}
	return false
}

// accessPackage matches the name of an access package.
var accessPackage = regexp.MustCompile(`^urn:altinn:accesspackage:[a-z0-9-]+$`)

// Validate returns the errors of a system alone, as FieldErrors with the names of its members.
func (s System) Validate() error {
	var f fields.Checker
	for _, e := range s.check() {
		f.Add(e.member, errors.New(e.Title))
	}
	return f.Err()
}

// check returns the errors of a system, except those that depend on other systems.
func (s *System) check() []validationError {
	var errs []validationError
	if s.Vendor.Orgno() == "" {
		return append(errs, errVendor) // Altinn looks no further
	}
	for _, c := range []struct {
		wrong bool
		err   validationError
	}{
		{strings.Contains(s.ID, " "), errSystemSpaces},
		{!strings.HasPrefix(s.ID, s.Vendor.Orgno()+"_"), errSystemFormat},
		{slices.ContainsFunc(s.AllowedRedirectURLs, notRedirect), errRedirect},
		{len(unique(s.ClientID)) < len(s.ClientID), errClientTwice},
		{s.Name["nb"] == "", errName},
	} {
		if c.wrong {
			errs = append(errs, c.err)
		}
	}
	return append(append(errs, checkRights(s.Rights)...), checkPackages(s.AccessPackages)...)
}

func checkRights(rights []Right) (errs []validationError) {
	wrong := func(r Right) bool {
		return len(r.Resource) == 0 || slices.ContainsFunc(r.Resource, func(one Resource) bool { return one.ID != "urn:altinn:resource" || one.Value == "" })
	}
	if slices.ContainsFunc(rights, wrong) {
		errs = append(errs, errResourceFormat)
	}
	if duplicates(rights) {
		errs = append(errs, errRightTwice)
	}
	return errs
}

func checkPackages(packages []AccessPackage) (errs []validationError) {
	if slices.ContainsFunc(packages, func(p AccessPackage) bool { return !accessPackage.MatchString(p.URN) }) {
		errs = append(errs, errPackage)
	}
	if len(unique(packages)) < len(packages) {
		errs = append(errs, errPackageTwice)
	}
	return errs
}

func unique[T comparable](list []T) map[T]bool {
	set := map[T]bool{}
	for _, v := range list {
		set[v] = true
	}
	return set
}

// notRedirect reports whether an address is not one that a system may have: https, or here also http on a loopback host.
func notRedirect(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return true
	}
	return u.Scheme != "https" && (u.Scheme != "http" || !fields.IsLoopback(u.Hostname()))
}

// allows reports whether a system may redirect to an address: it has one with the same scheme, host and path.
func (s *System) allows(raw string) bool {
	want, err := url.Parse(raw)
	return err == nil && !notRedirect(raw) && slices.ContainsFunc(s.AllowedRedirectURLs, func(allowed string) bool {
		u, err := url.Parse(allowed)
		return err == nil && u.Scheme == want.Scheme && u.Host == want.Host && u.Path == want.Path
	})
}

func encode(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil { // the types have no values without a JSON text
		panic(err)
	}
	return text
}
