package systemuser

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/internal/standin/changes"
	"github.com/portner-go/portner/storage"
)

// requestBody is the body of a request for a system user.
type requestBody struct {
	IntegrationTitle *string         `json:"integrationTitle"`
	ExternalRef      string          `json:"externalRef"`
	SystemID         string          `json:"systemId"`
	PartyOrgNo       string          `json:"partyOrgNo"`
	Rights           []Right         `json:"rights"`
	AccessPackages   []AccessPackage `json:"accessPackages"`
	RedirectURL      *string         `json:"redirectUrl"`
}

// createRequest requests a system user. A request that was made before, and has not timed out, is returned as it is.
func (c *call) createRequest() (answer, error) {
	var b requestBody
	if err := c.decode(&b); err != nil {
		return answer{}, err
	}
	if b.ExternalRef == "" {
		b.ExternalRef = b.PartyOrgNo
	}
	if err := b.complete(); err != nil {
		return answer{}, err
	}
	_, err := c.cfg.Parties.Organisation(c.r.Context(), b.PartyOrgNo)
	customer := err == nil
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return answer{}, unavailable(err)
	}
	var out answer
	err = c.change(c.r.Context(), c.now, func(r records) (changes.Changes, error) {
		made, err := c.request(r, &b, customer)
		if err != nil {
			return nil, err
		}
		if made.existing {
			out = answer{status: http.StatusOK, body: c.linked(*made.Request)}
			return nil, nil
		}
		out = answer{status: http.StatusCreated, body: c.linked(*made.Request), location: c.cfg.Platform + Root[1:] + "systemuser/request/" + made.ID}
		return r.logged.With(listRequests, made.ID, encode(made.Request)), nil
	})
	return out, err
}

// complete returns an error if a required member is absent, or one that is longer than a reference may be.
func (b *requestBody) complete() error {
	for _, m := range []struct{ name, value string }{{"systemId", b.SystemID}, {"partyOrgNo", b.PartyOrgNo}} {
		if m.value == "" {
			return malformed(m.name, "the member is required")
		}
	}
	if len(b.ExternalRef) > 255 {
		return malformed("externalRef", "the member is longer than 255 characters")
	}
	return nil
}

// made is a request: a new one, or one that was there.
type made struct {
	*Request
	existing bool
}

// request decides in the order of Altinn.
func (c *call) request(r records, b *requestBody, customer bool) (made, error) {
	user, err := r.user(b.SystemID, b.PartyOrgNo, b.ExternalRef)
	if err != nil {
		return made{}, err
	}
	s, err := r.system(b.SystemID)
	if err != nil {
		return made{}, err
	}
	owned := s != nil && !s.IsDeleted && s.Vendor.Orgno() == c.vendor()
	switch { // not before the owner is known: the answer would tell another vendor about the system
	case !owned:
		return made{}, errSystem
	case user != nil:
		return made{}, errUserExists
	}
	before, err := r.requestFor(b.SystemID, b.PartyOrgNo, b.ExternalRef, c.now)
	switch {
	case err != nil:
		return made{}, err
	case before != nil && before.Status == StatusRejected:
		return made{}, errRejected
	case before != nil && before.Status == StatusNew:
		return made{before, true}, nil
	case !customer:
		return made{}, errParty
	}
	if err := b.check(s); err != nil {
		return made{}, err
	}
	title := s.Name["nb"]
	if b.IntegrationTitle != nil && strings.TrimSpace(*b.IntegrationTitle) != "" {
		title = strings.TrimSpace(*b.IntegrationTitle)
	}
	return made{&Request{
		ID: seal.NewUUID(), IntegrationTitle: title, ExternalRef: b.ExternalRef, SystemID: b.SystemID, PartyOrgNo: b.PartyOrgNo,
		Rights: orEmpty(b.Rights), AccessPackages: orEmpty(b.AccessPackages), Status: StatusNew, RedirectURL: b.RedirectURL, Created: c.now.UTC(),
	}, false}, nil
}

// check compares a request with its system.
func (b *requestBody) check(s *System) error {
	if b.RedirectURL != nil && *b.RedirectURL != "" {
		if len(s.AllowedRedirectURLs) == 0 {
			return errNoRedirects
		}
		if !s.allows(*b.RedirectURL) {
			return errRedirectURL
		}
	}
	switch {
	case b.Rights == nil && b.AccessPackages == nil:
		return errRights
	case len(b.Rights)+len(b.AccessPackages) == 0:
		return errNoRights
	case duplicates(b.Rights) || slices.ContainsFunc(b.Rights, func(r Right) bool { return len(r.Resource) == 0 || !slices.ContainsFunc(s.Rights, r.equal) }):
		return errRights
	case slices.ContainsFunc(b.AccessPackages, func(p AccessPackage) bool { return !slices.Contains(s.AccessPackages, p) }):
		return errPackages
	}
	return nil
}

// requestFor returns the newest request for a system user, nil if there is none.
func (r records) requestFor(system, orgno, ref string, now time.Time) (*Request, error) {
	all, err := list[Request](r, listRequests)
	if err != nil {
		return nil, err
	}
	var newest *Request
	for i := range all {
		if q := all[i].at(now); q.answers(system, orgno, ref) && (newest == nil || newest.Created.Before(q.Created)) {
			newest = &q
		}
	}
	return newest, nil
}

