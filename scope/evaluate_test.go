package scope_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/scope"
)

const (
	consumer = "991825827"
	owner    = "974761076"
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
		{Scope: "nav:asked", ConsumerOrgno: consumer, State: scope.Requested},
		{Scope: "nav:denied", ConsumerOrgno: consumer, State: scope.Denied},
		{Scope: "nav:nobody", ConsumerOrgno: owner, State: scope.Approved},
	})
	require.NoError(t, err)
	return r
}

// everything is a client that has registered all there is, and one scope that is not.
func everything() scope.Client {
	c := scope.Client{
		ID: "c", ConsumerOrgno: consumer, IntegrationType: "api_klient",
		Scopes: []string{"openid", "profile", "idporten:token.introspection", "nav:gone"},
	}
	for _, s := range records() {
		c.Scopes = append(c.Scopes, s.Name)
	}
	return c
}

func list(s ...string) []string { return s }

func TestEvaluateAccess_section12_3_G13(t *testing.T) {
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
		{"nav:other", nil, scope.NotRegistered}, // neither registered nor known: the client cannot tell
		{"openid", func(c *scope.Client) { c.Scopes = nil }, scope.NotRegistered},
		{"idporten:token.introspection", func(c *scope.Client) { c.Scopes = list("openid") }, scope.NotRegistered},
		{"nav:gone", nil, scope.Unknown},
		{"nav:inactive", nil, scope.Disabled},
		{"nav:machine", nil, scope.IntegrationType},
		{"nav:machine", func(c *scope.Client) { c.IntegrationType = "" }, scope.IntegrationType},
		{"nav:machine", func(c *scope.Client) { c.IntegrationType = "maskinporten" }, ""},
		{"openid", func(c *scope.Client) { c.IntegrationType = "maskinporten" }, scope.IntegrationType},
		{"openid", func(c *scope.Client) { c.IntegrationType = "" }, ""},
		{"nav:asked", nil, scope.NoAccess},
		{"nav:denied", nil, scope.NoAccess},
		{"nav:nobody", nil, scope.NoAccess},
		{"nav:granted", func(c *scope.Client) { c.ConsumerOrgno = owner }, scope.NoAccess}, // owning is not having
		{"nav:granted", func(c *scope.Client) { c.ConsumerOrgno = "" }, scope.NoAccess},
		{"no_pid", func(c *scope.Client) { c.Scopes = list("no_pid") }, scope.Unknown},
	} {
		t.Run(fmt.Sprintf("%s %s", tt.scope, tt.want), func(t *testing.T) {
			t.Parallel()
			c := everything()
			if tt.change != nil {
				tt.change(&c)
			}
			p, err := scope.Evaluate(list(tt.scope), scope.Request{Client: c, Scopes: src, Now: now})
			require.NoError(t, err)
			if tt.want == "" {
				require.Equal(t, list(tt.scope), p.Granted)
				require.Empty(t, p.Refused)
				return
			}
			require.Equal(t, []scope.Refusal{{Scope: tt.scope, Reason: tt.want}}, p.Refused)
			require.Empty(t, p.Granted)
		})
	}
}

func TestEvaluateWithoutSource(t *testing.T) {
	t.Parallel()
	c := scope.Client{Scopes: list("openid", "profile", "email")}
	p, err := scope.Evaluate(list("openid", "profile"), scope.Request{Client: c})
	require.NoError(t, err)
	require.Equal(t, list("openid", "profile"), p.Granted)
	p, err = scope.Evaluate(list("openid", "email"), scope.Request{Client: c})
	require.NoError(t, err)
	require.Equal(t, []scope.Refusal{{Scope: "email", Reason: scope.Unknown}}, p.Refused)
}

// One bad scope: nothing is granted and nobody is asked (security G13: before login, nothing shown).
func TestEvaluateRefusalSpoilsTheRequest(t *testing.T) {
	t.Parallel()
	p, err := scope.Evaluate(list("openid", "nav:consent", "nav:denied", "nav:gone"),
		scope.Request{Client: everything(), Scopes: registry(t), Now: now})
	require.NoError(t, err)
	require.Empty(t, p.Granted)
	require.Empty(t, p.NeedsConsent)
	require.False(t, p.OpenID)
	require.Equal(t, []scope.Refusal{{"nav:denied", scope.NoAccess}, {"nav:gone", scope.Unknown}}, p.Refused)
}

