package scope_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/scope"

	"github.com/portner-go/portner/internal/slow"
)

const (
	consumer = "991825827"
	owner    = "974761076"
	denied   = "910753614"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func records() []scope.Scope {
	return append(scope.StandardScopes(), []scope.Scope{
		{Name: "nav:open", AccessibleForAll: true},
		{Name: "nav:granted", OwnerOrgno: owner},
		{Name: "nav:asked"},
		{Name: "nav:denied"},
		{Name: "nav:nobody"},
		{Name: "nav:inactive", AccessibleForAll: true, Inactive: true},
		{Name: "nav:machine", AccessibleForAll: true, AllowedIntegrationTypes: []string{"maskinporten"}},
		{Name: "nav:consent", AccessibleForAll: true, RequiresUserConsent: true, Description: "A", AuthorizationMaxLifetime: 600},
		{Name: "nav:consent2", AccessibleForAll: true, RequiresUserConsent: true, Description: "B"},
		{Name: "nav:versioned", AccessibleForAll: true, RequiresUserConsent: true, Description: "D", ConsentVersion: "2"},
		{Name: "nav:fresh", AccessibleForAll: true, RequiresUserAuthentication: true},
		{Name: "nav:pseudo", AccessibleForAll: true, RequiresPseudonymousTokens: true},
		{Name: "nav:pseudoconsent", AccessibleForAll: true, RequiresPseudonymousTokens: true, RequiresUserConsent: true, Description: "C"},
		{Name: "nav:opaque", AccessibleForAll: true, TokenType: scope.Opaque, ATMaxAge: 30, AuthorizationMaxLifetime: 900},
		{Name: "nav:short", AccessibleForAll: true, ATMaxAge: 60, EnforcedAudForAccessToken: "https://api.example.no/"},
		{Name: "nav:short2", AccessibleForAll: true, ATMaxAge: 90, EnforcedAudForAccessToken: "https://api.example.no/"},
		{Name: "nav:urn", AccessibleForAll: true, EnforcedAudForAccessToken: "urn:example:api"},
	}...)
}

func registry(t testing.TB) *scope.Registry {
	t.Helper()
	r, err := scope.NewRegistry(records(), []scope.Access{
		{Scope: "nav:granted", ConsumerOrgno: consumer, State: scope.Approved},
		{Scope: "nav:granted", ConsumerOrgno: denied, State: scope.Denied},
		{Scope: "nav:asked", ConsumerOrgno: consumer, State: scope.Requested},
		{Scope: "nav:denied", ConsumerOrgno: consumer, State: scope.Denied},
		{Scope: "nav:nobody", ConsumerOrgno: owner, State: scope.Approved},
	})
	require.NoError(t, err)
	return r
}

// everything is a client that has registered every scope, and one that has no record.
func everything() scope.Client {
	c := scope.Client{
		ID: "c", Organisation: consumer, IntegrationType: "api_klient",
		Scopes: []string{"openid", "profile", "idporten:token.introspection", "nav:gone"},
	}
	for _, s := range records() {
		c.Scopes = append(c.Scopes, s.Name)
	}
	return c
}

func list(s ...string) []string { return s }

// evaluate decides a request of a client that has registered every scope.
func evaluate(t testing.TB, requested []string, r scope.Request) (scope.Plan, error) {
	t.Helper()
	r.Requested, r.Client, r.Scopes, r.Now = requested, everything(), registry(t), now
	return scope.Evaluate(r)
}

// refusals returns the refused scopes of an error.
func refusals(t testing.TB, err error) []scope.Refusal {
	t.Helper()
	var refused *scope.RefusedError
	require.ErrorAs(t, err, &refused)
	return refused.Refusals
}

func TestEvaluateAccess(t *testing.T) {
	t.Parallel()
	src := registry(t)
	for _, tt := range []struct {
		scope  string
		change func(*scope.Client)
		want   scope.Reason // "" is granted
	}{
		{"openid", nil, ""},
		{"profile", nil, ""},
		{"idporten:token.introspection", nil, ""},
		{"email", nil, ""},
		{"nav:open", nil, ""},
		{"nav:granted", nil, ""},
		{"nav:other", nil, scope.NotRegistered}, // neither registered nor with a record: the client cannot tell the difference
		{"openid", func(c *scope.Client) { c.Scopes = nil }, scope.NotRegistered},
		{"idporten:token.introspection", func(c *scope.Client) { c.Scopes = list("openid") }, scope.NotRegistered},
		{"nav:gone", nil, scope.Unknown},
		{"nav:inactive", nil, scope.Inactive},
		{"nav:machine", nil, scope.IntegrationType},
		{"nav:machine", func(c *scope.Client) { c.IntegrationType = "" }, scope.IntegrationType},
		{"nav:machine", func(c *scope.Client) { c.IntegrationType = "maskinporten" }, ""},
		{"openid", func(c *scope.Client) { c.IntegrationType = "maskinporten" }, scope.IntegrationType},
		{"openid", func(c *scope.Client) { c.IntegrationType = "" }, ""},
		{"nav:asked", nil, scope.NoAccess},
		{"nav:denied", nil, scope.NoAccess},
		{"nav:nobody", nil, scope.NoAccess},
		{"nav:granted", func(c *scope.Client) { c.Organisation = owner }, scope.NoAccess}, // the owner needs an access too
		{"nav:granted", func(c *scope.Client) { c.Organisation = "" }, scope.NoAccess},
		{"nav:granted", func(c *scope.Client) { c.Consumer = owner }, ""}, // the consumer of a supplier's client needs no access
		{"nav:granted", func(c *scope.Client) { c.Consumer = denied }, scope.NoAccess},
		{"nav:open", func(c *scope.Client) { c.Consumer = denied }, ""},
		{"no_pid", func(c *scope.Client) { c.Scopes = list("no_pid") }, scope.Unknown},
	} {
		t.Run(fmt.Sprintf("%s %s", tt.scope, tt.want), func(t *testing.T) {
			t.Parallel()
			c := everything()
			if tt.change != nil {
				tt.change(&c)
			}
			p, err := scope.Evaluate(scope.Request{Requested: list(tt.scope), Client: c, Scopes: src})
			if tt.want == "" {
				require.NoError(t, err)
				require.Equal(t, list(tt.scope), p.Granted)
				return
			}
			require.Equal(t, []scope.Refusal{{Scope: tt.scope, Reason: tt.want}}, refusals(t, err))
			require.Empty(t, p.Granted)
		})
	}
}

func TestEvaluateWithoutSource(t *testing.T) {
	t.Parallel()
	c := scope.Client{Scopes: list("openid", "profile", "email")}
	p, err := scope.Evaluate(scope.Request{Requested: list("openid", "profile"), Client: c})
	require.NoError(t, err)
	require.Equal(t, list("openid", "profile"), p.Granted)
	_, err = scope.Evaluate(scope.Request{Requested: list("openid", "email"), Client: c})
	require.Equal(t, []scope.Refusal{{Scope: "email", Reason: scope.Unknown}}, refusals(t, err))
}

// One refused scope fails the request: no scope is granted, and there is no consent page.
func TestEvaluateRefusalFailsTheRequest(t *testing.T) {
	t.Parallel()
	p, err := evaluate(t, list("openid", "nav:consent", "nav:denied", "nav:gone", "nav:pseudo"), scope.Request{})
	require.Equal(t, []scope.Refusal{{"nav:denied", scope.NoAccess}, {"nav:gone", scope.Unknown}}, refusals(t, err))
	require.EqualError(t, err, "scope: refused: no_access, unknown")
	require.Equal(t, scope.Plan{Pseudonymous: true}, p)
}

// At the zero time no consent has expired.
func TestEvaluateRequiresNowWithConsents(t *testing.T) {
	t.Parallel()
	r := scope.Request{
		Requested: list("nav:consent"), Client: everything(), Scopes: registry(t),
		Consents: []scope.Consent{{Scope: "nav:consent", ExpiresAt: now}},
	}
	p, err := scope.Evaluate(r)
	require.ErrorContains(t, err, "Now is required")
	var refused *scope.RefusedError
	require.False(t, errors.As(err, &refused) || errors.Is(err, scope.ErrAllDeclined), "a fault of the caller")
	require.Equal(t, scope.Plan{}, p)
}

// Every zero value is the strict one.
func TestZeroRequestGrantsNothing(t *testing.T) {
	t.Parallel()
	p, err := scope.Evaluate(scope.Request{})
	require.NoError(t, err)
	require.Empty(t, p.Granted)
	_, err = scope.Evaluate(scope.Request{Requested: list("openid")})
	require.Equal(t, []scope.Refusal{{"openid", scope.NotRegistered}}, refusals(t, err))
}

func TestEvaluateConsent(t *testing.T) {
	t.Parallel()
	live := []scope.Consent{{Scope: "nav:consent", ExpiresAt: now.Add(1)}}
	expired := []scope.Consent{{Scope: "nav:consent", ExpiresAt: now}} // the end is exclusive
	both := list("openid", "nav:consent", "nav:consent2")
	consents := list("nav:consent", "nav:consent2")
	for _, tt := range []struct {
		name                     string
		requested                []string
		r                        scope.Request
		granted, needs, declined []string
	}{
		{"the login is the consent", list("openid", "nav:open"), scope.Request{}, list("openid", "nav:open"), nil, nil},
		{"consent for each scope", both, scope.Request{}, list("openid"), consents, nil},
		{"remembered", both, scope.Request{Consents: live}, list("openid", "nav:consent"), list("nav:consent2"), nil},
		{"expired", both, scope.Request{Consents: expired}, list("openid"), consents, nil},
		{"prompt=consent", both, scope.Request{Consents: live, PromptConsent: true}, list("openid"), consents, nil},
		{
			"prompt=consent, answered", both,
			scope.Request{Consents: live, PromptConsent: true, Answer: &scope.Answer{Shown: consents, Approved: list("nav:consent2")}},
			list("openid", "nav:consent2"), nil, list("nav:consent"),
		},
		{
			"prompt=consent, answered for one scope", both,
			scope.Request{Consents: live, PromptConsent: true, Answer: &scope.Answer{Shown: list("nav:consent2"), Approved: list("nav:consent2")}},
			list("openid", "nav:consent2"), list("nav:consent"), nil,
		},
		{
			"a declined scope is left out", both,
			scope.Request{Answer: &scope.Answer{Shown: consents, Approved: list("nav:consent2")}},
			list("openid", "nav:consent2"), nil, list("nav:consent"),
		},
		{"all declined with openid", both, scope.Request{Answer: &scope.Answer{Shown: consents}}, list("openid"), nil, consents},
		{
			"a remembered scope is not shown", both,
			scope.Request{Consents: live, Answer: &scope.Answer{Shown: list("nav:consent2")}},
			list("openid", "nav:consent"), nil, list("nav:consent2"),
		},
		{
			"the answer precedes a consent remembered in another tab", both,
			scope.Request{Consents: live, Answer: &scope.Answer{Shown: consents}},
			list("openid"), nil, consents,
		},
		{
			"not shown, and the consent has expired since", both,
			scope.Request{Consents: expired, Answer: &scope.Answer{Shown: list("nav:consent2"), Approved: list("nav:consent2")}},
			list("openid", "nav:consent2"), list("nav:consent"), nil,
		},
		{
			"approved but not shown", both,
			scope.Request{Answer: &scope.Answer{Shown: list("nav:consent2"), Approved: consents}},
			list("openid", "nav:consent2"), list("nav:consent"), nil,
		},
		{
			"approved but not requested", list("openid"),
			scope.Request{Answer: &scope.Answer{Shown: list("nav:consent", "nav:open"), Approved: list("nav:consent", "nav:open")}},
			list("openid"), nil, nil,
		},
		{"an empty answer", both, scope.Request{Consents: live, Answer: &scope.Answer{}}, list("openid", "nav:consent"), list("nav:consent2"), nil},
		{
			"without openid a scope of an API is left", list("nav:open", "nav:consent"),
			scope.Request{Answer: &scope.Answer{Shown: list("nav:consent")}},
			list("nav:open"), nil, list("nav:consent"),
		},
		{"version", list("nav:versioned"), scope.Request{Consents: []scope.Consent{{Scope: "nav:versioned", Version: "2", ExpiresAt: now.Add(1)}}}, list("nav:versioned"), nil, nil},
		{"another version", list("nav:versioned"), scope.Request{Consents: []scope.Consent{{Scope: "nav:versioned", Version: "1", ExpiresAt: now.Add(1)}}}, nil, list("nav:versioned"), nil},
		{"no version", list("nav:versioned"), scope.Request{Consents: []scope.Consent{{Scope: "nav:versioned", ExpiresAt: now.Add(1)}}}, nil, list("nav:versioned"), nil},
		{"a version of a scope without versions", list("nav:consent"), scope.Request{Consents: []scope.Consent{{Scope: "nav:consent", Version: "1", ExpiresAt: now.Add(1)}}}, nil, list("nav:consent"), nil},
		{
			"an answer is for the current version", list("nav:versioned"),
			scope.Request{Answer: &scope.Answer{Shown: list("nav:versioned"), Approved: list("nav:versioned")}},
			list("nav:versioned"), nil, nil,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := evaluate(t, tt.requested, tt.r)
			require.NoError(t, err)
			require.Equal(t, tt.granted, p.Granted)
			require.Equal(t, tt.declined, p.Declined)
			require.Equal(t, tt.needs, names(p.NeedsConsent))
		})
	}
}

