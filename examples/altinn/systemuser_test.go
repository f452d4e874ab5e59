package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/examples/internal/programs"
	"github.com/portner-go/portner/internal/standin/altinn"
	"github.com/portner-go/portner/internal/standin/maskinporten"
	"github.com/portner-go/portner/internal/standin/standintest"
	"github.com/portner-go/portner/keyset"
)

// Values of the story.
const (
	vendorOrgno, customerOrgno = "991825827", "910753614"
	smartcloud                 = vendorOrgno + "_smartcloud"
	customerParty              = 50714300
	customerRef                = "kunde-7" // the built-in system user of Maskinporten has another one
	portalScope                = "altinn:portal/enduser"
)

// vendorScopes are the scopes with which a vendor uses Altinn.
var vendorScopes = []string{
	"altinn:authentication/systemregister.write", "altinn:authentication/systemuser.request.write", "altinn:authentication/systemuser.request.read",
}

// pair is a Maskinporten and an Altinn that know each other, and the keys of an ID-porten.
type pair struct {
	t            *testing.T
	maskinporten *maskinporten.Server
	altinn       *altinn.Server
	base         string // of Altinn
	idporten     *keyset.Set
}

// serve serves until the end of the test.
func serve(t *testing.T, s interface{ Serve(context.Context) error }) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		require.NoError(t, <-done)
	}
	t.Cleanup(stop)
	return stop
}

// newPair starts the servers. args are further arguments of Altinn.
func newPair(t *testing.T, args ...string) (p *pair, stopAltinn func()) {
	t.Helper()
	p = &pair{t: t}
	file := filepath.Join(t.TempDir(), "maskinporten.json")
	configure := func(c map[string]any) {
		text, err := json.Marshal(c)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(file, text, 0o600))
	}
	configure(map[string]any{})
	prepared, err := standintest.Prepare(t, programs.Maskinporten().Command(), slog.DiscardHandler, "-addr", "localhost:0", "-config", file)
	require.NoError(t, err)
	p.maskinporten = prepared.(*maskinporten.Server)
	serve(t, p.maskinporten)
	var keysURI string
	p.idporten, keysURI = publish(t)
	stopAltinn = p.startAltinn(keysURI, args...)
	configure(map[string]any{"altinn": p.base + "/"}) // which was not known before
	require.NoError(t, p.maskinporten.Reload(t.Context()))
	return p, stopAltinn
}

// startAltinn starts Altinn.
func (p *pair) startAltinn(keysURI string, args ...string) (stop func()) {
	p.t.Helper()
	addr := "localhost:0"
	if p.base != "" { // again
		addr = strings.TrimPrefix(p.base, "http://")
	}
	file, err := json.Marshal(map[string]any{
		"maskinporten": map[string]any{"issuers": []any{map[string]any{"issuer": p.maskinporten.Issuer}}},
		"idporten":     map[string]any{"issuers": []any{map[string]any{"issuer": idportenIssuer, "jwks_uri": keysURI}}},
	})
	require.NoError(p.t, err)
	prepared, err := standintest.Prepare(p.t, programs.Altinn().Command(), slog.DiscardHandler, append([]string{"-addr", addr, "-config", write(p.t, string(file))}, args...)...)
	require.NoError(p.t, err)
	p.altinn = prepared.(*altinn.Server)
	p.base = p.altinn.Base()
	return serve(p.t, p.altinn)
}

// grant requests a token of Maskinporten for the vendor.
func (p *pair) grant(scope string, further map[string]any) (int, map[string]any) {
	p.t.Helper()
	now := time.Now().Unix()
	payload := map[string]any{"aud": p.maskinporten.Issuer, "iss": maskinporten.DemoClient, "scope": scope, "iat": now, "exp": now + 120, "jti": rand.Text()}
	for name, value := range further {
		payload[name] = value
	}
	assertion, err := maskinporten.Sign(maskinporten.DemoKey(), map[string]any{"alg": "RS256", "kid": maskinporten.DemoKID}, payload)
	require.NoError(p.t, err)
	status, body := p.send(http.MethodPost, p.maskinporten.Issuer+"token", "", "application/x-www-form-urlencoded",
		url.Values{"grant_type": {client.JWTBearer}, "assertion": {assertion}}.Encode())
	return status, decoded(p.t, body)
}