// confirmSuffix is the rest of the address of that page, at Altinn and here: the page does not ask for whom the user acts.
const confirmSuffix = "&DONTCHOOSEREPORTEE=true"

// linked returns a request with the page on which it is answered.
func (c *call) linked(q Request) Request {
	q.ConfirmURL = c.cfg.ConfirmURL + q.ID + confirmSuffix
	return q
}

// ownedSystem returns an error unless the vendor of the caller owns a system.
func (c *call) ownedSystem(r records, id string) error {
	s, err := r.system(id)
	if err != nil {
		return err
	}
	if s == nil || s.Vendor.Orgno() != c.vendor() {
		return errSystem
	}
	return nil
}

// showRequest returns the request that pick finds, to the vendor of its system.
func (c *call) showRequest(pick func(records) (*Request, error)) (answer, error) {
	r, err := c.load(c.r.Context())
	if err != nil {
		return answer{}, err
	}
	q, err := pick(r)
	if err != nil {
		return answer{}, err
	}
	if q == nil || c.ownedSystem(r, q.SystemID) != nil { // the same response: another vendor must not learn that it exists
		return answer{}, errRequest
	}
	return answer{status: http.StatusOK, body: c.linked(*q)}, nil
}

func (c *call) vendorRequest() (answer, error) {
	return c.showRequest(func(r records) (*Request, error) { return r.request(c.r.PathValue("requestId"), c.now) })
}

func (c *call) requestByReference() (answer, error) {
	return c.showRequest(func(r records) (*Request, error) {
		return r.requestFor(c.r.PathValue("systemId"), c.r.PathValue("orgNo"), c.r.PathValue("externalRef"), c.now)
	})
}

// page is a list as Altinn sends it. There is one page only.
type page[T any] struct {
	Links struct {
		Next *string `json:"next"`
	} `json:"links"`
	Data []T `json:"data"`
}

// requestsOfSystem returns the requests for a system of the vendor.
func (c *call) requestsOfSystem() (answer, error) {
	id := c.r.PathValue("systemId")
	r, err := c.load(c.r.Context())
	if err == nil {
		err = c.ownedSystem(r, id)
	}
	if err != nil {
		return answer{}, err
	}
	all, err := list[Request](r, listRequests)
	out := page[Request]{Data: []Request{}}
	for _, q := range all {
		if q.SystemID == id {
			out.Data = append(out.Data, c.linked(q.at(c.now)))
		}
	}
	return answer{status: http.StatusOK, body: out}, err
}

// deleteRequest deletes a request of the vendor, so that it can make another one.
func (c *call) deleteRequest() (answer, error) {
	err := c.change(c.r.Context(), c.now, func(r records) (changes.Changes, error) {
		q, err := r.request(c.r.PathValue("requestId"), c.now)
		if err != nil {
			return nil, err
		}
		if q == nil || c.ownedSystem(r, q.SystemID) != nil {
			return nil, errRequest
		}
		return r.logged.Without(listRequests, q.ID), nil
	})
	return answer{status: http.StatusAccepted}, err
}

// party returns the organisation in the path, which the user of the token manages.
func (c *call) party() (Party, error) {
	id, err := strconv.ParseInt(c.r.PathValue("party"), 10, 64)
	if err != nil {
		return Party{}, errNotFound
	}
	p, err := c.cfg.Parties.Party(c.r.Context(), id)
	if errors.Is(err, storage.ErrNotFound) {
		return Party{}, errNotManager // as for a party that the user does not manage
	} else if err != nil {
		return Party{}, unavailable(err)
	}
	user, _ := c.userID()
	return p, c.manages(c.r.Context(), user, p.Orgno)
}

// manages returns an error unless a user is an access manager of an organisation.
func (a *API) manages(ctx context.Context, user int64, orgno string) error {
	ok, err := a.cfg.Parties.Manages(ctx, user, orgno)
	switch {
	case err != nil:
		return unavailable(err)
	case !ok:
		return errNotManager
	}
	return nil
}

// partyRequest returns a request to the party that must answer it.
func (c *call) partyRequest() (answer, error) {
	p, err := c.party()
	if err != nil {
		return answer{}, err
	}
	r, err := c.load(c.r.Context())
	if err != nil {
		return answer{}, err
	}
	q, err := r.request(c.r.PathValue("requestId"), c.now)
	switch {
	case err != nil:
		return answer{}, err
	case q == nil || q.PartyOrgNo != p.Orgno:
		return answer{}, errRequest
	}
	return answer{status: http.StatusOK, body: q}, nil
}

func (c *call) approve() (answer, error) { return c.decide(StatusAccepted) }
func (c *call) reject() (answer, error)  { return c.decide(StatusRejected) }

// decide answers a request of the party in the path.
func (c *call) decide(status Status) (answer, error) {
	p, err := c.party()
	if err != nil {
		return answer{}, err
	}
	id := c.r.PathValue("requestId")
	r, err := c.load(c.r.Context())
	if err != nil {
		return answer{}, err
	}
	switch q, err := r.request(id, c.now); {
	case err != nil:
		return answer{}, err
	case q == nil:
		return answer{}, errRequest
	case q.PartyOrgNo != p.Orgno:
		return answer{}, errPartyMismatch
	}
	user, _ := c.userID()
	_, err = c.Decide(c.r.Context(), id, user, status, c.now)
	return answer{status: http.StatusOK, body: true}, err
}
