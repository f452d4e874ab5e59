package main

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portner-go/portner/examples/internal/helseidwalk"
	"github.com/portner-go/portner/internal/standin/helseid"
	"github.com/stretchr/testify/require"
)

const (
	allScopes = "openid profile offline_access " + helseid.IdentityAll + " " + helseid.ScopeHPR + " nhn:sample/read"

	invalidDetails = "invalid_authorization_details"
)

// TestMetadata: the metadata names HelseID's endpoints and says only what the server does.
func TestMetadata(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	meta := w.send(http.MethodGet, w.s.Issuer+"/.well-known/openid-configuration", nil, nil).body
	require.False(t, strings.HasSuffix(w.s.Issuer, "/"))
	for name, want := range map[string]any{
		"issuer": w.s.Issuer, "jwks_uri": w.s.Issuer + "/.well-known/openid-configuration/jwks",
		"authorization_endpoint": w.s.Issuer + "/connect/authorize", "token_endpoint": w.s.Issuer + "/connect/token",
		"userinfo_endpoint": w.s.Issuer + "/connect/userinfo", "end_session_endpoint": w.s.Issuer + "/connect/endsession",
		"pushed_authorization_request_endpoint": w.s.Issuer + "/connect/par", "introspection_endpoint": w.s.Issuer + "/connect/introspect",
		"revocation_endpoint": w.s.Issuer + "/connect/revocation", "require_pushed_authorization_requests": true,
		"token_endpoint_auth_methods_supported": []any{"private_key_jwt"}, "id_token_signing_alg_values_supported": []any{"RS256"},
		"code_challenge_methods_supported": []any{"S256"}, "response_types_supported": []any{"code"},
		"dpop_signing_alg_values_supported":              []any{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"},
		"authorization_response_iss_parameter_supported": true, "request_parameter_supported": true,
	} {
		require.Equal(t, want, meta[name], name)
	}
	for _, absent := range []string{"device_authorization_endpoint", "check_session_iframe", "backchannel_authentication_endpoint"} {
		require.NotContains(t, meta, absent)
	}
	keys := w.send(http.MethodGet, w.at.JWKS, nil, nil).body["keys"].([]any)
	require.Len(t, keys, 1)
	require.Contains(t, keys[0], "x5c")
}

// TestTokensOfUser: the id_token has the claims of the scopes, the access token those of the API, both in HelseID's form.
func TestTokensOfUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a := w.redeem(single, w.code(single, "kari", params(allScopes)), nil)
	require.Equal(t, http.StatusOK, a.status, a.body)
	require.Equal(t, []any{"DPoP", 600.0, allScopes}, []any{a.body["token_type"], a.body["expires_in"], a.body["scope"]})
	require.InDelta(t, 8*3600, a.body["rt_expires_in"], 120)
	require.NotContains(t, a.body, "refresh_token_expires_in")

	header, id := a.claims(t, "id_token")
	require.Equal(t, "RS256", header["alg"])
	require.Equal(t, []any{300.0, single, "nonce-1", "idporten-oidc", []any{"BankID"}}, []any{
		id["exp"].(float64) - id["iat"].(float64), id["aud"], id["nonce"], id["idp"], id["amr"],
	})
	require.Equal(t, id["iat"], id["nbf"])
	for name, want := range map[string]any{
		"helseid://claims/identity/pid": "21879498012", "helseid://claims/identity/security_level": "4",
		"helseid://claims/identity/assurance_level": "high", "helseid://claims/identity/network": "helsenett",
		"helseid://claims/hpr/hpr_number": "565500001", "name": "Kari Testesen", "given_name": "Kari", "middle_name": "", "family_name": "Testesen",
	} {
		require.Equal(t, want, id[name], name)
	}
	require.Regexp(t, `^[A-Za-z0-9+/]{43}=$`, id["sub"])
	require.Equal(t, id["sub"], id["helseid://claims/identity/pid_pseudonym"])
	require.Contains(t, id, "sid")
	require.NotContains(t, id, "acr")

	header, at := a.claims(t, "access_token")
	require.Equal(t, "at+jwt", header["typ"])
	require.Equal(t, []any{600.0, sample, "private_key_jwt", id["sub"], id["sid"], "idporten-oidc"}, []any{
		at["exp"].(float64) - at["nbf"].(float64), at["aud"], at["client_amr"], at["sub"], at["sid"], at["idp"],
	})
	require.Equal(t, strings.Fields(allScopes), strs(at["scope"]))
	require.Contains(t, at["cnf"], "jkt")
	require.Equal(t, []any{"21879498012", "4", "565500001", helseid.Hospital, "System single", "single-tenant"}, []any{
		at["helseid://claims/identity/pid"], at["helseid://claims/identity/security_level"], at["helseid://claims/hpr/hpr_number"],
		at["helseid://claims/client/claims/orgnr_parent"], at["helseid://claims/client/client_name"], at["helseid://claims/client/client_tenancy"],
	})
	for _, absent := range []string{"acr", "name", "helseid://claims/identity/network", "helseid://claims/client/claims/orgnr_child"} {
		require.NotContains(t, at, absent, "not configured for the API, or not known")
	}
}