// systemUserGrant requests a token for the system user of the customer.
func (p *pair) systemUserGrant() (int, map[string]any) {
	p.t.Helper()
	return p.grant("eksempel:data.read", map[string]any{"authorization_details": []any{map[string]any{
		"type": "urn:altinn:systemuser", "systemuser_org": org("0192:" + customerOrgno), "externalRef": customerRef,
	}}})
}

// vendor returns a token of the vendor.
func (p *pair) vendor() string {
	p.t.Helper()
	status, answer := p.grant(strings.Join(vendorScopes, " "), nil)
	require.Equal(p.t, http.StatusOK, status, answer)
	return answer["access_token"].(string)
}

// user returns a token of Altinn for a person with a scope.
func (p *pair) user(pid, scope string) string {
	p.t.Helper()
	now := time.Now()
	raw, err := json.Marshal(map[string]any{
		"iss": idportenIssuer, "sub": "TWGi0", "scope": "openid " + scope, "client_id": "portal", "iat": now.Unix(), "exp": now.Unix() + 300, "jti": rand.Text(),
		"acr": "idporten-loa-high", "pid": pid, "consumer": org("0192:" + vendorOrgno), "token_type": "Bearer",
	})
	require.NoError(p.t, err)
	token, err := p.idporten.Sign("", "", raw, now)
	require.NoError(p.t, err)
	status, body := p.send(http.MethodGet, p.base+"/authentication/api/v1/exchange/id-porten", token, "", "")
	require.Equal(p.t, http.StatusOK, status)
	return body
}

// send sends a request. It does not follow redirects.
func (p *pair) send(method, target, token, contentType, body string, headers ...string) (int, string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, target, strings.NewReader(body))
	require.NoError(p.t, err)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Do(r)
	require.NoError(p.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(p.t, err)
	if resp.StatusCode == http.StatusSeeOther {
		return resp.StatusCode, resp.Header.Get("Location")
	}
	return resp.StatusCode, string(bytes.TrimSpace(text))
}

func decoded(t *testing.T, body string) (m map[string]any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(body), &m), body)
	return m
}

// json sends a JSON body to a path of Altinn below /authentication/api/v1/.
func (p *pair) json(method, path, token string, body any) (int, string) {
	p.t.Helper()
	text := ""
	if body != nil {
		raw, err := json.Marshal(body)
		require.NoError(p.t, err)
		text = string(raw)
	}
	return p.send(method, p.base+"/authentication/api/v1/"+path, token, "application/json", text)
}

func mva() []any {
	return []any{map[string]any{"resource": []any{map[string]any{"id": "urn:altinn:resource", "value": "eksempel-mva"}}}}
}

// requested registers the system and returns the vendor's request for a system user.
func (p *pair) requested(redirect string) map[string]any {
	p.t.Helper()
	status, body := p.json(http.MethodPost, "systemregister/vendor", p.vendor(), map[string]any{
		"id": smartcloud, "vendor": map[string]any{"ID": "0192:" + vendorOrgno}, "name": map[string]any{"nb": "Smart sky"}, "description": map[string]any{"nb": "Regnskap"},
		"rights": mva(), "clientId": []string{maskinporten.DemoClient}, "allowedRedirectUrls": []string{"http://localhost:3000/ferdig"},
	})
	require.Equal(p.t, http.StatusOK, status, body)
	request := map[string]any{"systemId": smartcloud, "partyOrgNo": customerOrgno, "externalRef": customerRef, "rights": mva()}
	if redirect != "" {
		request["redirectUrl"] = redirect
	}
	status, body = p.json(http.MethodPost, "systemuser/request/vendor", p.vendor(), request)
	require.Equal(p.t, http.StatusCreated, status, body)
	return decoded(p.t, body)
}

