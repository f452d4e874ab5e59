package systemuser_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/standin/changes"
	"github.com/portner-go/portner/internal/standin/systemuser"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/resource"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/storage/memory"
)

const (
	platform     = "https://platform.tt02.altinn.no/"
	altinn       = platform + "authentication/api/v1/openid/"
	maskinporten = "https://test.maskinporten.no/"
	vendor       = "991825827"
	other        = "974761076"
	customer     = "910753614"
	system       = vendor + "_smartcloud"
	manager      = 161488 // of customer
	party        = 50714300
	vendorParty  = 50714301
	pid          = "21879498012"
)

var start = time.Unix(1757498372, 0)

// parties are three organisations. manager manages customer and vendor.
type parties struct{ broken bool }

func (p *parties) Organisation(_ context.Context, orgno string) (systemuser.Party, error) {
	switch {
	case p.broken:
		return systemuser.Party{}, fmt.Errorf("register down")
	case orgno == customer:
		return systemuser.Party{ID: party, Orgno: customer, Name: "Kunden"}, nil
	case orgno == vendor, orgno == other:
		return systemuser.Party{ID: vendorParty, Orgno: orgno, Name: "Leverandøren"}, nil
	}
	return systemuser.Party{}, storage.ErrNotFound
}

func (p *parties) Party(ctx context.Context, id int64) (systemuser.Party, error) {
	orgno := map[int64]string{party: customer, vendorParty: vendor}[id]
	if orgno == "" {
		return systemuser.Party{}, storage.ErrNotFound
	}
	return p.Organisation(ctx, orgno)
}

func (p *parties) Authorized(_ context.Context, s systemuser.Subject) ([]systemuser.AuthorizedParty, error) {
	person, orgno, unit := pid, customer, "AS"
	if p.broken {
		return nil, fmt.Errorf("register down")
	}
	if s != (systemuser.Subject{Type: systemuser.SubjectUser, Value: fmt.Sprint(manager)}) && s.Value != pid {
		return nil, storage.ErrNotFound
	}
	return []systemuser.AuthorizedParty{
		{PartyUUID: "5f2b6a51-0f5a-4a4c-9a0c-6d3c0d1f2a01", Name: "Kari", PersonID: &person, PartyID: 50714238, Type: "Person"},
		{
			PartyUUID: "5f2b6a51-0f5a-4a4c-9a0c-6d3c0d1f2b01", Name: "Kunden", OrganizationNumber: &orgno, PartyID: party, Type: "Organization", UnitType: &unit,
			Resources: []string{"mva-melding"}, OnlyHierarchy: true,
			Subunits: []systemuser.AuthorizedParty{{PartyUUID: "5f2b6a51-0f5a-4a4c-9a0c-6d3c0d1f2b02", Name: "Kunden avd.", PartyID: 50714302, Type: "Organization"}},
		},
	}, nil
}

func (p *parties) Manages(_ context.Context, user int64, orgno string) (bool, error) {
	return user == manager && (orgno == customer || orgno == vendor), nil
}

// world is an API with the keys of its issuers.
type world struct {
	*systemuser.API
	t                      *testing.T
	ofMaskinporten, ofUser *keyset.Set
	parties                *parties
	cfg                    systemuser.Config
	now                    time.Time

	mu     sync.Mutex
	events []portner.Event
	log    bytes.Buffer
}

