package systemuser

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner/internal/standin/changes"
	"github.com/portner-go/portner/storage"
)

// Pending returns a request and the system that it is for, for the page on which a user answers it. An error that wraps storage.ErrNotFound
// reports that there is none.
func (a *API) Pending(ctx context.Context, id string, now time.Time) (Request, System, error) {
	r, err := a.load(ctx)
	if err != nil {
		return Request{}, System{}, err
	}
	q, err := r.request(id, now)
	if err != nil {
		return Request{}, System{}, err
	}
	if q == nil {
		return Request{}, System{}, storage.ErrNotFound
	}
	s, err := r.system(q.SystemID)
	if err != nil {
		return Request{}, System{}, err
	}
	if s == nil {
		return Request{}, System{}, storage.ErrNotFound
	}
	return *q, *s, nil
}

// Decide answers a request for a user, who must be an access manager of the customer: with StatusAccepted the system user is made, with StatusRejected
// it is not. Only one answer of a request succeeds.
func (a *API) Decide(ctx context.Context, id string, user int64, status Status, now time.Time) (Request, error) {
	var decided Request
	err := a.change(ctx, now, func(r records) (changes.Changes, error) {
		q, err := r.request(id, now)
		if err != nil {
			return nil, err
		}
		if q == nil {
			return nil, errRequest
		}
		if err := a.manages(ctx, user, q.PartyOrgNo); err != nil {
			return nil, err
		}
		if q.Status != StatusNew {
			return nil, errNotNew
		}
		q.Status = status
		next := r.logged.With(listRequests, id, encode(q))
		decided = *q
		if status != StatusAccepted {
			return next, nil
		}
		made, err := a.newUser(ctx, r, q, now)
		if err != nil {
			return nil, err
		}
		return next.With(listUsers, made.ID, encode(made)), nil
	})
	return decided, err
}

// newUser returns the system user of an accepted request. It has the identifier of the request, as at Altinn.
func (a *API) newUser(ctx context.Context, r records, q *Request, now time.Time) (User, error) {
	s, err := r.system(q.SystemID)
	if err != nil {
		return User{}, err
	}
	if s == nil || s.IsDeleted {
		return User{}, errSystem
	}
	switch existing, err := r.user(q.SystemID, q.PartyOrgNo, q.ExternalRef); {
	case err != nil:
		return User{}, err
	case existing != nil:
		return User{}, errUserExists
	}
	u := User{
		ID: q.ID, IntegrationTitle: q.IntegrationTitle, SystemID: s.ID, ProductName: s.ID, ReporteeOrgNo: q.PartyOrgNo, Created: now.UTC(),
		SupplierOrgno: s.Vendor.Orgno(), ExternalRef: q.ExternalRef, UserType: userTypeStandard,
	}
	vendor, err := a.cfg.Parties.Organisation(ctx, u.SupplierOrgno)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return User{}, unavailable(err)
	}
	u.SupplierName = vendor.Name
	return u, nil
}

// Query names a system user.
type Query struct {
	ClientID    string // the system must list it
	Vendor      string // organisation number of the owner of the system
	Customer    string // organisation number of the owner of the system user
	ExternalRef string // the vendor's reference; Customer if it is ""
}

// Find returns the system user that matches every field of a query. An error that wraps storage.ErrNotFound reports that there is none.
func (a *API) Find(ctx context.Context, q Query) (User, error) {
	if q.ExternalRef == "" {
		q.ExternalRef = q.Customer
	}
	r, err := a.load(ctx)
	if err != nil {
		return User{}, err
	}
	s, err := find(r, listSystems, func(s *System) bool {
		return !s.IsDeleted && slices.Contains(s.ClientID, q.ClientID) && s.Vendor.Orgno() == q.Vendor
	})
	if err != nil {
		return User{}, err
	}
	if s == nil {
		return User{}, storage.ErrNotFound
	}
	u, err := r.user(s.ID, q.Customer, q.ExternalRef)
	if err != nil {
		return User{}, err
	}
	if u == nil {
		return User{}, storage.ErrNotFound
	}
	return *u, nil
}