func TestEvaluateConsent_section12_5(t *testing.T) {
	t.Parallel()
	live := scope.Consent{Scope: "nav:consent", ExpiresAt: now.Add(1)}
	dead := scope.Consent{Scope: "nav:consent", ExpiresAt: now} // valid iff now.Before
	both := list("openid", "nav:consent", "nav:consent2")
	for _, tt := range []struct {
		name                     string
		requested                []string
		r                        scope.Request
		granted, asked, declined []string
	}{
		{"implicit: logging in is the consent", list("openid", "nav:open"), scope.Request{}, list("openid", "nav:open"), nil, nil},
		{"explicit: asked per scope", both, scope.Request{}, list("openid"), list("nav:consent", "nav:consent2"), nil},
		{"remembered", both, scope.Request{Consents: []scope.Consent{live}}, list("openid", "nav:consent"), list("nav:consent2"), nil},
		{"expired", both, scope.Request{Consents: []scope.Consent{dead}}, list("openid"), list("nav:consent", "nav:consent2"), nil},
		{
			"prompt=consent forgets", both,
			scope.Request{Consents: []scope.Consent{live}, AskConsent: true},
			list("openid"), list("nav:consent", "nav:consent2"), nil,
		},
		{
			"prompt=consent answered", both,
			scope.Request{Consents: []scope.Consent{live}, AskConsent: true, Answered: true, Approved: list("nav:consent2")},
			list("openid", "nav:consent2"), nil, list("nav:consent"),
		},
		{
			"declined: left out, login goes on", both,
			scope.Request{Answered: true, Approved: list("nav:consent2")},
			list("openid", "nav:consent2"), nil, list("nav:consent"),
		},
		{"all declined with openid", both, scope.Request{Answered: true}, list("openid"), nil, list("nav:consent", "nav:consent2")},
		{
			"not asked again about the remembered", both,
			scope.Request{Consents: []scope.Consent{live}, Answered: true},
			list("openid", "nav:consent"), nil, list("nav:consent2"),
		},
		{
			"shown and declined wins over a memory from another tab", both,
			scope.Request{Consents: []scope.Consent{live}, Answered: true, Shown: list("nav:consent", "nav:consent2")},
			list("openid"), nil, list("nav:consent", "nav:consent2"),
		},
		{
			"not shown, memory expired meanwhile: ask", both,
			scope.Request{Consents: []scope.Consent{dead}, Answered: true, Shown: list("nav:consent2"), Approved: list("nav:consent2")},
			list("openid", "nav:consent2"), list("nav:consent"), nil,
		},
		{
			"a yes to what was not shown does not count (G14)", both,
			scope.Request{Answered: true, Shown: list("nav:consent2"), Approved: list("nav:consent", "nav:consent2")},
			list("openid", "nav:consent2"), list("nav:consent"), nil,
		},
		{
			"a yes to what was not requested does not count", list("openid"),
			scope.Request{Answered: true, Approved: list("nav:consent", "nav:open")},
			list("openid"), nil, nil,
		},
		{
			"shown without an answer changes nothing", both,
			scope.Request{Shown: list("nav:consent", "nav:consent2"), Consents: []scope.Consent{live}},
			list("openid", "nav:consent"), list("nav:consent2"), nil,
		},
		{
			"approved without an answer does not count", both,
			scope.Request{Approved: list("nav:consent", "nav:consent2")},
			list("openid"), list("nav:consent", "nav:consent2"), nil,
		},
		{"without openid an API scope is left", list("nav:open", "nav:consent"), scope.Request{Answered: true}, list("nav:open"), nil, list("nav:consent")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.r.Client, tt.r.Scopes, tt.r.Now = everything(), registry(t), now
			p, err := scope.Evaluate(tt.requested, tt.r)
			require.NoError(t, err)
			require.Equal(t, tt.granted, p.Granted)
			require.Equal(t, tt.declined, p.Declined)
			var asked []string
			for _, s := range p.NeedsConsent {
				asked = append(asked, s.Name)
			}
			require.Equal(t, tt.asked, asked)
			require.Empty(t, p.Refused)
		})
	}
}