func newWorld(t *testing.T, change ...func(*systemuser.Config)) *world {
	t.Helper()
	w := &world{t: t, now: start, parties: &parties{}}
	trust := func(iss string, noScope bool) (*keyset.Set, *resource.Verifier) {
		key, err := keyset.Generate(keyset.ES256)
		require.NoError(t, err)
		keys, err := keyset.New(keyset.Config{Keys: []keyset.Key{key}})
		require.NoError(t, err)
		jwks, _ := keys.JWKS(start)
		v, err := resource.New(resource.Config{
			Issuer: iss, Keys: resource.StaticKeys(jwks), URL: platform, AllowNoScope: noScope, Now: func() time.Time { return w.now },
		})
		require.NoError(t, err)
		return keys, v
	}
	var machines, users *resource.Verifier
	w.ofMaskinporten, machines = trust(maskinporten, false)
	w.ofUser, users = trust(altinn, true)
	tokens, err := resource.Any(machines, users)
	require.NoError(t, err)
	log, err := changes.NewLog(memory.New(), altinn, portner.Secret(rand.Text()+rand.Text()))
	require.NoError(t, err)
	w.cfg = systemuser.Config{
		Tokens: tokens, Issuer: altinn, Platform: platform, ConfirmURL: "https://am.ui.tt02.altinn.no/accessmanagement/ui/systemuser/request?id=",
		DelegationSources: []string{"https://tt02.altinn.no/"}, Parties: w.parties, Log: log, Now: func() time.Time { return w.now },
		Logger: slog.New(slog.NewJSONHandler(&w.log, nil)),
		OnEvent: func(_ context.Context, e portner.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
		},
	}
	for _, ch := range change {
		ch(&w.cfg)
	}
	w.API, err = systemuser.New(w.cfg)
	require.NoError(t, err)
	return w
}

type object = map[string]any

func (w *world) sign(keys *keyset.Set, claims object) string {
	w.t.Helper()
	raw, err := json.Marshal(claims)
	require.NoError(w.t, err)
	jwt, err := keys.Sign("", "", raw, start)
	require.NoError(w.t, err)
	return jwt
}

// machine returns a token of Maskinporten.
func (w *world) machine(orgno string, scopes ...string) string {
	return w.sign(w.ofMaskinporten, object{
		"iss": maskinporten, "client_id": "klient", "client_amr": "private_key_jwt", "scope": strings.Join(scopes, " "), "token_type": "Bearer", "iat": w.now.Unix(), "exp": w.now.Unix() + 120,
		"jti": "j", "consumer": object{"authority": "iso6523-actorid-upis", "ID": "0192:" + orgno},
	})
}

// user returns a token of Altinn for a user.
func (w *world) user(id int64, scopes ...string) string {
	return w.sign(w.ofUser, object{
		"iss": altinn, "scope": strings.Join(scopes, " "), "consumer": object{"authority": "iso6523-actorid-upis", "ID": "0192:" + other}, "iat": w.now.Unix(), "exp": w.now.Unix() + 120, "jti": "j", "acr": "idporten-loa-high",
		"urn:altinn:userid": fmt.Sprint(id), "urn:altinn:authlevel": 4,
	})
}

// writer is the token of the vendor with every scope that a vendor has.
func (w *world) writer() string {
	return w.machine(vendor, systemuser.ScopeRegisterWrite, systemuser.ScopeRequestWrite, systemuser.ScopeRequestRead)
}

// answer is a response.
type answer struct {
	status int
	header http.Header
	raw    string
}

func (a answer) json(t *testing.T) object {
	t.Helper()
	var o object
	require.NoError(t, json.Unmarshal([]byte(a.raw), &o), a.raw)
	return o
}

// call sends a request with a token. body is a JSON text or a value to encode, nil for none.
func (w *world) call(token, endpoint string, body any) answer {
	w.t.Helper()
	method, path, _ := strings.Cut(endpoint, " ")
	var reader io.Reader = http.NoBody
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		require.NoError(w.t, err)
		reader = bytes.NewReader(text)
	}
	if !strings.HasPrefix(path, "/") {
		path = systemuser.Root + path
	}
	r := httptest.NewRequest(method, path, reader)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	require.Equal(w.t, "no-store", rec.Header().Get("Cache-Control"))
	require.Equal(w.t, "nosniff", rec.Header().Get("X-Content-Type-Options"))
	return answer{rec.Code, rec.Header(), rec.Body.String()}
}

