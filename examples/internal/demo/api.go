// Package demo holds the relying parties and the API of the examples.
package demo

import (
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/resource"
)

// APIConfig configures an API.
type APIConfig struct {
	Issuer, Introspection, JWKS string
	// ClientID is the client of the API. Its organisation owns the scopes, therefore it may introspect opaque and pseudonymous tokens and
	// receives the identity.
	ClientID, Secret string
	Contacts         func(norway.PID) Contact // the contact register
	HTTP             *http.Client
	Log              *slog.Logger
}

// Contact is an entry of the contact register.
type Contact struct {
	Email  string `json:"epostadresse,omitempty"`
	Mobile string `json:"mobiltelefonnummer,omitempty"`
}

// api returns data about the user of an access token.
type api struct{ contacts func(norway.PID) Contact }

// resources holds the paths of the API with the required scope and the data.
var resources = map[string]struct{ scope, data string }{
	"/inntekt":   {"demo:inntekt.read", "Lønn 2025: 612 000 kr"},
	"/kontakt":   {"demo:kontakt.read", "post@example.no, +47 00 00 00 00"},
	"/helse":     {"demo:helse.read", "Siste time: 3. mars"},
	"/meldinger": {"demo:meldinger.read", "Du har 2 nye meldinger"},
}

// ContactScope gives access to the user's own entry in the contact register (docs.digdir.no: oidc_guide_idporten).
const ContactScope = "krr:user/kontaktinformasjon.read"

// NewAPI returns the handler of an API below /api that accepts access tokens of an issuer.
func NewAPI(cfg APIConfig) (http.Handler, error) {
	v, err := resource.New(resource.Config{
		Issuer:   cfg.Issuer,
		Keys:     resource.RemoteKeys{URI: cfg.JWKS, HTTP: cfg.HTTP},
		URL:      strings.TrimSuffix(cfg.Issuer, "/") + "/api",
		Audience: []string{cfg.Issuer}, // the aud of tokens of the openid profile if the request has no resource
		Introspection: &resource.Introspection{
			Endpoint: cfg.Introspection, ClientID: cfg.ClientID, ClientSecret: portner.Secret(cfg.Secret),
			WithoutPID: true, HTTP: cfg.HTTP,
		},
		Realm: "demo", Logger: cfg.Log,
	})
	if err != nil {
		return nil, err
	}
	a := api{contacts: cfg.Contacts}
	mux := http.NewServeMux()
	for path, res := range resources {
		rules := resource.Rules{Scopes: []string{res.scope}, RequireUser: true}
		mux.Handle("GET /api"+path, v.Protect(rules, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a.data(w, r, res.data)
		})))
	}
	krr := resource.Rules{Scopes: []string{ContactScope}, RequireUser: true, RequirePID: true}
	mux.Handle("GET /api/kontaktinformasjon", v.Protect(krr, http.HandlerFunc(a.contact)))
	return mux, nil
}

// data responds with the data of a path and the identity that the API received.
func (a api) data(w http.ResponseWriter, r *http.Request, data string) {
	t := resource.FromContext(r.Context())
	how := "signature"
	if t.Introspected {
		how = "introspection"
	}
	answer(w, map[string]string{"data": data, "person": t.PID.Reveal(), "sub": t.Subject, "acr": t.ACR, "checked_by": how})
}

// registerEntry is the response of the contact register.
type registerEntry struct {
	PID         string  `json:"personidentifikator"`
	Reservation string  `json:"reservasjon"`
	Status      string  `json:"status"`
	Notify      string  `json:"varslingsstatus"`
	Contact     Contact `json:"kontaktinformasjon"`
}

// contact responds with the entry of the user of the token.
func (a api) contact(w http.ResponseWriter, r *http.Request) {
	pid := resource.FromContext(r.Context()).PID
	e := registerEntry{PID: pid.Reveal(), Reservation: "NEI", Status: "AKTIV", Notify: "KAN_VARSLES", Contact: a.contacts(pid)}
	if e.Contact == (Contact{}) {
		e.Status, e.Notify = "IKKE_REGISTRERT", "KAN_IKKE_VARSLES"
	}
	answer(w, e)
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_ = json.NewEncoder(w).Encode(v)
}

// claims decodes the payload of a JWT for display. It does not verify it.
func claims(token string) map[string]any {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil
	}
	var m map[string]any
	if json.Unmarshal(raw, &m) != nil {
		return nil
	}
	return m
}