func TestEvaluateAllDeclined_section12_5(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		requested []string
		approved  []string
		want      error
	}{
		{"one consent scope", list("nav:consent"), nil, scope.ErrAllDeclined},
		{"two", list("nav:consent", "nav:consent2"), nil, scope.ErrAllDeclined},
		{"profile alone is no reason to go on", list("profile", "nav:consent", "offline_access"), nil, scope.ErrAllDeclined},
		{"one of two approved", list("nav:consent", "nav:consent2"), list("nav:consent2"), nil},
		{"an implicit API scope is left", list("nav:consent", "nav:open"), nil, nil},
		{"openid is left", list("nav:consent", "openid"), nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := scope.Evaluate(tt.requested, scope.Request{Client: everything(), Scopes: registry(t), Now: now, Answered: true, Approved: tt.approved})
			require.ErrorIs(t, err, tt.want)
			require.NotEmpty(t, p.Declined)
			require.Equal(t, tt.want != nil, len(p.Granted) == 0)
		})
	}
	p, err := scope.Evaluate(list("nav:consent", "nav:consent2"), scope.Request{
		Client: everything(), Scopes: registry(t), Now: now,
		Answered: true, Shown: list("nav:consent"),
	})
	require.NoError(t, err, "one declined, the other not asked yet: ask")
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
		// declined scopes taint, but put no caps
		{list("openid", "nav:pseudoconsent"), scope.Request{Answered: true}, want{pseudo: true, openid: true, loginOnly: true}},
		{list("openid", "nav:pseudoconsent"), scope.Request{}, want{pseudo: true, openid: true, loginOnly: true}},
		{list("openid", "nav:consent"), scope.Request{Answered: true}, want{openid: true, loginOnly: true}},
		{list("openid", "nav:consent"), scope.Request{Answered: true, Approved: list("nav:consent")}, want{openid: true, auth: 10 * time.Minute}},
		{list("openid", "no_pid"), scope.Request{AllowNoPID: true}, want{pseudo: true, openid: true, loginOnly: true}},
	} {
		t.Run(fmt.Sprint(tt.requested, len(tt.r.Approved)), func(t *testing.T) {
			t.Parallel()
			tt.r.Client, tt.r.Scopes, tt.r.Now = everything(), registry(t), now
			p, err := scope.Evaluate(tt.requested, tt.r)
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

func TestEvaluateNoPID_section13_2(t *testing.T) {
	t.Parallel()
	c := scope.Client{Scopes: list("openid")}
	p, err := scope.Evaluate(list("openid", "no_pid"), scope.Request{Client: c, AllowNoPID: true})
	require.NoError(t, err)
	require.True(t, p.Pseudonymous)
	require.Equal(t, list("openid"), p.Granted, "never echoed")
	require.Equal(t, list("openid", "no_pid"), p.Requested)

	p, err = scope.Evaluate(list("openid", "no_pid"), scope.Request{Client: c})
	require.NoError(t, err)
	require.NotEmpty(t, p.Refused, "the switch is off")

	p, err = scope.Evaluate(list("no_pid"), scope.Request{Client: c, AllowNoPID: true})
	require.NoError(t, err)
	require.NotEmpty(t, p.Refused, "by itself it asks for nothing")

	c.Scopes = list("openid", "no_pid")
	p, err = scope.Evaluate(list("openid"), scope.Request{Client: c, AllowNoPID: true})
	require.NoError(t, err)
	require.True(t, p.Pseudonymous, "registered on the client")
	p, err = scope.Evaluate(list("openid"), scope.Request{Client: c})
	require.NoError(t, err)
	require.False(t, p.Pseudonymous)
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
	p, err := scope.Evaluate(list("nav:b", "nav:a"), scope.Request{Client: scope.Client{Scopes: list("nav:a", "nav:b")}, Scopes: src, Now: now})
	require.NoError(t, err)
	for lang, want := range map[string]scope.Shown{
		"nn": {"nav:a", "Lesa", "Alt", time.Minute}, "EN-gb": {"nav:a", "Read", "All", time.Minute},
		"se": {"nav:a", "Lese", "Alt", time.Minute}, "": {"nav:a", "Lese", "Alt", time.Minute},
	} {
		require.Equal(t, []scope.Shown{{"nav:b", "Skrive", "", time.Hour}, want}, p.Show(lang, time.Hour), lang)
	}
	require.Equal(t, "nav:x", (&scope.Scope{Name: "nav:x"}).DescriptionIn("en"), "no words at all: the name")
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
		{"nav:inactive", scope.Disabled},
		{"nav:machine", scope.IntegrationType},
	}, refused)
}

func BenchmarkEvaluate(b *testing.B) {
	src := registry(b)
	for _, bb := range []struct {
		name      string
		requested []string
		scopes    []string
	}{
		{"openid profile", list("openid", "profile"), list("openid", "profile")},
		{"five with caps", list("openid", "profile", "nav:granted", "nav:opaque", "nav:short"), everything().Scopes},
	} {
		b.Run(bb.name, func(b *testing.B) {
			c := everything()
			c.Scopes = bb.scopes
			b.ReportAllocs()
			for b.Loop() {
				p, err := scope.Evaluate(bb.requested, scope.Request{Client: c, Scopes: src, Now: now})
				if err != nil || len(p.Granted) != len(bb.requested) {
					b.Fatal(err, p.Refused)
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
