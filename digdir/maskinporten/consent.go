package maskinporten

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/storage"
)

// typeConsent is the type of authorization_details that refers to a consent.
const typeConsent = "urn:altinn:consent"

// ConsentSource finds consents of persons and organisations, as Altinn does (docs.digdir.no: Maskinporten, consent tokens).
type ConsentSource interface {
	// Consent returns the consent with an ID. An error that wraps storage.ErrNotFound reports that there is none or that
	// it was withdrawn; every other error is a fault. The caller checks giver, receiver and end of the consent.
	Consent(ctx context.Context, id string) (Consent, error)
}

// Consent is a consent that was given and not withdrawn.
type Consent struct {
	From        string          // URN of the giver, as in the request; it may hold a national identity number
	To          string          // organisation number of the receiver
	ConsentedAt time.Time       // the time of the consent
	ValidTo     time.Time       // the consent is valid before this time
	Rights      json.RawMessage // consentRights: an array of objects with action, resource and metadata
}

// ConsentType returns the type urn:altinn:consent of authorization_details. A request may name one consent, which must have been
// given to the consumer of the token. rar.NewRegistry rejects the type if source is nil.
func ConsentType(source ConsentSource) rar.Type {
	if fields.IsNil(source) {
		return rar.Type{Name: typeConsent}
	}
	return rar.Type{
		Name: typeConsent, Members: []string{"id", "from"}, Alone: true,
		Validate: func(d rar.Detail) error { _, err := parseConsent(d); return err },
		Grant: func(ctx context.Context, r rar.Request, details []rar.Detail, _ []string) ([]json.RawMessage, error) {
			return grantConsent(ctx, source, r, details)
		},
	}
}

// consentRequest is a requested consent.
type consentRequest struct{ id, from string }

const (
	fromPerson       = "urn:altinn:person:identifier-no:"
	fromOrganisation = "urn:altinn:organization:identifier-no:"
)

func parseConsent(d rar.Detail) (consentRequest, error) {
	o, err := jose.ParseObject(d.JSON)
	if err != nil {
		return consentRequest{}, fmt.Errorf("%w: %w", rar.ErrValue, err)
	}
	id, err := o.String("id")
	if err != nil || !isUUID(id) {
		return consentRequest{}, invalidMember("id")
	}
	from, err := o.String("from")
	if err != nil || !validGiver(from) {
		return consentRequest{}, invalidMember("from")
	}
	return consentRequest{id, from}, nil
}

// validGiver reports whether from has the form of a person's or an organisation's URN.
func validGiver(from string) bool {
	if pid, ok := strings.CutPrefix(from, fromPerson); ok {
		_, err := norway.UncheckedPID(pid)
		return err == nil
	}
	orgno, ok := strings.CutPrefix(from, fromOrganisation)
	return ok && nineDigits(orgno)
}

// isUUID reports whether s has the form of a UUID (RFC 9562 §4).
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, r := range s {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (r == '-') || !dash && !strings.ContainsRune("0123456789abcdefABCDEF", r) {
			return false
		}
	}
	return true
}

func grantConsent(ctx context.Context, source ConsentSource, r rar.Request, details []rar.Detail) ([]json.RawMessage, error) {
	if len(details) != 1 {
		return nil, fmt.Errorf("%w: more than one consent", rar.ErrValue)
	}
	want, err := parseConsent(details[0])
	if err != nil {
		return nil, err
	}
	found, err := source.Consent(ctx, want.id)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return nil, fmt.Errorf("%w: no such consent", rar.ErrDenied)
	case err != nil:
		return nil, err
	case found.From != want.from || r.Organisation == "" || found.To != r.Organisation || !r.Now.Before(found.ValidTo):
		return nil, fmt.Errorf("%w: the consent has another giver or receiver, or has expired", rar.ErrDenied)
	}
	granted, err := json.Marshal(struct {
		Type      string            `json:"type"`
		ID        string            `json:"id"`
		From      string            `json:"from"`
		To        norway.Identifier `json:"to"`
		Consented time.Time         `json:"consented"`
		ValidTo   time.Time         `json:"validTo"`
		Rights    json.RawMessage   `json:"consentRights"`
	}{typeConsent, want.id, want.from, norway.OrgIdentifier(found.To), found.ConsentedAt.UTC(), found.ValidTo.UTC(), rights(found.Rights)})
	return []json.RawMessage{granted}, err
}

// rights returns an empty array if the source has no rights.
func rights(r json.RawMessage) json.RawMessage {
	if len(r) == 0 {
		return json.RawMessage("[]")
	}
	return r
}
