package scope_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/scope"
)

// Every property of docs/spec/idporten.md §12.2, under its canonical name.
const whole = `{
	"name": "krr:user/kontaktinformasjon.read", "prefix": "krr", "subscope": "user/kontaktinformasjon.read",
	"owner_orgno": "991825827", "description": "Kontaktinformasjonen din", "long_description": "**Alt**\n\n[mer](https://example.no/)",
	"descriptions": {"nn": "Kontaktinformasjonen din", "en": "Your contact information"}, "long_description#se": "Buot",
	"visibility": "PRIVATE", "token_type": "OPAQUE", "at_max_age": 30, "authorization_max_lifetime": 3600,
	"consent_version": "2025-1", "requires_user_consent": true, "requires_user_authentication": true, "requires_pseudonymous_tokens": true,
	"accessible_for_all": true, "allowed_integration_types": ["maskinporten", "api_klient", "ansattporten"],
	"delegation_source": "https://tt02.altinn.no/", "enforced_aud_for_introspection": ["a", "b"],
	"enforced_aud_for_access_token": "urn:example:api", "protected": true, "supports_european_businesses": true,
	"active": false, "created": "2023-03-09T16:11:32Z", "last_updated": "2024-10-01T00:00:00Z"}`

func TestScopeJSON(t *testing.T) {
	t.Parallel()
	var s scope.Scope
	require.NoError(t, json.Unmarshal([]byte(whole), &s))
	want := scope.Scope{
		Name: "krr:user/kontaktinformasjon.read", Prefix: "krr", Subscope: "user/kontaktinformasjon.read",
		OwnerOrgno: "991825827", Description: "Kontaktinformasjonen din", LongDescription: "**Alt**\n\n[mer](https://example.no/)",
		Descriptions:     map[string]string{"nn": "Kontaktinformasjonen din", "en": "Your contact information"},
		LongDescriptions: map[string]string{"se": "Buot"}, ConsentVersion: "2025-1",
		Visibility: "PRIVATE", TokenType: scope.Opaque, ATMaxAge: 30, AuthorizationMaxLifetime: 3600,
		RequiresUserConsent: true, RequiresUserAuthentication: true, RequiresPseudonymousTokens: true,
		AccessibleForAll: true, AllowedIntegrationTypes: list("maskinporten", "api_klient", "ansattporten"),
		DelegationSource: "https://tt02.altinn.no/", EnforcedAudForIntrospection: list("a", "b"),
		EnforcedAudForAccessToken: "urn:example:api", Protected: true, SupportsEuropeanBusinesses: true,
		Inactive: true, Created: time.Date(2023, 3, 9, 16, 11, 32, 0, time.UTC), LastUpdated: time.Date(2024, 10, 1, 0, 0, 0, 0, time.UTC),
	}
	require.Equal(t, want, s)
	_, err := scope.NewRegistry([]scope.Scope{s}, nil)
	require.NoError(t, err)

	out, err := json.Marshal(s)
	require.NoError(t, err)
	var again scope.Scope
	require.NoError(t, json.Unmarshal(out, &again))
	require.Equal(t, s, again)

	out, err = json.Marshal(scope.Scope{Name: "nav:a"})
	require.NoError(t, err)
	require.JSONEq(t, `{"name":"nav:a","active":true}`, string(out))
}

