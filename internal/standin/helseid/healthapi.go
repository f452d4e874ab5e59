package helseid

import (
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/nhn/helseid"
	"github.com/portner-go/portner/resource"
)

// newHealthAPI returns an API that accepts tokens of HelseID for nhn:journal: bound to a key, with a proof for this request, for this API
// alone, and of users who logged in on level 4.
func newHealthAPI(issuer, url string, replay dpop.ReplayStore, hc *http.Client, log *slog.Logger) (http.Handler, error) {
	v, err := resource.New(resource.Config{
		Issuer: issuer, Keys: resource.RemoteKeys{URI: issuer + "/.well-known/openid-configuration/jwks", HTTP: hc}, URL: url,
		Audience: []string{"nhn:journal"}, RequireAudience: true, AllowNoSubject: true, DPoP: &dpop.Policy{Replay: replay, Algorithms: helseid.Algorithms()}, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	rules := resource.Rules{Scopes: []string{"nhn:journal/read"}, SenderConstrained: true}
	return v.Protect(rules, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t := resource.FromContext(r.Context())
		var claims [3]string
		for i, name := range []string{"identity/security_level", "hpr/hpr_number", "client/claims/orgnr_parent"} {
			text, _ := t.Claim("helseid://claims/" + name)
			_ = json.Unmarshal(text, &claims[i])
		}
		if len(t.Audience) != 1 || !t.IsMachine() && claims[0] != "4" {
			http.Error(w, "level 4 and a token for this API only are required", http.StatusForbidden)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"hpr_number": claims[1], "virksomhet": claims[2], "journal": "Ingen nye notater"})
	})), nil
}
