package systemuser_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/internal/standin/systemuser"
)

// TestAuthorizedParties checks docs/spec/altinn.md §3.13.
func TestAuthorizedParties(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const root = systemuser.AccessManagement
	user := w.user(manager, "altinn:instances.read")
	a := w.call(user, "GET "+root+"authorizedparties", nil)
	require.Equal(t, http.StatusOK, a.status)
	require.JSONEq(t, `[
		{"partyUuid":"5f2b6a51-0f5a-4a4c-9a0c-6d3c0d1f2a01","name":"Kari","organizationNumber":null,"personId":"21879498012","partyId":50714238,"type":"Person","unitType":null,
		 "isDeleted":false,"onlyHierarchyElementWithNoAccess":false,"authorizedResources":[],"authorizedRoles":[],"authorizedInstances":[],"subunits":[]},
		{"partyUuid":"5f2b6a51-0f5a-4a4c-9a0c-6d3c0d1f2b01","name":"Kunden","organizationNumber":"910753614","personId":null,"partyId":50714300,"type":"Organization","unitType":"AS",
		 "isDeleted":false,"onlyHierarchyElementWithNoAccess":true,"authorizedResources":["mva-melding"],"authorizedRoles":[],"authorizedInstances":[],"subunits":[
		  {"partyUuid":"5f2b6a51-0f5a-4a4c-9a0c-6d3c0d1f2b02","name":"Kunden avd.","organizationNumber":null,"personId":null,"partyId":50714302,"type":"Organization","unitType":null,
		   "isDeleted":false,"onlyHierarchyElementWithNoAccess":false,"authorizedResources":[],"authorizedRoles":[],"authorizedInstances":[],"subunits":[]}]}]`, a.raw)
	require.Equal(t, "[]", w.call(w.user(99), "GET "+root+"authorizedparties", nil).raw)

	require.Equal(t, "Kari", w.call(user, "GET "+root+"authorizedparty/50714238", nil).json(t)["name"])
	require.Equal(t, "Kunden avd.", w.call(user, "GET "+root+"authorizedparty/50714302", nil).json(t)["name"])
	for _, id := range []string{"50714300", "1", "x"} { // one without access of its own, and unknown ones
		a := w.call(user, "GET "+root+"authorizedparty/"+id, nil)
		a.requireProblem(t, http.StatusBadRequest)
		require.Contains(t, a.raw, "InvalidParty")
	}
	require.Equal(t, http.StatusOK, w.call(user, fmt.Sprintf("GET %s%d/authorizedparties", root, party), nil).status)
	require.Equal(t, http.StatusForbidden, w.call(w.user(99), fmt.Sprintf("GET %s%d/authorizedparties", root, party), nil).status)

	const bySubject = "POST " + root + "resourceowner/authorizedparties"
	owner := w.machine(other, systemuser.ScopeParties)
	require.Contains(t, w.call(owner, bySubject, object{"type": "urn:altinn:person:identifier-no", "value": pid}).raw, "Kunden avd.")
	require.Equal(t, "[]", w.call(owner, bySubject, object{"type": "urn:altinn:organization:identifier-no", "value": "974760223"}).raw)
	for name, body := range map[string]any{
		"an unknown type": object{"type": "urn:altinn:person:fødselsnummer", "value": pid}, "no value": object{"type": "urn:altinn:userid"}, "no type": object{"value": "1"},
		"an unknown member": object{"type": "urn:altinn:userid", "value": "1", "includeAltinn2": true},
	} {
		a := w.call(owner, bySubject, body)
		a.requireProblem(t, http.StatusBadRequest)
		require.NotContains(t, a.raw, pid, name)
	}
	for name, tc := range map[string]struct {
		token, endpoint string
		status          int
	}{
		"nobody": {"", "GET " + root + "authorizedparties", 401}, "a machine": {owner, "GET " + root + "authorizedparties", 403},
		"a user for others": {user, bySubject, 403}, "a machine without the scope": {w.writer(), bySubject, 403},
	} {
		require.Equal(t, tc.status, w.call(tc.token, tc.endpoint, nil).status, name)
	}
	w.parties.broken = true
	require.Equal(t, http.StatusServiceUnavailable, w.call(user, "GET "+root+"authorizedparties", nil).status)
	require.NotContains(t, w.log.String(), pid)
}