func names(scopes []*scope.Scope) (names []string) {
	for _, s := range scopes {
		names = append(names, s.Name)
	}
	return names
}

func TestConsentCovers(t *testing.T) {
	t.Parallel()
	s := &scope.Scope{Name: "nav:a", ConsentVersion: "2"}
	c := scope.Consent{Scope: "nav:a", Version: "2", ExpiresAt: now}
	require.True(t, c.Covers(s, now.Add(-1)))
	require.False(t, c.Covers(s, now), "the end is exclusive")
	require.False(t, c.Covers(s, time.Time{}), "the zero time")
	require.False(t, c.Covers(nil, now.Add(-1)), "no record")
	require.False(t, c.Covers(&scope.Scope{Name: "nav:a", ConsentVersion: "3"}, now.Add(-1)))
	require.False(t, c.Covers(&scope.Scope{Name: "nav:b", ConsentVersion: "2"}, now.Add(-1)))
	require.False(t, scope.Consent{}.Covers(&scope.Scope{}, now))
}

func TestEvaluateAllDeclined(t *testing.T) {
	t.Parallel()
	consents := list("nav:consent", "nav:consent2")
	for _, tt := range []struct {
		name      string
		requested []string
		approved  []string
		want      error
	}{
		{"one scope", list("nav:consent"), nil, scope.ErrAllDeclined},
		{"two scopes", consents, nil, scope.ErrAllDeclined},
		{"only profile and offline_access are left", list("profile", "nav:consent", "offline_access"), nil, scope.ErrAllDeclined},
		{"one of two approved", consents, list("nav:consent2"), nil},
		{"a scope without consent is left", list("nav:consent", "nav:open"), nil, nil},
		{"openid is left", list("nav:consent", "openid"), nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := evaluate(t, tt.requested, scope.Request{Answer: &scope.Answer{Shown: consents, Approved: tt.approved}})
			require.ErrorIs(t, err, tt.want)
			require.NotEmpty(t, p.Declined)
			require.Equal(t, tt.want != nil, len(p.Granted) == 0)
		})
	}
	p, err := evaluate(t, consents, scope.Request{Answer: &scope.Answer{Shown: list("nav:consent")}})
	require.NoError(t, err, "one declined, the other not shown")
	require.Len(t, p.NeedsConsent, 1)
}