func strs(v any) (all []string) {
	list, _ := v.([]any)
	for _, one := range list {
		all = append(all, one.(string))
	}
	return all
}

// TestSubIsTheSameForAllClients: one person has one sub at every client, and another person another.
func TestSubIsTheSameForAllClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	sub := func(id, user string) any {
		_, claims := w.redeem(id, w.code(id, user, params("openid")), nil).claims(t, "id_token")
		require.NotContains(t, claims, "helseid://claims/identity/pid", "the scope was not requested")
		return claims["sub"]
	}
	require.Equal(t, sub(single, "kari"), sub(plain, "kari"))
	require.NotEqual(t, sub(single, "kari"), sub(single, "liv"))
}

// TestAccessTokenFollowsTheAPI: the claims of an access token are those of its API, whatever scopes of identities the client has.
func TestAccessTokenFollowsTheAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	_, claims := w.redeem(single, w.code(single, "kari", params("openid nhn:sample/read")), nil).claims(t, "access_token")
	require.Equal(t, "21879498012", claims["helseid://claims/identity/pid"], "no scope of identities was requested")
	_, claims = w.redeem(single, w.code(single, "kari", params("openid "+helseid.IdentityAll+" nhn:other/read")), nil).claims(t, "access_token")
	require.NotContains(t, claims, "helseid://claims/identity/pid")
	require.Equal(t, claims["sub"], claims["helseid://claims/identity/pid_pseudonym"])
}

// TestUserInfo: userinfo needs the scope profile and a proof, and has the details of health personnel.
func TestUserInfo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	userinfo := func(user, scope string, bearer bool) answer {
		token := w.redeem(single, w.code(single, user, params(scope)), nil).str("access_token")
		header := map[string]string{"Authorization": "Bearer " + token}
		if !bearer {
			proof, err := w.client(single).Proof(http.MethodGet, w.at.UserInfo, token, "")
			require.NoError(t, err)
			header = map[string]string{"Authorization": "DPoP " + token, "DPoP": proof}
		}
		return w.send(http.MethodGet, w.at.UserInfo, nil, header)
	}
	a := userinfo("kari", "openid profile "+helseid.ScopeHPR+" "+helseid.IdentityAll, false)
	require.Equal(t, http.StatusOK, a.status, a.header)
	require.Equal(t, object{"approvals": []any{object{"profession": "LE", "specialities": []any{}}}}, a.body["helseid://claims/hpr/hpr_details"])
	require.Equal(t, []any{"Kari Testesen", "21879498012"}, []any{a.body["name"], a.body["helseid://claims/identity/pid"]})
	require.InDelta(t, time.Now().Unix(), a.body["userinfo_issued_at"], 60)
	forAPI := userinfo("kari", "openid profile "+helseid.ScopeHPR+" nhn:sample/read", false)
	require.Equal(t, http.StatusOK, forAPI.status, "aud of the token is the API")
	require.Contains(t, forAPI.body, "helseid://claims/hpr/hpr_details")
	require.NotContains(t, userinfo("liv", "openid profile "+helseid.ScopeHPR, false).body, "helseid://claims/hpr/hpr_details", "no health personnel")
	require.Equal(t, http.StatusUnauthorized, userinfo("kari", "openid profile", true).status, "a bound token as Bearer")
	require.Equal(t, http.StatusForbidden, userinfo("kari", "openid", false).status)
}

