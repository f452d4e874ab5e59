package landscape

import (
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/portner-go/portner/resource"
)

// newPay returns the salary API of the page. It accepts tokens of ID-porten that name it in aud, so that a token that a service got at a
// login must be exchanged first.
func newPay(at addresses, hc *http.Client, log *slog.Logger) (http.Handler, error) {
	v, err := resource.New(resource.Config{
		Issuer: at.IDPorten, Keys: resource.RemoteKeys{URI: at.IDPorten + "/jwks.json", HTTP: hc},
		URL: at.payAPI(), RequireAudience: true, Realm: "lonn", Logger: log,
	})
	if err != nil {
		return nil, err
	}
	return v.Protect(resource.Rules{Scopes: []string{scopePay}, RequireUser: true, RequirePID: true}, http.HandlerFunc(pay)), nil
}

// pay responds with the payslip of the user and the party that acts for the user.
func pay(w http.ResponseWriter, r *http.Request) {
	t := resource.FromContext(r.Context())
	var actor struct {
		ClientID string `json:"client_id"`
	}
	if act, ok := t.Claim("act"); ok {
		_ = json.Unmarshal(act, &actor)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"person": t.PID.Reveal(), "handler": actor.ClientID, "lonnsslipp": "Lønn i mai: 51 000 kr"})
}
