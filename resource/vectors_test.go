package resource_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/resource"
)

// vector is one row of maskinporten-altinn section 6.4, sent to an API over HTTP.
type vector struct {
	name   string
	claims claims
	at     int64 // when it is used
	config func(*resource.Config)
	rules  resource.Rules
	status int    // 200 accepts
	reason string // of the refusal
}

const (
	consent = `[{"type":"urn:altinn:consent","id":"77ed8698-e619-4066-9eb4-5c1eb3f165a1",
		"from":"urn:altinn:person:identifier-no:21879498012","to":{"authority":"iso6523-actorid-upis","ID":"0192:991825827"},
		"consented":"2025-07-18T07:57:21.5+00:00","validTo":"2025-07-19T07:57:21+00:00",
		"consentRights":[{"action":["consent"],"resource":[{"type":"urn:altinn:resource","value":"samtykke-brukerstyrt-tilgang"}],"metaData":{"inntektsaar":"2024"}}]}]`
	delegated = `{"iss":"https://test.maskinporten.no/","client_amr":"virksomhetssertifikat","token_type":"Bearer","client_id":"oidc_difi_delegering_altinn",
		"aud":"unspecified","scope":"difitest:test2","supplier":{"authority":"iso6523-actorid-upis","ID":"0192:991825827"},"iat":1584693440,"exp":1584694440,
		"delegation_source":"https://tt02.altinn.no/","client_orgno":"991825827","jti":"faulA3FDWRqpd59Cwc1DqvA72kOV_xDHggBXpSpptsw",
		"consumer":{"authority":"iso6523-actorid-upis","ID":"0192:910753614"}}`
	digitalPost = `{"iss":"https://test.maskinporten.no/","aud":"https://api.aksesspunktleverandør.no/","scope":"dpi:send","iat":1584693440,"exp":1584693470,
		"consumer":{"Authority":"iso6523-actorid-upis","ID":"0192:910753614"},"supplier":{"Authority":"iso6523-actorid-upis","ID":"0192:991825827"}}`
	systemUser = `{"iss":"https://test.maskinporten.no/","client_amr":"virksomhetssertifikat","token_type":"Bearer","scope":"skatteetaten:innrapporteringboligselskap",
		"iat":1740737547,"exp":1740737667,"consumer":{"authority":"iso6523-actorid-upis","ID":"0192:974761076"},"authorization_details":[{"type":"urn:altinn:systemuser",
		"systemuser_org":{"authority":"iso6523-actorid-upis","ID":"0192:313367002"},"systemuser_id":["33a0911a-5459-456f-bc57-3d37ef9a016c"],"system_id":"974761076_skatt_demo_system"}]}`
)

func accepted(t *testing.T) []vector {
	t1 := machine(t).with("client_id", nil)
	t3 := parse(t, digitalPost)
	withConsent := func(validTo, to string) claims {
		c := t1.with("iat", 1752825451, "exp", 1752825571)
		details := parse(t, `{"d":`+consent+`}`)["d"].([]any)
		details[0].(map[string]any)["validTo"] = validTo
		details[0].(map[string]any)["to"] = org(to)
		return c.with("authorization_details", details)
	}
	plain := resource.Rules{Scopes: []string{"difitest:test2"}}
	post := resource.Rules{Scopes: []string{"dpi:send"}}
	named := func(cfg *resource.Config) { cfg.Audience = []string{"https://api.aksesspunktleverandør.no/"} }
	agreed := resource.Rules{Scopes: []string{"difitest:test2"}, Consent: true}
	forSystems := resource.Rules{Scopes: []string{"skatteetaten:innrapporteringboligselskap"}, SystemUser: true}
	return []vector{
		{"T1 plain", t1, 1584694564, nil, plain, 200, ""},
		{"T1 after its time", t1, 1584694575, nil, plain, 401, "expired"},
		{"T2 delegated", parse(t, delegated), 1584693500, nil, resource.Rules{Scopes: []string{"difitest:test2"}, DelegationSources: []string{"https://tt02.altinn.no/"}}, 200, ""},
		{"T2 source without its slash", parse(t, delegated), 1584693500, nil, resource.Rules{Scopes: []string{"difitest:test2"}, DelegationSources: []string{"https://tt02.altinn.no"}}, 403, "delegation_source"},
		{"T2 no source trusted", parse(t, delegated), 1584693500, nil, plain, 403, "delegation_source"},
		{"T3 issuer without slash", t3.with("iss", "https://test.maskinporten.no"), 1584693450, named, post, 401, "iss"},
		{"T3 corrected", t3, 1584693450, named, post, 200, ""},
		{"T3 another API", t3, 1584693450, nil, post, 401, "aud_foreign"},
		{"T4 system user", parse(t, systemUser), 1740737660, nil, forSystems, 200, ""},
		{"T4 without the system user", parse(t, systemUser).with("authorization_details", nil), 1740737660, nil, forSystems, 403, "system_user"},
		{"T5 consent", withConsent("2025-07-19T07:57:21+00:00", "0192:991825827"), 1752825500, nil, agreed, 200, ""},
		{"T5 no longer valid", withConsent("2025-07-18T07:58:20+00:00", "0192:991825827"), 1752825500, nil, agreed, 403, "consent_ended"},
		{"T5 to somebody else", withConsent("2025-07-19T07:57:21+00:00", "0192:910753614"), 1752825500, nil, agreed, 403, "consent_other"},
		{"T5 to a part of the organisation", withConsent("2025-07-19T07:57:21+00:00", "0192:991825827:ER//987464291:1"), 1752825500, nil, agreed, 403, "consent_other"},
		{"T5 a time without a zone", withConsent("2025-07-19T07:57:21", "0192:991825827"), 1752825500, nil, agreed, 403, "consent_missing"},
		{"T5 without the consent", t1, 1584694000, nil, agreed, 403, "consent_missing"},
		{"T6 expired before issued", t1.with("iat", 1694333311, "exp", 1694222211), 1694222200, nil, plain, 401, "expired"},
		{"T6 at its iat", t1.with("iat", 1694333311, "exp", 1694222211), 1694333311, nil, plain, 401, "expired"},
	}
}