// smartcloud is the system of the tests.
func smartcloud(changes ...any) object {
	o := object{
		"id": system, "vendor": object{"authority": "iso6523-actorid-upis", "ID": "0192:" + vendor},
		"name":        object{"nb": "Smart sky", "nn": "Smart sky", "en": "Smart cloud"},
		"description": object{"nb": "Regnskap", "nn": "Rekneskap", "en": "Accounts"},
		"rights":      []any{right("mva-melding"), right("aarsregnskap")}, "accessPackages": []any{object{"urn": "urn:altinn:accesspackage:skatt-naering"}},
		"clientId": []string{"klient"}, "allowedRedirectUrls": []string{"https://smart.example.no/ferdig", "http://localhost:3000/ferdig"},
	}
	return with(o, changes...)
}

func with(o object, changes ...any) object {
	for i := 0; i < len(changes); i += 2 {
		if changes[i+1] == nil {
			delete(o, changes[i].(string))
			continue
		}
		o[changes[i].(string)] = changes[i+1]
	}
	return o
}

func right(resource string) object {
	return object{"resource": []any{object{"id": "urn:altinn:resource", "value": resource}}}
}

// request is a request for a system user.
func request(changes ...any) object {
	return with(object{"systemId": system, "partyOrgNo": customer, "rights": []any{right("mva-melding")}}, changes...)
}

// registered returns a world with the system.
func registered(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	a := w.call(w.writer(), "POST systemregister/vendor", smartcloud())
	require.Equal(t, http.StatusOK, a.status, a.raw)
	require.Regexp(t, `^"[0-9a-f-]{36}"$`, a.raw)
	return w
}

// lookup is the query of Maskinporten.
func lookup(changes ...string) string {
	q := map[string]string{"clientId": "klient", "systemProviderOrgNo": vendor, "systemUserOwnerOrgNo": customer}
	for i := 0; i < len(changes); i += 2 {
		q[changes[i]] = changes[i+1]
	}
	var parts []string
	for name, value := range q {
		if value != "" {
			parts = append(parts, name+"="+value)
		}
	}
	return "GET systemuser/byExternalId?" + strings.Join(parts, "&")
}