func TestEvaluateConditions(t *testing.T) {
	t.Parallel()
	type want struct {
		fresh, pseudo, loginOnly, openid bool
		token                            scope.TokenType
		aud                              []string
		at, auth                         time.Duration
	}
	for _, tt := range []struct {
		requested []string
		r         scope.Request
		want      want
	}{
		{list("openid", "profile"), scope.Request{}, want{loginOnly: true, openid: true}},
		{list("openid", "email", "phone", "address"), scope.Request{}, want{loginOnly: true, openid: true}},
		{list("openid", "offline_access"), scope.Request{}, want{openid: true}},
		{list("openid", "idporten:token.introspection"), scope.Request{}, want{openid: true, loginOnly: true}},
		{list("nav:open"), scope.Request{}, want{}},
		{list("nav:open", "openid"), scope.Request{}, want{openid: true}},
		{list("openid", "nav:fresh"), scope.Request{}, want{fresh: true, openid: true}},
		{list("openid", "nav:pseudo"), scope.Request{}, want{pseudo: true, openid: true}},
		{list("openid", "nav:opaque", "nav:short", "nav:short2", "nav:urn"), scope.Request{}, want{
			openid: true, token: scope.Opaque,
			aud: list("https://api.example.no/", "urn:example:api"), at: 30 * time.Second, auth: 15 * time.Minute,
		}},
		{list("nav:short2", "nav:short"), scope.Request{}, want{at: time.Minute, aud: list("https://api.example.no/")}},
		// a declined scope makes the grant pseudonymous, but its limits do not apply
		{list("openid", "nav:pseudoconsent"), scope.Request{Answer: &scope.Answer{Shown: list("nav:pseudoconsent")}}, want{pseudo: true, openid: true, loginOnly: true}},
		{list("openid", "nav:pseudoconsent"), scope.Request{}, want{pseudo: true, openid: true, loginOnly: true}},
		{list("openid", "nav:consent"), scope.Request{Answer: &scope.Answer{Shown: list("nav:consent")}}, want{openid: true, loginOnly: true}},
		{list("openid", "nav:consent"), scope.Request{Answer: &scope.Answer{Shown: list("nav:consent"), Approved: list("nav:consent")}}, want{openid: true, auth: 10 * time.Minute}},
		{list("openid", "no_pid"), scope.Request{AllowNoPID: true}, want{pseudo: true, openid: true, loginOnly: true}},
	} {
		t.Run(fmt.Sprint(tt.requested, tt.r.Answer), func(t *testing.T) {
			t.Parallel()
			p, err := evaluate(t, tt.requested, tt.r)
			require.NoError(t, err)
			if tt.want.token == "" {
				tt.want.token = scope.SelfContained
			}
			require.Equal(t, tt.want, want{
				p.NeedsFreshLogin, p.Pseudonymous, p.LoginOnly, p.OpenID,
				p.TokenType, p.Audience, p.AccessTokenMaxAge, p.AuthorizationMaxAge,
			})
		})
	}
}

