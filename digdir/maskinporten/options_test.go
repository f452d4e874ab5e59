package maskinporten_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/digdir/maskinporten"
	"github.com/portner-go/portner/internal/testpki"
)

// accepts sends an assertion that must be accepted.
func (w *world) accepts(t *testing.T, payload object) answer {
	t.Helper()
	a := w.grant(t, payload)
	require.Equal(t, http.StatusOK, a.status, a.raw)
	return a
}

// TestTimes checks the limits of docs/spec/maskinporten.md §1.4 to the second.
func TestTimes(t *testing.T) {
	t.Parallel()
	const iat = 1520589808
	for name, tt := range map[string]struct {
		change []any
		clock  int64 // seconds after iat
		strict bool
		entry  string // "" is accepted
	}{
		"lifetime of 120 s":                     {clock: 1},
		"lifetime of 121 s":                     {change: []any{"exp", iat + 121}, entry: "lifetime"},
		"exp is iat":                            {change: []any{"exp", iat}, entry: "lifetime"},
		"exp before iat":                        {change: []any{"exp", iat - 1}, entry: "lifetime"},
		"iat 10 s ahead":                        {clock: -10},
		"iat 11 s ahead":                        {clock: -11, entry: "iat"},
		"exp 9 s ago":                           {clock: 129},
		"exp 10 s ago":                          {clock: 130, entry: "MP-130"},
		"strict: 9 s ahead":                     {clock: -9, strict: true},
		"strict: 10 s ahead":                    {clock: -10, strict: true, entry: "iat"},
		"strict: 9 s ago":                       {clock: 9, strict: true},
		"strict: 10 s ago":                      {clock: 10, strict: true, entry: "iat past"},
		"nbf now":                               {change: []any{"nbf", iat}},
		"nbf 10 s ahead":                        {change: []any{"nbf", iat + 10}},
		"nbf 11 s ahead":                        {change: []any{"nbf", iat + 11}, entry: "nbf"},
		"nbf is text":                           {change: []any{"nbf", "1"}, entry: "MP-011"},
		"no iat":                                {change: []any{"iat", nil}, entry: "MP-011"},
		"no exp":                                {change: []any{"exp", nil}, entry: "MP-011"},
		"iat is text":                           {change: []any{"iat", strconv.Itoa(iat)}, entry: "MP-011"},
		"exp has a fraction":                    {change: []any{"exp", iat + 120.5}},
		"iat has a fraction":                    {change: []any{"iat", iat + 0.125}},
		"exp is negative":                       {change: []any{"exp", -1}, entry: "MP-011"},
		"exp out of range":                      {change: []any{"exp", int64(1) << 34}, entry: "MP-011"},
		"iat in the future and exp in the past": {change: []any{"iat", iat + 60, "exp", iat - 60}, entry: "iat"},
		"expired and lifetime too long":         {change: []any{"iat", iat - 1000, "exp", iat - 20}, entry: "MP-130"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *maskinporten.Config) { c.StrictIssuedAt = tt.strict })
			w.at(time.Unix(iat+tt.clock, 0))
			a := w.grant(t, v4().with(tt.change...))
			if tt.entry == "" {
				require.Equal(t, http.StatusOK, a.status, a.raw)
				return
			}
			w.requireRejection(t, a, catalogue[tt.entry])
		})
	}
}