func TestScopeJSONForms(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]scope.Scope{
		`{"name":"a"}`:               {Name: "a"},
		`{"name":"a","active":true}`: {Name: "a"},
		`{"name":"a","enforced_aud_for_introspection":"x"}`:                                {Name: "a", EnforcedAudForIntrospection: list("x")},
		`{"name":"a","enforced_aud_for_introspection":["x"]}`:                              {Name: "a", EnforcedAudForIntrospection: list("x")},
		`{"name":"a","enforced_aud_for_introspection":""}`:                                 {Name: "a"},
		`{"name":"a","enforced_aud_for_introspection":null}`:                               {Name: "a"},
		`{"description#nn":"x","name":"a"}`:                                                {Name: "a", Descriptions: map[string]string{"nn": "x"}},
		`{"name":"a","description#nn":"x","description#en":"y","descriptions":{"se":"z"}}`: {Name: "a", Descriptions: map[string]string{"nn": "x", "en": "y", "se": "z"}},
	} {
		s := scope.Scope{Inactive: true, AllowedIntegrationTypes: list("previous value")}
		require.NoError(t, json.Unmarshal([]byte(in), &s), in)
		require.Equal(t, want, s, in)
	}
	for in, want := range map[string]string{
		`{"name":"a","colour":"red"}`:                                 `scope "a": colour: unknown member`,
		`{"name":"a","Requires_User_Consent":true}`:                   `scope "a": Requires_User_Consent: unknown member`,
		`{"name":"a","name":"b"}`:                                     `scope "a": name: repeated`,
		`{"name":"a","authorization_max_age":1}`:                      `use authorization_max_lifetime`,
		`{"name":"a","allowable_integration_types":[]}`:               `use allowed_integration_types`,
		`{"name":"a","visiblity":"PUBLIC"}`:                           `use visibility`,
		`{"name":"a","description#nn":"x","descriptions":{"nn":"y"}}`: `description#nn: repeated`,
		`{"name":"a","description#nn":1}`:                             `scope "a": description#nn: `,
		`{"name":"a","at_max_age":"30"}`:                              `scope "a": at_max_age: `,
		`{"name":"a","enforced_aud_for_introspection":7}`:             `enforced_aud_for_introspection`,
		`{"name":"a","active":"yes"}`:                                 `scope "a": active: `,
		`[]`:                                                          `not a JSON object`,
	} {
		var s scope.Scope
		require.ErrorContains(t, json.Unmarshal([]byte(in), &s), want, in)
	}
}