// TestClientAuthentication: private_key_jwt only, for the issuer, at most 60 s ahead, and once.
func TestClientAuthentication(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	now := time.Now()
	for name, tc := range map[string]struct {
		more object
		ok   bool
	}{
		"as HelseID says":              {nil, true},
		"60 s ahead":                   {object{"exp": now.Add(58 * time.Second).Unix()}, true},
		"two minutes ahead":            {object{"exp": now.Add(2 * time.Minute).Unix()}, false},
		"the token endpoint":           {object{"aud": w.at.Token}, false},
		"the issuer with a slash":      {object{"aud": w.s.Issuer + "/"}, false},
		"an array":                     {object{"aud": []string{w.s.Issuer}}, false},
		"another client as subject":    {object{"sub": multi}, false},
		"authorization_details inside": {object{"authorization_details": []object{}}, false},
	} {
		a := w.machine(single, "nhn:sample/read", tc.more)
		if tc.ok {
			require.Equal(t, http.StatusOK, a.status, name)
		} else {
			require.Equal(t, []any{http.StatusUnauthorized, "invalid_client"}, []any{a.status, a.str("error")}, name)
		}
	}
	used := w.authenticated(single, params("openid"), nil)
	require.Equal(t, http.StatusCreated, w.send(http.MethodPost, w.at.Push, used, nil).status)
	require.Equal(t, "invalid_client", w.send(http.MethodPost, w.at.Push, used, nil).str("error"), "the assertion was used")
	anonymous := params("openid")
	anonymous.Set("client_id", single)
	require.Equal(t, "invalid_client", w.send(http.MethodPost, w.at.Push, anonymous, nil).str("error"))
}

// TestTypOfAssertions: client-authentication+jwt and JWT are accepted, and with typed_assertions only the former.
func TestTypOfAssertions(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{false, true} {
		w := newWorld(t, object{"typed_assertions": strict})
		for typ, ok := range map[string]bool{"client-authentication+jwt": true, "JWT": !strict, "at+jwt": false, "oauth-authz-req+jwt": false} {
			now := time.Now().Unix()
			assertion, err := w.client(single).Sign(typ, false, object{
				"iss": single, "sub": single, "aud": w.s.Issuer, "iat": now, "nbf": now, "exp": now + 30, "jti": typ,
			})
			require.NoError(t, err)
			form := w.authenticated(single, params("openid"), nil)
			form.Set("client_assertion", assertion)
			require.Equal(t, ok, w.send(http.MethodPost, w.at.Push, form, nil).status == http.StatusCreated, "%s, strict %v", typ, strict)
		}
	}
}