func rejected(t *testing.T) []vector {
	t1 := machine(t).with("client_id", nil)
	plain := resource.Rules{Scopes: []string{"difitest:test2"}}
	pid, err := norway.ParsePID(synthetic)
	require.NoError(t, err)
	about := resource.Rules{Scopes: plain.Scopes, PID: pid}
	strict := func(cfg *resource.Config) {
		cfg.Audience, cfg.RequireAudience = []string{"https://api.example.com"}, true
	}
	parts := resource.Rules{Scopes: plain.Scopes, AllowSubEntities: true, Consumers: []string{"991825827"}}
	seals := func(cfg *resource.Config) { cfg.Authorities = []string{"etsi-en-319-412"} }
	legacy := func(cfg *resource.Config) { cfg.AllowLegacyRegister = true }
	etsi := func(id string) claims {
		return t1.with("consumer", map[string]any{"authority": "etsi-en-319-412", "ID": id})
	}
	rows := []vector{
		{"R1 issuer without slash", t1.with("iss", "https://test.maskinporten.no"), 0, nil, plain, 401, "iss"},
		{"R2 issuer as a prefix", t1.with("iss", "https://test.maskinporten.no.evil.example/"), 0, nil, plain, 401, "iss"},
		{"R2 issuer with more after the slash", t1.with("iss", maskinporten+"evil"), 0, nil, plain, 401, "iss"},
		{"R3 scope as a prefix", t1.with("scope", "difitest:test22"), 0, nil, plain, 403, "scope"},
		{"R3 scope as a suffix", t1.with("scope", "x:difitest:test2 difitest:test2/a"), 0, nil, plain, 403, "scope"},
		{"R3 scope split on a tab", t1.with("scope", "a\tdifitest:test2"), 0, nil, plain, 403, "scope"},
		{"R4 no audience", t1, 0, strict, plain, 401, "aud_missing"},
		{"R4 unspecified", t1.with("aud", "unspecified"), 0, strict, plain, 401, "aud_missing"},
		{"R4 unspecified in an array", t1.with("aud", []string{"unspecified"}), 0, strict, plain, 401, "aud_missing"},
		{"R4 another audience", t1.with("aud", "https://api.example.com/"), 0, strict, plain, 401, "aud_foreign"},
		{"R4 the audience", t1.with("aud", []string{"https://other.example", "https://api.example.com"}), 0, strict, plain, 200, ""},
		{"R5 no pid", t1, 0, nil, about, 403, "pid_missing"},
		{"R5 another pid", t1.with("pid", another), 0, nil, about, 403, "pid_other"},
		{"R5 the pid", t1.with("pid", synthetic), 0, nil, about, 200, ""},
		{"R5 any pid", t1, 0, nil, resource.Rules{Scopes: plain.Scopes, RequirePID: true}, 403, "pid_missing"},
		{"R6 eSeal", etsi("VATSE-556677889901"), 0, nil, plain, 403, "consumer_untrusted"},
		{"R6 eSeal with an ID of the other kind", etsi("0192:991825827"), 0, nil, plain, 403, "consumer_untrusted"},
		{"R6 opted in", etsi("VATSE-556677889901"), 0, seals, plain, 200, ""},
		{"R6 opted in and not listed", etsi("VATSE-556677889901"), 0, seals, resource.Rules{Scopes: plain.Scopes, Consumers: []string{"VATSE-556677889901"}}, 403, "consumer_denied"},
		{"R6 opted in and listed", etsi("VATSE-556677889901"), 0, seals, resource.Rules{Scopes: plain.Scopes, Consumers: []string{"etsi-en-319-412:VATSE-556677889901"}}, 200, ""},
		{"R6 opted in, Norwegian", etsi("NTRNO-991825827"), 0, seals, resource.Rules{Scopes: plain.Scopes, Consumers: []string{"991825827"}}, 200, ""},
		{"R6 opted in, and an empty entry", etsi("VATSE-556677889901"), 0, seals, resource.Rules{Scopes: plain.Scopes, Consumers: []string{""}}, 403, "consumer_denied"},
		{"R6 today's authority opts no register in", t1.with("consumer", org("0007:5567321707")), 0, func(cfg *resource.Config) { cfg.Authorities = []string{norway.Authority} }, plain, 403, "consumer_untrusted"},
		{"R6 another authority", etsi("x").with("consumer", map[string]any{"authority": "etsi_en_119_612", "ID": "x"}), 0, seals, plain, 403, "consumer_untrusted"},
		{"R7 legacy register", t1.with("consumer", org("9908:991825827")), 0, nil, plain, 403, "consumer_untrusted"},
		{"R7 opted in", t1.with("consumer", org("9908:991825827")), 0, legacy, resource.Rules{Scopes: plain.Scopes, Consumers: []string{"991825827"}}, 200, ""},
		{"R8 a pid is no login", t1.with("pid", synthetic), 0, nil, resource.Rules{Scopes: plain.Scopes, Person: true}, 403, "no_person"},
		{"R8 sub alone is no login", t1.with("sub", "x"), 0, nil, resource.Rules{Scopes: plain.Scopes, Person: true}, 403, "no_person"},
		{"R9 sub-entity", t1.with("consumer", org("0192:991825827:ER//987464291:1")), 0, nil, plain, 403, "sub_entity"},
		{"R9 supported", t1.with("consumer", org("0192:991825827:ER//987464291:1")), 0, nil, parts, 200, ""},
	}
	for i := range rows {
		rows[i].at = epoch.Unix()
	}
	return rows
}

