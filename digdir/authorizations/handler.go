package authorizations

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/storage"
	"github.com/portner-go/portner/token"
)

// Handler serves the endpoints of both APIs:
//
//	GET    /clients/authorizations       a user's token: authorizations of clients of the caller's organisation
//	POST   /clients/authorizations       a machine's token and {"pid":"…"}: the same for the person
//	GET    /api-provider/authorizations  a user's token: authorizations for scopes of the caller's organisation
//	POST   /api-provider/authorizations  a machine's token and {"pid":"…"}: the same for the person
//	DELETE /authorizations/{id}          either token: ends the authorization
//	GET    /innlogginger/logg/idporten   a user's token: logins at clients of the caller's organisation
//
// A list has at most MaxPage authorizations. If there are more, the field Link of the header has the address of the next page
// (RFC 8288, rel="next").
func (a *API) Handler() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /clients/authorizations", a.serveUserList(false))
	m.HandleFunc("POST /clients/authorizations", a.serveMachineList(false))
	m.HandleFunc("GET /api-provider/authorizations", a.serveUserList(true))
	m.HandleFunc("POST /api-provider/authorizations", a.serveMachineList(true))
	m.HandleFunc("DELETE /authorizations/{id}", a.serveEnd)
	if a.cfg.History != nil {
		m.HandleFunc("GET /innlogginger/logg/idporten", a.serveHistory)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler {
					panic(v)
				}
				a.reject(w, r, fmt.Errorf("authorizations: panic of type %T", v))
			}
		}()
		if _, pattern := m.Handler(r); pattern == "" || !httpx.CleanPath(r.URL) {
			httpx.WriteError(w, &portner.Error{Code: portner.InvalidRequest, Status: http.StatusNotFound, Description: "The path is unknown."})
			return
		}
		m.ServeHTTP(w, r)
	})
}

// request returns what r proves. Only a TLS connection of the API itself has a certificate.
func (a *API) request(r *http.Request) token.APIRequest {
	out := token.APIRequest{Authorization: r.Header["Authorization"], DPoP: r.Header["Dpop"], Method: r.Method}
	if a.cfg.URL != "" {
		out.URL = a.cfg.URL + r.URL.EscapedPath()
	}
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		out.Certificate = r.TLS.PeerCertificates[0]
	}
	return out
}

func (a *API) serveUserList(byOwner bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := a.AuthenticateUser(r.Context(), a.request(r), Scope)
		a.serveList(w, r, c, ListRequest{ByOwner: byOwner}, err)
	}
}

func (a *API) serveMachineList(byOwner bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		pid, malformed := readPID(r) // first: authentication reads the clock, and the caller decides when the body ends
		c, err := a.AuthenticateMachine(r.Context(), r.Header["Authorization"])
		if err == nil {
			err = malformed
		}
		a.serveList(w, r, c, ListRequest{ByOwner: byOwner, PID: pid}, err)
	}
}

// serveList writes the list, or err.
func (a *API) serveList(w http.ResponseWriter, r *http.Request, c *Caller, list ListRequest, err error) {
	var query httpx.Form
	if err == nil {
		query, err = list.readQuery(r)
	}
	var page Page
	if err == nil {
		page, err = a.List(r.Context(), c, list)
	}
	if err != nil {
		a.reject(w, r, err)
		return
	}
	if page.Next != "" {
		w.Header().Set("Link", "<?"+query.With("after", page.Next).Encode()+`>; rel="next"`)
	}
	a.write(w, r, page.Authorizations)
}

// readQuery reads require_user_consent, which is true by default, visibility and after.
func (l *ListRequest) readQuery(r *http.Request) (httpx.Form, error) {
	q, err := httpx.ParseQuery(r.URL.RawQuery)
	if err != nil || q.Repeated() != "" {
		return q, reject(portner.InvalidRequest, "The query is malformed.")
	}
	switch q.Get("require_user_consent") {
	case "", "true":
	case "false":
		l.WithoutConsent = true
	default:
		return q, reject(portner.InvalidRequest, "The parameter require_user_consent must be true or false.")
	}
	l.Visibility, l.After = q.Get("visibility"), q.Get("after")
	return q, nil
}

// readPID reads the body {"pid":"…"}.
func readPID(r *http.Request) (norway.PID, error) {
	malformed := reject(portner.InvalidRequest, "The body must be an object with the member pid.")
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<10))
	if err != nil {
		return norway.PID{}, malformed
	}
	o, err := jose.ParseObject(body)
	if err != nil || o.Len() != 1 {
		return norway.PID{}, malformed
	}
	text, err := o.String("pid")
	if err != nil {
		return norway.PID{}, malformed
	}
	pid, err := norway.ParsePID(text)
	if err != nil {
		return norway.PID{}, malformed
	}
	return pid, nil
}

func (a *API) serveEnd(w http.ResponseWriter, r *http.Request) {
	c, err := a.Authenticate(r.Context(), a.request(r))
	if err == nil {
		err = a.End(r.Context(), c, r.PathValue("id"))
	}
	if err != nil {
		a.reject(w, r, err)
		return
	}
	httpx.Secure(w.Header())
	w.WriteHeader(http.StatusNoContent)
}

// historyEntry is a login in the response of the login history API.
type historyEntry struct {
	Time     string `json:"tidspunkt"` // Norwegian time, without zone
	Service  string `json:"tjeneste"`
	Method   string `json:"eid"`
	ClientID string `json:"integrasjon_id"`
	Orgno    string `json:"orgno"`
}

func (a *API) serveHistory(w http.ResponseWriter, r *http.Request) {
	c, err := a.AuthenticateUser(r.Context(), a.request(r), HistoryScope)
	var limit int
	if err == nil {
		limit, err = readLimit(r)
	}
	var logins []storage.Login
	if err == nil {
		logins, err = a.History(r.Context(), c, limit)
	}
	if err != nil {
		a.reject(w, r, err)
		return
	}
	entries := []historyEntry{}
	for _, l := range logins {
		entries = append(entries, historyEntry{l.At.In(oslo()).Format("2006-01-02T15:04:05"), l.Service, l.Method, l.ClientID, l.Orgno})
	}
	a.write(w, r, entries)
}

// readLimit reads maxhits.
func readLimit(r *http.Request) (int, error) {
	q, err := httpx.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return 0, reject(portner.InvalidRequest, "The query is malformed.")
	}
	text := q.Get("maxhits")
	if text == "" {
		return MaxHistory, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, reject(portner.InvalidRequest, "The parameter maxhits must be a positive number.")
	}
	return n, nil
}

// oslo returns the Norwegian time zone, or UTC if the machine has no zone data.
func oslo() *time.Location {
	if z, err := time.LoadLocation("Europe/Oslo"); err == nil {
		return z
	}
	return time.UTC
}

func (a *API) write(w http.ResponseWriter, r *http.Request, v any) {
	doc, err := json.Marshal(v)
	if err != nil {
		a.reject(w, r, err)
		return
	}
	httpx.WriteJSON(w, http.StatusOK, doc)
}

// reject writes the response for err and logs faults.
func (a *API) reject(w http.ResponseWriter, r *http.Request, err error) {
	if portner.IsFault(err) {
		a.log.Fault(context.WithoutCancel(r.Context()), err, httpx.NewCorrelationID(), a.cfg.Now())
	}
	httpx.WriteError(w, portner.AsError(err))
}