// TestPushedRequests: a login needs a pushed request, and the authorization endpoint accepts client_id and request_uri only.
func TestPushedRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := params("openid", "client_id", single)
	_, at := w.visitor().open(w.at.Authorize + "?" + p.Encode())
	require.Contains(t, at, "error=invalid_request", "not pushed")
	uri := w.push(single, params("openid")).str("request_uri")
	_, at = w.visitor().open(w.authorizeURL(single, uri) + "&scope=openid")
	require.Contains(t, at, "error=invalid_request", "a further parameter")
	for name, change := range map[string]func(url.Values){
		"no PKCE":            func(p url.Values) { p.Del("code_challenge") },
		"plain PKCE":         func(p url.Values) { p.Set("code_challenge_method", "plain") },
		"another redirect":   func(p url.Values) { p.Set("redirect_uri", redirect+"/x") },
		"implicit":           func(p url.Values) { p.Set("response_type", "id_token") },
		"scope of nobody":    func(p url.Values) { p.Set("scope", "openid nhn:unknown/read") },
		"request_uri inside": func(p url.Values) { p.Set("request_uri", uri) },
	} {
		p := params("openid")
		change(p)
		require.Equal(t, http.StatusBadRequest, w.push(single, p).status, name)
	}
}

// TestDPoP: a token request needs a proof with a nonce of the server; the description is HelseID's.
func TestDPoP(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"nhn:sample/read"}}
	send := func(header map[string]string) answer {
		return w.send(http.MethodPost, w.at.Token, w.authenticated(single, form, nil), header)
	}
	proof := func(method, nonce string) map[string]string {
		p, err := w.client(single).Proof(method, w.at.Token, "", nonce)
		require.NoError(t, err)
		return map[string]string{"DPoP": p}
	}
	a := send(nil)
	require.Equal(t, []any{http.StatusBadRequest, "invalid_dpop_proof"}, []any{a.status, a.str("error")}, "no proof")
	require.Empty(t, a.header.Values("DPoP-Nonce"))
	a = send(proof(http.MethodPost, ""))
	require.Equal(t, []any{http.StatusBadRequest, "use_dpop_nonce", "Authorization server requires nonce in DPoP proof"},
		[]any{a.status, a.str("error"), a.str("error_description")})
	nonce := a.header.Get("DPoP-Nonce")
	require.NotEmpty(t, nonce)
	require.Equal(t, "use_dpop_nonce", send(proof(http.MethodPost, nonce+"x")).str("error"), "another nonce")
	require.Equal(t, "invalid_dpop_proof", send(proof(http.MethodGet, nonce)).str("error"), "another method")
	good := proof(http.MethodPost, nonce)
	require.Equal(t, http.StatusOK, send(good).status)
	require.Equal(t, "invalid_dpop_proof", send(good).str("error"), "the proof was used")
}

// TestMachineTokens: a token of a machine has no sub and no user, and scopes of identities are rejected.
func TestMachineTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a := w.machine(single, "nhn:sample/read nhn:sample/write", nil)
	require.Equal(t, http.StatusOK, a.status, a.body)
	for _, absent := range []string{"id_token", "refresh_token", "rejected_scope"} {
		require.NotContains(t, a.body, absent)
	}
	_, claims := a.claims(t, "access_token")
	for _, absent := range []string{"sub", "idp", "amr", "sid", "auth_time", "helseid://claims/identity/pid"} {
		require.NotContains(t, claims, absent)
	}
	require.Equal(t, []any{sample, single}, []any{claims["aud"], claims["client_id"]})
	for _, scope := range []string{helseid.IdentityAll, "openid", helseid.ScopeHPR, "nhn:sample/read helseid://scopes/identity/pid", "nhn:unknown/read"} {
		require.Equal(t, "invalid_scope", w.machine(single, scope, nil).str("error"), scope)
	}
	require.Equal(t, "unauthorized_client", w.machine(apiClient, "nhn:other/read", nil).str("error"))
}