// TestStory registers a system, requests a system user, approves it, finds it as Maskinporten does, and deletes it (docs/spec/altinn.md §3.11).
func TestStory(t *testing.T) {
	t.Parallel()
	w := registered(t)
	finder := func() string { return w.machine("991825827", systemuser.ScopeLookup) }
	require.Equal(t, http.StatusNotFound, w.call(finder(), lookup(), nil).status)

	a := w.call(w.writer(), "POST systemuser/request/vendor", request("redirectUrl", "https://smart.example.no/ferdig?kunde=7", "accessPackages", []any{object{"urn": "urn:altinn:accesspackage:skatt-naering"}}))
	require.Equal(t, http.StatusCreated, a.status, a.raw)
	made := a.json(t)
	id := made["id"].(string)
	require.Equal(t, platform+"authentication/api/v1/systemuser/request/"+id, a.header.Get("Location"))
	require.Equal(t, object{
		"id": id, "integrationTitle": "Smart sky", "externalRef": customer, "systemId": system, "partyOrgNo": customer, "status": "New",
		"rights":         []any{object{"action": nil, "resource": []any{object{"id": "urn:altinn:resource", "value": "mva-melding"}}}},
		"accessPackages": []any{object{"urn": "urn:altinn:accesspackage:skatt-naering"}}, "redirectUrl": "https://smart.example.no/ferdig?kunde=7",
		"confirmUrl": "https://am.ui.tt02.altinn.no/accessmanagement/ui/systemuser/request?id=" + id + "&DONTCHOOSEREPORTEE=true", "escalated": false, "timedOut": false,
		"created": start.UTC().Format(time.RFC3339),
	}, made)

	again := w.call(w.writer(), "POST systemuser/request/vendor", request())
	require.Equal(t, http.StatusOK, again.status)
	require.Equal(t, id, again.json(t)["id"])

	user := w.user(manager, systemuser.ScopePortal)
	decide := fmt.Sprintf("POST systemuser/request/%d/%s/", party, id)
	for _, answer := range []string{"approve", "reject"} { // the request is for another organisation of the user
		w.call(user, fmt.Sprintf("POST systemuser/request/%d/%s/%s", vendorParty, id, answer), nil).requireProblem(t, http.StatusForbidden, "AUTH-00041")
	}
	w.call(user, fmt.Sprintf("GET systemuser/request/%d/%s", vendorParty, id), nil).requireProblem(t, http.StatusNotFound, "AUTH-00010")
	require.Equal(t, "New", w.call(user, fmt.Sprintf("GET systemuser/request/%d/%s", party, id), nil).json(t)["status"])
	a = w.call(user, decide+"approve", nil)
	require.Equal(t, http.StatusOK, a.status, a.raw)
	require.Equal(t, "true", a.raw)
	for _, path := range []string{"vendor/" + id, "vendor/byexternalref/" + system + "/" + customer + "/" + customer} {
		require.Equal(t, "Accepted", w.call(w.writer(), "GET systemuser/request/"+path, nil).json(t)["status"], path)
	}
	for _, answer := range []string{"approve", "reject"} { // once
		a = w.call(user, decide+answer, nil)
		require.Equal(t, http.StatusConflict, a.status)
		require.Equal(t, "AUTH-00013", a.json(t)["code"])
	}
	require.Equal(t, "AUTH-00004", w.call(w.writer(), "POST systemuser/request/vendor", request()).json(t)["code"])

	a = w.call(finder(), lookup(), nil)
	require.Equal(t, http.StatusOK, a.status)
	found := a.json(t)
	require.Equal(t, object{
		"id": id, "integrationTitle": "Smart sky", "systemId": system, "productName": system, "reporteeOrgNo": customer, "isDeleted": false,
		"supplierName": "Leverandøren", "supplierOrgno": vendor, "externalRef": customer, "userType": "standard", "created": start.UTC().Format(time.RFC3339),
	}, found)
	require.Equal(t, found, w.call(w.writer(), "GET systemuser/vendor/byquery?system-id="+system+"&orgno="+customer, nil).json(t))
	require.Equal(t, []any{any(found)}, w.call(w.writer(), "GET systemuser/vendor/bysystem/"+system, nil).json(t)["data"])
	require.JSONEq(t, "["+a.raw+"]", w.call(user, fmt.Sprintf("GET systemuser/%d", party), nil).raw)

	for name, q := range map[string]string{ // every field must match
		"client": lookup("clientId", "annen"), "vendor": lookup("systemProviderOrgNo", other), "customer": lookup("systemUserOwnerOrgNo", other),
		"reference": lookup("externalRef", "avdeling-1"), "case": lookup("clientId", "KLIENT"),
	} {
		require.Equal(t, http.StatusNotFound, w.call(finder(), q, nil).status, name)
	}
	require.Equal(t, http.StatusBadRequest, w.call(finder(), lookup("clientId", ""), nil).status)
	require.Equal(t, http.StatusBadRequest, w.call(finder(), lookup()+"&clientId=annen", nil).status)

	w.call(user, fmt.Sprintf("DELETE systemuser/%d/%s", vendorParty, id), nil).requireProblem(t, http.StatusForbidden, "AUTH-00024")
	w.call(user, fmt.Sprintf("DELETE systemuser/%d/x", party), nil).requireProblem(t, http.StatusNotFound, "AUTH-00015")
	require.Equal(t, "[]", w.call(user, fmt.Sprintf("GET systemuser/%d", vendorParty), nil).raw)
	require.Equal(t, http.StatusAccepted, w.call(user, fmt.Sprintf("DELETE systemuser/%d/%s", party, id), nil).status)
	require.Equal(t, http.StatusNotFound, w.call(finder(), lookup(), nil).status)
	again = w.call(w.writer(), "POST systemuser/request/vendor", request())
	require.Equal(t, http.StatusCreated, again.status)
	require.Equal(t, http.StatusOK, w.call(user, fmt.Sprintf("POST systemuser/request/%d/%s/approve", party, again.json(t)["id"]), nil).status)
	require.Equal(t, http.StatusOK, w.call(finder(), lookup(), nil).status)
	require.Equal(t, http.StatusOK, w.call(w.writer(), "DELETE systemregister/vendor/"+system, nil).status)
	require.Equal(t, http.StatusNotFound, w.call(finder(), lookup(), nil).status, "its system was deleted")
}