// Each property is broken on its own; the error has the path of the property and the name of the scope.
func TestNewRegistryValidatesEachProperty(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		s    scope.Scope
		want string // field, without its path, and problem; "" if the record is valid
	}{
		{scope.Scope{Name: "altinn:instances.meta"}, ""},
		{scope.Scope{Name: "krr:user/kontaktinformasjon.read"}, ""},
		{scope.Scope{Name: "global/kontaktinformasjon.read"}, ""}, // older slash form
		{scope.Scope{Name: "digdir:instances:altinn:rocks"}, ""},
		{scope.Scope{Name: "accounts"}, ""},
		{scope.Scope{Name: "offline_access"}, ""},
		{scope.Scope{Name: "profile", RequiresUserConsent: true, Description: "x"}, ""},
		{scope.Scope{Prefix: "nav", Subscope: "x"}, ""},
		{scope.Scope{Name: "nav:x", Prefix: "nav", Subscope: "x"}, ""},
		{scope.Scope{Name: "991825827:x", OwnerOrgno: "991825827"}, ""},
		{scope.Scope{Name: "nav:" + strings.Repeat("x", 251)}, ""},
		{scope.Scope{}, "name: must have 1 to 255"},
		{scope.Scope{Name: "nav:" + strings.Repeat("x", 252)}, "name: must have 1 to 255"},
		{scope.Scope{Name: "nav:X"}, "name: must consist of"},
		{scope.Scope{Name: "nav:x y"}, "name: must consist of"},
		{scope.Scope{Name: "nav:å"}, "name: must consist of"},
		{scope.Scope{Name: "nav:dcr.*"}, "name: must consist of"},
		{scope.Scope{Name: ":x"}, "name: must be prefix:subscope"},
		{scope.Scope{Name: "nav:"}, "name: must be prefix:subscope"},
		{scope.Scope{Name: "nav:x", Prefix: "krr", Subscope: "x"}, "prefix: must be the name"},
		{scope.Scope{Name: "x", Prefix: "nav", Subscope: "x"}, "prefix: must be empty"},
		{scope.Scope{Name: "openid"}, "name: must not be a built-in"},
		{scope.Scope{Name: "no_pid"}, "name: must not be a built-in"},
		{scope.Scope{Name: "tokeninfo"}, "name: must not be a built-in or retired"},
		{scope.Scope{Name: "idporten:token.introspection"}, "name: must not be a built-in"},
		{scope.Scope{Name: "idporten:authorizations"}, ""},
		{scope.Scope{Name: "nav:x", OwnerOrgno: "99182582"}, "owner_orgno: must be nine digits"},
		{scope.Scope{Name: "nav:x", OwnerOrgno: "99182582a"}, "owner_orgno: must be nine digits"},
		{scope.Scope{Name: "991825827:x", OwnerOrgno: "974761076"}, "prefix: must not be the number of another organisation"},
		{scope.Scope{Name: "nav:x", RequiresUserConsent: true}, "description: is required"},
		{scope.Scope{Name: "nav:x", Description: strings.Repeat("å", 255)}, ""},
		{scope.Scope{Name: "nav:x", Description: strings.Repeat("å", 256)}, "description: must be at most 255"},
		{scope.Scope{Name: "nav:x", Description: "a\nb"}, "description: must not contain control"},
		{scope.Scope{Name: "nav:x", Description: "a\u202eb"}, "description: must not contain control, bidirectional"},
		{scope.Scope{Name: "nav:x", Description: "a\u2066b"}, "description: must not contain control, bidirectional"},
		{scope.Scope{Name: "nav:x", Description: "a\u200bb"}, "description: must not contain control"},
		{scope.Scope{Name: "nav:x", Description: "a\u2028b"}, "description: must not contain control"},
		{scope.Scope{Name: "nav:x", Description: "a\xff"}, "description: must be UTF-8"},
		{scope.Scope{Name: "nav:x", Description: " "}, "description: must not be blank"},
		{scope.Scope{Name: "nav:x", Descriptions: map[string]string{"se": "Čujuhus ŋ đ ŧ"}}, ""},
		{scope.Scope{Name: "nav:x", Descriptions: map[string]string{"nb": "x"}}, `descriptions: language "nb"`},
		{scope.Scope{Name: "nav:x", Descriptions: map[string]string{"nn": "\x00"}}, "descriptions.nn: must not contain control"},
		{scope.Scope{Name: "nav:x", LongDescription: "**a**\n\n_b_ [c](https://example.no/)"}, ""},
		{scope.Scope{Name: "nav:x", LongDescription: strings.Repeat("å", 1023)}, ""},
		{scope.Scope{Name: "nav:x", LongDescription: strings.Repeat("å", 1024)}, "long_description: must be at most 1023"},
		{scope.Scope{Name: "nav:x", LongDescription: "<b>a</b>"}, "long_description: must contain no markup"},
		{scope.Scope{Name: "nav:x", LongDescription: "[a](https://example.no) [b](javascript:alert)"}, "long_description: must contain no markup"},
		{scope.Scope{Name: "nav:x", LongDescription: "![a](https://example.no)"}, "long_description: must contain no markup"},
		{scope.Scope{Name: "nav:x", LongDescription: "[a]: javascript:x"}, "long_description: must contain no markup"},
		{scope.Scope{Name: "nav:x", LongDescriptions: map[string]string{"en": "a\tb"}}, "long_descriptions.en: must not contain control"},
		{scope.Scope{Name: "nav:x", ConsentVersion: "2025-1"}, ""},
		{scope.Scope{Name: "nav:x", ConsentVersion: "2 "}, "consent_version: must be at most 64"},
		{scope.Scope{Name: "nav:x", ConsentVersion: strings.Repeat("1", 65)}, "consent_version: must be at most 64"},
		{scope.Scope{Name: "nav:x", Visibility: "INTERAL"}, "visibility: must be"},
		{scope.Scope{Name: "nav:x", Visibility: "INTERNAL", TokenType: scope.Opaque}, ""},
		{scope.Scope{Name: "nav:x", TokenType: "SELF-CONTAINED"}, "token_type: must be"},
		{scope.Scope{Name: "nav:x", ATMaxAge: -1}, "at_max_age: must be"},
		{scope.Scope{Name: "nav:x", ATMaxAge: 1 << 40}, "at_max_age: must be"},
		{scope.Scope{Name: "nav:x", AuthorizationMaxLifetime: -1}, "authorization_max_lifetime: must be"},
		{scope.Scope{Name: "nav:x", AllowedIntegrationTypes: list("idporten")}, `allowed_integration_types[0]: "idporten"`},
		{scope.Scope{Name: "nav:x", AllowedIntegrationTypes: list("api_klient", "api_klient")}, `allowed_integration_types[1]: "api_klient" is repeated`},
		{scope.Scope{Name: "nav:x", DelegationSource: "https://tt02.altinn.no/"}, ""},
		{scope.Scope{Name: "nav:x", DelegationSource: "http://127.0.0.1:8080"}, ""},
		{scope.Scope{Name: "nav:x", DelegationSource: "http://tt02.altinn.no/"}, "delegation_source: must be an issuer"},
		{scope.Scope{Name: "nav:x", DelegationSource: "https://tt02.altinn.no/?a"}, "delegation_source: must be an issuer"},
		{scope.Scope{Name: "nav:x", DelegationSource: "altinn"}, "delegation_source: must be an issuer"},
		{scope.Scope{Name: "nav:x", DelegationSource: "https://tt02.altinn.no/", AllowedIntegrationTypes: list("api_klient")}, "delegation_source: requires maskinporten"},
		{scope.Scope{Name: "nav:x", EnforcedAudForIntrospection: list("a", "b")}, ""},
		{scope.Scope{Name: "nav:x", EnforcedAudForIntrospection: list("")}, "enforced_aud_for_introspection[0]: must be a client_id"},
		{scope.Scope{Name: "nav:x", EnforcedAudForIntrospection: list("a", "b c")}, "enforced_aud_for_introspection[1]: must be a client_id"},
		{scope.Scope{Name: "nav:x", EnforcedAudForIntrospection: list("a", "a")}, "enforced_aud_for_introspection[1]: is repeated"},
		{scope.Scope{Name: "nav:x", EnforcedAudForAccessToken: "https://api.example.no/v1"}, ""},
		{scope.Scope{Name: "nav:x", EnforcedAudForAccessToken: "urn:example:api"}, ""},
		{scope.Scope{Name: "nav:x", EnforcedAudForAccessToken: "api"}, "enforced_aud_for_access_token: must be"},
		{scope.Scope{Name: "nav:x", EnforcedAudForAccessToken: "https://api.example.no/#x"}, "enforced_aud_for_access_token: must be"},
		{scope.Scope{Name: "nav:x", EnforcedAudForAccessToken: "https:"}, "enforced_aud_for_access_token: must be"},
	} {
		_, err := scope.NewRegistry([]scope.Scope{{Name: "nav:first"}, tt.s}, nil)
		if tt.want == "" {
			require.NoError(t, err, "%+v", tt.s)
			continue
		}
		property, rule, _ := strings.Cut(tt.want, ": ")
		problems := portner.FieldErrors(err)
		require.True(t, slices.ContainsFunc(problems, func(e *portner.FieldError) bool {
			return e.Field == "scopes[1]."+property && strings.HasPrefix(e.Err.Error(), fmt.Sprintf("scope %q: %s", tt.s.Name, rule))
		}), "%q not in %v", tt.want, err)
	}
}

