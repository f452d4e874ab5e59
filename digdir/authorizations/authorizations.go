package authorizations

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/storage"
)

// Authorization is what a user authorized a client to do.
type Authorization struct {
	ID           string             `json:"authorization_id"`     // session.Vault.GrantHandle
	ClientID     string             `json:"client_id"`            // the client
	ClientName   string             `json:"client_name"`          // display name of the client
	Description  string             `json:"description"`          // description of the client
	AuthorizedAt int64              `json:"authorized_at"`        // milliseconds since 1970
	Expires      int64              `json:"expires"`              // milliseconds since 1970
	Scopes       []GrantedScope     `json:"scopes"`               // in the order of the request
	UserAgent    string             `json:"user_agent,omitempty"` // the browser of the login
	Consumer     *norway.Identifier `json:"consumer,omitempty"`   // the organisation of the client
}

// GrantedScope is a scope of an [Authorization].
type GrantedScope struct {
	Name                string `json:"name"`                       // the scope
	Description         string `json:"description"`                // in the language of Filter.Locale
	LongDescription     string `json:"long_description,omitempty"` // a subset of Markdown
	RequiresUserConsent bool   `json:"requires_user_consent"`      // reports whether the scope requires consent
	Visibility          string `json:"visibility,omitempty"`       // PUBLIC, PRIVATE or INTERNAL
	OwnerOrgno          string `json:"owner_orgno,omitempty"`      // organisation number of the owner
}

// MaxPage is the largest number of authorizations of a [Page].
const MaxPage = 100

// Page is a part of a list of authorizations, newest first.
type Page struct {
	Authorizations []Authorization // those of the page
	// Next is the After of the request for the following page. It is "" on the last page. A page can be empty although others
	// follow: one request reads at most 1,000 authorizations of the user, also those that it does not select.
	Next string
}

// Filter selects authorizations for [API.OfUser]. An authorization is selected with all of its scopes if one of them matches.
type Filter struct {
	// WithoutConsent also selects authorizations without a scope that requires consent.
	WithoutConsent bool
	// Visibility is the visibility of a scope. If "", every one matches.
	Visibility string
	// ClientOrgno is the organisation number of the client. If "", every client matches.
	ClientOrgno string
	// OwnerOrgno is the organisation number of the owner of a scope. If "", every owner matches.
	OwnerOrgno string
	// Locale is the language of descriptions. The default is nb.
	Locale string
	// After is Page.Next of the previous page. If "", the page is the first.
	After string
}

// matches reports whether the filter selects an authorization of a client.
func (f Filter) matches(a *Authorization, c *client.Client) bool {
	if f.ClientOrgno != "" && c.OrganisationNo != f.ClientOrgno {
		return false
	}
	return slices.ContainsFunc(a.Scopes, func(s GrantedScope) bool {
		return (f.WithoutConsent || s.RequiresUserConsent) && (f.Visibility == "" || s.Visibility == f.Visibility) &&
			(f.OwnerOrgno == "" || s.OwnerOrgno == f.OwnerOrgno)
	})
}

// OfUser lists the authorizations of a user, newest first. subject is session.Identity.Subject. It is for a page of the host
// where the user is logged in (see PageUser): it lists pseudonymous grants too. It returns an error that wraps ErrNotFound if there is
// no such Filter.After any more.
func (a *API) OfUser(ctx context.Context, subject string, f Filter, now time.Time) (Page, error) {
	return a.list(ctx, a.cfg.Vault.UserKey(subject), f, func(*storage.Grant) bool { return true }, now)
}

// ListRequest selects the authorizations that [API.List] returns.
type ListRequest struct {
	// PID names the user if the caller is a machine. It is ignored if the caller is a user.
	PID norway.PID
	// ByOwner selects authorizations with a scope that the caller's organisation owns. Otherwise authorizations of the
	// organisation's clients are selected.
	ByOwner bool
	// WithoutConsent also selects authorizations without a scope that requires consent.
	WithoutConsent bool
	// Visibility is the visibility of a scope. If "", every one matches.
	Visibility string
	// After is Page.Next of the previous page. If "", the page is the first.
	After string
}