// TestAudience checks that aud is the issuer, as a string or in an array of one, and the options that relax it.
func TestAudience(t *testing.T) {
	t.Parallel()
	const endpoint, noSlash = testIssuer + "token", "https://test.maskinporten.no"
	slash := func(c *maskinporten.Config) { c.AllowSlashMismatch = true }
	url := func(c *maskinporten.Config) { c.AllowTokenEndpointAudience = true }
	for name, tt := range map[string]struct {
		aud    any
		iss    string
		config func(*maskinporten.Config)
		reason string // of the event; "-" for an accepted assertion without event, "" for a rejected one
	}{
		"issuer":                          {aud: testIssuer, reason: "-"},
		"array of the issuer":             {aud: []string{testIssuer}, reason: "-"},
		"array of the issuer twice":       {aud: []string{testIssuer, testIssuer}},
		"empty array":                     {aud: []string{}},
		"array of a number":               {aud: []int{1}},
		"array in an array":               {aud: [][]string{{testIssuer}}},
		"array of another audience":       {aud: []string{"https://evil.example.no/"}},
		"array with another audience":     {aud: []string{testIssuer, "https://evil.example.no/"}},
		"token endpoint":                  {aud: endpoint},
		"token endpoint, option":          {aud: endpoint, config: url, reason: "audience_token_endpoint"},
		"token endpoint, client's option": {aud: endpoint, iss: "legacy-audience", reason: "audience_token_endpoint"},
		"no slash":                        {aud: noSlash},
		"no slash, option":                {aud: noSlash, config: slash, reason: "audience_slash_mismatch"},
		"two slashes, option":             {aud: testIssuer + "/", config: slash},
		"other case":                      {aud: "https://TEST.maskinporten.no/", config: slash},
		"array, no slash":                 {aud: []string{noSlash}},
		"array, no slash, option":         {aud: []string{noSlash}, config: slash, reason: "audience_slash_mismatch"},
		"number":                          {aud: 1},
		"null":                            {aud: any(nil)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.config)
			payload := v4().with("aud", tt.aud)
			if tt.iss != "" {
				payload["iss"] = tt.iss
			}
			a := w.grant(t, payload)
			if tt.reason == "" {
				w.requireRejection(t, a, catalogue["MP-110"])
				require.Equal(t, portner.EventAssertionAudience, w.lastEvent().Name)
				return
			}
			require.Equal(t, http.StatusOK, a.status, a.raw)
			require.Equal(t, tt.reason != "-", w.events[0].Name == portner.EventLegacyAudience)
			if tt.reason != "-" {
				require.Equal(t, tt.reason, w.events[0].Reason)
			}
		})
	}
}

// TestClaims checks values of the payload that are rejected or accepted.
func TestClaims(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 129)
	for name, tt := range map[string]struct {
		payload string
		entry   string
	}{
		"sub is the client":       {payload: v4().with("sub", "my_client_id").json()},
		"sub is another":          {payload: v4().with("sub", "other").json(), entry: "MP-011"},
		"sub is empty":            {payload: v4().with("sub", "").json(), entry: "MP-011"},
		"unknown claims":          {payload: v4().with("custom", object{"a": []int{1}}).json()},
		"iss_onbehalfof alone":    {payload: v4().with("iss_onbehalfof", customer).json()},
		"consumer_orgno":          {payload: v4().with("consumer_orgno", customer).json()},
		"jti is empty":            {payload: v4().with("jti", "").json(), entry: "MP-011"},
		"jti is a number":         {payload: v4().with("jti", 1).json(), entry: "MP-011"},
		"jti of 128":              {payload: v4().with("jti", long[1:]).json()},
		"jti of 129":              {payload: v4().with("jti", long).json(), entry: "MP-011"},
		"scope is an array":       {payload: v4().with("scope", []string{"difitest:test2"}).json(), entry: "MP-011"},
		"resource is null":        {payload: strings.Replace(v4().json(), "{", `{"resource":null,`, 1), entry: "MP-011"},
		"resource is empty":       {payload: v4().with("resource", []string{}).json(), entry: "MP-011"},
		"resource is relative":    {payload: v4().with("resource", "/api").json(), entry: "MP-011"},
		"resource has a fragment": {payload: v4().with("resource", "https://a.example.no/#x").json(), entry: "MP-011"},
		"one resource is bad":     {payload: v4().with("resource", []string{"https://a.example.no/", ""}).json(), entry: "MP-011"},
		"eleven resources":        {payload: v4().with("resource", strings.Fields(strings.Repeat("urn:x:1 ", 11))).json(), entry: "MP-011"},
		"resource is a URN":       {payload: v4().with("resource", "urn:example:api").json()},
		"pid is a number":         {payload: v4().with("pid", 1010199999).json(), entry: "MP-011"},
		"pid is short":            {payload: v4().with("pid", "0101019999").json(), entry: "MP-011"},
		"pid has letters":         {payload: v4().with("pid", "0101019999x").json(), entry: "MP-011"},
		"consumer_org is empty":   {payload: v4().with("consumer_org", "").json(), entry: "MP-011"},
		"consumer_org: digits":    {payload: v4().with("consumer_org", "91075361a").json(), entry: "MP-011"},
		"consumer_org: number":    {payload: v4().with("consumer_org", 910753614).json(), entry: "MP-011"},
		"details: object":         {payload: v4().with("authorization_details", systemUser(customer)).json(), entry: "MP-303"},
		"details: empty":          {payload: v4().with("authorization_details", []any{}).json(), entry: "MP-303"},
		"twice the same member":   {payload: strings.Replace(v4().json(), "{", `{"aud":"`+testIssuer+`",`, 1), entry: "MP-011"},
		"the same in capitals":    {payload: strings.Replace(v4().json(), "{", `{"ISS":"x",`, 1), entry: "MP-011"},
		"an array":                {payload: "[" + v4().json() + "]", entry: "MP-011"},
		"data after the object":   {payload: v4().json() + "{}", entry: "MP-011"},
		"deep":                    {payload: v4().with("x", nested(9)).json(), entry: "MP-011"},
		"iss is a number":         {payload: v4().with("iss", 1).json(), entry: "MP-100"},
		"iss has a NUL":           {payload: v4().with("iss", "my\x00client").json(), entry: "MP-100"},
		"iss is long":             {payload: v4().with("iss", strings.Repeat("x", 257)).json(), entry: "MP-100"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			a := w.send(t, sign(kid("k1").json(), tt.payload))
			if tt.entry == "" {
				require.Equal(t, http.StatusOK, a.status, a.raw)
				return
			}
			w.requireRejection(t, a, catalogue[tt.entry])
		})
	}
}