// TestVectors plays maskinporten-altinn section 6.4 over HTTP.
func TestVectors(t *testing.T) {
	t.Parallel()
	for _, tt := range append(accepted(t), rejected(t)...) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t)
			cfg.Now = at(time.Unix(tt.at, 0))
			if tt.config != nil {
				tt.config(&cfg)
			}
			v := verifier(t, cfg)
			token := sign(t, "rsa", "", tt.claims.json(t))
			require.Equal(t, tt.status, call(v, tt.rules, token).Code)

			// The plain functions say the same.
			verified, err := v.Verify(t.Context(), token)
			if err == nil {
				err = tt.rules.Check(verified, cfg.Now())
			}
			if tt.status == http.StatusOK {
				require.NoError(t, err)
				return
			}
			e := refusal(t, err)
			require.Equal(t, tt.reason, e.Reason)
			require.Equal(t, tt.status, e.Status())
		})
	}
}

// TestTokenFields: every claim of section 1.7 arrives.
func TestTokenFields(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	token, err := verifier(t, cfg).Verify(t.Context(), sign(t, "ec", "JWT", person(t).with(
		"supplier", org("0192:910753614"), "delegation_source", "https://tt02.altinn.no/", "amr", []string{"BankID"},
		"auth_time", 1584693000, "act", map[string]any{"sub": "x"},
		"consumer", org("0192:991825827:ER//987464291:1"), "authorization_details", parse(t, `{"d":`+consent+`}`)["d"]).json(t)))
	require.NoError(t, err)
	require.Equal(t, maskinporten, token.Issuer)
	require.Equal(t, "pairwise-1", token.Subject)
	require.Equal(t, "c1", token.ClientID)
	require.Equal(t, "private_key_jwt", token.ClientAMR)
	require.Equal(t, []string{"difitest:test2"}, token.Scopes)
	require.Equal(t, "991825827", token.Consumer.Orgno)
	require.Equal(t, "ER//987464291:1", token.Consumer.SubEntity)
	require.Equal(t, "910753614", token.Supplier.Orgno)
	require.Empty(t, token.Supplier.SubEntity)
	require.Equal(t, "https://tt02.altinn.no/", token.DelegationSource)
	require.Equal(t, synthetic, token.PID.Reveal())
	require.Equal(t, "idporten-loa-substantial", token.ACR)
	require.Equal(t, []string{"BankID"}, token.AMR)
	require.Equal(t, int64(1584693000), token.AuthTime.Unix())
	require.Equal(t, int64(1584693565), token.IssuedAt.Unix())
	require.Equal(t, int64(1584694565), token.ExpiresAt.Unix())
	require.Equal(t, "IYRtIEzOYb8fHiIMEaqVHq_tXYGWe6OEOjOdsK-P_30", token.ID)
	require.False(t, token.Introspected)
	require.True(t, token.Person())
	require.False(t, token.Machine())
	act, ok := token.Claim("act")
	require.True(t, ok)
	require.JSONEq(t, `{"sub":"x"}`, string(act))

	given, ok := token.Consent()
	require.True(t, ok)
	require.Equal(t, synthetic, given.PID.Reveal())
	require.Equal(t, "991825827", given.To.Orgno)
	require.Equal(t, time.Date(2025, 7, 19, 7, 57, 21, 0, time.UTC), given.ValidTo.UTC())
	require.Equal(t, []resource.ConsentRight{{
		Actions:   []string{"consent"},
		Resources: []resource.ConsentResource{{Type: "urn:altinn:resource", Value: "samtykke-brukerstyrt-tilgang"}},
		Metadata:  map[string]string{"inntektsaar": "2024"},
	}}, given.Rights)
	_, ok = token.SystemUser()
	require.False(t, ok)
}