// List lists authorizations of the user that concern the caller's organisation, newest first.
//
// The request identifies the user. Therefore a pseudonymous grant is listed only to the owner of all of its scopes:
// another organisation could learn which pseudonym belongs to the user.
func (a *API) List(ctx context.Context, c *Caller, r ListRequest) (Page, error) {
	userKey, err := a.userOf(ctx, c, r.PID)
	if err != nil || userKey == (storage.Hash{}) {
		return Page{Authorizations: []Authorization{}}, err
	}
	f := Filter{WithoutConsent: r.WithoutConsent, Visibility: r.Visibility, After: r.After}
	owner := ""
	if r.ByOwner {
		f.OwnerOrgno, owner = c.Organisation, c.Organisation
	} else {
		f.ClientOrgno = c.Organisation
	}
	page, err := a.list(ctx, userKey, f, func(g *storage.Grant) bool { return a.mayList(g, owner) }, c.now)
	switch {
	case errors.Is(err, ErrNotFound):
		return Page{}, reject(portner.InvalidRequest, "The parameter after is unknown or has expired.")
	case err != nil:
		return Page{}, fmt.Errorf("%w: %w", portner.ErrUnavailable, err)
	}
	return page, nil
}

// userOf returns the key of the user a request is about, or zero if there is none with this national identity number.
func (a *API) userOf(ctx context.Context, c *Caller, pid norway.PID) (storage.Hash, error) {
	if c.user != (storage.Hash{}) {
		return c.user, nil
	}
	subject, ok, err := a.cfg.SubjectOf(ctx, pid)
	if err != nil {
		return storage.Hash{}, fmt.Errorf("authorizations: finding the user: %w: %w", portner.ErrUnavailable, err)
	}
	if !ok {
		return storage.Hash{}, nil
	}
	return a.cfg.Vault.UserKey(subject), nil
}

func (a *API) list(ctx context.Context, userKey storage.Hash, f Filter, may func(*storage.Grant) bool, now time.Time) (Page, error) {
	after, ok := "", true
	if f.After != "" {
		after, ok = a.cfg.Vault.OpenGrantPosition(userKey, f.After)
	}
	if !ok {
		return Page{}, ErrNotFound
	}
	out := Page{Authorizations: []Authorization{}}
	last, err := a.each(ctx, userKey, after, now, func(g *storage.Grant) (bool, error) {
		if !may(g) {
			return true, nil
		}
		c, err := a.client(ctx, g.ClientID)
		if err != nil {
			return false, err
		}
		if one := a.describe(g, c, f.Locale); f.matches(&one, c) {
			out.Authorizations = append(out.Authorizations, one)
		}
		return len(out.Authorizations) < MaxPage, nil
	})
	if err != nil {
		return Page{}, err
	}
	if last != "" {
		out.Next = a.cfg.Vault.GrantPosition(userKey, last)
	}
	return out, nil
}

const (
	maxRead  = 1000 // grants that one request reads
	readSize = 100  // grants that are loaded at once
)

// each calls visit for the live grants of a user, newest first, from the one after the grant with the ID after, until visit returns
// false or maxRead grants were read. last is the ID of the last grant, or "" if the user has no older one. The error wraps ErrNotFound if
// after is not the ID of a grant of the user.
func (a *API) each(
	ctx context.Context, userKey storage.Hash, after string, now time.Time, visit func(*storage.Grant) (more bool, err error),
) (last string, err error) {
	for read := 0; read < maxRead; read += readSize {
		page, err := a.cfg.Store.Grants(ctx, storage.GrantQuery{UserKey: userKey, After: after, Limit: readSize}, now)
		switch {
		case errors.Is(err, storage.ErrNotFound) && read > 0: // the last grant of the previous page has expired
			return after, nil
		case errors.Is(err, storage.ErrNotFound):
			return "", ErrNotFound
		case err != nil:
			return "", fmt.Errorf("authorizations: listing grants: %w", err)
		}
		for i := range page {
			if more, err := visit(&page[i]); err != nil || !more {
				return page[i].ID, err
			}
		}
		if len(page) < readSize {
			return "", nil
		}
		after = page[readSize-1].ID
	}
	return after, nil
}

