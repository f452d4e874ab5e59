package altinn

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/resource"
)

// The paths that accept tokens of ID-porten, of Maskinporten and of Altinn itself, beside an API key (docs.altinn.studio:
// authentication with ID-porten, and with Maskinporten).
const (
	PathMessageBox = "/api/my/messagebox"
	pathReportees  = "/api/serviceowner/reportees"
)

// keyedRules holds the rules of these paths.
var keyedRules = map[string]resource.Rules{
	PathMessageBox: {AnyScope: []string{"altinn:instances.meta", "altinn:instances.read", "altinn:instances.write"}},
	pathReportees:  {AnyScope: []string{"altinn:serviceowner", "altinn:serviceowner/reportees.read"}, RequireMachine: true},
}

// tokens returns the verifier of tokens of ID-porten, of Maskinporten and of Altinn itself.
func (s *Server) tokens() (*resource.Verifier, error) {
	own, err := s.verifier()
	if err != nil {
		return nil, err
	}
	verifiers := []*resource.Verifier{own}
	for _, p := range []struct {
		of   providerEntry
		path string
	}{{s.Config.IDPorten, "/jwks.json"}, {s.Config.Maskinporten, "/jwk"}} {
		for _, i := range p.of.provider(s.Issuer, p.path, "copy", s.outgoing).Issuers {
			v, err := resource.New(resource.Config{
				Issuer: i.Issuer, Keys: i.Keys, URL: s.Base(), Audience: i.Audience, Realm: "altinn", Now: s.Clock, Logger: s.Log,
				AllowLegacyRegister: s.Config.LegacyRegister == nil || *s.Config.LegacyRegister,
			})
			if err != nil {
				return nil, err
			}
			verifiers = append(verifiers, v)
		}
	}
	return resource.Any(verifiers...)
}

// keyed adds the paths to an API.
func (s *Server) keyed(mux *http.ServeMux) error {
	all, err := s.tokens()
	if err != nil {
		return err
	}
	for path, answer := range map[string]func(*http.Request) (int, any){PathMessageBox: s.messageBox, pathReportees: s.reportees} {
		rules := keyedRules[path]
		rules.DelegationSources = s.Config.DelegationSources
		mux.Handle("GET "+path, s.requireKey(all.Protect(rules, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			status, body := answer(r)
			reply(w, status, body)
		}))))
	}
	return nil
}

// problem is the body of an error.
type problem struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/hal+json")
	if _, ok := body.(problem); ok {
		w.Header().Set("Content-Type", "application/json")
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// requireKey rejects requests without one of the API keys.
func (s *Server) requireKey(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent := r.Header.Values("ApiKey")
		switch {
		case len(sent) == 0:
			reply(w, http.StatusForbidden, problem{"api_key_missing", "The header field ApiKey is required, beside the access token."})
		case len(sent) > 1 || !s.hasKey(sent[0]):
			reply(w, http.StatusForbidden, problem{"api_key_unknown", "The header field ApiKey is not one of the api_keys of the configuration."})
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (s *Server) hasKey(sent string) bool {
	known := false
	for _, key := range s.Config.APIKeys {
		known = subtle.ConstantTimeCompare([]byte(key), []byte(sent)) == 1 || known
	}
	return known
}

// link is a link of HAL.
type link struct {
	Href string `json:"href"`
}

// message is an entry of a message box.
type message struct {
	MessageID    string `json:"MessageId"`
	Subject      string `json:"Subject"`
	ServiceOwner string `json:"ServiceOwner"`
	Status       string `json:"Status"`
}

// messageBox returns the messages of the user of the token: one of each service owner.
func (s *Server) messageBox(r *http.Request) (int, any) {
	u, ok := s.userOf(resource.FromContext(r.Context()))
	if !ok {
		return http.StatusForbidden, problem{"user_missing", "The token is not one of a user in the register of Altinn."}
	}
	messages := []message{}
	for i, o := range s.Config.Organisations {
		messages = append(messages, message{fmt.Sprintf("a%d-%d", u.PartyID, i+1), "Melding fra " + o.Name, o.Org, "Ulest"})
	}
	return http.StatusOK, map[string]any{
		"_links": map[string]link{"self": {s.Base() + PathMessageBox}}, "_embedded": map[string]any{"messages": messages}, "PartyId": u.PartyID,
	}
}

// userOf returns the user of a token of ID-porten, by pid, or of Altinn, by the identifier of the user.
func (s *Server) userOf(t *resource.Token) (user, bool) {
	var id string
	if raw, ok := t.Claim("urn:altinn:userid"); ok {
		_ = json.Unmarshal(raw, &id)
	}
	i := slices.IndexFunc(s.Config.Users, func(u user) bool {
		if t.Issuer == s.Issuer {
			return id != "" && id == strconv.FormatInt(u.UserID, 10)
		}
		return t.HasUser() && u.PID == t.PID.Reveal()
	})
	if i < 0 {
		return user{}, false
	}
	return s.Config.Users[i], true
}

// reportee is a party that a subject may report for.
type reportee struct {
	ReporteeID         string `json:"ReporteeId"`
	Name               string `json:"Name"`
	Type               string `json:"Type"`
	OrganizationNumber string `json:"OrganizationNumber,omitempty"`
}

// reportees returns the parties of the subject: a person or an organisation of the registers, which reports for itself. The caller must
// be a service owner.
func (s *Server) reportees(r *http.Request) (int, any) {
	t := resource.FromContext(r.Context())
	if !s.isServiceOwner(t) {
		return http.StatusForbidden, problem{"no_service_owner", "The organisation of the token has no code in the register of Altinn."}
	}
	subject := strings.TrimSpace(r.URL.Query().Get("subject"))
	if subject == "" {
		return http.StatusBadRequest, problem{"subject_missing", "The parameter subject is required: a national identity number or an organisation number."}
	}
	found := []reportee{}
	for _, u := range s.Config.Users {
		if u.PID == subject {
			found = append(found, reportee{ReporteeID: fmt.Sprintf("r%d", u.PartyID), Name: u.Username, Type: "Person"})
		}
	}
	for i, o := range s.Config.Organisations {
		if o.Orgno == subject {
			found = append(found, reportee{fmt.Sprintf("r%d", i+1), o.Name, "Organization", o.Orgno})
		}
	}
	if len(found) == 0 {
		return http.StatusNotFound, problem{"subject_unknown", "The subject is not in the register of Altinn."}
	}
	return http.StatusOK, map[string]any{"_links": map[string]link{"self": {s.Base() + pathReportees}}, "_embedded": map[string]any{"reportees": found}}
}

// isServiceOwner reports whether the organisation of a machine token has a code.
func (s *Server) isServiceOwner(t *resource.Token) bool {
	orgno := t.Consumer.Orgno
	if raw, ok := t.Claim("urn:altinn:orgNumber"); ok && t.Issuer == s.Issuer {
		_ = json.Unmarshal(raw, &orgno)
	}
	if _, err := norway.ParseOrgno(orgno); err != nil {
		return false
	}
	return slices.ContainsFunc(s.Config.Organisations, func(o organisation) bool { return o.Orgno == orgno })
}
