package kit

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/portner-go/portner/portnertest"
	"github.com/portner-go/portner/resource"
)

// newApp starts the relying party.
func newApp(t *testing.T, op *portnertest.Provider) *httptest.Server {
	rp := &RelyingParty{Issuer: op.Issuer, ClientID: portnertest.ClientID, ClientSecret: portnertest.ClientSecret, HTTP: op.HTTP}
	app := httptest.NewServer(rp.Handler())
	t.Cleanup(app.Close)
	rp.URL = app.URL
	return app
}

func newAPI(t *testing.T, op *portnertest.Provider) http.Handler {
	api, err := NewAPI(resource.Config{
		Issuer: op.Issuer, Keys: resource.RemoteKeys{URI: op.Issuer + "/jwks.json", HTTP: op.HTTP}, URL: "https://api.example.no", Now: op.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return api
}

func newMachine(mp *portnertest.Provider) Machine {
	key, kid := mp.ClientKey()
	return Machine{Issuer: mp.Issuer, ClientID: portnertest.ClientID, Key: key, KeyID: kid, HTTP: mp.HTTP}
}
