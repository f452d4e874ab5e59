package jose_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/jose"
)

// examples holds the claims of a token of each purpose, as the specifications and documentation show them.
var examples = map[*jose.Purpose][]string{
	jose.IDToken: {
		`{"iss":"i","sub":"s","aud":"c","exp":2,"iat":1}`,
		`{"iss":"i","sub":"s","aud":["c"],"azp":"c","exp":2,"iat":1,"nonce":"n","at_hash":"h","auth_time":1,"acr":"a","amr":["x"],"sid":"x","pid":"1"}`,
	},
	jose.AccessToken: {
		`{"iss":"i","sub":"s","client_id":"c","scope":"openid","exp":2,"iat":1,"jti":"j","acr":"a","consumer":{"ID":"0192:1"}}`, // ID-porten
		`{"iss":"i","client_id":"c","scope":"x","token_type":"Bearer","exp":2,"iat":1,"jti":"j","consumer":{"ID":"0192:1"}}`,    // Maskinporten
		`{"iss":"i","scope":"x","token_type":"Bearer","exp":2,"iat":1,"consumer":{"ID":"0192:1"}}`,                              // older Maskinporten
		`{"iss":"i","sub":"s","aud":"https://api","azp":"c","scope":"x","exp":2,"iat":1}`,                                       // of other issuers
	},
	jose.ClientAssertion: {
		`{"iss":"c","sub":"c","aud":"i","exp":2,"iat":1,"jti":"j"}`,
		`{"iss":"c","sub":"c","aud":["i"],"exp":2,"iat":1,"nbf":1,"jti":"j","x":1}`,
	},
	jose.AuthorizationGrant: {
		`{"aud":"i","scope":"a b","iss":"c","exp":2,"iat":1,"jti":"j"}`,
		`{"aud":"i","scope":"a","iss":"c","sub":"c","exp":2,"iat":1,"resource":["https://api"],"consumer_org":"1","iss_onbehalfof":"x","pid":"1","authorization_details":[]}`,
	},
	jose.RequestObject: {
		`{"iss":"c","aud":"i","exp":2,"client_id":"c","response_type":"code","redirect_uri":"r","scope":"openid","state":"s","nonce":"n","code_challenge":"x","code_challenge_method":"S256"}`,
		`{"iss":"c","aud":"i","exp":2,"client_id":"c","response_type":"code","scope":"openid","claims":{},"authorization_details":[],"resource":["https://api"],"login_hint":"x"}`,
	},
	jose.DPoPProof: {
		`{"jti":"j","htm":"POST","htu":"https://i/token","iat":1}`,
		`{"jti":"j","htm":"GET","htu":"https://api/x","iat":1,"ath":"h","nonce":"n","exp":2,"nbf":1}`,
	},
	jose.IntrospectionResponse: {
		`{"iss":"i","aud":"rs","iat":1,"token_introspection":{"active":false}}`,
		`{"iss":"i","aud":"rs","iat":1,"token_introspection":{"active":true,"sub":"s","client_id":"c","scope":"a b","exp":2}}`,
	},
	jose.AuthorizationResponse: {
		`{"iss":"i","aud":"c","exp":2,"code":"x","state":"s"}`,
		`{"iss":"i","aud":"c","exp":2,"error":"access_denied","error_description":"d","state":"s"}`,
	},
	jose.LogoutToken: {`{"iss":"i","aud":"c","iat":1,"exp":2,"jti":"j","events":{"http://schemas.openid.net/event/backchannel-logout":{}},"sub":"s","sid":"x"}`},
}

// explicitTypes are the types of each purpose.
var explicitTypes = map[*jose.Purpose]string{
	jose.IDToken: "", jose.AccessToken: "at+jwt", jose.ClientAssertion: "client-authentication+jwt", jose.AuthorizationGrant: "",
	jose.RequestObject: "oauth-authz-req+jwt", jose.LogoutToken: "logout+jwt",
	jose.DPoPProof: "dpop+jwt", jose.IntrospectionResponse: "token-introspection+jwt", jose.AuthorizationResponse: "",
}

// alwaysTyped are the kinds that have an explicit type.
var alwaysTyped = []*jose.Purpose{jose.LogoutToken, jose.DPoPProof, jose.IntrospectionResponse}

func object(t testing.TB, text string) jose.Object {
	t.Helper()
	o, err := jose.ParseObject([]byte(text))
	require.NoError(t, err)
	return o
}

