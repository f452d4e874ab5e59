package maskinporten

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/storage"
)

// typeSystemUser is the type of authorization_details that names a system user.
const typeSystemUser = "urn:altinn:systemuser"

// SystemUserSource finds system users, as Altinn's system user register does (docs.digdir.no: Maskinporten, system users).
type SystemUserSource interface {
	// SystemUser returns the system user that matches every field of the query. An error that wraps storage.ErrNotFound
	// reports that there is none; every other error is a fault.
	SystemUser(ctx context.Context, q SystemUserQuery) (SystemUser, error)
}

// SystemUserQuery names a system user.
type SystemUserQuery struct {
	ClientID    string // the client; the system must list it
	Vendor      string // organisation number of the owner of client and system
	Customer    string // organisation number of the owner of the system user
	ExternalRef string // the vendor's reference, compared byte for byte; Customer if the request has none
}

// SystemUser is a system user.
type SystemUser struct {
	ID     string // a UUID; APIs send it to Altinn's decision point
	System string // the system's identifier, "<vendor>_<name>"
}

// SystemUserType returns the type urn:altinn:systemuser of authorization_details. A request may name one system user. The token
// names it in authorization_details; its consumer is the vendor. rar.NewRegistry rejects the type if source is nil.
func SystemUserType(source SystemUserSource) rar.Type {
	if fields.IsNil(source) {
		return rar.Type{Name: typeSystemUser}
	}
	return rar.Type{
		Name: typeSystemUser, Members: []string{"systemuser_org", "externalRef"}, Alone: true,
		Validate: func(d rar.Detail) error { _, err := parseSystemUser(d); return err },
		Grant: func(ctx context.Context, r rar.Request, details []rar.Detail, _ []string) ([]json.RawMessage, error) {
			return grantSystemUser(ctx, source, r, details)
		},
	}
}

// systemUserRequest is a requested system user.
type systemUserRequest struct {
	customer string
	ref      string
}

func parseSystemUser(d rar.Detail) (systemUserRequest, error) {
	o, err := jose.ParseObject(d.JSON)
	if err != nil {
		return systemUserRequest{}, fmt.Errorf("%w: %w", rar.ErrValue, err)
	}
	customer, err := organisation(o, "systemuser_org")
	if err != nil {
		return systemUserRequest{}, err
	}
	ref, err := o.OptionalString("externalRef")
	if err != nil || o.Has("externalRef") && (ref == "" || len(ref) > 255) {
		return systemUserRequest{}, invalidMember("externalRef")
	}
	if ref == "" {
		ref = customer
	}
	return systemUserRequest{customer, ref}, nil
}

// organisation reads a member {"authority", "ID"} that names a Norwegian organisation. Sub-entities are rejected.
func organisation(o jose.Object, name string) (string, error) {
	org, err := o.Object(name)
	if err != nil {
		return "", invalidMember(name)
	}
	for _, member := range org.Names() {
		if member != "authority" && member != "ID" {
			return "", fmt.Errorf("%w: of %s", rar.ErrUnknownMember, name)
		}
	}
	authority, err1 := org.String("authority")
	id, err2 := org.String("ID")
	orgno, ok := norway.Identifier{Authority: authority, ID: id}.Number()
	if err1 != nil || err2 != nil || !ok || id != norway.OrgIdentifier(orgno).ID {
		return "", invalidMember(name)
	}
	return orgno, nil
}

func grantSystemUser(ctx context.Context, source SystemUserSource, r rar.Request, details []rar.Detail) ([]json.RawMessage, error) {
	if len(details) != 1 {
		return nil, fmt.Errorf("%w: more than one system user", rar.ErrValue)
	}
	want, err := parseSystemUser(details[0])
	if err != nil {
		return nil, err
	}
	found, err := source.SystemUser(ctx, SystemUserQuery{
		ClientID: r.ClientID, Vendor: operator(r), Customer: want.customer, ExternalRef: want.ref,
	})
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil, fmt.Errorf("%w: no such system user", rar.ErrDenied)
	case err != nil:
		return nil, err
	}
	granted, err := json.Marshal(struct {
		Type   string            `json:"type"`
		Org    norway.Identifier `json:"systemuser_org"`
		ID     []string          `json:"systemuser_id"`
		System string            `json:"system_id"`
	}{typeSystemUser, norway.OrgIdentifier(want.customer), []string{found.ID}, found.System})
	return []json.RawMessage{granted}, err
}

// operator returns the organisation that operates the client.
func operator(r rar.Request) string {
	if r.Supplier != "" {
		return r.Supplier
	}
	return r.Organisation
}