func TestNewRegistryReportsAllProblems(t *testing.T) {
	t.Parallel()
	r, err := scope.NewRegistry(
		[]scope.Scope{{Name: "nav:a", ATMaxAge: -1, Visibility: "x"}, {Name: "nav:a"}, {Name: "nav:b", TokenType: "x"}},
		[]scope.Access{
			{Scope: "nav:c", ConsumerOrgno: consumer, State: scope.Approved},
			{Scope: "nav:a", ConsumerOrgno: "1", State: scope.Approved},
			{Scope: "nav:a", ConsumerOrgno: consumer, State: "APROVED"},
			{Scope: "nav:a", ConsumerOrgno: consumer, State: scope.Denied},
		})
	require.Nil(t, r)
	var found []string
	for _, e := range portner.FieldErrors(err) {
		found = append(found, e.Error())
	}
	require.Equal(t, list(
		`scopes[0].visibility: scope "nav:a": must be PUBLIC, PRIVATE or INTERNAL`,
		`scopes[0].at_max_age: scope "nav:a": must be 0 to 315360000 seconds`,
		`scopes[1].name: scope "nav:a": is repeated`,
		`scopes[2].token_type: scope "nav:b": must be SELF_CONTAINED or OPAQUE`,
		`scope_access[0].scope: scope "nav:c": has no record`,
		`scope_access[1].consumer_orgno: scope "nav:a": must be nine digits`,
		`scope_access[2].state: scope "nav:a": must be REQUESTED, APPROVED or DENIED`,
		`scope_access[3].consumer_orgno: scope "nav:a": is repeated for this scope`,
	), found)
}

