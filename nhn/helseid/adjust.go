package helseid

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/token"
)

// claimDetails is the claim of client assertions that names the organisation of one token request.
const claimDetails = "assertion_details"

// adjust applies the rules for organisations and APIs to the tokens of a request: the organisation that the client assertion names, the
// scopes that the organisation may use, and the APIs that the parameter resource names.
func (s *Service) adjust(ctx context.Context, c *token.Contents) error {
	sent, err := s.assertionDetails(ctx, c)
	if err != nil {
		return err
	}
	exchanged := len(c.Grant.Delegation.Actor) > 0
	if exchanged && sent != nil {
		return invalidDetails("The organisation of an exchanged token is that of the subject token.")
	}
	if sent != nil {
		if c.AuthorizationDetails, err = replaced(c.AuthorizationDetails, sent); err != nil {
			return err
		}
	}
	reg, err := s.registration(ctx, c.Client.ClientID)
	if err != nil {
		return err
	}
	parent, err := parentOf(c, &reg)
	if err != nil {
		return err
	}
	if parent == "" && reg.Tenancy == MultiTenant && c.Identity.IsZero() && !exchanged {
		return invalidDetails("A multi-tenant client must send the organisation in the client assertion.")
	}
	c.Refresh = c.Refresh && slices.Contains(c.Grant.Scopes, scope.OfflineAccess)
	c.Plan.Granted, c.RejectedScopes = without(c.Plan.Granted, reg.RejectedScopes[parent])
	return s.forResources(c)
}

// assertionDetails returns the details of the client assertion as an array, nil if it has none.
func (s *Service) assertionDetails(ctx context.Context, c *token.Contents) (json.RawMessage, error) {
	if len(c.Client.Assertion) == 0 {
		return nil, nil
	}
	o, err := jose.ParseObject(c.Client.Assertion)
	if err != nil || !o.Has(claimDetails) {
		return nil, err
	}
	raw, _ := o.Raw(claimDetails)
	details, err := s.types.Parse([]byte(raw))
	if err != nil && !portner.IsFault(err) {
		return nil, err
	} else if err != nil {
		return nil, hid(1007, "The structure of assertion_details is wrong.")
	}
	r := rar.Request{ClientID: c.Client.ClientID}
	if err := s.types.Check(ctx, r, details); errors.Is(err, rar.ErrValue) {
		return nil, hid(1007, "The structure of assertion_details is wrong.")
	} else if err != nil {
		return nil, err
	}
	return s.types.Grant(ctx, r, details)
}

// replaced returns the details of sent, and those of the grant that are of other types.
func replaced(granted, sent json.RawMessage) (json.RawMessage, error) {
	kept, err := split(granted)
	if err != nil {
		return nil, err
	}
	of, err := split(sent)
	if err != nil {
		return nil, err
	}
	var all []json.RawMessage
	for _, typ := range []string{typeOrganisation, typeJournal} {
		switch {
		case of[typ] != nil:
			all = append(all, of[typ])
		case kept[typ] != nil:
			all = append(all, kept[typ])
		}
	}
	return json.Marshal(all)
}

// parentOf returns the parent organisation of the tokens, "" if there is none.
func parentOf(c *token.Contents, reg *Registration) (string, error) {
	details, err := split(c.AuthorizationDetails)
	if err != nil {
		return "", err
	}
	if text := details[typeOrganisation]; text != nil {
		n, err := readOrganisation(text)
		if err != nil || n.parent != "" {
			return n.parent, err
		}
	}
	if reg.Tenancy == SingleTenant {
		return c.Client.OrganisationNo, nil
	}
	return "", nil
}

// without returns the elements of list that are not among those to remove, and those that are.
func without(list, remove []string) (kept, removed []string) {
	for _, name := range list {
		if slices.Contains(remove, name) {
			removed = append(removed, name)
		} else {
			kept = append(kept, name)
		}
	}
	return kept, removed
}

// forResources limits scopes and audiences to the APIs that the request names (RFC 8707 §2.2). The audiences of scopes that were removed
// go with them.
func (s *Service) forResources(c *token.Contents) error {
	if len(c.Resources) > 0 {
		c.Plan.Granted = slices.DeleteFunc(c.Plan.Granted, func(name string) bool {
			api := s.audienceOf(name)
			return api != "" && !slices.Contains(c.Resources, api)
		})
	}
	granted := func(aud string) bool {
		return slices.ContainsFunc(c.Plan.Granted, func(name string) bool { return s.audienceOf(name) == aud })
	}
	c.Plan.Audience = slices.DeleteFunc(c.Plan.Audience, func(aud string) bool { return !granted(aud) })
	for _, resource := range c.Resources {
		if !granted(resource) {
			return refuse(portner.InvalidTarget, "A resource is not the audience of a granted scope.", "resource_not_granted")
		}
	}
	return nil
}
