package altinn_test

import (
	"net/http"
	"testing"

	"github.com/portner-go/portner/digdir/altinn"
)

// TestUsersAreNoMachines checks that the token of a user is not exchanged as a token of the client's organisation.
func TestUsersAreNoMachines(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *altinn.Config) { c.Maskinporten = c.IDPorten })
	w.exchanged(request("id-porten", w.person()))
	w.rejects(request("maskinporten", w.person(change{"scope": "altinn:serviceowner"})), http.StatusUnauthorized)
	w.rejects(request("maskinporten", w.person(change{"acr": nil})), http.StatusUnauthorized)
	w.rejects(request("maskinporten", w.person(change{"sub": nil})), http.StatusUnauthorized)
	w.rejects(request("maskinporten", w.person(change{"scope": nil})), http.StatusUnauthorized)
	w.exchanged(request("maskinporten", w.person(change{"acr": nil, "sub": nil}))) // the token of a machine, with a pid

	sky := newWorld(t)
	sky.exchanged(request("maskinporten", sky.machine(change{"sub": "0192:314240979;altinn:broker.read"})))
}
