package resource_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/resource"
)

// vector is a token that is sent to an API over HTTP, with the expected response.
type vector struct {
	name   string
	claims claims
	at     int64 // the time of the request
	config func(*resource.Config)
	rules  resource.Rules
	status int    // 200 accepts
	reason string // of the rejection
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
	accepting := resource.Rules{Scopes: post.Scopes, Suppliers: []string{"991825827"}}
	named := func(cfg *resource.Config) { cfg.Audience = []string{"https://api.aksesspunktleverandør.no/"} }
	agreed := resource.Rules{Scopes: []string{"difitest:test2"}, RequireConsent: true}
	forSystems := resource.Rules{Scopes: []string{"skatteetaten:innrapporteringboligselskap"}, RequireSystemUser: true}
	return []vector{
		{"plain token", t1, 1584694564, nil, plain, 200, ""},
		{"plain token, expired", t1, 1584694575, nil, plain, 401, "token_expired"},
		{"delegated token", parse(t, delegated), 1584693500, nil, resource.Rules{Scopes: []string{"difitest:test2"}, DelegationSources: []string{"https://tt02.altinn.no/"}}, 200, ""},
		{"delegated token, source without its slash", parse(t, delegated), 1584693500, nil, resource.Rules{Scopes: []string{"difitest:test2"}, DelegationSources: []string{"https://tt02.altinn.no"}}, 403, "delegation_source_untrusted"},
		{"delegated token, no source trusted", parse(t, delegated), 1584693500, nil, plain, 403, "delegation_source_untrusted"},
		{"digital post: issuer without slash", t3.with("iss", "https://test.maskinporten.no"), 1584693450, named, post, 401, "issuer_mismatch"},
		{"digital post: corrected", t3, 1584693450, named, accepting, 200, ""},
		{"digital post: no delegation", t3, 1584693450, named, post, 403, "delegation_source_missing"},
		{"digital post: another API", t3, 1584693450, nil, post, 401, "audience_mismatch"},
		{"system user", parse(t, systemUser), 1740737660, nil, forSystems, 200, ""},
		{"no system user", parse(t, systemUser).with("authorization_details", nil), 1740737660, nil, forSystems, 403, "system_user_missing"},
		{"consent", withConsent("2025-07-19T07:57:21+00:00", "0192:991825827"), 1752825500, nil, agreed, 200, ""},
		{"consent: no longer valid", withConsent("2025-07-18T07:58:20+00:00", "0192:991825827"), 1752825500, nil, agreed, 403, "consent_expired"},
		{"consent: to another organisation", withConsent("2025-07-19T07:57:21+00:00", "0192:910753614"), 1752825500, nil, agreed, 403, "consent_consumer_mismatch"},
		{"consent: to a part of the organisation", withConsent("2025-07-19T07:57:21+00:00", "0192:991825827:ER//987464291:1"), 1752825500, nil, agreed, 403, "consent_consumer_mismatch"},
		{"consent: a time without a zone", withConsent("2025-07-19T07:57:21", "0192:991825827"), 1752825500, nil, agreed, 403, "consent_missing"},
		{"consent: without the consent", t1, 1584694000, nil, agreed, 403, "consent_missing"},
		{"times: expired before issued", t1.with("iat", 1694333311, "exp", 1694222211), 1694222200, nil, plain, 401, "token_expired"},
		{"times: expired before issued, used at iat", t1.with("iat", 1694333311, "exp", 1694222211), 1694333311, nil, plain, 401, "token_expired"},
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
		{"issuer without slash", t1.with("iss", "https://test.maskinporten.no"), 0, nil, plain, 401, "issuer_mismatch"},
		{"issuer as a prefix", t1.with("iss", "https://test.maskinporten.no.evil.example/"), 0, nil, plain, 401, "issuer_mismatch"},
		{"issuer with more after the slash", t1.with("iss", maskinporten+"evil"), 0, nil, plain, 401, "issuer_mismatch"},
		{"scope as a prefix", t1.with("scope", "difitest:test22"), 0, nil, plain, 403, "scope_missing"},
		{"scope as a suffix", t1.with("scope", "x:difitest:test2 difitest:test2/a"), 0, nil, plain, 403, "scope_missing"},
		{"scope split on a tab", t1.with("scope", "a\tdifitest:test2"), 0, nil, plain, 403, "scope_missing"},
		{"audience: no audience", t1, 0, strict, plain, 401, "audience_missing"},
		{"audience: unspecified", t1.with("aud", "unspecified"), 0, strict, plain, 401, "audience_missing"},
		{"audience: unspecified in an array", t1.with("aud", []string{"unspecified"}), 0, strict, plain, 401, "audience_missing"},
		{"audience: another audience", t1.with("aud", "https://api.example.com/"), 0, strict, plain, 401, "audience_mismatch"},
		{"audience: this API", t1.with("aud", []string{"https://other.example", "https://api.example.com"}), 0, strict, plain, 200, ""},
		{"person: no pid", t1, 0, nil, about, 403, "pid_missing"},
		{"person: another pid", t1.with("pid", another), 0, nil, about, 403, "pid_mismatch"},
		{"person: the pid", t1.with("pid", synthetic), 0, nil, about, 200, ""},
		{"person: none", t1, 0, nil, resource.Rules{Scopes: plain.Scopes, RequirePID: true}, 403, "pid_missing"},
		{"eSeal", etsi("VATSE-556677889901"), 0, nil, plain, 403, "consumer_untrusted"},
		{"eSeal with an ID of the other kind", etsi("0192:991825827"), 0, nil, plain, 403, "consumer_untrusted"},
		{"eSeal: opted in", etsi("VATSE-556677889901"), 0, seals, plain, 200, ""},
		{"eSeal: opted in and not listed", etsi("VATSE-556677889901"), 0, seals, resource.Rules{Scopes: plain.Scopes, Consumers: []string{"etsi-en-319-412:VATSE-000000000001"}}, 403, "consumer_not_allowed"},
		{"eSeal: opted in and listed", etsi("VATSE-556677889901"), 0, seals, resource.Rules{Scopes: plain.Scopes, Consumers: []string{"etsi-en-319-412:VATSE-556677889901"}}, 200, ""},
		{"eSeal: opted in, Norwegian", etsi("NTRNO-991825827"), 0, seals, resource.Rules{Scopes: plain.Scopes, Consumers: []string{"991825827"}}, 200, ""},
		{"eSeal: opted in and a number listed", etsi("VATSE-556677889901"), 0, seals, resource.Rules{Scopes: plain.Scopes, Consumers: []string{"991825827"}}, 403, "consumer_not_allowed"},
		{"eSeal: the standard authority opts no register in", t1.with("consumer", org("0007:5567321707")), 0, func(cfg *resource.Config) { cfg.Authorities = []string{norway.Authority} }, plain, 403, "consumer_untrusted"},
		{"eSeal: another authority", etsi("x").with("consumer", map[string]any{"authority": "etsi_en_119_612", "ID": "x"}), 0, seals, plain, 403, "consumer_untrusted"},
		{"register: legacy register", t1.with("consumer", org("9908:991825827")), 0, nil, plain, 403, "consumer_untrusted"},
		{"register: opted in", t1.with("consumer", org("9908:991825827")), 0, legacy, resource.Rules{Scopes: plain.Scopes, Consumers: []string{"991825827"}}, 200, ""},
		{"user: only a pid", t1.with("pid", synthetic), 0, nil, resource.Rules{Scopes: plain.Scopes, RequireUser: true}, 403, "user_missing"},
		{"user: only a sub", t1.with("sub", "x"), 0, nil, resource.Rules{Scopes: plain.Scopes, RequireUser: true}, 403, "user_missing"},
		{"sub-entity", t1.with("consumer", org("0192:991825827:ER//987464291:1")), 0, nil, plain, 403, "sub_entity_not_allowed"},
		{"sub-entity: supported", t1.with("consumer", org("0192:991825827:ER//987464291:1")), 0, nil, parts, 200, ""},
	}
	for i := range rows {
		rows[i].at = epoch.Unix()
	}
	return rows
}

