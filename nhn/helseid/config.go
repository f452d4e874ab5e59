package helseid

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/storage"
)

// Config configures a [Service].
type Config struct {
	// Registrations finds what is registered about clients beside client.Client. Required.
	Registrations RegistrationSource
	// APIs are the APIs that tokens are issued for.
	APIs []API
	// PseudonymKey derives sub and pid_pseudonym of users. Every sub changes with it. Required, and different from the other secrets.
	PseudonymKey portner.Secret
	// TypedAssertions rejects client assertions whose typ is not client-authentication+jwt. If false, JWT and no typ are accepted too.
	TypedAssertions bool
}

// API is an API that tokens are issued for.
type API struct {
	// Name is the audience of its tokens, such as nhn:sample: an absolute URI without slashes. Required.
	Name string
	// Scopes are its scopes: Name, a slash and a name of the API. Every client that registers them may use them.
	Scopes []string
	// Claims are the claims of its access tokens, of those of [APIClaims], whatever scopes of identities the client has.
	Claims []string
}

// Tenancies of a client.
const (
	SingleTenant = "single-tenant" // acts for the organisation that owns it
	MultiTenant  = "multi-tenant"  // of a supplier: acts for organisations that delegated to the supplier
	NoTenancy    = "none"          // acts for no organisation
)

// Registration is what HelseID keeps about a client beside client.Client. The owner of a single-tenant client, client.Client.OrganisationNo,
// is the parent organisation of its tokens; that of a multi-tenant client is the supplier.
type Registration struct {
	// Tenancy is SingleTenant, MultiTenant or NoTenancy. The zero value is NoTenancy.
	Tenancy string
	// Children are the child organisations that a single-tenant client may name.
	Children []string
	// Parents are the organisations that delegated to the supplier of a multi-tenant client.
	Parents []string
	// RejectedScopes are scopes that a parent may not use, by parent, because it has not accepted the terms of the API.
	RejectedScopes map[string][]string
	// APIs are the names of APIs that the client itself is. It may exchange access tokens for them.
	APIs []string
}

// RegistrationSource finds registrations.
type RegistrationSource interface {
	// Registration returns the registration of a client. An error that wraps storage.ErrNotFound reports that there is none.
	Registration(ctx context.Context, clientID string) (Registration, error)
}

// Service is the profile of HelseID with its rules. It is safe for concurrent use.
type Service struct {
	cfg      Config
	apis     map[string]API
	types    *rar.Registry
	pairwise *pseudonym.Pairwise
}

// New validates the configuration and returns a Service. It reports every problem at once, by field name.
func New(cfg Config) (*Service, error) {
	cfg.APIs = slices.Clone(cfg.APIs)
	s := &Service{cfg: cfg, apis: map[string]API{}}
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("helseid: %w", err)
	}
	for _, a := range cfg.APIs {
		s.apis[a.Name] = a
	}
	var err error
	if s.pairwise, err = pseudonym.NewPairwise(cfg.PseudonymKey); err != nil {
		return nil, fmt.Errorf("helseid: %w", err)
	}
	s.types, err = rar.NewRegistry(s.DetailTypes()...)
	return s, err
}

// apiName is the syntax of API.Name.
var apiName = regexp.MustCompile(`^[a-z][a-z0-9.+-]*:[a-z0-9._-]+(:[a-z0-9._-]+)*$`)

func (c *Config) validate() error {
	var f fields.Checker
	f.RequireValue(c.Registrations, "Registrations")
	if err := c.PseudonymKey.Validate(); err != nil {
		f.Add("PseudonymKey", err)
	}
	known, seen := APIClaims(), map[string]bool{}
	for i, a := range c.APIs {
		at := fmt.Sprintf("APIs[%d].", i)
		f.Want(apiName.MatchString(a.Name), at+"Name", "must be an absolute URI without slashes, such as nhn:sample")
		f.Want(!seen[a.Name], at+"Name", "is repeated")
		seen[a.Name] = true
		for k, name := range a.Scopes {
			f.Want(strings.HasPrefix(name, a.Name+"/") && len(name) > len(a.Name)+1, fmt.Sprintf("%sScopes[%d]", at, k), "must begin with the name of the API and a slash")
		}
		for k, name := range a.Claims {
			f.Want(slices.Contains(known, name), fmt.Sprintf("%sClaims[%d]", at, k), "must be a claim of access tokens, such as helseid://claims/identity/pid")
		}
	}
	return f.Err()
}

// audienceOf returns the API of a scope: the part before the first slash. It returns "" for scopes that belong to no API.
func (s *Service) audienceOf(name string) string {
	api, _, found := strings.Cut(name, "/")
	if _, known := s.apis[api]; !found || !known {
		return ""
	}
	return api
}

// scopes returns the records of all scopes.
func (s *Service) scopes() []scope.Scope {
	all := standardScopes()
	for _, a := range s.cfg.APIs {
		for _, name := range a.Scopes {
			all = append(all, scope.Scope{
				Name: name, AccessibleForAll: true, EnforcedAudForAccessToken: a.Name, Visibility: scope.VisibilityInternal, Description: name,
			})
		}
	}
	return all
}

// registration returns the registration of a client, the zero value if there is none.
func (s *Service) registration(ctx context.Context, clientID string) (Registration, error) {
	r, err := s.cfg.Registrations.Registration(ctx, clientID)
	if errors.Is(err, storage.ErrNotFound) {
		return Registration{}, nil
	} else if err != nil {
		return Registration{}, fmt.Errorf("helseid: registration: %w: %w", portner.ErrUnavailable, err)
	}
	return r, nil
}
