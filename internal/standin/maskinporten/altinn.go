package maskinporten

import (
	"context"
	"slices"

	"github.com/portner-go/portner/digdir/maskinporten"
	"github.com/portner-go/portner/storage"
)

// altinn answers the queries of Maskinporten to Altinn, from the configuration. System users that it does not have are looked up at cfg.Altinn.
type altinn struct {
	cfg    Config
	remote *lookup // of cfg.Altinn; nil without
}

// Delegated implements maskinporten.DelegationSource.
func (a altinn) Delegated(_ context.Context, consumer, supplier, scope string) (bool, error) {
	return slices.ContainsFunc(a.cfg.Delegations, func(d delegation) bool {
		return d.Consumer == consumer && d.Supplier == supplier && slices.Contains(d.Scopes, scope)
	}), nil
}

// SystemUser implements maskinporten.SystemUserSource.
func (a altinn) SystemUser(ctx context.Context, q maskinporten.SystemUserQuery) (maskinporten.SystemUser, error) {
	for _, s := range a.cfg.SystemUsers {
		ref := s.ExternalRef
		if ref == "" {
			ref = s.Customer
		}
		if s.Vendor == q.Vendor && s.Customer == q.Customer && ref == q.ExternalRef && slices.Contains(s.ClientIDs, q.ClientID) {
			return maskinporten.SystemUser{ID: s.ID, System: s.System}, nil
		}
	}
	if a.remote != nil {
		return a.remote.SystemUser(ctx, q)
	}
	return maskinporten.SystemUser{}, storage.ErrNotFound
}

// Consent implements maskinporten.ConsentSource.
func (a altinn) Consent(_ context.Context, id string) (maskinporten.Consent, error) {
	for _, c := range a.cfg.Consents {
		if c.ID == id {
			return maskinporten.Consent{From: c.From, To: c.To, ConsentedAt: c.Consented, ValidTo: c.ValidTo, Rights: rights(c)}, nil
		}
	}
	return maskinporten.Consent{}, storage.ErrNotFound
}

func rights(c consent) []byte {
	if len(c.Rights) == 0 {
		return nil
	}
	return encoded(c.Rights)
}