func nested(n int) any {
	if n == 0 {
		return 1
	}
	return []any{nested(n - 1)}
}

// TestHeader checks the header of the assertion (docs/spec/maskinporten.md §1.3).
func TestHeader(t *testing.T) {
	t.Parallel()
	good := v4().json()
	for name, tt := range map[string]struct {
		assertion string
		entry     string
	}{
		"typ JWT":                 {assertion: sign(kid("k1").with("typ", "JWT").json(), good)},
		"kid and x5c":             {assertion: sign(x5c(strangers(), testpki.NameOther).with("kid", "k1").json(), good)},
		"jku is ignored":          {assertion: sign(kid("k1").with("jku", "https://evil.example.no/jwk").json(), good)},
		"crit":                    {assertion: sign(kid("k1").with("crit", []string{"exp"}).json(), good), entry: "MP-011"},
		"b64":                     {assertion: sign(kid("k1").with("b64", true).json(), good), entry: "MP-011"},
		"kid is a path":           {assertion: sign(kid("../k1").json(), good), entry: "MP-011"},
		"kid is empty":            {assertion: sign(kid("").json(), good), entry: "MP-011"},
		"PS256, unknown kid":      {assertion: sign(kid("k2").with("alg", "PS256").json(), good), entry: "MP-124"},
		"ES256, no kid":           {assertion: sign(`{"alg":"ES256"}`, good), entry: "MP-124"},
		"none, unknown client":    {assertion: sign(kid("k1").with("alg", "none").json(), v4().with("iss", "unknown").json()), entry: "MP-124"},
		"RS256, unknown kid":      {assertion: sign(kid("k2").json(), good), entry: "kid"},
		"x5c is empty":            {assertion: sign(`{"alg":"RS256","x5c":[]}`, good), entry: "MP-123"},
		"x5c of objects":          {assertion: sign(`{"alg":"RS256","x5c":[{}]}`, good), entry: "MP-123"},
		"no alg":                  {assertion: sign(`{"kid":"k1"}`, good), entry: "MP-011"},
		"no header":               {assertion: sign(``, good), entry: "MP-011"},
		"empty":                   {assertion: "", entry: "MP-011"},
		"no JWS":                  {assertion: "x", entry: "MP-011"},
		"five segments":           {assertion: sign(kid("k1").json(), good) + ".a.b", entry: "MP-011"},
		"a line break":            {assertion: byKey(v4())[:20] + "\n" + byKey(v4())[20:], entry: "MP-011"},
		"a line break at the end": {assertion: byKey(v4()) + "\n", entry: "MP-011"},
		"a space":                 {assertion: " " + byKey(v4()), entry: "MP-011"},
		"too long":                {assertion: byKey(v4().with("x", strings.Repeat("x", 40<<10))), entry: "MP-011"},
		"too long for a kid":      {assertion: byKey(v4().with("x", strings.Repeat("x", 9<<10))), entry: "MP-011"},
		"a good certificate":      {assertion: sign(x5c(pki(), testpki.NameSEID1).json(), v4().with("iss", "certified").json())},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			a := w.send(t, tt.assertion)
			if tt.entry == "" {
				require.Equal(t, http.StatusOK, a.status, a.raw)
				if name == "jku is ignored" {
					require.Equal(t, portner.EventAssertionHeader, w.events[0].Name)
				}
				return
			}
			w.requireRejection(t, a, catalogue[tt.entry])
		})
	}
}