// query returns the query of the URL. Its parameters must not be repeated, and the required ones must have a value.
func (c *call) query(required []string, optional ...string) (url.Values, error) {
	q, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return nil, invalidParameters(map[string]any{"$": []string{"the query of the URL is malformed"}})
	}
	found := map[string]any{}
	for _, name := range slices.Concat(required, optional) {
		if len(q[name]) > 1 {
			found[name] = []string{"the parameter must not be repeated"}
		}
	}
	for _, name := range required {
		if q.Get(name) == "" {
			found[name] = []string{"the parameter is required"}
		}
	}
	if len(found) > 0 {
		return nil, invalidParameters(found)
	}
	return q, nil
}

// lookup is the look-up of Maskinporten.
func (c *call) lookup() (answer, error) {
	q, err := c.query([]string{"clientId", "systemProviderOrgNo", "systemUserOwnerOrgNo"}, "externalRef")
	if err != nil {
		return answer{}, err
	}
	want := Query{q.Get("clientId"), q.Get("systemProviderOrgNo"), q.Get("systemUserOwnerOrgNo"), q.Get("externalRef")}
	u, err := c.Find(c.r.Context(), want)
	if errors.Is(err, storage.ErrNotFound) {
		return answer{}, bare(http.StatusNotFound, "system_user_unknown")
	} else if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, body: u}, nil
}

// vendorUser returns a system user of a system of the vendor.
func (c *call) vendorUser() (answer, error) {
	q, err := c.query([]string{"system-id", "orgno"}, "external-ref")
	if err != nil {
		return answer{}, err
	}
	system, orgno, ref := q.Get("system-id"), q.Get("orgno"), q.Get("external-ref")
	if ref == "" {
		ref = orgno
	}
	r, err := c.load(c.r.Context())
	if err != nil {
		return answer{}, err
	}
	u, err := r.user(system, orgno, ref)
	if err != nil {
		return answer{}, err
	}
	if u == nil || c.ownedSystem(r, system) != nil {
		return answer{}, bare(http.StatusNotFound, "system_user_unknown")
	}
	return answer{status: http.StatusOK, body: u}, nil
}

// users returns the system users that match.
func (r records) users(matches func(*User) bool) ([]User, error) {
	all, err := list[User](r, listUsers)
	out := []User{}
	for i := range all {
		if !all[i].IsDeleted && matches(&all[i]) {
			out = append(out, all[i])
		}
	}
	return out, err
}

// usersOfSystem returns the system users of a system of the vendor.
func (c *call) usersOfSystem() (answer, error) {
	id := c.r.PathValue("systemId")
	r, err := c.load(c.r.Context())
	if err == nil {
		err = c.ownedSystem(r, id)
	}
	if err != nil {
		return answer{}, err
	}
	var out page[User]
	out.Data, err = r.users(func(u *User) bool { return u.SystemID == id })
	return answer{status: http.StatusOK, body: out}, err
}

// partyUsers returns the system users of the party in the path.
func (c *call) partyUsers() (answer, error) {
	p, err := c.party()
	if err != nil {
		return answer{}, err
	}
	r, err := c.load(c.r.Context())
	if err != nil {
		return answer{}, err
	}
	all, err := r.users(func(u *User) bool { return u.ReporteeOrgNo == p.Orgno })
	return answer{status: http.StatusOK, body: all}, err
}

// deleteUser deletes a system user of the party in the path, and the request that it was made from: the vendor can request another one.
func (c *call) deleteUser() (answer, error) {
	p, err := c.party()
	if err != nil {
		return answer{}, err
	}
	id := strings.ToLower(c.r.PathValue("systemUserId"))
	err = c.change(c.r.Context(), c.now, func(r records) (changes.Changes, error) {
		u, err := find(r, listUsers, func(u *User) bool { return u.ID == id && !u.IsDeleted })
		switch {
		case err != nil:
			return nil, err
		case u == nil:
			return nil, errUser
		case u.ReporteeOrgNo != p.Orgno:
			return nil, errNotOwned
		}
		u.IsDeleted = true
		return r.logged.With(listUsers, id, encode(u)).Without(listRequests, id), nil
	})
	return answer{status: http.StatusAccepted, body: 1}, err
}