func TestEvaluateNoPID(t *testing.T) {
	t.Parallel()
	registered := scope.Client{Scopes: list("openid", "no_pid")}
	for _, tt := range []struct {
		name                string
		requested           []string
		client              scope.Client
		allow               bool
		pseudonymous, fails bool
	}{
		{"requested", list("openid", "no_pid"), scope.Client{Scopes: list("openid")}, true, true, false},
		{"requested, not allowed", list("openid", "no_pid"), scope.Client{Scopes: list("openid")}, false, false, true},
		{"the only scope", list("no_pid"), scope.Client{Scopes: list("openid")}, true, true, true},
		{"registered", list("openid"), registered, true, true, false},
		{"registered, not allowed", list("openid"), registered, false, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := scope.Evaluate(scope.Request{Requested: tt.requested, Client: tt.client, AllowNoPID: tt.allow})
			require.Equal(t, tt.pseudonymous, p.Pseudonymous)
			if tt.fails {
				require.NotEmpty(t, refusals(t, err))
				return
			}
			require.NoError(t, err)
			require.Equal(t, list("openid"), p.Granted, "no_pid is never granted")
		})
	}
}

func TestShow(t *testing.T) {
	t.Parallel()
	src, err := scope.NewRegistry([]scope.Scope{
		{
			Name: "nav:a", AccessibleForAll: true, RequiresUserConsent: true, Description: "Lese", LongDescription: "Alt",
			Descriptions: map[string]string{"nn": "Lesa", "en": "Read"}, LongDescriptions: map[string]string{"en": "All"}, AuthorizationMaxLifetime: 60,
		},
		{Name: "nav:b", AccessibleForAll: true, RequiresUserConsent: true, Description: "Skrive"},
	}, nil)
	require.NoError(t, err)
	p, err := scope.Evaluate(scope.Request{Requested: list("nav:b", "nav:a"), Client: scope.Client{Scopes: list("nav:a", "nav:b")}, Scopes: src})
	require.NoError(t, err)
	for lang, want := range map[string]scope.Shown{
		"nn": {"nav:a", "Lesa", "Alt", time.Minute}, "EN-gb": {"nav:a", "Read", "All", time.Minute},
		"se": {"nav:a", "Lese", "Alt", time.Minute}, "": {"nav:a", "Lese", "Alt", time.Minute},
	} {
		require.Equal(t, []scope.Shown{{"nav:b", "Skrive", "", time.Hour}, want}, p.Show(lang, time.Hour), lang)
	}
	require.Equal(t, "nav:x", (&scope.Scope{Name: "nav:x"}).DescriptionIn("en"), "the name if there is no text")
}