func TestRegistryIsACopy(t *testing.T) {
	t.Parallel()
	in := []scope.Scope{{
		Prefix: "nav", Subscope: "x", Descriptions: map[string]string{"en": "X"},
		EnforcedAudForIntrospection: list("a"), AllowedIntegrationTypes: list("api_klient"),
	}, {Name: "nav:a/b:c"}}
	r, err := scope.NewRegistry(in, nil)
	require.NoError(t, err)
	in[0].Inactive, in[0].Descriptions["en"] = true, "Y"
	in[0].EnforcedAudForIntrospection[0], in[0].AllowedIntegrationTypes[0] = "b", "b"
	s := r.Scope("nav:x")
	require.False(t, s.Inactive)
	require.Equal(t, "X", s.DescriptionIn("en"))
	require.Equal(t, list("a"), s.EnforcedAudForIntrospection)
	require.Equal(t, list("api_klient"), s.AllowedIntegrationTypes)
	require.Equal(t, scope.SelfContained, s.TokenType)
	require.Equal(t, "PUBLIC", s.Visibility)
	require.Equal(t, "a/b:c", r.Scope("nav:a/b:c").Subscope)
	require.Nil(t, r.Scope("nav:none"))

	var names []string
	for s := range r.All() {
		names = append(names, s.Name)
	}
	require.Equal(t, list("nav:a/b:c", "nav:x"), names)
	for range r.All() {
		break
	}
}

// A source cannot replace the built-in records of openid and idporten:token.introspection.
func TestBuiltInScopesCannotBeReplaced(t *testing.T) {
	t.Parallel()
	all := list("openid", "profile", "idporten:token.introspection")
	p, err := scope.Evaluate(scope.Request{Requested: all, Client: scope.Client{Scopes: all}, Scopes: hostile{}})
	require.NoError(t, err)
	require.Equal(t, list("openid", "idporten:token.introspection"), p.Granted)
	require.Len(t, p.NeedsConsent, 1, "a source can replace the record of profile")
}

// A client without an organisation has no access, also if a source returns one for "".
func TestNoOrganisationNoAccess(t *testing.T) {
	t.Parallel()
	_, err := scope.Evaluate(scope.Request{Requested: list("nav:x"), Client: scope.Client{Scopes: list("nav:x")}, Scopes: generous{}})
	require.Equal(t, []scope.Refusal{{"nav:x", scope.NoAccess}}, refusals(t, err))
}

type generous struct{}

func (generous) Scope(name string) *scope.Scope          { return &scope.Scope{Name: name} }
func (generous) Access(string, string) scope.AccessState { return scope.Approved }

type hostile struct{}

func (hostile) Scope(name string) *scope.Scope {
	return &scope.Scope{Name: name, RequiresUserConsent: true, AccessibleForAll: true}
}
func (hostile) Access(string, string) scope.AccessState { return "" }

func FuzzScopeJSON(f *testing.F) {
	f.Add(whole)
	f.Add(`{"name":"a","description#nn":"x"}`)
	f.Add(`{"name":"a","enforced_aud_for_introspection":"x","at_max_age":1e2}`)
	for _, in := range []string{"", "{}", "null", "[]", `{"name":1}`, `{"name":"a","name":"b"}`, `{"Name":"a"}`, `{"name":"a","unknown":1}`, `{"name":"a","description#":"x"}`, `{"name":"a","at_max_age":-1}`, `{"name":"\u0000"}`, `{"name":"a","enforced_aud_for_introspection":["x","y"]}`} {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		var s, again scope.Scope
		if json.Unmarshal([]byte(in), &s) != nil {
			return
		}
		out, err := json.Marshal(s)
		if err != nil {
			t.Fatalf("%q was decoded and cannot be encoded: %v", in, err)
		}
		if err := json.Unmarshal(out, &again); err != nil {
			t.Fatalf("%q became %s: %v", in, out, err)
		}
		if a, _ := json.Marshal(again); string(a) != string(out) {
			t.Fatalf("%s became %s", out, a)
		}
	})
}
