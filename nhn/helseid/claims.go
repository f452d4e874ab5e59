package helseid

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/token"
)

// claims adds the claims of HelseID: to id_tokens and userinfo those of the scopes, to access tokens those that their APIs are
// configured for.
func (s *Service) claims(ctx context.Context, d *token.Document) error {
	f := &filler{Document: d}
	switch d.Kind {
	case token.IDToken, token.UserInfo:
		f.add(claimIDP)
		for _, name := range d.Scopes {
			f.add(identityClaims[name]...)
		}
		if d.Kind == token.UserInfo {
			f.userInfo()
		}
	case token.AccessToken, token.Introspection:
		d.SetString(claimPlainAMR, d.ClientAMR)
		f.add(claimIDP)
		for _, name := range d.Scopes {
			f.add(s.apis[s.audienceOf(name)].Claims...)
		}
	}
	var err error
	if f.organisation, err = s.organisationOf(ctx, d); err != nil {
		return err
	}
	for _, name := range f.names {
		f.set(name)
	}
	return nil
}

// filler adds each claim once.
type filler struct {
	*token.Document
	names        []string
	organisation organisation
}

func (f *filler) add(names ...string) {
	for _, name := range names {
		if !slices.Contains(f.names, name) {
			f.names = append(f.names, name)
		}
	}
}

// userInfo adds what userinfo has only.
func (f *filler) userInfo() {
	f.Set(claimIssuedAt, f.Now.Unix())
	if !f.HasScope(scopeHPR) || f.Identity.Attributes[attributeHPR] == "" {
		return
	}
	var details any = json.RawMessage(`{"approvals":[]}`)
	if known := f.User.Claims[claimHPRDetails]; known != nil {
		details = known
	}
	f.Set(claimHPRDetails, details)
}

// set adds a claim if it has a value.
func (f *filler) set(name string) {
	user, o := f.Identity, &f.organisation
	switch name {
	case claimPID:
		pid, _ := user.Identifier(session.TypePID)
		f.SetString(name, pid.Reveal())
	case claimPseudonym:
		f.SetString(name, user.Subject)
	case claimLevel:
		f.SetString(name, user.Attributes[attributeLevel])
	case claimAssurance:
		f.SetString(name, user.Attributes[attributeAssurance])
	case claimNetwork:
		f.SetString(name, user.Attributes[attributeNetwork])
	case claimHPR:
		f.SetString(name, user.Attributes[attributeHPR])
	case claimIDP:
		f.SetString(name, user.Attributes[attributeIDP])
	case claimMiddleName:
		if user.Subject != "" { // HelseID writes "" for users without one
			f.Set(name, user.Attributes[claimMiddleName])
		}
	case "name", "given_name", "family_name":
		f.SetString(name, user.Attributes[name])
	case claimClientName:
		f.SetString(name, f.Client.DisplayName())
	case claimClientAMR:
		f.SetString(name, f.ClientAMR)
	case claimTenancy:
		f.SetString(name, o.tenancy)
	case claimParent:
		f.SetString(name, o.parent)
	case claimChild:
		f.SetString(name, o.child)
	case claimSupplier:
		f.SetString(name, o.supplier)
	case claimJournal:
		f.SetString(name, o.journal)
	case claimOnBehalfOf:
		customer, _ := f.Client.CustomerOf(f.Grant.Customer)
		f.SetString(name, customer.Value)
	}
}
