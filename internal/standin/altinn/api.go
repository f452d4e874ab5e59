package altinn

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/portner-go/portner/resource"
)

// apiResources holds the paths of the API with their rules. /api/meg accepts every token of Altinn.
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
	paths = append(paths, PathMessageBox, pathReportees+"?subject=")
	slices.Sort(paths)
	return paths
}

// api returns an API that accepts Altinn's tokens and responds with the claims about the caller.
func (s *Server) api() (http.Handler, error) {
	v, err := s.verifier()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for path, rules := range apiResources {
		rules.DelegationSources = s.Config.DelegationSources
		mux.Handle("GET "+path, v.Protect(rules, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.describe(w, r, path)
		})))
	}
	return mux, s.keyed(mux)
}

// caller holds the claims about the caller: an organisation, or a user of an organisation's client. It does not contain the national
// identity number.
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

func (s *Server) describe(w http.ResponseWriter, r *http.Request, path string) {
	t := resource.FromContext(r.Context())
	c := caller{Path: path, Supplier: t.Supplier.Orgno, Scopes: t.Scopes, DelegationSource: t.DelegationSource}
	for claim, into := range map[string]any{
		"urn:altinn:orgNumber": &c.Organisation, "urn:altinn:org": &c.ServiceOwner, "urn:altinn:userid": &c.UserID,
		"urn:altinn:username": &c.Username, "urn:altinn:partyid": &c.PartyID, "urn:altinn:authlevel": &c.Level,
		"urn:altinn:authenticatemethod": &c.Method,
	} {
		raw, ok := t.Claim(claim)
		if ok && json.Unmarshal(raw, into) != nil {
			http.Error(w, "a claim of the token has the wrong type", http.StatusInternalServerError)
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
		http.Error(w, "encoding the response failed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}
