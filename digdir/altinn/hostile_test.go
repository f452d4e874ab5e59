package altinn_test

import (
	"net/http"
	"testing"

	"github.com/portner-go/portner/digdir/altinn"
)

// An issuer may serve machines and people, and tokens of both name the client's organisation. A person's login
// never becomes the token of that organisation.
func TestPersonsAreNoMachines(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *altinn.Config) { c.Maskinporten = c.IDPorten })
	w.exchanged(request("id-porten", w.person()))
	w.refused(request("maskinporten", w.person(change{"scope": "altinn:serviceowner"})), http.StatusUnauthorized)
	w.refused(request("maskinporten", w.person(change{"acr": nil})), http.StatusUnauthorized)
	w.refused(request("maskinporten", w.person(change{"sub": nil})), http.StatusUnauthorized)
	w.refused(request("maskinporten", w.person(change{"scope": nil})), http.StatusUnauthorized)
	w.exchanged(request("maskinporten", w.person(change{"acr": nil, "sub": nil}))) // with a pid still a machine's

	sky := newWorld(t)
	sky.exchanged(request("maskinporten", sky.machine(change{"sub": "0192:314240979;altinn:broker.read"})))
}