// grant returns the live grant with a handle, or ErrNotFound.
func (a *API) grant(ctx context.Context, handle string, now time.Time) (storage.Grant, error) {
	userKey, id, ok := a.cfg.Vault.OpenGrantHandle(handle)
	if !ok {
		return storage.Grant{}, ErrNotFound
	}
	if id == "" {
		return storage.Grant{}, ErrNotFound
	}
	found, err := a.cfg.Store.Grants(ctx, storage.GrantQuery{UserKey: userKey, ID: id}, now)
	switch {
	case errors.Is(err, storage.ErrNotFound), err == nil && len(found) == 0:
		return storage.Grant{}, ErrNotFound
	case err != nil:
		return storage.Grant{}, fmt.Errorf("authorizations: finding a grant: %w", err)
	}
	return found[0], nil
}

func (a *API) describe(g *storage.Grant, c *client.Client, locale string) Authorization {
	one := Authorization{
		ID: a.cfg.Vault.GrantHandle(g.UserKey, g.ID), ClientID: c.ClientID, ClientName: c.DisplayName(), Description: c.Description,
		AuthorizedAt: g.CreatedAt.UnixMilli(), Expires: g.ExpiresAt.UnixMilli(), UserAgent: g.UserAgent,
	}
	if c.OrganisationNo != "" {
		consumer := norway.OrgIdentifier(c.OrganisationNo)
		one.Consumer = &consumer
	}
	for _, name := range g.Scopes {
		granted := GrantedScope{Name: name, Description: name}
		if s := a.cfg.Scopes.Scope(name); s != nil {
			granted = GrantedScope{
				Name: name, Description: s.DescriptionIn(locale), LongDescription: s.LongDescriptionIn(locale),
				RequiresUserConsent: s.RequiresUserConsent, Visibility: s.Visibility, OwnerOrgno: s.OwnerOrgno,
			}
		}
		one.Scopes = append(one.Scopes, granted)
	}
	return one
}

// ErrNotFound reports that there is no such authorization, or that it does not concern the caller.
var ErrNotFound = errors.New("authorizations: not found")

// Revoke ends an authorization of a user: every grant of the user to the client for the customer, with its tokens and
// consents. The next authorization request requires consent again. It returns ErrNotFound if the authorization is that of
// another user. It is for a page of the host where the user is logged in; see PageUser.
func (a *API) Revoke(ctx context.Context, subject, authorizationID string, now time.Time) error {
	g, err := a.grant(ctx, authorizationID, now)
	switch {
	case err != nil:
		return err
	case g.UserKey != a.cfg.Vault.UserKey(subject):
		return ErrNotFound
	}
	return a.revoke(ctx, g.ClientID, g.ID, whole(&g), now)
}

// End ends an authorization, as Revoke does. A user can end their own authorizations, a machine those of every user; either must concern the
// caller's organisation: the client is the organisation's, or a scope is. The owner of a scope ends the one grant only, and no consent, if
// the client has grants for scopes of others. If the user has a grant at the client that the caller must not link to the user, or more than
// 1,000 live grants, only grants that List returns end, and no consent. Otherwise the error wraps ErrNotFound and is a *portner.Error with
// status 404.
func (a *API) End(ctx context.Context, c *Caller, authorizationID string) error {
	err := a.end(ctx, c, authorizationID)
	switch {
	case errors.Is(err, ErrNotFound):
		return &portner.Error{Code: portner.InvalidRequest, Status: http.StatusNotFound, Description: "There is no such authorization.", Err: err}
	case err != nil:
		return fmt.Errorf("%w: %w", portner.ErrUnavailable, err)
	}
	return nil
}

func (a *API) end(ctx context.Context, c *Caller, authorizationID string) error {
	g, registered, err := a.find(ctx, authorizationID, c.now)
	if err != nil {
		return err
	}
	ofClient := registered.OrganisationNo == c.Organisation
	if c.user != (storage.Hash{}) && g.UserKey != c.user || !ofClient && !a.owns(c.Organisation, &g) {
		return ErrNotFound
	}
	owner := c.Organisation
	if ofClient {
		owner = ""
	}
	all, err := a.siblings(ctx, &g, owner, c)
	switch {
	case err != nil:
		return err
	case !ofClient && all.foreign:
		return a.revoke(ctx, g.ClientID, g.ID, storage.Revocation{GrantID: g.ID}, c.now)
	case !all.hidden:
		return a.revoke(ctx, g.ClientID, g.ID, whole(&g), c.now)
	}
	// The caller must not learn from what ends which pseudonym belongs to the user.
	for _, id := range all.listed {
		if err := a.revoke(ctx, g.ClientID, id, storage.Revocation{GrantID: id}, c.now); err != nil {
			return err
		}
	}
	return a.revoke(ctx, g.ClientID, g.ID, storage.Revocation{GrantID: g.ID}, c.now) // last, so that a caller can repeat the request after a fault
}

