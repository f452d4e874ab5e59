package altinn

import (
	"context"

	"github.com/portner-go/portner/digdir/altinn"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/storage"
)

// registers answers for the registers of Altinn, from the configuration.
type registers struct{ cfg Config }

// Code implements altinn.OrganisationSource.
func (r registers) Code(_ context.Context, orgno string) (string, error) {
	for _, o := range r.cfg.Organisations {
		if o.Orgno == orgno {
			return o.Org, nil
		}
	}
	return "", storage.ErrNotFound
}

// User implements altinn.UserSource.
func (r registers) User(_ context.Context, pid norway.PID) (altinn.User, error) {
	for _, u := range r.cfg.Users {
		if u.PID == pid.Reveal() {
			return altinn.User{ID: u.UserID, Username: u.Username, PartyID: u.PartyID, PartyUUID: u.PartyUUID}, nil
		}
	}
	return altinn.User{}, storage.ErrNotFound
}