// TestOrganisations: the organisation of a token, the numbers of errors, and scopes that an organisation may not use.
func TestOrganisations(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	const p, c, s = "helseid://claims/client/claims/orgnr_parent", "helseid://claims/client/claims/orgnr_child", "helseid://claims/client/claims/orgnr_supplier"
	for name, tc := range map[string]struct {
		client  string
		details any
		parent  any
		child   any
		err     string
	}{
		"one organisation":               {single, nil, helseid.Hospital, nil, ""},
		"its child":                      {single, helseidwalk.Child(helseid.Ward), helseid.Hospital, helseid.Ward, ""},
		"a child of another":             {single, helseidwalk.Child(helseid.Customer), nil, nil, "HID-1002"},
		"a parent":                       {single, helseidwalk.Parent(helseid.Customer), nil, nil, "HID-1005"},
		"a customer":                     {multi, helseidwalk.Parent(helseid.Customer), helseid.Customer, nil, ""},
		"a customer, in an array":        {multi, []any{helseidwalk.Parent(helseid.Customer)}, helseid.Customer, nil, ""},
		"a customer with a child":        {multi, helseidwalk.Organisation("urn:oid:1.0.6523", "NO:ORGNR:"+helseid.Customer+":"+helseid.Ward), helseid.Customer, helseid.Ward, ""},
		"without the organisation":       {multi, nil, nil, nil, "A multi-tenant client"},
		"an organisation without a deal": {multi, helseidwalk.Parent(helseid.Ward), nil, nil, "HID-1001"},
		"no number":                      {multi, helseidwalk.Parent("12345678"), nil, nil, "HID-1004"},
		"a text":                         {multi, helseid.Customer, nil, nil, "HID-1007"},
		"an unknown type":                {multi, object{"type": "other"}, nil, nil, "HID-1007"},
		"not set up":                     {plain, helseidwalk.Child(helseid.Ward), nil, nil, "HID-1010"},
	} {
		var more object
		if tc.details != nil {
			more = object{"assertion_details": tc.details}
		}
		a := w.machine(tc.client, "nhn:sample/read", more)
		if tc.err != "" {
			require.Equal(t, []any{http.StatusBadRequest, invalidDetails}, []any{a.status, a.str("error")}, name)
			require.True(t, strings.HasPrefix(a.str("error_description"), tc.err), "%s: %s", name, a.str("error_description"))
			continue
		}
		require.Equal(t, http.StatusOK, a.status, name)
		_, claims := a.claims(t, "access_token")
		require.Equal(t, []any{tc.parent, tc.child}, []any{claims[p], claims[c]}, name)
		if tc.client == multi {
			require.Equal(t, helseid.Supplier, claims[s], name)
		}
	}
	a := w.machine(multi, "nhn:sample/read nhn:sample/write", object{"assertion_details": helseidwalk.Parent(helseid.Hospital)})
	require.Equal(t, []string{"nhn:sample/read", "nhn:sample/write"}, []string{a.str("scope"), a.str("rejected_scope")})
	a = w.machine(multi, "nhn:sample/write", object{"assertion_details": helseidwalk.Parent(helseid.Hospital)})
	require.Equal(t, "invalid_scope", a.str("error"), "no scope is left")
}

