package systemuser_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/standin/changes"
	"github.com/portner-go/portner/internal/standin/systemuser"
)

// requireProblem checks the number of an error of Altinn, or of each of its validation errors.
func (a answer) requireProblem(t *testing.T, status int, codes ...string) {
	t.Helper()
	require.Equal(t, status, a.status, a.raw)
	require.Equal(t, "application/problem+json; charset=utf-8", a.header.Get("Content-Type"))
	doc := a.json(t)
	require.Equal(t, float64(status), doc["status"])
	var got []string
	if list, ok := doc["validationErrors"].([]any); ok {
		require.Equal(t, "STD-00000", doc["code"])
		for _, e := range list {
			got = append(got, e.(object)["code"].(string))
			require.NotEmpty(t, e.(object)["title"])
			require.NotEmpty(t, e.(object)["paths"])
		}
	} else if code, ok := doc["code"].(string); ok {
		require.Equal(t, "urn:altinn:error:"+code, doc["type"])
		got = []string{code}
	}
	require.Equal(t, codes, got, a.raw)
	require.NotEmpty(t, doc["title"])
}

// TestSystemRejections sends the bodies of docs/spec/altinn.md §3.10 that are rejected.
func TestSystemRejections(t *testing.T) {
	t.Parallel()
	w := registered(t)
	taken := smartcloud("id", vendor+"_annet", "clientId", []string{"ledig", "klient"})
	for name, tc := range map[string]struct {
		body  any
		codes []string
	}{
		"vendor is no identifier":    {smartcloud("vendor", object{"ID": vendor}), []string{"AUTH.VLD-00000"}},
		"vendor of another register": {smartcloud("vendor", object{"ID": "9908:" + vendor}), []string{"AUTH.VLD-00000"}},
		"vendor of another coding":   {smartcloud("vendor", object{"authority": "x", "ID": "0192:" + vendor}), []string{"AUTH.VLD-00000"}},
		"vendor is a sub-entity":     {smartcloud("vendor", object{"ID": "0192:" + vendor + ":ER//1:1"}), []string{"AUTH.VLD-00000"}},
		"identifier of another":      {smartcloud("id", other+"_sky"), []string{"AUTH.VLD-00001", "AUTH.VLD-00004"}},
		"identifier is the number":   {smartcloud("id", vendor, "clientId", nil), []string{"AUTH.VLD-00001"}},
		"identifier is taken":        {smartcloud("clientId", nil), []string{"AUTH.VLD-00002"}},
		"client of another system":   {taken, []string{"AUTH.VLD-00004"}},
		"redirect to http":           {smartcloud("id", vendor+"_ny", "clientId", nil, "allowedRedirectUrls", []string{"http://smart.example.no/"}), []string{"AUTH.VLD-00005"}},
		"redirect to a path":         {smartcloud("id", vendor+"_ny", "clientId", nil, "allowedRedirectUrls", []string{"/ferdig"}), []string{"AUTH.VLD-00005"}},
		"redirect to a script":       {smartcloud("id", vendor+"_ny", "clientId", nil, "allowedRedirectUrls", []string{"javascript:alert(1)"}), []string{"AUTH.VLD-00005"}},
		"redirect with a user":       {smartcloud("id", vendor+"_ny", "clientId", nil, "allowedRedirectUrls", []string{"https://a@evil.example.no/"}), []string{"AUTH.VLD-00005"}},
		"right twice":                {smartcloud("id", vendor+"_ny", "clientId", nil, "rights", []any{right("a"), right("a")}), []string{"AUTH.VLD-00006"}},
		"package twice":              {smartcloud("id", vendor+"_ny", "clientId", nil, "accessPackages", []any{object{"urn": "urn:altinn:accesspackage:a"}, object{"urn": "urn:altinn:accesspackage:a"}}), []string{"AUTH.VLD-00007"}},
		"package of another kind":    {smartcloud("id", vendor+"_ny", "clientId", nil, "accessPackages", []any{object{"urn": "urn:altinn:resource:a"}}), []string{"AUTH.VLD-00008"}},
		"right of another kind":      {smartcloud("id", vendor+"_ny", "clientId", nil, "rights", []any{object{"resource": []any{object{"id": "urn:altinn:app", "value": "a"}}}}), []string{"AUTH.VLD-00009"}},
		"right without a resource":   {smartcloud("id", vendor+"_ny", "clientId", nil, "rights", []any{object{}}), []string{"AUTH.VLD-00009"}},
		"client twice":               {smartcloud("id", vendor+"_ny", "clientId", []string{"x", "x"}), []string{"AUTH.VLD-00011"}},
		"spaces":                     {smartcloud("id", vendor+"_ny sky", "clientId", nil), []string{"AUTH.VLD-00013"}},
		"no name":                    {smartcloud("id", vendor+"_ny", "clientId", nil, "name", object{"en": "Cloud"}), []string{"STD.VLD-00000"}},
		"unknown member":             {smartcloud("id", vendor+"_ny", "clientId", nil, "isDeleted", true), nil},
		"unknown member of a right":  {smartcloud("id", vendor+"_ny", "clientId", nil, "rights", []any{object{"ressurs": "a"}}), nil},
		"member of the wrong type":   {smartcloud("id", vendor+"_ny", "clientId", "klient"), nil},
		"member twice":               {`{"id":"` + system + `","id":"x"}`, nil},
		"member twice in other case": {`{"id":"` + system + `","ID":"x"}`, nil},
		"no object":                  {`[]`, nil},
		"two objects":                {`{}{}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.call(w.writer(), "POST systemregister/vendor", tc.body)
			a.requireProblem(t, http.StatusBadRequest, tc.codes...)
			require.NotContains(t, a.raw, "evil.example.no")
		})
	}
	t.Run("too large", func(t *testing.T) {
		a := w.call(w.writer(), "POST systemregister/vendor", `{"id":"`+strings.Repeat("a", 70<<10)+`"}`)
		a.requireProblem(t, http.StatusRequestEntityTooLarge)
	})
	t.Run("media type", func(t *testing.T) {
		r := httptest.NewRequest(http.MethodPost, systemuser.Root+"systemregister/vendor", strings.NewReader("{}"))
		r.Header.Set("Authorization", "Bearer "+w.writer())
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, r)
		require.Equal(t, http.StatusUnsupportedMediaType, rec.Code)
	})
}

// TestSystems replaces, lists and deletes a system (docs/spec/altinn.md §3.10).
func TestSystems(t *testing.T) {
	t.Parallel()
	w := registered(t)
	admin := func() string { return w.machine(other, systemuser.ScopeRegisterAdmin) }
	foreign := func() string { return w.machine(other, systemuser.ScopeRegisterWrite) }
	at := " systemregister/vendor/" + system

	got := w.call(w.writer(), "GET"+at, nil).json(t)
	require.Equal(t, object{"ID": "0192:" + vendor}, got["vendor"])
	require.Equal(t, []any{"klient"}, got["clientId"])
	require.Equal(t, false, got["isDeleted"])
	require.Equal(t, true, got["isVisible"])
	require.Equal(t, http.StatusForbidden, w.call(foreign(), "GET"+at, nil).status)
	require.Equal(t, http.StatusOK, w.call(admin(), "GET"+at, nil).status)
	require.Contains(t, w.call(w.writer(), "GET systemregister/vendor", nil).raw, `"systemId":"`+system+`"`)
	require.Equal(t, "[]", w.call(foreign(), "GET systemregister/vendor", nil).raw)
	user := w.user(manager, systemuser.ScopePortal)
	require.Equal(t, vendor, w.call(user, "GET systemregister/"+system, nil).json(t)["systemVendorOrgNumber"])
	require.Contains(t, w.call(user, "GET systemregister", nil).raw, system)

	require.Equal(t, http.StatusForbidden, w.call(foreign(), "PUT"+at, smartcloud()).status)
	require.Equal(t, http.StatusForbidden, w.call(foreign(), "PUT"+at, smartcloud("vendor", object{"ID": "0192:" + other}, "id", other+"_x")).status)
	w.call(w.writer(), "PUT"+at, smartcloud("id", vendor+"_annet")).requireProblem(t, http.StatusBadRequest, "AUTH.VLD-00012")
	require.Equal(t, http.StatusNotFound, w.call(w.writer(), "PUT systemregister/vendor/"+vendor+"_annet", smartcloud("id", vendor+"_annet")).status)
	require.Equal(t, `"System with ID '`+system+`' not found."`, w.call(w.writer(), "PUT"+at, smartcloud("vendor", object{"ID": "0192:" + other}, "id", other+"_x")).raw)
	a := w.call(w.writer(), "PUT"+at, smartcloud("clientId", []string{"klient", "klient-2"}, "isVisible", false))
	require.Equal(t, http.StatusOK, a.status, a.raw)
	require.JSONEq(t, `{"succeeded":true}`, a.raw)
	require.Equal(t, []any{"klient", "klient-2"}, w.call(w.writer(), "GET"+at, nil).json(t)["clientId"])

	require.Equal(t, http.StatusForbidden, w.call(foreign(), "DELETE"+at, nil).status)
	require.Equal(t, http.StatusOK, w.call(w.writer(), "DELETE"+at, nil).status)
	require.Equal(t, true, w.call(w.writer(), "GET"+at, nil).json(t)["isDeleted"])
	require.Equal(t, `"Cannot update a system marked as deleted."`, w.call(w.writer(), "PUT"+at, smartcloud()).raw)
	w.call(w.writer(), "POST systemregister/vendor", smartcloud()).requireProblem(t, http.StatusBadRequest, "AUTH.VLD-00002")
	require.Equal(t, http.StatusOK, w.call(w.writer(), "POST systemregister/vendor", smartcloud("id", vendor+"_ny")).status, "its clients are free")
	require.Equal(t, http.StatusNotFound, w.call(user, "GET systemregister/"+system, nil).status)
	w.call(w.writer(), "POST systemuser/request/vendor", request()).requireProblem(t, http.StatusNotFound, "AUTH-00011")
	w.call(w.writer(), "DELETE systemregister/vendor/"+vendor+"_intet", nil).requireProblem(t, http.StatusBadRequest)
}

// TestRequestRejections sends the requests of docs/spec/altinn.md §3.11 that are rejected.
func TestRequestRejections(t *testing.T) {
	t.Parallel()
	w := registered(t)
	require.Equal(t, http.StatusOK, w.call(w.writer(), "POST systemregister/vendor", smartcloud("id", vendor+"_stille", "clientId", nil, "allowedRedirectUrls", nil)).status)
	for name, tc := range map[string]struct {
		body   object
		status int
		codes  []string
	}{
		"unknown customer":          {request("partyOrgNo", "974760223"), 400, []string{"AUTH-00000"}},
		"no rights at all":          {request("rights", nil), 400, []string{"AUTH-00001"}},
		"a right of no system":      {request("rights", []any{right("skattemelding")}), 400, []string{"AUTH-00001"}},
		"a right twice":             {request("rights", []any{right("mva-melding"), right("mva-melding")}), 400, []string{"AUTH-00001"}},
		"more resources":            {request("rights", []any{object{"resource": []any{object{"id": "urn:altinn:resource", "value": "mva-melding"}, object{"id": "urn:altinn:resource", "value": "x"}}}}), 400, []string{"AUTH-00001"}},
		"a right without resource":  {request("rights", []any{object{}}), 400, []string{"AUTH-00001"}},
		"unknown system":            {request("systemId", vendor+"_intet"), 404, []string{"AUTH-00011"}},
		"unknown redirect":          {request("redirectUrl", "https://evil.example.no/"), 400, []string{"AUTH-00021"}},
		"redirect to a longer path": {request("redirectUrl", "https://smart.example.no/ferdig/mer"), 400, []string{"AUTH-00021"}},
		"redirect to another host":  {request("redirectUrl", "https://smart.example.no.evil.example.no/ferdig"), 400, []string{"AUTH-00021"}},
		"redirect with a user":      {request("redirectUrl", "https://x@smart.example.no/ferdig"), 400, []string{"AUTH-00021"}},
		"system without redirects":  {request("systemId", vendor+"_stille", "redirectUrl", "https://smart.example.no/ferdig"), 400, []string{"AUTH-00026"}},
		"empty lists":               {request("rights", []any{}, "accessPackages", []any{}), 400, []string{"AUTH-00059"}},
		"a package of no system":    {request("accessPackages", []any{object{"urn": "urn:altinn:accesspackage:post"}}), 400, []string{"AUTH-00063"}},
		"no customer":               {request("partyOrgNo", nil), 400, nil},
		"no system":                 {request("systemId", nil), 400, nil},
		"a long reference":          {request("externalRef", strings.Repeat("a", 256)), 400, nil},
		"unknown member":            {request("status", "Accepted"), 400, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w.call(w.writer(), "POST systemuser/request/vendor", tc.body).requireProblem(t, tc.status, tc.codes...)
		})
	}
	foreign := w.machine(other, systemuser.ScopeRequestWrite, systemuser.ScopeRequestRead)
	w.call(foreign, "POST systemuser/request/vendor", request()).requireProblem(t, 404, "AUTH-00011")

	id := w.call(w.writer(), "POST systemuser/request/vendor", request()).json(t)["id"].(string)
	for _, path := range []string{"vendor/" + id, "vendor/byexternalref/" + system + "/" + customer + "/" + customer, "vendor/1b2f6c3e-0d6a-4a55-9a4e-0d8c1c3a7d11"} {
		w.call(foreign, "GET systemuser/request/"+path, nil).requireProblem(t, 404, "AUTH-00010")
	}
	w.call(foreign, "GET systemuser/request/vendor/bysystem/"+system, nil).requireProblem(t, 404, "AUTH-00011")
	w.call(foreign, "DELETE systemuser/request/vendor/"+id, nil).requireProblem(t, 404, "AUTH-00010")
	require.Len(t, w.call(w.writer(), "GET systemuser/request/vendor/bysystem/"+system, nil).json(t)["data"], 1)

	// A rejected request must be deleted before another one is made.
	user := w.user(manager, systemuser.ScopePortal)
	require.Equal(t, "true", w.call(user, fmt.Sprintf("POST systemuser/request/%d/%s/reject", party, id), nil).raw)
	w.call(w.writer(), "POST systemuser/request/vendor", request()).requireProblem(t, 400, "AUTH-00009")
	require.Equal(t, http.StatusAccepted, w.call(w.writer(), "DELETE systemuser/request/vendor/"+id, nil).status)
	require.Equal(t, http.StatusNotFound, w.call(w.machine(other, systemuser.ScopeLookup), lookup(), nil).status)
	require.Equal(t, http.StatusCreated, w.call(w.writer(), "POST systemuser/request/vendor", request()).status)
	require.Equal(t, http.StatusCreated, w.call(w.writer(), "POST systemuser/request/vendor", request("externalRef", "avdeling-1")).status, "another reference")
}

// TestTimeout: a request that is not answered times out, cannot be answered, and does not prevent another one.
func TestTimeout(t *testing.T) {
	t.Parallel()
	w := registered(t)
	id := w.call(w.writer(), "POST systemuser/request/vendor", request()).json(t)["id"].(string)
	w.now = start.Add(180*24*time.Hour - time.Second)
	require.Equal(t, "New", w.call(w.writer(), "GET systemuser/request/vendor/"+id, nil).json(t)["status"])
	w.now = start.Add(180 * 24 * time.Hour)
	late := w.call(w.writer(), "GET systemuser/request/vendor/"+id, nil).json(t)
	require.Equal(t, "Timedout", late["status"])
	require.Equal(t, true, late["timedOut"])
	w.call(w.user(manager, systemuser.ScopePortal), fmt.Sprintf("POST systemuser/request/%d/%s/approve", party, id), nil).requireProblem(t, 409, "AUTH-00013")
	a := w.call(w.writer(), "POST systemuser/request/vendor", request())
	require.Equal(t, http.StatusCreated, a.status)
	require.NotEqual(t, id, a.json(t)["id"])
}

// TestCallers calls each endpoint without a token, with the scope of another endpoint, and with a token of the other kind.
func TestCallers(t *testing.T) {
	t.Parallel()
	w := registered(t)
	id := w.call(w.writer(), "POST systemuser/request/vendor", request()).json(t)["id"].(string)
	const unknown = 99
	all := []string{
		systemuser.ScopeRegisterWrite, systemuser.ScopeRegisterAdmin, systemuser.ScopeRequestWrite, systemuser.ScopeRequestRead, systemuser.ScopeLookup, systemuser.ScopePortal,
	}
	for endpoint, scopes := range map[string][]string{
		"GET systemregister": all[5:], "GET systemregister/" + system: all[5:], "GET systemregister/vendor": all[:2], "POST systemregister/vendor": all[:2],
		"GET systemregister/vendor/" + system: all[:2], "PUT systemregister/vendor/" + system: all[:2], "DELETE systemregister/vendor/" + system: all[:2],
		"POST systemuser/request/vendor": all[2:3], "GET systemuser/request/vendor/" + id: all[3:4], "DELETE systemuser/request/vendor/" + id: all[2:3],
		"GET systemuser/request/vendor/byexternalref/a/b/c": all[3:4], "GET systemuser/request/vendor/bysystem/" + system: all[3:4],
		fmt.Sprintf("GET systemuser/request/%d/%s", party, id): all[5:], fmt.Sprintf("POST systemuser/request/%d/%s/approve", party, id): all[5:],
		fmt.Sprintf("POST systemuser/request/%d/%s/reject", party, id): all[5:], lookup(): all[4:5], "GET systemuser/vendor/byquery?system-id=a&orgno=b": all[2:3],
		"GET systemuser/vendor/bysystem/" + system: all[:2], fmt.Sprintf("GET systemuser/%d", party): all[5:], fmt.Sprintf("DELETE systemuser/%d/%s", party, id): all[5:],
	} {
		var others []string
		for _, s := range all {
			if !slices.Contains(scopes, s) {
				others = append(others, s)
			}
		}
		for name, tc := range map[string]struct {
			token  string
			status int
		}{
			"no token":                {"", 401},
			"unreadable":              {"x", 401},
			"expired":                 {w.sign(w.ofMaskinporten, object{"iss": maskinporten, "scope": strings.Join(all, " "), "iat": 1, "exp": 2}), 401},
			"a user, other scopes":    {w.user(manager, others...), 403},
			"a machine, other scopes": {w.machine(vendor, others...), 403},
		} {
			a := w.call(tc.token, endpoint, nil)
			require.Equal(t, tc.status, a.status, "%s: %s", endpoint, name)
			require.Empty(t, a.raw, "%s: %s", endpoint, name)
			want := map[bool]string{true: `error="invalid_token"`, false: `error="insufficient_scope"`}[tc.status == 401]
			if tc.token == "" {
				want = `Bearer realm="api"`
				require.NotContains(t, a.header.Get("Www-Authenticate"), "error=", "%s: RFC 6750 §3.1", endpoint)
			}
			require.Contains(t, a.header.Get("Www-Authenticate"), want, "%s: %s", endpoint, name)
			if tc.status == 403 && strings.HasPrefix(name, "a user") == slices.Contains(scopes, systemuser.ScopePortal) {
				require.Contains(t, a.header.Get("Www-Authenticate"), `scope="`+scopes[0]+`"`, "%s: %s", endpoint, name)
			}
		}
		if slices.Contains(scopes, systemuser.ScopePortal) {
			require.Equal(t, 403, w.call(w.machine(customer, scopes...), endpoint, nil).status, endpoint)
			if strings.Contains(endpoint, fmt.Sprint(party)) {
				require.Equal(t, 403, w.call(w.user(unknown, scopes...), endpoint, nil).status, endpoint)
				require.Equal(t, 403, w.call(w.user(manager, scopes...), strings.Replace(endpoint, fmt.Sprint(party), "1", 1), nil).status, endpoint)
			}
		} else {
			require.Equal(t, 403, w.call(w.user(manager, scopes...), endpoint, nil).status, endpoint)
		}
	}
	require.Equal(t, "New", w.call(w.writer(), "GET systemuser/request/vendor/"+id, nil).json(t)["status"], "nothing changed")
	for _, path := range []string{"GET nowhere", "GET systemuser//byExternalId", "PATCH systemuser//byExternalId", "POST systemuser/request/x/y/z"} {
		w.call(w.writer(), path, nil).requireProblem(t, http.StatusNotFound)
	}
	for path, allow := range map[string]string{
		"PATCH systemregister/vendor": "GET, HEAD, POST", "POST systemregister": "GET, HEAD", "POST systemregister/vendor/x": "DELETE, GET, HEAD, PUT",
		"POST " + systemuser.AccessManagement + "authorizedparties": "GET, HEAD",
	} {
		a := w.call(w.writer(), path, nil)
		a.requireProblem(t, http.StatusMethodNotAllowed)
		require.Equal(t, "method_not_allowed", w.events[len(w.events)-1].Reason, path)
		require.Equal(t, allow, a.header.Get("Allow"), path)
	}
	posing := w.sign(w.ofMaskinporten, object{ // the claim of a user in a token of another issuer than Altinn
		"iss": maskinporten, "scope": systemuser.ScopePortal, "iat": start.Unix(), "exp": start.Unix() + 60, "urn:altinn:userid": fmt.Sprint(manager),
		"consumer": object{"authority": "iso6523-actorid-upis", "ID": "0192:" + customer},
	})
	require.Equal(t, 403, w.call(posing, fmt.Sprintf("POST systemuser/request/%d/%s/approve", party, id), nil).status)
	supplied := w.sign(w.ofMaskinporten, object{
		"iss": maskinporten, "scope": systemuser.ScopeRegisterWrite, "iat": start.Unix(), "exp": start.Unix() + 60, "delegation_source": "https://annen.example.no/",
		"consumer": object{"authority": "iso6523-actorid-upis", "ID": "0192:" + vendor}, "supplier": object{"authority": "iso6523-actorid-upis", "ID": "0192:" + other},
	})
	require.Equal(t, 403, w.call(supplied, "GET systemregister/vendor", nil).status, "a delegation source that is not trusted")
}

// TestOneAnswer: of many answers to a request at once one succeeds, and a request is made once.
func TestOneAnswer(t *testing.T) {
	t.Parallel()
	w := registered(t)
	ids := make([]string, 8)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			a := w.call(w.writer(), "POST systemuser/request/vendor", request())
			ids[i], _ = a.json(t)["id"].(string)
		})
	}
	wg.Wait()
	for _, id := range ids {
		require.Equal(t, ids[0], id)
	}
	user := w.user(manager, systemuser.ScopePortal)
	statuses := make([]int, 8)
	for i := range statuses {
		wg.Go(func() {
			decision := []string{"approve", "reject"}[i%2]
			statuses[i] = w.call(user, fmt.Sprintf("POST systemuser/request/%d/%s/%s", party, ids[0], decision), nil).status
		})
	}
	wg.Wait()
	won := 0
	for _, s := range statuses {
		if s == http.StatusOK {
			won++
			continue
		}
		require.Equal(t, http.StatusConflict, s)
	}
	require.Equal(t, 1, won)
}

// overtaken is a log in which another call comes first, once.
type overtaken struct {
	systemuser.Log
	first func()
}

func (o *overtaken) Append(ctx context.Context, after int64, c changes.Changes, now time.Time) error {
	if first := o.first; first != nil {
		o.first = nil
		first()
	}
	return o.Log.Append(ctx, after, c, now)
}

// TestOvertaken: a call that another one overtakes starts again with the records of that one.
func TestOvertaken(t *testing.T) {
	t.Parallel()
	log := &overtaken{}
	w := newWorld(t, func(c *systemuser.Config) { log.Log, c.Log = c.Log, log })
	require.Equal(t, http.StatusOK, w.call(w.writer(), "POST systemregister/vendor", smartcloud()).status)
	var first answer
	log.first = func() { first = w.call(w.writer(), "POST systemuser/request/vendor", request()) }
	second := w.call(w.writer(), "POST systemuser/request/vendor", request())
	require.Equal(t, http.StatusCreated, first.status)
	require.Equal(t, http.StatusOK, second.status)
	id := first.json(t)["id"].(string)
	require.Equal(t, id, second.json(t)["id"])

	decide := fmt.Sprintf("POST systemuser/request/%d/%s/", party, id)
	user := w.user(manager, systemuser.ScopePortal)
	log.first = func() { first = w.call(user, decide+"reject", nil) }
	second = w.call(user, decide+"approve", nil)
	require.Equal(t, http.StatusOK, first.status)
	second.requireProblem(t, http.StatusConflict, "AUTH-00013")
	require.Equal(t, "Rejected", w.call(w.writer(), "GET systemuser/request/vendor/"+id, nil).json(t)["status"])
	require.Equal(t, http.StatusNotFound, w.call(w.machine(other, systemuser.ScopeLookup), lookup(), nil).status)
}

// TestRestart: another API over the same log has the records, and those of the configuration that were not deleted.
func TestRestart(t *testing.T) {
	t.Parallel()
	configured := func(c *systemuser.Config) {
		c.Systems = []systemuser.System{{ID: vendor + "_fil", Vendor: systemuser.Vendor{ID: "0192:" + vendor}, Name: map[string]string{"nb": "Fil"}, ClientID: []string{"fil"}, IsVisible: true}}
		c.Users = []systemuser.User{{ID: "a545feee-38a1-45f5-b5b8-4f4b3bd2a4e0", SystemID: vendor + "_fil", ReporteeOrgNo: customer, SupplierOrgno: vendor, ExternalRef: customer}}
	}
	w := newWorld(t, configured)
	found, err := w.Find(t.Context(), systemuser.Query{ClientID: "fil", Vendor: vendor, Customer: customer})
	require.NoError(t, err)
	require.Equal(t, "a545feee-38a1-45f5-b5b8-4f4b3bd2a4e0", found.ID)
	w.call(w.writer(), "POST systemregister/vendor", smartcloud("clientId", []string{"fil"})).requireProblem(t, 400, "AUTH.VLD-00004")
	require.Equal(t, http.StatusOK, w.call(w.writer(), "POST systemregister/vendor", smartcloud()).status)
	id := w.call(w.writer(), "POST systemuser/request/vendor", request()).json(t)["id"].(string)
	require.Equal(t, http.StatusAccepted, w.call(w.user(manager, systemuser.ScopePortal), fmt.Sprintf("DELETE systemuser/%d/%s", party, found.ID), nil).status)

	again, err := systemuser.New(w.cfg)
	require.NoError(t, err)
	w.API = again
	require.Equal(t, "New", w.call(w.writer(), "GET systemuser/request/vendor/"+id, nil).json(t)["status"])
	_, err = again.Find(t.Context(), systemuser.Query{ClientID: "fil", Vendor: vendor, Customer: customer})
	require.Error(t, err, "the one of the configuration was deleted")
	q, s, err := again.Pending(t.Context(), id, w.now)
	require.NoError(t, err)
	require.Equal(t, system, s.ID)
	require.Equal(t, customer, q.PartyOrgNo)
	_, err = again.Decide(t.Context(), id, 99, systemuser.StatusAccepted, w.now)
	require.Error(t, err, "no access manager")
	require.Equal(t, "New", w.call(w.writer(), "GET systemuser/request/vendor/"+id, nil).json(t)["status"])
	decided, err := again.Decide(t.Context(), id, manager, systemuser.StatusAccepted, w.now)
	require.NoError(t, err)
	require.Equal(t, systemuser.StatusAccepted, decided.Status)
	_, err = again.Decide(t.Context(), id, manager, systemuser.StatusRejected, w.now)
	require.Error(t, err, "answered")
}

// broken is a log that fails.
type broken struct{ systemuser.Log }

func (broken) Load(context.Context) (changes.Changes, int64, error) {
	return nil, 0, errors.New("store down")
}

// TestFaults: a fault of the log or the register is 503 without its text, and logged as one.
func TestFaults(t *testing.T) {
	t.Parallel()
	w := registered(t)
	w.parties.broken = true
	a := w.call(w.writer(), "POST systemuser/request/vendor", request())
	require.Equal(t, http.StatusServiceUnavailable, a.status)
	require.NotContains(t, a.raw, "down")
	down := newWorld(t, func(c *systemuser.Config) { c.Log = broken{c.Log} })
	for _, endpoint := range []string{"GET systemregister/vendor", "POST systemregister/vendor", "DELETE systemregister/vendor/x", "POST systemuser/request/vendor"} {
		body := any(nil)
		if strings.HasPrefix(endpoint, "POST") {
			body = map[string]object{"POST systemregister/vendor": smartcloud(), "POST systemuser/request/vendor": request()}[endpoint]
		}
		a := down.call(down.writer(), endpoint, body)
		require.Equal(t, http.StatusServiceUnavailable, a.status, endpoint)
		require.NotContains(t, a.raw, "down")
	}
	require.Equal(t, "sys.fault", string(down.events[len(down.events)-1].Name))
	require.Contains(t, down.log.String(), "store down")
}

// TestNewReportsEveryField breaks each field.
func TestNewReportsEveryField(t *testing.T) {
	t.Parallel()
	_, err := systemuser.New(systemuser.Config{})
	require.Equal(t, []string{"Tokens", "Issuer", "Platform", "ConfirmURL", "Parties", "Log"}, fields.Names(err))
	w := newWorld(t)
	cfg := w.cfg
	cfg.Systems = []systemuser.System{
		{ID: "a b", Vendor: systemuser.Vendor{ID: "0192:" + vendor}, ClientID: []string{"x"}},
		{ID: vendor + "_a", Vendor: systemuser.Vendor{ID: vendor}},
		{ID: vendor + "_b", Vendor: systemuser.Vendor{ID: "0192:" + vendor}, Name: map[string]string{"nb": "b"}, ClientID: []string{"x"}},
		{ID: vendor + "_b", Vendor: systemuser.Vendor{ID: "0192:" + vendor}, Name: map[string]string{"nb": "b"}},
	}
	cfg.Users = []systemuser.User{{SystemID: vendor + "_c"}}
	_, err = systemuser.New(cfg)
	require.Equal(t, []string{
		"Systems[0].id", "Systems[0].id", "Systems[0].name", "Systems[1].vendor.ID", "Systems[2].clientId", "Systems[3].id", "Users[0].id", "Users[0].systemId",
	}, fields.Names(err))
}

// TestParameters: the response names the parameters that are missing or repeated.
func TestParameters(t *testing.T) {
	t.Parallel()
	w := registered(t)
	const required, repeated = "the parameter is required", "the parameter must not be repeated"
	for _, tc := range []struct {
		token, path string
		want        map[string]any
	}{
		{w.machine(other, systemuser.ScopeLookup), "byExternalId?clientId=a", object{"systemProviderOrgNo": []any{required}, "systemUserOwnerOrgNo": []any{required}}},
		{w.machine(other, systemuser.ScopeLookup), "byExternalId?clientId=a&systemProviderOrgNo=b&systemUserOwnerOrgNo=c&externalRef=d&externalRef=e", object{"externalRef": []any{repeated}}},
		{w.writer(), "vendor/byquery?orgno=1&orgno=2", object{"orgno": []any{repeated}, "system-id": []any{required}}},
		{w.writer(), "vendor/byquery?orgno=%zz", object{"$": []any{"the query of the URL is malformed"}}},
	} {
		a := w.call(tc.token, "GET systemuser/"+tc.path, nil)
		a.requireProblem(t, http.StatusBadRequest)
		require.Equal(t, tc.want, a.json(t)["errors"], tc.path)
	}
}
