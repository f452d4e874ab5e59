package provider

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/fields"
)

// CheckClient reports the members of a registration that break the rules of the profile, as portner.FieldErrors: "FAPI 2.0 Security
// Profile §5.3.2.1-6: must be private_key_jwt, …". Call it where clients register: as the field Profile of [client.Environment] it is part
// of every validation. A provider rejects a client that breaks its profile like an unknown one.
func (pr *Profile) CheckClient(c *client.Client) error {
	v := registrationCheck{pr: pr}
	c = pr.effective(c)
	if pr.ClientMethods != nil {
		v.want(slices.Contains(pr.ClientMethods, c.AuthMethod()), "token_endpoint_auth_method", "must be "+list(pr.ClientMethods))
		v.want(len(c.Secrets) == 0 || allowsSecrets(pr.ClientMethods), "client_secrets", "must be absent")
	}
	if pr.SigningAlgorithms != nil {
		for _, m := range algorithmMembers(c) {
			v.want(m.alg == "" || slices.Contains(pr.SigningAlgorithms, m.alg), m.name, "must be "+list(pr.SigningAlgorithms))
		}
	}
	v.want(!pr.ReuseRefreshTokens || c.RefreshTokenUsage == client.Reuse, "refresh_token_usage", "must be absent or "+client.Reuse)
	if pr.ResponseModes != nil {
		for i, mode := range c.ResponseModes {
			v.want(slices.Contains(pr.ResponseModes, mode), fmt.Sprintf("response_modes[%d]", i), "must be "+list(pr.ResponseModes))
		}
	}
	if pr.SecureRedirectURIs {
		for i, uri := range c.RedirectURIs {
			v.want(secureRedirect(c, uri), fmt.Sprintf("redirect_uris[%d]", i), "must not be http, except on loopback for a native application")
		}
	}
	if pr.IssuerAudienceOnly {
		v.want(!c.AllowTokenEndpointAudience, "allow_token_endpoint_audience", "must be absent: the audience of assertions is the issuer")
	}
	return v.Err()
}

// registrationCheck collects the problems of a registration.
type registrationCheck struct {
	fields.Checker
	pr *Profile
}

// want records a problem unless ok, with the section of the specification.
func (v *registrationCheck) want(ok bool, member, problem string) {
	if !ok {
		v.Add(member, errors.New(v.pr.cite(member)+problem))
	}
}

type algorithmMember struct{ name, alg string }

// algorithmMembers are the algorithms of a registration.
func algorithmMembers(c *client.Client) []algorithmMember {
	return []algorithmMember{
		{"id_token_signed_response_alg", c.IDTokenSignedResponseAlg},
		{"access_token_signed_response_alg", c.AccessTokenSignedResponseAlg},
		{"authorization_signed_response_alg", c.AuthorizationSignedResponseAlg},
		{"introspection_signed_response_alg", c.IntrospectionSignedResponseAlg},
	}
}

func allowsSecrets(methods []string) bool {
	return slices.Contains(methods, client.ClientSecretBasic) || slices.Contains(methods, client.ClientSecretPost)
}

// secureRedirect reports whether a redirect URI is not http, or is that of a native application on loopback.
func secureRedirect(c *client.Client, uri string) bool {
	u, err := url.Parse(uri)
	return err == nil && (u.Scheme != "http" || c.ApplicationKind() == client.Native && fields.IsLoopback(u.Hostname()))
}

// effective returns a registration with the defaults of the profile for members that it does not have.
func (pr *Profile) effective(c *client.Client) *client.Client {
	reuse := pr.ReuseRefreshTokens && c.RefreshTokenUsage == ""
	modes := pr.ResponseModes != nil && len(c.ResponseModes) == 0
	if !reuse && !modes {
		return c
	}
	changed := *c
	if reuse {
		changed.RefreshTokenUsage = client.Reuse
	}
	if modes {
		changed.ResponseModes = pr.ResponseModes
	}
	return &changed
}

// restricts reports whether the profile has rules for registrations.
func (pr *Profile) restricts() bool {
	return pr.ClientMethods != nil || pr.SigningAlgorithms != nil || pr.ReuseRefreshTokens || pr.ResponseModes != nil || pr.SecureRedirectURIs ||
		pr.IssuerAudienceOnly
}

// clientsOf returns the source of the clients of a provider: that of the host, without the clients that break the profile.
func clientsOf(c *Config) client.Source {
	if c.Clients == nil || !c.Profile.restricts() {
		return c.Clients
	}
	return &profileClients{source: c.Clients, profile: &c.Profile, now: c.Now, log: audit.Log{Endpoint: "client", Logger: c.Logger, OnEvent: c.OnEvent}}
}

// profileClients finds the registrations that obey the profile.
type profileClients struct {
	source  client.Source
	profile *Profile
	now     func() time.Time
	log     audit.Log
}

// errBreaksProfile is the error for a client that breaks the profile. The responses are those for an unknown client. It is a client all the same,
// and no API that an access token could be for.
var errBreaksProfile = fmt.Errorf("provider: the registration breaks the profile: %w", client.ErrDisabled)

// Client implements client.Source.
func (s *profileClients) Client(ctx context.Context, clientID string) (*client.Client, error) {
	c, err := s.source.Client(ctx, clientID)
	if err != nil || c == nil || c.Disabled {
		return c, err
	}
	c = s.profile.effective(c)
	if err := s.profile.CheckClient(c); err != nil {
		first := portner.FieldErrors(err)[0]
		s.log.Emit(ctx, portner.Event{
			Name: portner.EventBadRegistration, Time: s.now(), ClientID: clientID, Reason: "client_breaks_profile",
			Explanation: portner.Explanation{Expected: first.Err.Error(), Property: first.Field},
		})
		return nil, errBreaksProfile
	}
	return c, nil
}

// list joins values: "a, b or c".
func list(values []string) string {
	n := len(values)
	if n < 2 {
		return strings.Join(values, "")
	}
	return strings.Join(values[:n-1], ", ") + " or " + values[n-1]
}
