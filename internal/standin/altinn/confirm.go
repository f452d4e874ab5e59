package altinn

import (
	"embed"
	"errors"
	"html/template"
	"net/http"
	"strconv"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/standin/systemuser"
	"github.com/portner-go/portner/storage"
)

// confirmPath is the page on which a user of the customer answers a request for a system user, as at Altinn.
const confirmPath = "/accessmanagement/ui/systemuser/request"

//go:embed web/confirm.html
var web embed.FS

var confirmTemplate = template.Must(template.ParseFS(web, "web/confirm.html"))

// confirmation is the data of the page.
type confirmation struct {
	Title, BodyID, Text                        string
	Alarm                                      bool // Text is an error
	System, SystemID, Vendor, Customer, Status string
	Rights                                     []string
	Managers                                   []manager
}

// manager is an access manager of the customer.
type manager struct {
	ID   int64
	Name string
}

// statuses are the texts for the states of a request.
var statuses = map[systemuser.Status]string{
	systemuser.StatusNew: "venter på svar", systemuser.StatusAccepted: "godkjent", systemuser.StatusRejected: "avvist", systemuser.StatusTimedOut: "utløpt",
}

// confirmPage returns the page. It asks for no password, as the users of a stand-in have none at Altinn: the browser chooses an access
// manager of the customer.
func (s *Server) confirmPage(users *systemuser.API) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.URL.Query().Get("id")
		switch r.Method {
		case http.MethodGet, http.MethodHead:
			s.showRequest(w, r, users, id, http.StatusOK, "")
		case http.MethodPost:
			s.answerRequest(w, r, users, id)
		default:
			httpx.MethodNotAllowed(w, "GET, POST")
		}
	})
}

// showRequest writes the page of a request. text says why it is shown again.
func (s *Server) showRequest(w http.ResponseWriter, r *http.Request, users *systemuser.API, id string, status int, text string) {
	q, of, err := users.Pending(r.Context(), id, s.Now())
	if errors.Is(err, storage.ErrNotFound) {
		writePage(w, http.StatusNotFound, confirmation{Title: "Forespørselen finnes ikke", BodyID: "error-page", Text: "Adressen er feil, eller forespørselen er slettet."})
		return
	}
	if err != nil {
		s.Log.Error("a request for a system user", "error", err)
		writePage(w, http.StatusServiceUnavailable, confirmation{Title: "Noe gikk galt", BodyID: "error-page", Text: "Prøv igjen."})
		return
	}
	c := confirmation{
		Title: "Forespørsel om systembruker", BodyID: "confirm-page", Text: text, System: of.Name["nb"], SystemID: of.ID, Vendor: s.Config.nameOf(of.Vendor.Orgno()),
		Customer: s.Config.nameOf(q.PartyOrgNo), Status: statuses[q.Status],
	}
	for _, right := range q.Rights {
		for _, resource := range right.Resource {
			c.Rights = append(c.Rights, resource.Value)
		}
	}
	for _, p := range q.AccessPackages {
		c.Rights = append(c.Rights, p.URN)
	}
	if q.Status == systemuser.StatusNew {
		for _, u := range s.Config.managers(q.PartyOrgNo) {
			c.Managers = append(c.Managers, manager{u.UserID, u.Username})
		}
		if len(c.Managers) == 0 && c.Text == "" {
			c.Text = "Ingen bruker i konfigurasjonen er tilgangsstyrer for virksomheten."
		}
	}
	writePage(w, status, c)
}

// nameOf returns the name and the number of an organisation.
func (c Config) nameOf(orgno string) string {
	if p := c.party(orgno); p != nil {
		return p.Name + " (" + orgno + ")"
	}
	return orgno
}

// answerRequest answers a request, and redirects to the address of the vendor if the request has one.
func (s *Server) answerRequest(w http.ResponseWriter, r *http.Request, users *systemuser.API, id string) {
	if !httpx.SameOrigin(r.Header, s.Base()) {
		writePage(w, http.StatusForbidden, confirmation{Title: "Svaret kom fra en annen side", BodyID: "error-page", Text: "Åpne siden på nytt og svar der."})
		return
	}
	form, err := httpx.ReadBody(w, r)
	user, invalid := strconv.ParseInt(form.Get("user"), 10, 64)
	status, known := map[string]systemuser.Status{"approve": systemuser.StatusAccepted, "reject": systemuser.StatusRejected}[form.Get("decision")]
	if err != nil || form.Unique() != nil || invalid != nil || !known {
		s.showRequest(w, r, users, id, http.StatusBadRequest, "Svaret kunne ikke leses. Prøv igjen.")
		return
	}
	q, err := users.Decide(r.Context(), id, user, status, s.Now())
	switch {
	case errors.Is(err, portner.ErrUnavailable):
		s.Log.Error("a request for a system user", "error", err)
		s.showRequest(w, r, users, id, http.StatusServiceUnavailable, "Svaret kunne ikke lagres. Prøv igjen.")
	case err != nil:
		s.showRequest(w, r, users, id, http.StatusConflict, "Svaret ble ikke tatt imot: forespørselen er besvart, eller brukeren kan ikke svare for virksomheten.")
	case q.RedirectURL != nil && *q.RedirectURL != "":
		httpx.WriteReply(w, httpx.SeeOther(http.Header{}, *q.RedirectURL))
	default:
		s.showRequest(w, r, users, id, http.StatusOK, "Svaret er lagret.")
	}
}

func writePage(w http.ResponseWriter, status int, c confirmation) {
	c.Alarm = status >= http.StatusBadRequest
	httpx.Page(w.Header(), true)
	w.WriteHeader(status)
	_ = confirmTemplate.Execute(w, c)
}
