package idporten

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/resource"
)

// machineTokens verifies the tokens of Maskinporten with which support staff call the authorizations API.
type machineTokens struct{ verifier *resource.Verifier }

// newMachines returns the verifier of the issuer of -machine-issuer, whose keys are at <issuer>jwk. It returns nil without issuer.
func newMachines(issuer, self string, hc *http.Client, now func() time.Time) (authorizations.Machines, error) {
	if issuer == "" {
		return nil, nil
	}
	if u, err := url.Parse(issuer); err != nil || u.Host == "" {
		return nil, fmt.Errorf("-machine-issuer: %q must be a URL, such as http://localhost:8090/", issuer)
	}
	v, err := resource.New(resource.Config{
		Issuer: issuer, Keys: resource.RemoteKeys{URI: issuer + "jwk", HTTP: hc}, URL: self, Now: now,
	})
	if err != nil {
		return nil, fmt.Errorf("-machine-issuer: %w", err)
	}
	return machineTokens{v}, nil
}

// VerifyMachine implements authorizations.Machines.
func (m machineTokens) VerifyMachine(ctx context.Context, token, scope string, now time.Time) (string, error) {
	t, err := m.verifier.Verify(ctx, resource.Bearer(token))
	if errors.Is(err, portner.ErrUnavailable) {
		return "", err
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w", portner.InvalidToken, err)
	}
	if err := (resource.Rules{RequireMachine: true, Scopes: []string{scope}}).Check(t, now); err != nil {
		return "", fmt.Errorf("%w: %w", portner.InsufficientScope, err)
	}
	return t.Consumer.Orgno, nil
}
