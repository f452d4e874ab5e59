package helseid

import (
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"github.com/portner-go/portner/acr"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/token"
)

// Levels are the values of acr_values that name a level. High is Level4.
var Levels = acr.Must(acr.New(
	acr.Level{Value: "Level2", Rank: 2}, acr.Level{Value: "Level3", Rank: 3}, acr.Level{Value: "Level4", Rank: 4}, acr.Level{Value: "High", Rank: 4},
))

// Algorithms returns the signature algorithms of client assertions, request objects and DPoP proofs.
func Algorithms() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"}
}

// Profile returns the profile: pushed requests of clients with private_key_jwt, access tokens that are bound by DPoP with a nonce, and the
// scopes, claims, lifetimes and endpoints of HelseID. The rules are those of FAPI 2.0, but for the [Algorithms], which
// provider.Config.DPoP must accept. Its Nonces are required, and so are PushedRequests and Replay of provider.Config.
func (s *Service) Profile() provider.Profile {
	p := provider.OpenIDConnect()
	p.Name = "HelseID"
	p.Levels, p.DefaultACRValues, p.PromptValues = Levels, nil, []string{"login", "none"}
	p.Scopes, p.Claims, p.ScopeClaims = s.scopes(), []token.ClaimsFunc{s.claims}, nil
	p.ClaimsSupported, p.ClaimsParameter = claimsSupported(), false
	p.SubjectType, p.SubjectTypesSupported = client.Public, []string{client.Public}
	p.UserInfoScope, p.MachineSubject = "profile", ""
	p.RequiredParameters, p.RequestURIAlone, p.MergeRequestObject = []string{"request_uri", "code_challenge"}, true, true
	p.AssertionAudience, p.AssertionLifetime, p.RequireClientID = client.IssuerString, 60*time.Second, true
	p.TypedAssertions = s.cfg.TypedAssertions
	p.ClientMethods, p.SigningAlgorithms = []string{client.PrivateKeyJWT}, Algorithms()
	p.SenderConstrained, p.DPoPNonce, p.ReuseRefreshTokens = true, true, true
	p.TokenForm = token.Form{ScopeArray: true, NotBefore: true, WithoutACR: true, SessionID: true, RTExpiresIn: true}
	p.AdjustTokens = s.adjust
	p.CustomerParameter = "on_behalf_of"
	p.Paths = provider.Paths{
		Authorize: "/connect/authorize", PushedRequests: "/connect/par", Token: "/connect/token", UserInfo: "/connect/userinfo",
		Introspection: "/connect/introspect", Revocation: "/connect/revocation", EndSession: "/connect/endsession",
		JWKS: "/.well-known/openid-configuration/jwks",
	}
	p.Lifetimes = provider.Lifetimes{
		AccessToken: 600 * time.Second, IDToken: 300 * time.Second, RefreshToken: 8 * time.Hour, Authorization: 8 * time.Hour,
		Code: 60 * time.Second, PushedRequest: 60 * time.Second,
	}
	return p
}

// Login describes a login.
type Login struct {
	PID            norway.PID // required
	HPRNumber      string     // in the register of health personnel; "" for others
	SecurityLevel  string     // "2", "3" or "4"
	AssuranceLevel string     // such as "high"
	Network        string     // "internett" or "helsenett"
	IDP            string     // identity provider, such as "testidp-oidc"
	AMR            []string   // methods of the login

	GivenName, MiddleName, FamilyName string // of the person
}

// Names of the attributes of session.Identity that are not those of OIDC Core §5.1.
const (
	attributeHPR, attributeLevel, attributeAssurance = "hpr_number", "security_level", "assurance_level"
	attributeNetwork, attributeIDP                   = "network", "idp"
)

var (
	errNoPID = errors.New("helseid: Login.PID is required")
	errLevel = errors.New("helseid: Login.SecurityLevel must be 2, 3 or 4")
)

// Authentication returns the result of a login. The sub is the same for all clients.
func (s *Service) Authentication(l Login) (session.Authentication, error) {
	if l.PID.IsZero() {
		return session.Authentication{}, errNoPID
	}
	if !slices.Contains([]string{"2", "3", "4"}, l.SecurityLevel) {
		return session.Authentication{}, errLevel
	}
	pid, err := pseudonym.NewIdentifier(session.TypePID, l.PID.Reveal())
	if err != nil {
		return session.Authentication{}, err
	}
	subject, err := s.subject(pid)
	if err != nil {
		return session.Authentication{}, err
	}
	name := l.GivenName
	for _, part := range []string{l.MiddleName, l.FamilyName} {
		if part != "" {
			name += " " + part
		}
	}
	return session.Authentication{
		ACR: "Level" + l.SecurityLevel, AMR: l.AMR,
		Identity: session.Identity{
			Subject: subject, Identifiers: []pseudonym.Identifier{pid},
			Attributes: map[string]string{
				"name": name, "given_name": l.GivenName, claimMiddleName: l.MiddleName, "family_name": l.FamilyName,
				attributeHPR: l.HPRNumber, attributeLevel: l.SecurityLevel, attributeAssurance: l.AssuranceLevel,
				attributeNetwork: l.Network, attributeIDP: l.IDP,
			},
		},
	}, nil
}

// sector is the one sector of all clients.
const sector = "helseid pid_pseudonym"

// subject returns the sub and the pid_pseudonym of a person: a keyed hash of 32 bytes in standard base64 with padding, 44 characters. It is
// the same for all clients.
func (s *Service) subject(pid pseudonym.Identifier) (string, error) {
	url, err := s.pairwise.Subject(pseudonym.Open, sector, pid)
	if err != nil {
		return "", err
	}
	hash, err := base64.RawURLEncoding.DecodeString(url)
	return base64.StdEncoding.EncodeToString(hash), err
}