// siblings are the other live grants of an authorization.
type siblings struct {
	listed  []string // IDs of those that may be listed to the caller; none if the grant itself may not be listed
	hidden  bool     // some may not be listed
	foreign bool     // some have no scope of the caller's organisation
}

// siblings returns the other grants of the authorization of g. owner is that of mayList. If the user has too many grants to read them
// all, the others may be hidden and foreign.
func (a *API) siblings(ctx context.Context, g *storage.Grant, owner string, c *Caller) (s siblings, err error) {
	known := a.mayList(g, owner)
	s.hidden = !known
	last, err := a.each(ctx, g.UserKey, "", c.now, func(o *storage.Grant) (bool, error) {
		if o.ID == g.ID || whole(o) != whole(g) {
			return true, nil
		}
		s.foreign = s.foreign || !a.owns(c.Organisation, o)
		switch {
		case !a.mayList(o, owner):
			s.hidden = true
		case known:
			s.listed = append(s.listed, o.ID)
		}
		return true, nil
	})
	if last != "" {
		s.hidden, s.foreign = true, true
	}
	return s, err
}

// find returns the live grant with a handle and its client.
func (a *API) find(ctx context.Context, handle string, now time.Time) (storage.Grant, *client.Client, error) {
	g, err := a.grant(ctx, handle, now)
	if err != nil {
		return g, nil, err
	}
	c, err := a.client(ctx, g.ClientID)
	return g, c, err
}

// client returns the client of a grant. If it is not registered any more, its registration is empty: the user can still see and end
// what would be live again if it returned.
func (a *API) client(ctx context.Context, id string) (*client.Client, error) {
	c, err := client.Lookup(ctx, a.cfg.Clients, id)
	switch {
	case err == nil, errors.Is(err, client.ErrDisabled):
		return c, nil
	case errors.Is(err, storage.ErrNotFound):
		return &client.Client{ClientID: id}, nil
	}
	return nil, fmt.Errorf("authorizations: loading a client: %w", err)
}

// whole returns the revocation of every grant of a user to the client for the customer.
func whole(g *storage.Grant) storage.Revocation {
	return storage.Revocation{Authorization: storage.ConsentKey{UserKey: g.UserKey, ClientID: g.ClientID, Customer: g.Customer}}
}

func (a *API) revoke(ctx context.Context, clientID, grantID string, r storage.Revocation, now time.Time) error {
	if err := a.cfg.Store.Revoke(ctx, r, now); err != nil {
		return fmt.Errorf("authorizations: revoking: %w", err)
	}
	a.log.Emit(ctx, portner.Event{Name: portner.EventTokenRevoked, Time: now, ClientID: clientID, GrantID: grantID, Reason: "authorizations"})
	return nil
}

// owns reports whether a grant has a scope that an organisation owns.
func (a *API) owns(organisation string, g *storage.Grant) bool {
	return slices.ContainsFunc(g.Scopes, func(name string) bool {
		s := a.cfg.Scopes.Scope(name)
		return s != nil && s.OwnerOrgno == organisation
	})
}

// MaxHistory is the largest number of logins that [API.History] returns.
const MaxHistory = 100

// History returns the logins of the user at clients of the caller's organisation, newest first, at most limit and at most
// MaxHistory. It leaves out pseudonymous logins, because their times could show which pseudonym belongs to the user. It returns an
// error if Config.History is nil or the caller is a machine.
func (a *API) History(ctx context.Context, c *Caller, limit int) ([]storage.Login, error) {
	if a.cfg.History == nil {
		return nil, errors.New("authorizations: History requires Config.History")
	}
	if c.user == (storage.Hash{}) {
		return nil, errInvalidToken()
	}
	all, err := a.cfg.History.Logins(ctx, c.user, c.now)
	if err != nil {
		return nil, fmt.Errorf("authorizations: loading logins: %w: %w", portner.ErrUnavailable, err)
	}
	var logins []storage.Login
	for _, l := range all {
		if l.Orgno == c.Organisation && !l.Withheld && len(logins) < min(limit, MaxHistory) {
			logins = append(logins, l)
		}
	}
	return logins, nil
}