// TestClientAMR checks client_amr (docs/spec/maskinporten.md §1.8).
func TestClientAMR(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for name, want := range map[string]string{testpki.NameSEID1: "virksomhetssertifikat", testpki.NameSEID2: "QCForESeal"} {
		a := w.send(t, sign(x5c(pki(), name).json(), v4().with("iss", "certified", "jti", name).json()))
		w.requireToken(t, a, object{"client_amr": want, "consumer": organisation(digdir)})
	}
	for _, alg := range []string{"RS384", "RS512"} {
		w.requireRejection(t, w.send(t, sign(object{"alg": alg, "kid": "k1"}.json(), v4().json())), catalogue["MP-124"]) // signed with RS256
	}
}

// TestLifetimes checks that the lifetime is the client's, capped by the lowest at_max_age of the scopes.
func TestLifetimes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, tt := range []struct {
		iss, scope string
		seconds    float64
	}{
		{"my_client_id", "difitest:test2", 120},
		{"my_client_id", "difitest:test2 difitest:short", 30},
		{"slow", "difitest:test2", 3 * 3600},
		{"slow", "difitest:short", 30},
	} {
		a := w.accepts(t, v4().with("iss", tt.iss, "scope", tt.scope, "jti", tt.iss+tt.scope))
		require.InDelta(t, tt.seconds, a.body["expires_in"], 0)
		w.claims(t, a)
	}
	longer := newWorld(t, func(c *maskinporten.Config) { c.AccessTokenLifetime = 10 * time.Minute })
	require.InDelta(t, 600, longer.accepts(t, v4()).body["expires_in"], 0)
}

// TestLegacyForbidden checks that the option changes MP-250 and MP-251 only.
func TestLegacyForbidden(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *maskinporten.Config) { c.LegacyForbidden = true })
	forbidden := func(r wire) wire { r.code, r.status = "forbidden", http.StatusForbidden; return r }
	w.requireRejection(t, w.grant(t, v4().with("scope", "difitest:noaccess")), forbidden(catalogue["MP-250"].of("difitest:noaccess")))
	w.requireRejection(t, w.grant(t, v4().with("scope", "difitest:api")), catalogue["MP-201"])
	w.at(issuedAt(v5()))
	w.sources.delegated = false
	w.requireRejection(t, w.grant(t, v5()), forbidden(catalogue["MP-251"].of(customer, "difitest:delegated", digdir)))
}

// TestRequireJTI checks that the option rejects assertions without jti.
func TestRequireJTI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *maskinporten.Config) { c.RequireJTI = true })
	w.requireRejection(t, w.grant(t, v4().with("jti", nil)), catalogue["MP-011"])
	w.accepts(t, v4())
}

// TestReplay checks that an assertion is consumed if a token is issued for it, and not otherwise.
func TestReplay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for name, n := range rejectedVectors() { // a rejected assertion does not consume its jti
		if n.prepare == nil {
			w.at(n.at)
			require.NotEqual(t, http.StatusOK, w.send(t, n.assertion).status, name)
		}
	}
	w.at(issuedAt(v4()))
	w.accepts(t, v4())
	w.requireRejection(t, w.grant(t, v4()), catalogue["MP-012"])
	require.Equal(t, portner.EventAssertionReplay, w.lastEvent().Name)
	w.accepts(t, v4().with("iss", "slow")) // the jti of another client is independent
	w.accepts(t, v4().with("jti", nil))
	w.accepts(t, v4().with("jti", nil, "custom", 1))
	w.requireRejection(t, w.grant(t, v4().with("jti", nil)), catalogue["MP-012"])

	// The record lasts until the end of the tolerance.
	w.at(time.Unix(1520589928+9, 0))
	_, err := w.store.Sweep(t.Context(), *w.clock.Load())
	require.NoError(t, err)
	w.requireRejection(t, w.grant(t, v4()), catalogue["MP-012"])
}