// TestSystemUserStory: a vendor registers its system and requests a system user; a user of the customer approves; the vendor gets a token of
// Maskinporten for the system user and exchanges it at Altinn; an API accepts the token, and another one introspects it.
func TestSystemUserStory(t *testing.T) {
	t.Parallel()
	p, _ := newPair(t)
	id := p.requested("")["id"].(string)

	status, answer := p.systemUserGrant() // not before the approval
	require.Equal(t, http.StatusBadRequest, status)
	require.Equal(t, "invalid_altinn_customer_configuration", answer["error"])
	require.Contains(t, answer["error_uri"], "MP-303")

	approve := fmt.Sprintf("systemuser/request/%d/%s/approve", customerParty, id)
	ola := "45840375084" // represents the customer, and is no access manager
	status, _ = p.json(http.MethodPost, approve, p.user(ola, portalScope), nil)
	require.Equal(t, http.StatusForbidden, status)
	status, _ = p.json(http.MethodPost, approve, p.user(kari, "altinn:instances.read"), nil)
	require.Equal(t, http.StatusForbidden, status)
	status, body := p.json(http.MethodPost, approve, p.user(kari, portalScope), nil)
	require.Equal(t, http.StatusOK, status, body)

	status, answer = p.systemUserGrant()
	require.Equal(t, http.StatusOK, status, answer)
	token := answer["access_token"].(string)
	details := []any{map[string]any{
		"type": "urn:altinn:systemuser", "systemuser_org": org("0192:" + customerOrgno), "systemuser_id": []any{id}, "system_id": smartcloud,
	}}
	claims := (&world{t: t}).claims(token)
	require.Equal(t, details, claims["authorization_details"])
	require.Equal(t, org("0192:"+vendorOrgno), claims["consumer"])

	status, exchanged := p.send(http.MethodGet, p.base+"/authentication/api/v1/exchange/maskinporten", token, "", "")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, details, (&world{t: t}).claims(exchanged)["authorization_details"])
	status, body = p.send(http.MethodGet, p.base+"/api/meg", exchanged, "", "")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, customerOrgno, decoded(t, body)["systembruker_hos"])

	api := p.user(kari, "altinn:instances.read") // any token of Altinn authenticates a caller of the introspection
	introspect := func(token string) string {
		status, body := p.send(http.MethodPost, p.base+"/authentication/api/v1/introspection", api, "application/x-www-form-urlencoded", url.Values{"token": {token}}.Encode())
		require.Equal(t, http.StatusOK, status)
		return body
	}
	require.JSONEq(t, `{"active":true,"iss":"`+p.altinn.Issuer+`"}`, introspect(exchanged))
	require.JSONEq(t, `{"active":false,"iss":null}`, introspect(token), "Maskinporten is no issuer of introspection_issuers")
	status, refreshed := p.send(http.MethodGet, p.base+"/authentication/api/v1/refresh", exchanged, "", "")
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `{"active":true,"iss":"`+p.altinn.Issuer+`"}`, introspect(refreshed))

	status, body = p.send(http.MethodGet, p.base+"/accessmanagement/api/v1/authorizedparties", p.user(ola, "altinn:instances.read"), "", "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `"name":"Kunden","organizationNumber":"`+customerOrgno+`"`)

	status, _ = p.json(http.MethodDelete, fmt.Sprintf("systemuser/%d/%s", customerParty, id), p.user(kari, portalScope), nil)
	require.Equal(t, http.StatusAccepted, status)
	status, _ = p.systemUserGrant()
	require.Equal(t, http.StatusBadRequest, status)
}