// TestSystemUser: the customer is in authorization_details, in the forms that occur (Q12, Q17).
func TestSystemUser(t *testing.T) {
	t.Parallel()
	detail := func() map[string]any {
		return parse(t, systemUser)["authorization_details"].([]any)[0].(map[string]any)
	}
	lower := detail()
	lower["systemuser_org"] = map[string]any{"Authority": "iso6523-actorid-upis", "id": "0192:313367002"}
	foreign := detail()
	foreign["systemuser_org"] = org("9908:313367002")
	part := detail()
	part["systemuser_org"] = org("0192:313367002:ER//987464291:1")
	bare := detail()
	delete(bare, "systemuser_org")
	nameless := detail()
	nameless["systemuser_id"] = []string{}
	for _, tt := range []struct {
		name    string
		details any
		ok      bool
	}{
		{"an array", []any{detail()}, true},
		{"an object", detail(), true},
		{"id and Authority", []any{lower}, true},
		{"beside another type", []any{detail(), map[string]any{"type": "x"}}, true},
		{"two", []any{detail(), detail()}, false},
		{"a register we do not trust", []any{foreign}, false},
		{"a part of the customer", []any{part}, false},
		{"no customer", []any{bare}, false},
		{"no identifier", []any{nameless}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			token, err := verifier(t, config(t)).Verify(t.Context(), sign(t, "ec", "", machine(t).with("authorization_details", tt.details).json(t)))
			require.NoError(t, err)
			user, ok := token.SystemUser()
			require.Equal(t, tt.ok, ok)
			if ok {
				require.Equal(t, "313367002", user.Org.Orgno)
				require.Equal(t, []string{"33a0911a-5459-456f-bc57-3d37ef9a016c"}, user.IDs)
				require.Equal(t, "974761076_skatt_demo_system", user.SystemID)
			}
		})
	}
}

// TestConsent: a consent says who gave it to whom, until when and for what, or it is none.
func TestConsent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, member string
		value        any // nil takes the member out
		ok           bool
	}{
		{"complete", "id", "77ed8698-e619-4066-9eb4-5c1eb3f165a1", true},
		{"from an organisation", "from", "urn:altinn:organization:identifier-no:910753614", true},
		{"from an organisation and a part", "from", "urn:altinn:organization:identifier-no:910753614:x", false},
		{"from nobody", "from", nil, false},
		{"from a number that is none", "from", "urn:altinn:person:identifier-no:12345678901", false},
		{"from a party of another kind", "from", "urn:altinn:party:123", false},
		{"to nobody", "to", nil, false},
		{"to a foreign register", "to", org("0007:5567321707"), false},
		{"without an end", "validTo", nil, false},
		{"an end that is a number", "validTo", 1752825571, false},
		{"for nothing", "consentRights", []any{}, false},
		{"no rights", "consentRights", nil, false},
		{"rights of text", "consentRights", []any{"all"}, false},
		{"resources of text", "consentRights", []any{map[string]any{"action": []string{"consent"}, "resource": []any{"all"}}}, false},
		{"metadata of numbers", "consentRights", []any{map[string]any{"action": []string{"consent"}, "metadata": map[string]any{"x": 1}}}, false},
		{"metadata null", "consentRights", []any{map[string]any{"action": []string{"consent"}, "metadata": nil}}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			details := parse(t, `{"d":`+consent+`}`)["d"].([]any)
			details[0] = claims(details[0].(map[string]any)).with(tt.member, tt.value)
			token, err := verifier(t, config(t)).Verify(t.Context(), sign(t, "ec", "", machine(t).with("authorization_details", details).json(t)))
			require.NoError(t, err)
			given, ok := token.Consent()
			require.Equal(t, tt.ok, ok)
			require.Equal(t, ok, !given.PID.IsZero() != (given.Orgno != ""), "from one of the two")
		})
	}
}
