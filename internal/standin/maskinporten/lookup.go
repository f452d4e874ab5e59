package maskinporten

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/portner-go/portner/digdir/maskinporten"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/storage"
)

// lookup finds system users at Altinn, as Maskinporten does (docs/spec/altinn.md §3.12). It authorizes itself with a token of its own.
type lookup struct {
	altinn, issuer string // URLs
	keys           *standin.Keys
	client         *http.Client
	now            func() time.Time
}

// operator is the organisation that operates Maskinporten. Altinn verifies the scope only.
const operator = "991825827"

// lookupScope is the scope of the look-up.
const lookupScope = "altinn:maskinporten/systemuser.read"

// lookupTimeout bounds a look-up.
const lookupTimeout = 5 * time.Second

// SystemUser implements maskinporten.SystemUserSource.
func (l *lookup) SystemUser(ctx context.Context, q maskinporten.SystemUserQuery) (maskinporten.SystemUser, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	token, err := l.token(l.now())
	if err != nil {
		return maskinporten.SystemUser{}, err
	}
	target := l.altinn + "authentication/api/v1/systemuser/byExternalId?" + url.Values{
		"clientId": {q.ClientID}, "systemProviderOrgNo": {q.Vendor}, "systemUserOwnerOrgNo": {q.Customer}, "externalRef": {q.ExternalRef},
	}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return maskinporten.SystemUser{}, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := l.client.Do(r)
	if err != nil {
		return maskinporten.SystemUser{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	switch resp.StatusCode {
	case http.StatusOK:
		return decodeSystemUser(resp.Body)
	case http.StatusNotFound:
		return maskinporten.SystemUser{}, storage.ErrNotFound
	}
	return maskinporten.SystemUser{}, fmt.Errorf("altinn responded with status %d to the look-up of a system user", resp.StatusCode)
}

// token returns a token of this Maskinporten with the scope of the look-up.
func (l *lookup) token(now time.Time) (string, error) {
	payload, err := json.Marshal(map[string]any{
		"iss": l.issuer, "client_id": "maskinporten", "client_amr": "private_key_jwt", "scope": lookupScope, "token_type": "Bearer",
		"consumer": norway.OrgIdentifier(operator), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "jti": rand.Text(),
	})
	if err != nil {
		return "", err
	}
	return l.keys.Set().Sign("", "", payload, now)
}

// decodeSystemUser reads the response.
func decodeSystemUser(body io.Reader) (maskinporten.SystemUser, error) {
	var found struct {
		ID     string `json:"id"`
		System string `json:"systemId"`
	}
	if err := json.NewDecoder(io.LimitReader(body, 64<<10)).Decode(&found); err != nil {
		return maskinporten.SystemUser{}, fmt.Errorf("altinn's response to the look-up of a system user: %w", err)
	}
	if found.ID == "" || found.System == "" {
		return maskinporten.SystemUser{}, fmt.Errorf("altinn's response to the look-up of a system user has no id or systemId")
	}
	return maskinporten.SystemUser{ID: found.ID, System: found.System}, nil
}
