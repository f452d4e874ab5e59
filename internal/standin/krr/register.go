// Package krr is a stand-in for the contact register (Kontakt- og reservasjonsregisteret, docs/spec/krr.md): APIs that look up synthetic
// persons for machines of Maskinporten and for users of ID-porten. It verifies tokens with package resource.
package krr

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/audit"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/internal/standin"
	"github.com/portner-go/portner/resource"
)

// Scopes of the register.
const (
	scopeContacts     = "krr:global/kontaktinformasjon.read"
	scopePost         = "krr:global/digitalpost.read"
	scopeUserContacts = "krr:user/kontaktinformasjon.read"
	scopeUserPost     = "krr:user/digitalpost.read"
)

// Paths of the register.
var (
	lookupPaths = []string{"/rest/v1/personer", "/rest/v2/personer"} // for machines
	userPath    = "/rest/v1/person"                                  // for the user of the token
)

// maxPersons is the largest number of persons of one request.
const maxPersons = 1000

// maxBody bounds a body, in bytes: a thousand numbers have 14,000.
const maxBody = 64 << 10

// fresh is how old contact information may be to notify a person (eForvaltningsforskriften): 18 months.
func fresh(now time.Time) time.Time { return now.AddDate(0, -18, 0) }

// Person is a person of the configuration.
type Person struct {
	PID         string    `json:"pid"`
	Deleted     bool      `json:"deleted,omitempty"`
	Reserved    bool      `json:"reserved,omitempty"`
	ReservedAt  time.Time `json:"reserved_at,omitzero"` // when the reservation changed
	Email       address   `json:"email,omitzero"`
	Mobile      address   `json:"mobile,omitzero"`
	Language    string    `json:"language,omitempty"`
	LanguageAt  time.Time `json:"language_updated,omitzero"`
	Mailbox     string    `json:"mailbox,omitempty"`
	Provider    string    `json:"mailbox_provider_orgno,omitempty"`
	Certificate string    `json:"certificate,omitempty"` // PEM or base64 of the person's certificate
}

// address is a way to reach a person.
type address struct {
	Value    string    `json:"value"`
	Updated  time.Time `json:"updated,omitzero"`
	Verified time.Time `json:"verified,omitzero"`
}

// isFresh reports whether an address may be used to notify a person.
func (a address) isFresh(now time.Time) bool {
	return a.Value != "" && (a.Updated.After(fresh(now)) || a.Verified.After(fresh(now)))
}

// entry is a person in a response.
type entry struct {
	PID          string   `json:"personidentifikator"`
	Reservation  string   `json:"reservasjon"`
	ReservedAt   string   `json:"reservasjonstidspunkt,omitempty"`
	ReservedSet  string   `json:"reservasjon_oppdatert,omitempty"`
	Status       string   `json:"status"`
	Notification string   `json:"varslingsstatus,omitempty"`
	Contact      *contact `json:"kontaktinformasjon,omitempty"`
	Post         *mailbox `json:"digital_post,omitempty"`
	Certificate  string   `json:"sertifikat,omitempty"`
	Language     string   `json:"spraak,omitempty"`
	LanguageAt   string   `json:"spraak_oppdatert,omitempty"`
}

type contact struct {
	Email          string `json:"epostadresse,omitempty"`
	EmailUpdated   string `json:"epostadresse_oppdatert,omitempty"`
	EmailVerified  string `json:"epostadresse_sist_verifisert,omitempty"`
	Mobile         string `json:"mobiltelefonnummer,omitempty"`
	MobileUpdated  string `json:"mobiltelefonnummer_oppdatert,omitempty"`
	MobileVerified string `json:"mobiltelefonnummer_sist_verifisert,omitempty"`
}

type mailbox struct {
	Address  string `json:"postkasseadresse"`
	Provider string `json:"postkasseleverandoeradresse"`
}

// stamp returns a time as in the register, "" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// view is what a token permits to see.
type view struct{ contacts, post bool }

// shown returns the person as a token may see it.
func (p *Person) shown(v view, now time.Time) entry {
	e := entry{PID: p.PID, Reservation: "NEI", Status: "AKTIV"}
	if p.Reserved {
		e.Reservation, e.ReservedAt = "JA", stamp(p.ReservedAt)
	}
	e.ReservedSet = stamp(p.ReservedAt)
	if p.Deleted {
		e.Status, e.ReservedAt, e.ReservedSet = "SLETTET", "", ""
	}
	if v.contacts {
		e.Notification = "KAN_IKKE_VARSLES"
		if !p.Deleted && !p.Reserved && (p.Email.isFresh(now) || p.Mobile.isFresh(now)) {
			e.Notification = "KAN_VARSLES"
		}
	}
	if p.Deleted {
		return e
	}
	if v.contacts {
		e.Language, e.LanguageAt = p.Language, stamp(p.LanguageAt)
		if p.Email.Value+p.Mobile.Value != "" {
			e.Contact = &contact{
				p.Email.Value, stamp(p.Email.Updated), stamp(p.Email.Verified), p.Mobile.Value, stamp(p.Mobile.Updated), stamp(p.Mobile.Verified),
			}
		}
	}
	if v.post {
		e.Certificate = p.Certificate
		if p.Mailbox != "" {
			e.Post = &mailbox{p.Mailbox, p.Provider}
		}
	}
	return e
}