func TestCheckRegistration(t *testing.T) {
	t.Parallel()
	c := everything()
	c.Scopes = append(c.Scopes, "no_pid")
	refused := scope.CheckRegistration(c, registry(t))
	require.Equal(t, []scope.Refusal{
		{"nav:gone", scope.Unknown},
		{"nav:asked", scope.NoAccess},
		{"nav:denied", scope.NoAccess},
		{"nav:nobody", scope.NoAccess},
		{"nav:inactive", scope.Inactive},
		{"nav:machine", scope.IntegrationType},
	}, refused)
}

// An evaluation allocates the list of granted scopes.
func TestEvaluateAllocations(t *testing.T) {
	r := scope.Request{Requested: list("openid", "profile", "nav:granted"), Client: everything(), Scopes: registry(t), Now: now}
	require.LessOrEqual(t, slow.Allocations(t, 100, func() { _, _ = scope.Evaluate(r) }), 1.0)
}

func BenchmarkEvaluate(b *testing.B) {
	src := registry(b)
	for _, bb := range []struct {
		name      string
		requested []string
		scopes    []string
	}{
		{"openid profile", list("openid", "profile"), list("openid", "profile")},
		{"five with limits", list("openid", "profile", "nav:granted", "nav:opaque", "nav:short"), everything().Scopes},
	} {
		b.Run(bb.name, func(b *testing.B) {
			c := everything()
			c.Scopes = bb.scopes
			b.ReportAllocs()
			for b.Loop() {
				p, err := scope.Evaluate(scope.Request{Requested: bb.requested, Client: c, Scopes: src, Now: now})
				if err != nil || len(p.Granted) != len(bb.requested) {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := scope.Parse("openid profile altinn:instances.meta"); err != nil {
			b.Fatal(err)
		}
	}
}