// TestFaults checks that a fault of a source is answered with 503 without its text, and that the assertion may be sent again.
func TestFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.sources.fault = errors.New("altinn: connection refused at 10.0.0.1")
	for name, payload := range map[string]object{
		"delegation":  v5().with("iat", v4()["iat"], "exp", v4()["exp"]),
		"system user": v6().with("jti", "s"),
		"consent":     v4().with("jti", "c", "authorization_details", []any{consent()}),
	} {
		w.sources.fault = errors.New("altinn: connection refused at 10.0.0.1")
		a := w.grant(t, payload)
		require.Equal(t, http.StatusServiceUnavailable, a.status, name)
		require.Equal(t, "temporarily_unavailable", a.str("error"))
		require.NotContains(t, a.raw, "10.0.0.1")
		require.Contains(t, w.log.String(), "10.0.0.1")
		w.sources.fault = nil
		require.Equal(t, http.StatusOK, w.grant(t, payload).status, name)
	}
}

// panicking is a source that panics.
type panicking struct{}

func (panicking) Delegated(context.Context, string, string, string) (bool, error) {
	panic("910753614 and other secrets")
}

// TestPanics checks that a panic of a source is answered with 500 and consumes nothing.
func TestPanics(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *maskinporten.Config) { c.Delegations[delegated] = panicking{} })
	w.at(issuedAt(v5()))
	a := w.grant(t, v5())
	require.Equal(t, http.StatusInternalServerError, a.status, a.raw)
	require.NotContains(t, a.raw+w.log.String(), "other secrets")
	w.accepts(t, v5().with("scope", "difitest:test2", "consumer_org", nil)) // the same jti
}

// TestLogs checks that log and events hold no assertion, token or national identity number.
func TestLogs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	assertion := byKey(v4().with("pid", pid, "authorization_details", []any{consent()}))
	a := w.send(t, assertion)
	require.Equal(t, http.StatusOK, a.status, a.raw)
	w.send(t, assertion)
	w.send(t, byKey(v4().with("pid", pid, "scope", "other:scope")))
	w.send(t, byKey(v4().with("authorization_details", []any{consent().with("from", "urn:altinn:person:identifier-no:01010199998")})))
	for _, secret := range []string{pid, "01010199998", a.str("access_token"), assertion[strings.LastIndex(assertion, ".")+1:], v4()["jti"].(string)} {
		require.False(t, bytes.Contains(w.log.Bytes(), []byte(secret)), secret)
		for _, e := range w.events {
			require.NotContains(t, fmt.Sprintf("%+v", e), secret)
		}
	}
	require.Equal(t, portner.EventTokenIssued, w.events[0].Name)
	require.Equal(t, "my_client_id", w.events[0].ClientID)
	require.NotEmpty(t, w.events[0].GrantID)
}

// TestRejectionsAreExplained: the event of a rejection has the claim or header parameter, unless it can be secret or name a user.
func TestRejectionsAreExplained(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, tc := range []struct {
		payload             object
		parameter, received string
	}{
		{v4().with("scope", "other:scope"), "scope", "other:scope"},
		{v4().with("aud", "https://evil.example/"), "aud", "https://evil.example/"},
		{v4().with("jti", ""), "jti", ""},
		{v4().with("consumer_org", "x"), "consumer_org", ""},
	} {
		a := w.send(t, byKey(tc.payload))
		require.NotEqual(t, http.StatusOK, a.status)
		got := w.lastEvent().Explanation
		require.Equal(t, tc.parameter, got.Parameter, "%+v", w.lastEvent())
		require.Equal(t, tc.received, got.Received, tc.parameter)
		require.NotEmpty(t, got.Expected)
	}
}