// TestOrganisationOfAUser: what is pushed is in every token of the login, beside the request or in a request object. What an assertion names is
// in one token.
func TestOrganisationOfAUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	const c = "helseid://claims/client/claims/orgnr_child"
	childOf := func(a answer) any {
		require.Equal(t, http.StatusOK, a.status, a.body)
		_, claims := a.claims(t, "access_token")
		return claims[c]
	}
	text := `{"type":"helseid_authorization","practitioner_role":{"organization":{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.4.101","type":"ENH","value":"` + helseid.Ward + `"}}}}`
	pushed := params(allScopes, "authorization_details", text)
	a := w.redeem(single, w.code(single, "kari", pushed), nil)
	require.Equal(t, helseid.Ward, childOf(a))
	require.Equal(t, helseid.Ward, childOf(w.refresh(single, a.str("refresh_token"), nil)))

	for _, typ := range []string{"oauth-authz-req+jwt", "client-authentication+jwt", "JWT"} {
		now := time.Now().Unix()
		object, err := w.client(single).Sign(typ, false, object{
			"iss": single, "client_id": single, "aud": w.s.Issuer, "nbf": now, "iat": now, "exp": now + 30, "jti": typ, "authorization_details": helseidwalk.Child(helseid.Ward),
		})
		require.NoError(t, err)
		require.Equal(t, helseid.Ward, childOf(w.redeem(single, w.code(single, "kari", params("openid nhn:sample/read", "request", object)), nil)), typ)
	}

	a = w.redeem(single, w.code(single, "kari", params(allScopes)), object{"assertion_details": helseidwalk.Child(helseid.Ward)})
	require.Equal(t, helseid.Ward, childOf(a))
	require.Nil(t, childOf(w.refresh(single, a.str("refresh_token"), nil)))
	require.Equal(t, helseid.Ward, childOf(w.refresh(single, a.str("refresh_token"), object{"assertion_details": helseidwalk.Child(helseid.Ward)})))

	refused := w.push(single, params("openid", "authorization_details", strings.Replace(text, helseid.Ward, helseid.Customer, 1)))
	require.Equal(t, []any{http.StatusBadRequest, invalidDetails}, []any{refused.status, refused.str("error")})
	require.True(t, strings.HasPrefix(refused.str("error_description"), "HID-1002: "), refused.body)
}

// TestJournal: the journal of a request is a claim of the tokens of APIs that have it.
func TestJournal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	const id = "5f0a4cbd-2c24-4f3b-9d0e-6c1f1d8a4a11"
	journal := object{"type": "nhn:sfm:journal-id", "value": object{"journal_id": id}}
	_, claims := w.machine(single, "nhn:other/read", object{"assertion_details": []any{helseidwalk.Child(helseid.Ward), journal}}).claims(t, "access_token")
	require.Equal(t, id, claims["nhn:sfm:journal_id"])
	_, claims = w.machine(single, "nhn:sample/read", object{"assertion_details": journal}).claims(t, "access_token")
	require.NotContains(t, claims, "nhn:sfm:journal_id")
}

// TestRefresh: a refresh token is not rotated and ends 8 hours after the login; a refresh needs a proof, and may use another key.
func TestRefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a := w.redeem(single, w.code(single, "kari", params(allScopes)), nil)
	for range 2 {
		next := w.refresh(single, a.str("refresh_token"), nil)
		require.Equal(t, http.StatusOK, next.status, next.body)
		require.Contains(t, []string{"", a.str("refresh_token")}, next.str("refresh_token"))
		require.LessOrEqual(t, next.body["rt_expires_in"].(float64), a.body["rt_expires_in"].(float64))
	}
	form := w.authenticated(single, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}}, nil)
	require.Equal(t, "invalid_dpop_proof", w.send(http.MethodPost, w.at.Token, form, nil).str("error"))
	without := w.redeem(single, w.code(single, "kari", params("openid")), nil)
	require.NotContains(t, without.body, "refresh_token", "without offline_access")
}

// TestResources: the first token has the audiences of all resources, and a refresh obtains one for each.
func TestResources(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	scope := "openid offline_access nhn:sample/read nhn:other/read"
	a := w.redeem(single, w.code(single, "kari", params(scope, "resource", sample, "resource", other)), nil)
	_, claims := a.claims(t, "access_token")
	require.ElementsMatch(t, []string{sample, other}, strs(claims["aud"]))
	for _, api := range []string{sample, other} {
		_, claims := w.refresh(single, a.str("refresh_token"), nil, "resource", api).claims(t, "access_token")
		require.Equal(t, api, claims["aud"])
		require.Contains(t, strs(claims["scope"]), api+"/read")
		require.Equal(t, api == sample, claims["helseid://claims/identity/pid"] != nil, "the claims of this API")
		others := slices.DeleteFunc(strs(claims["scope"]), func(s string) bool { return !strings.HasPrefix(s, "nhn:") || strings.HasPrefix(s, api) })
		require.Empty(t, others)
	}
	require.Equal(t, "invalid_target", w.refresh(single, a.str("refresh_token"), nil, "resource", "nhn:unknown").str("error"))
	a = w.token(single, url.Values{"grant_type": {"client_credentials"}, "scope": {"nhn:sample/read"}, "resource": {other}}, nil)
	require.NotEqual(t, http.StatusOK, a.status, "no scope of the resource")
}