// TestVectors sends each vector over HTTP and through Verify and Check.
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

			// Verify and Check return the same.
			verified, err := v.Verify(t.Context(), resource.Bearer(token))
			if err == nil {
				err = tt.rules.Check(verified, cfg.Now())
			}
			if tt.status == http.StatusOK {
				require.NoError(t, err)
				return
			}
			e := rejection(t, err)
			require.Equal(t, tt.reason, e.Reason)
			require.Equal(t, tt.status, v.Reply(err).Status)
		})
	}
}

// TestTokenFields checks that every claim sets its field.
func TestTokenFields(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	token, err := verifier(t, cfg).Verify(t.Context(), resource.Bearer(sign(t, "ec", "JWT", person(t).with(
		"supplier", org("0192:910753614"), "delegation_source", "https://tt02.altinn.no/", "amr", []string{"BankID"},
		"auth_time", 1584693000, "act", map[string]any{"sub": "x"},
		"consumer", org("0192:991825827:ER//987464291:1"), "authorization_details", parse(t, `{"d":`+consent+`}`)["d"]).json(t))))
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
	require.True(t, token.HasUser())
	require.False(t, token.IsMachine())
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

// TestSystemUser checks the forms of authorization_details with a system user.
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
		{"an untrusted register", []any{foreign}, false},
		{"a part of the customer", []any{part}, false},
		{"no customer", []any{bare}, false},
		{"no identifier", []any{nameless}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			token, err := verifier(t, config(t)).Verify(t.Context(), resource.Bearer(sign(t, "ec", "", machine(t).with("authorization_details", tt.details).json(t))))
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

// TestConsent checks that a consent without giver, receiver, end or rights is rejected.
func TestConsent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, member string
		value        any // nil removes the member
		ok           bool
	}{
		{"complete", "id", "77ed8698-e619-4066-9eb4-5c1eb3f165a1", true},
		{"from an organisation", "from", "urn:altinn:organization:identifier-no:910753614", true},
		{"from an organisation and a part", "from", "urn:altinn:organization:identifier-no:910753614:x", false},
		{"without a giver", "from", nil, false},
		{"from an invalid number", "from", "urn:altinn:person:identifier-no:12345678901", false},
		{"from a party of another kind", "from", "urn:altinn:party:123", false},
		{"without a receiver", "to", nil, false},
		{"to a foreign register", "to", org("0007:5567321707"), false},
		{"without an end", "validTo", nil, false},
		{"an end that is a number", "validTo", 1752825571, false},
		{"an empty list of rights", "consentRights", []any{}, false},
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
			token, err := verifier(t, config(t)).Verify(t.Context(), resource.Bearer(sign(t, "ec", "", machine(t).with("authorization_details", details).json(t))))
			require.NoError(t, err)
			given, ok := token.Consent()
			require.Equal(t, tt.ok, ok)
			require.Equal(t, ok, !given.PID.IsZero() != (given.Orgno != ""), "from one of the two")
		})
	}
}
