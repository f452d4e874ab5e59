package main

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/portner-go/portner/resource"
)

// apiResources are the paths of the API and the scopes that open them: one of those named. /api/meg is open to
// every token of the platform.
var apiResources = map[string]resource.Rules{
	"/api/meg":          {AllowNoScope: true},
	"/api/instanser":    {AnyScope: []string{"altinn:instances.read", "altinn:instances.write", "altinn:instances.meta", "altinn:serviceowner/instances.read"}},
	"/api/tjenesteeier": {AnyScope: []string{"altinn:serviceowner", "altinn:serviceowner/instances.read"}, RequireMachine: true},
}

func apiPaths() []string {
	var paths []string
	for path := range apiResources {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}

// api is a small API of the platform: it accepts Altinn's tokens and tells what it learned of the caller.
func (s *server) api() (http.Handler, error) {
	v, err := s.verifier()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for path, rules := range apiResources {
		rules.DelegationSources = s.cfg.DelegationSources
		mux.Handle("GET "+path, v.Protect(rules, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.tell(w, r, path)
		})))
	}
	return mux, nil
}

// caller is what the API knows of who called: an organisation, or a person in the hands of an organisation's
// client. The person's number stays in the token.
type caller struct {
	Path             string   `json:"ressurs"`
	Organisation     string   `json:"organisasjonsnummer,omitempty"`
	Supplier         string   `json:"leverandor,omitempty"`
	ServiceOwner     string   `json:"tjenesteeier,omitempty"`
	SystemUserOf     string   `json:"systembruker_hos,omitempty"`
	UserID           string   `json:"bruker_id,omitempty"`
	Username         string   `json:"brukernavn,omitempty"`
	PartyID          int64    `json:"part_id,omitempty"`
	Level            int64    `json:"sikkerhetsniva"`
	Method           string   `json:"autentiseringsmetode"`
	Scopes           []string `json:"scope"`
	DelegationSource string   `json:"delegeringskilde,omitempty"`
}

func (s *server) tell(w http.ResponseWriter, r *http.Request, path string) {
	t := resource.FromContext(r.Context())
	c := caller{Path: path, Supplier: t.Supplier.Orgno, Scopes: t.Scopes, DelegationSource: t.DelegationSource}
	for claim, into := range map[string]any{
		"urn:altinn:orgNumber": &c.Organisation, "urn:altinn:org": &c.ServiceOwner, "urn:altinn:userid": &c.UserID,
		"urn:altinn:username": &c.Username, "urn:altinn:partyid": &c.PartyID, "urn:altinn:authlevel": &c.Level,
		"urn:altinn:authenticatemethod": &c.Method,
	} {
		raw, ok := t.Claim(claim)
		if ok && json.Unmarshal(raw, into) != nil {
			http.Error(w, "a claim of our own has the wrong type", http.StatusInternalServerError)
			return
		}
	}
	if path == "/api/tjenesteeier" && c.ServiceOwner == "" {
		http.Error(w, "organisasjonen er ikke tjenesteeier", http.StatusForbidden)
		return
	}
	if u, ok := t.SystemUser(); ok {
		c.SystemUserOf = u.Org.Orgno
	}
	body, err := json.Marshal(c)
	if err != nil {
		http.Error(w, "encoding the answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}