// TestExchange: an API exchanges a token that is for it. The user and the organisation stay, the key and the client are those of the API.
func TestExchange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	exchange := func(id, subject string, change ...string) answer {
		form := url.Values{
			"grant_type": {helseid.ExchangeFor}, "subject_token": {subject}, "subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"}, "scope": {"nhn:other/read"},
		}
		for i := 0; i+1 < len(change); i += 2 {
			form.Set(change[i], change[i+1])
		}
		return w.token(id, form, nil)
	}
	user := w.redeem(single, w.code(single, "kari", params("openid nhn:sample/read")), nil)
	a := exchange(apiClient, user.str("access_token"))
	require.Equal(t, http.StatusOK, a.status, a.body)
	require.Equal(t, []any{"DPoP", "urn:ietf:params:oauth:token-type:access_token"}, []any{a.body["token_type"], a.body["issued_token_type"]})
	_, first := user.claims(t, "access_token")
	_, claims := a.claims(t, "access_token")
	require.Equal(t, []any{other, apiClient, first["sub"], helseid.Hospital, object{"client_id": apiClient, "orgnr_parent": helseid.Supplier}}, []any{
		claims["aud"], claims["client_id"], claims["sub"], claims["helseid://claims/client/claims/orgnr_parent"], claims["act"],
	})
	require.LessOrEqual(t, claims["exp"].(float64), first["exp"].(float64), "no longer than the token it came from")
	require.NotContains(t, a.body, "refresh_token")

	machine := w.machine(multi, "nhn:sample/read", object{"assertion_details": helseidwalk.Parent(helseid.Customer)})
	_, claims = exchange(apiClient, machine.str("access_token")).claims(t, "access_token")
	require.Equal(t, helseid.Customer, claims["helseid://claims/client/claims/orgnr_parent"])
	require.NotContains(t, claims, "sub")

	elsewhere := w.machine(single, "nhn:other/read", nil).str("access_token")
	for name, refused := range map[string]answer{
		"a token for another API": exchange(apiClient, elsewhere),
		"an unknown token":        exchange(apiClient, "x"+elsewhere),
		"another token type":      exchange(apiClient, user.str("id_token"), "subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
		"an actor token":          exchange(apiClient, user.str("access_token"), "actor_token", elsewhere, "actor_token_type", "urn:ietf:params:oauth:token-type:access_token"),
		"a scope of another":      exchange(apiClient, user.str("access_token"), "scope", "nhn:sample/read"),
		"openid":                  exchange(apiClient, user.str("access_token"), "scope", "openid"),
		"a scope of identities":   exchange(apiClient, user.str("access_token"), "scope", "nhn:other/read "+helseid.IdentityAll),
		"a client without it":     exchange(single, user.str("access_token")),
	} {
		require.Equal(t, http.StatusBadRequest, refused.status, name)
	}
	code := w.send(http.MethodPost, w.s.Issuer+"/connect/revocation", w.authenticated(single, url.Values{"token": {user.str("access_token")}}, nil), nil)
	require.Equal(t, http.StatusOK, code.status)
	require.Equal(t, http.StatusBadRequest, exchange(apiClient, user.str("access_token")).status, "revoked")
}