// TestPurposes: a token of each kind is accepted for its purpose alone, typed and untyped, whatever the spelling of its typ.
func TestPurposes(t *testing.T) {
	t.Parallel()
	require.Len(t, examples, len(jose.Purposes()))
	for _, of := range jose.Purposes() {
		require.Contains(t, explicitTypes, of, "%v has no type here", of)
		require.NotEmpty(t, examples[of], "%v has no example", of)
		for _, text := range examples[of] {
			claims := object(t, text)
			for _, p := range jose.Purposes() {
				for _, typ := range []string{"", "JWT", "jwt", "application/jwt", "APPLICATION/Jwt"} {
					want := p == of && !slices.Contains(alwaysTyped, of)
					require.Equal(t, want, p.Check(jose.Header{Typ: typ}, claims) == nil, "%s as %v, typ %q", text, p, typ)
				}
				explicit := explicitTypes[of]
				if explicit == "" {
					continue
				}
				for _, typ := range []string{explicit, strings.ToUpper(explicit), "application/" + explicit, "Application/" + explicit} {
					want := p == of && (typ == explicit || of != jose.DPoPProof) // RFC 9449 §4.3: the value dpop+jwt
					require.Equal(t, want, p.Check(jose.Header{Typ: typ}, claims) == nil, "%s as %v, typ %q", text, p, typ)
				}
			}
		}
	}
}

// TestOtherTypes: every other typ is another kind of JWT.
func TestOtherTypes(t *testing.T) {
	t.Parallel()
	for _, typ := range []string{
		"foo+jwt", "DPoP+JWT", "application/dpop+jwt", "secevent+jwt", "application/application/jwt", "text/jwt", "jwt+jwt", "JWS", "JOSE",
		" jwt", "jwt ", "at+jwt; charset=utf-8", "application/", "+jwt", "ĵwt", "at+jwt\u0000", "authorization-grant+jwt",
	} {
		for of, texts := range examples {
			for _, text := range texts {
				for _, p := range jose.Purposes() {
					err := p.Check(jose.Header{Typ: typ}, object(t, text))
					require.ErrorIs(t, err, jose.ErrPurpose, "%v as %v, typ %q", of, p, typ)
				}
			}
		}
	}
}

// claimNames are the names that tell JWTs apart, and others.
var claimNames = []string{
	"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "client_id", "scope", "consumer", "events", "nonce", "at_hash", "c_hash", "s_hash", "azp",
	"response_type", "response_mode", "redirect_uri", "code_challenge", "code_challenge_method", "state", "request", "request_uri", "htm", "htu",
	"ath", "token_introspection", "token_type", "resource", "authorization_details", "pid", "acr", "sid", "consumer_org", "cnf", "act",
	"code", "error", "response",
}

// TestNoJWTHasTwoPurposes: random claims with a random typ never fit two purposes.
func TestNoJWTHasTwoPurposes(t *testing.T) {
	t.Parallel()
	typs := []string{"", "", "JWT", "at+jwt", "logout+jwt", "client-authentication+jwt", "oauth-authz-req+jwt", "dpop+jwt", "token-introspection+jwt", "foo+jwt"}
	values := []any{"i", "c", "", 1, nil, []string{"c"}, map[string]any{}}
	accepted := map[string]int{}
	for range 10_000 {
		claims := map[string]any{}
		density := rand.Float64()
		for _, name := range claimNames {
			if rand.Float64() < density {
				claims[name] = values[rand.IntN(len(values))]
			}
		}
		if rand.IntN(2) == 0 { // an example with other claims beside it
			if rand.IntN(2) == 0 { // or without them, so that many tokens are accepted
				clear(claims)
			}
			all := examples[jose.Purposes()[rand.IntN(len(jose.Purposes()))]]
			require.NoError(t, json.Unmarshal([]byte(all[rand.IntN(len(all))]), &claims))
			if rand.IntN(2) == 0 {
				delete(claims, claimNames[rand.IntN(len(claimNames))])
			}
		}
		text, err := json.Marshal(claims)
		require.NoError(t, err)
		requireOnePurpose(t, typs[rand.IntN(len(typs))], object(t, string(text)), accepted)
	}
	for _, p := range jose.Purposes() {
		require.Greater(t, accepted[p.String()], 10, "%v: the property was tested with accepted tokens", p)
	}
}

func requireOnePurpose(t *testing.T, typ string, claims jose.Object, accepted map[string]int) {
	t.Helper()
	var first *jose.Purpose
	for _, p := range jose.Purposes() {
		if p.Check(jose.Header{Typ: typ}, claims) != nil {
			continue
		}
		require.Nil(t, first, "%v and %v: typ %q, claims %v", first, p, typ, claims.Names())
		first = p
		accepted[p.String()]++
	}
}

// FuzzPurpose: no header and payload fit two purposes.
func FuzzPurpose(f *testing.F) {
	for p, texts := range examples {
		for _, text := range texts {
			f.Add(explicitTypes[p], text)
			f.Add("JWT", text)
		}
	}
	f.Fuzz(func(t *testing.T, typ, text string) {
		claims, err := jose.ParseObject([]byte(text))
		if err != nil {
			return
		}
		requireOnePurpose(t, typ, claims, map[string]int{})
	})
}