// unregistered returns the entry of a person who is not in the register.
func unregistered(pid string, v view) entry {
	e := entry{PID: pid, Reservation: "NEI", Status: "IKKE_REGISTRERT"}
	if v.contacts {
		e.Notification = "KAN_IKKE_VARSLES"
	}
	return e
}

// register answers for the persons of a configuration.
type register struct {
	persons map[string]*Person
	now     func() time.Time
	log     audit.Log
}

// handler returns the APIs. machines verifies the tokens of Maskinporten, and users those of ID-porten.
func (g *register) handler(machines, users *resource.Verifier, sources []string) http.Handler {
	mux := http.NewServeMux()
	if machines != nil {
		rules := resource.Rules{AnyScope: []string{scopeContacts, scopePost}, RequireMachine: true, DelegationSources: sources}
		for _, path := range lookupPaths {
			mux.Handle("POST "+path, machines.Protect(rules, http.HandlerFunc(g.lookup)))
		}
	}
	if users != nil {
		rules := resource.Rules{AnyScope: []string{scopeUserContacts, scopeUserPost}, RequireUser: true, RequirePID: true}
		mux.Handle("GET "+userPath, users.Protect(rules, http.HandlerFunc(g.own)))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch status, allow := httpx.Unmatched(mux, r); status {
		case 0:
			mux.ServeHTTP(w, r)
		case http.StatusMethodNotAllowed:
			w.Header()["Allow"] = allow
			g.reject(w, r, &rejection{status, "method_not_allowed", "The methods of the path are " + strings.Join(allow, ", ") + "."})
		default:
			g.reject(w, r, &rejection{status, "path_unknown", "The path is unknown."})
		}
	})
}

// viewOf returns what a token permits.
func viewOf(t *resource.Token, contacts, post string) view {
	return view{slices.Contains(t.Scopes, contacts), slices.Contains(t.Scopes, post)}
}

// lookup returns persons by their numbers, in the order of the request.
func (g *register) lookup(w http.ResponseWriter, r *http.Request) {
	numbers, rejected := readNumbers(w, r)
	if rejected != nil {
		g.reject(w, r, rejected)
		return
	}
	v, now := viewOf(resource.FromContext(r.Context()), scopeContacts, scopePost), g.now()
	found := make([]entry, len(numbers))
	for i, pid := range numbers {
		found[i] = unregistered(pid, v)
		if p := g.persons[pid]; p != nil {
			found[i] = p.shown(v, now)
		}
	}
	reply(w, map[string]any{"personer": found})
}

// own returns the user of the token.
func (g *register) own(w http.ResponseWriter, r *http.Request) {
	t := resource.FromContext(r.Context())
	v, pid := viewOf(t, scopeUserContacts, scopeUserPost), t.PID.Reveal()
	if p := g.persons[pid]; p != nil {
		reply(w, p.shown(v, g.now()))
		return
	}
	reply(w, unregistered(pid, v))
}

// rejection is the reason for which a request is rejected.
type rejection struct {
	status  int
	reason  string // for the log
	message string // for the caller; without a value of the request
}

// readNumbers reads the numbers of a request. Every one must be a synthetic national identity number: a stand-in never handles those of people.
func readNumbers(w http.ResponseWriter, r *http.Request) ([]string, *rejection) {
	malformed := func(message string) ([]string, *rejection) {
		return nil, &rejection{http.StatusBadRequest, "body_malformed", message}
	}
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(kind), "application/json") {
		return nil, &rejection{http.StatusUnsupportedMediaType, "body_media_type", "The Content-Type must be application/json."}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, &rejection{http.StatusRequestEntityTooLarge, "request_too_large", fmt.Sprintf("The body must have at most %d bytes.", maxBody)}
	} else if err != nil {
		return malformed("The body is incomplete.")
	}
	o, err := jose.ParseObject(body)
	if err != nil || o.Len() != 1 {
		return malformed("The body must be a JSON object with one member, personidentifikatorer.")
	}
	numbers, err := o.Strings("personidentifikatorer")
	if err != nil || len(numbers) == 0 || len(numbers) > maxPersons {
		return malformed(fmt.Sprintf("personidentifikatorer must be an array of 1 to %d strings.", maxPersons))
	}
	for i, n := range numbers {
		if err := standin.CheckPID(n); err != nil {
			return malformed(fmt.Sprintf("personidentifikatorer[%d] %v.", i, err))
		}
	}
	return numbers, nil
}

func reply(w http.ResponseWriter, v any) {
	text, err := json.Marshal(v)
	if err != nil { // of the types above there is none
		panic(err)
	}
	httpx.WriteJSON(w, http.StatusOK, text)
}

// reject writes an error and logs its reason. The body of the real service is not documented; this is that of its framework.
func (g *register) reject(w http.ResponseWriter, r *http.Request, why *rejection) {
	g.log.Emit(r.Context(), portner.Event{Name: portner.EventRefused, Time: g.now(), CorrelationID: httpx.NewCorrelationID(), Reason: why.reason})
	text, err := json.Marshal(struct {
		Status  int    `json:"status"`
		Error   string `json:"error"`
		Message string `json:"message"`
	}{why.status, http.StatusText(why.status), why.message})
	if err != nil { // of this type there is none
		panic(err)
	}
	httpx.WriteJSON(w, why.status, text)
}