// TestLoginLevels: acr_values choose the level, the identity provider and the method.
func TestLoginLevels(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for values, want := range map[string][]string{
		"":                            {"kari", "ola", "liv"},
		"Level3":                      {"kari", "ola", "liv"},
		"Level4":                      {"kari", "liv"},
		"High":                        {"kari", "liv"},
		"idp:idporten-oidc":           {"kari", "ola"},
		"idp:testidp-oidc Level4":     {"liv"},
		"idp:idporten-oidc amr:minid": {"ola"},
		"idp:buypass-oidc":            nil,
	} {
		p := params("openid")
		if values != "" {
			p.Set("acr_values", values)
		}
		uri := w.push(single, p).str("request_uri")
		page, _ := w.visitor().open(w.authorizeURL(single, uri))
		require.ElementsMatch(t, want, usersOf(page), values)
	}
}

// TestSecurityLevelIsText: the level of a login is a text, and a session on level 3 does not answer a request for level 4.
func TestSecurityLevelIsText(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	v := w.visitor()
	page, at := v.open(w.authorizeURL(single, w.push(single, params(allScopes)).str("request_uri")))
	code := v.choose(page, at, "ola").Get("code")
	_, claims := w.redeem(single, code, nil).claims(t, "id_token")
	require.Equal(t, []any{"3", "substantial", "Test"}, []any{
		claims["helseid://claims/identity/security_level"], claims["helseid://claims/identity/assurance_level"], claims["middle_name"],
	})
	page, _ = v.open(w.authorizeURL(single, w.push(single, params("openid", "acr_values", "Level4")).str("request_uri")))
	require.Equal(t, []string{"kari", "liv"}, usersOf(page))
	_, at = v.open(w.authorizeURL(single, w.push(single, params("openid")).str("request_uri")))
	require.Contains(t, at, "code=", "the session answers a request without a level")
}

// TestThickClient: a native application with a key may use any port of the loopback address.
func TestThickClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := params("openid")
	p.Set("redirect_uri", "http://127.0.0.1:53120/callback")
	require.Equal(t, http.StatusCreated, w.push("thick", p).status)
	p.Set("redirect_uri", "http://127.0.0.1:53120/other")
	require.Equal(t, http.StatusBadRequest, w.push("thick", p).status)
}

// TestOnBehalfOf: the parameter on_behalf_of names a registered customer, and is a claim of APIs that have it.
func TestOnBehalfOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	_, claims := w.redeem(single, w.code(single, "kari", params("openid nhn:other/read", "on_behalf_of", helseid.Customer)), nil).claims(t, "access_token")
	require.Equal(t, helseid.Customer, claims["helseid://claims/client/on_behalf_of"])
	require.Equal(t, http.StatusBadRequest, w.push(single, params("openid", "on_behalf_of", helseid.Ward)).status)
}

// TestEndSession: with id_token_hint the logout needs no confirmation and leads back with state; without it the user is asked.
func TestEndSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	v := w.visitor()
	page, at := v.open(w.authorizeURL(single, w.push(single, params("openid")).str("request_uri")))
	id := w.redeem(single, v.choose(page, at, "kari").Get("code"), nil).str("id_token")
	page, _ = v.open(w.at.EndSession)
	require.Contains(t, page, "logout-confirm")
	page, _ = v.open(w.at.EndSession + "?" + url.Values{"id_token_hint": {id}}.Encode())
	require.NotContains(t, page, "logout-confirm")
	_, at = v.open(w.authorizeURL(single, w.push(single, params("openid", "prompt", "none")).str("request_uri")))
	require.Contains(t, at, "error=login_required", "the session has ended")
}

// TestErrors: the codes of HelseID's documentation.
func TestErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for want, form := range map[string]url.Values{
		"invalid_request":        {},
		"unsupported_grant_type": {"grant_type": {"password"}},
		"invalid_grant":          {"grant_type": {"authorization_code"}, "code": {"x"}, "redirect_uri": {redirect}, "code_verifier": {verifier}},
	} {
		require.Equal(t, want, w.token(single, form, nil).str("error"))
	}
	require.Equal(t, http.StatusMethodNotAllowed, w.send(http.MethodGet, w.at.Token, nil, nil).status)
}