// TestDocumentedStory plays the commands of docs/altinn-config.md with the built-in client of Maskinporten.
func TestDocumentedStory(t *testing.T) {
	t.Parallel()
	docs, err := os.ReadFile("../../docs/altinn-config.md")
	require.NoError(t, err)
	_, section, _ := strings.Cut(string(docs), "\n## System users\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var bodies []map[string]any
	for _, m := range regexp.MustCompile(`(?s)'(\{.*?\})'`).FindAllStringSubmatch(section, -1) {
		bodies = append(bodies, decoded(t, m[1]))
	}
	require.Len(t, bodies, 4, "the claims of the vendor, a system, a request, and the claims for the system user")
	p, _ := newPair(t)
	granted := func(claims map[string]any) string {
		status, answer := p.grant("", claims)
		require.Equal(t, http.StatusOK, status, answer)
		return answer["access_token"].(string)
	}
	vendor := granted(bodies[0])
	for i, path := range []string{"systemregister/vendor", "systemuser/request/vendor"} {
		require.Contains(t, section, "http://localhost:8100/authentication/api/v1/"+path+" -d '")
		status, body := p.json(http.MethodPost, path, vendor, bodies[1+i])
		require.Contains(t, []int{http.StatusOK, http.StatusCreated}, status, body)
		if status == http.StatusCreated {
			page := decoded(t, body)["confirmUrl"].(string)
			status, _ = p.send(http.MethodPost, page, "", "application/x-www-form-urlencoded", "user=161488&decision=approve", "Origin", p.base, "Sec-Fetch-Site", "same-origin")
			require.Equal(t, http.StatusOK, status)
		}
	}
	status, exchanged := p.send(http.MethodGet, p.base+"/authentication/api/v1/exchange/maskinporten", granted(bodies[3]), "", "")
	require.Equal(t, http.StatusOK, status)
	details := (&world{t: t}).claims(exchanged)["authorization_details"].([]any)[0].(map[string]any)
	require.Equal(t, bodies[1]["id"], details["system_id"], "the system user that was approved, not the built-in one")
	status, body := p.send(http.MethodGet, p.base+"/api/meg", exchanged, "", "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, section, decoded(t, body)["systembruker_hos"])
}

// TestConfirmPage: a browser answers a request on the page of confirmUrl, and returns to the vendor.
func TestConfirmPage(t *testing.T) {
	t.Parallel()
	p, _ := newPair(t)
	page := p.requested("http://localhost:3000/ferdig?kunde=7")["confirmUrl"].(string)
	require.True(t, strings.HasPrefix(page, p.base+"/accessmanagement/ui/systemuser/request?id="), page)
	status, html := p.send(http.MethodGet, page, "", "", "")
	require.Equal(t, http.StatusOK, status)
	for _, part := range []string{"Smart sky", "Kunden (910753614)", "Eksempelvirksomheten (991825827)", "eksempel-mva", `<option value="161488">kari</option>`} {
		require.Contains(t, html, part)
	}
	require.NotContains(t, html, "161489", "ola is no access manager")
	require.NotContains(t, html, kari)

	post := func(body string, headers ...string) (int, string) {
		return p.send(http.MethodPost, page, "", "application/x-www-form-urlencoded", body, headers...)
	}
	own := []string{"Origin", p.base, "Sec-Fetch-Site", "same-origin"}
	for name, tc := range map[string]struct {
		body    string
		headers []string
		status  int
	}{
		"another site":      {"user=161488&decision=approve", []string{"Origin", "https://evil.example.no", "Sec-Fetch-Site", "cross-site"}, 403},
		"no origin":         {"user=161488&decision=approve", nil, 403},
		"no access manager": {"user=161489&decision=approve", own, 409},
		"unknown decision":  {"user=161488&decision=x", own, 400},
		"no user":           {"decision=approve", own, 400},
		"a parameter twice": {"user=161488&user=161488&decision=approve", own, 400},
	} {
		status, body := post(tc.body, tc.headers...)
		require.Equal(t, tc.status, status, name)
		require.NotContains(t, body, "godkjent", name)
	}
	status, location := post("user=161488&decision=approve", own...)
	require.Equal(t, http.StatusSeeOther, status)
	require.Equal(t, "http://localhost:3000/ferdig?kunde=7", location)
	status, html = post("user=161488&decision=reject", own...)
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, html, "godkjent")
	status, _ = p.systemUserGrant()
	require.Equal(t, http.StatusOK, status)
	status, _ = p.send(http.MethodGet, p.base+"/accessmanagement/ui/systemuser/request?id=x", "", "", "")
	require.Equal(t, http.StatusNotFound, status)
}

// TestSystemUsersSurvive: with -store a restart keeps what vendors and customers did.
func TestSystemUsersSurvive(t *testing.T) {
	t.Parallel()
	store := "sqlite:" + filepath.Join(t.TempDir(), "altinn.db")
	p, stop := newPair(t, "-store", store)
	id := p.requested("")["id"].(string)
	stop()
	_, keysURI := publish(t)
	p.startAltinn(keysURI, "-store", store)
	status, body := p.json(http.MethodGet, "systemuser/request/vendor/"+id, p.vendor(), nil)
	require.Equal(t, http.StatusOK, status, body)
	require.Equal(t, "New", decoded(t, body)["status"])
	status, body = p.json(http.MethodPost, "systemregister/vendor", p.vendor(), map[string]any{
		"id": smartcloud, "vendor": map[string]any{"ID": "0192:" + vendorOrgno}, "name": map[string]any{"nb": "x"}, "description": map[string]any{"nb": "x"},
	})
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, body, "AUTH.VLD-00002")
}
