package authorizations

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage"
)

// Handler answers the endpoints of idporten sections 17.1 and 17.2:
//
//	GET    /clients/authorizations       a person's token: authorizations given to clients of the caller's organisation
//	POST   /clients/authorizations       a machine's token, body {"pid":"…"}: the same, for support staff
//	GET    /api-provider/authorizations  the same for scopes the caller's organisation owns
//	POST   /api-provider/authorizations
//	DELETE /authorizations/{id}          either token: ends it
//	GET    /innlogginger/logg/idporten   a person's token: login history at the caller's organisation
//
// Whoever asks knows the person's number. So of authorizations that hide the person from the client only those
// are shown of which the caller owns every scope, and no login with them: anyone else would learn here which
// pseudonym is whose.
func (a *API) Handler() http.Handler {
	m := http.NewServeMux()
	byClient := func(org string) Filter { return Filter{ClientOrgno: org, organisation: org} }
	byOwner := func(org string) Filter { return Filter{OwnerOrgno: org, organisation: org} }
	m.HandleFunc("GET /clients/authorizations", a.listing(byClient, a.personal))
	m.HandleFunc("POST /clients/authorizations", a.listing(byClient, a.support))
	m.HandleFunc("GET /api-provider/authorizations", a.listing(byOwner, a.personal))
	m.HandleFunc("POST /api-provider/authorizations", a.listing(byOwner, a.support))
	m.HandleFunc("DELETE /authorizations/{id}", a.ending)
	if a.cfg.History != nil {
		m.HandleFunc("GET /innlogginger/logg/idporten", a.history)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler {
					panic(v)
				}
				a.fail(w, r, fmt.Errorf("authorizations: panic of type %T", v))
			}
		}()
		if _, pattern := m.Handler(r); pattern == "" {
			httpx.WriteError(w, &portner.Error{Code: portner.InvalidRequest, Status: http.StatusNotFound, Description: "There is nothing here."})
			return
		}
		m.ServeHTTP(w, r)
	})
}

// caller is who calls, and about whom.
type caller struct {
	orgno string
	user  storage.Hash // the person asked about; zero for a machine that ends an authorization
	self  bool         // the person's own token
}

// personal reads a person's own token; GET takes no other kind.
func (a *API) personal(r *http.Request, now time.Time) (caller, error) {
	return a.person(r, Scope, now)
}

func (a *API) person(r *http.Request, scope string, now time.Time) (caller, error) {
	value, err := bearer(r)
	if err != nil {
		return caller{}, err
	}
	t, err := a.cfg.Tokens.LookupAccessToken(r.Context(), value, now)
	switch {
	case errors.Is(err, storage.ErrNotFound), errors.Is(err, storage.ErrRevoked):
		return caller{}, refuse(portner.InvalidToken, "The access token is not valid.")
	case err != nil:
		return caller{}, fmt.Errorf("authorizations: looking up the access token: %w", err)
	case !slices.Contains(t.Token.Scopes, scope):
		return caller{}, refuse(portner.InsufficientScope, "The access token lacks the scope.")
	case t.Grant.UserKey == (storage.Hash{}) || a.hides(&t.Grant):
		return caller{}, refuse(portner.InvalidToken, "The access token does not tell who the person is.")
	case t.Client.OrganisationNo == "":
		return caller{}, refuse(portner.InvalidToken, "The access token is not valid.")
	}
	if _, ok := t.Identity.Identifier(session.TypePID); !ok {
		return caller{}, refuse(portner.InvalidToken, "The access token does not tell who the person is.")
	}
	return caller{orgno: t.Client.OrganisationNo, user: t.Grant.UserKey, self: true}, nil
}

// support reads a machine's token and the number it asks about; POST takes no other kind.
func (a *API) support(r *http.Request, now time.Time) (caller, error) {
	c, err := a.machine(r, now)
	if err != nil {
		return c, err
	}
	pid, err := readPID(r)
	if err != nil {
		return c, err
	}
	subject, ok, err := a.cfg.SubjectOf(r.Context(), pid)
	if err != nil {
		return c, fmt.Errorf("authorizations: finding a person: %w: %w", portner.ErrUnavailable, err)
	}
	if ok {
		c.user = a.cfg.Vault.UserKey(subject)
	}
	return c, nil
}

func (a *API) machine(r *http.Request, now time.Time) (caller, error) {
	token, err := bearer(r)
	if err != nil {
		return caller{}, err
	}
	if a.cfg.Machines == nil {
		return caller{}, refuse(portner.InvalidToken, "The access token is not valid.")
	}
	org, err := a.cfg.Machines.VerifyMachine(r.Context(), token, Scope, now)
	switch {
	case errors.Is(err, portner.InsufficientScope):
		return caller{}, refuse(portner.InsufficientScope, "The access token lacks the scope.")
	case errors.Is(err, portner.InvalidToken):
		return caller{}, refuse(portner.InvalidToken, "The access token is not valid.")
	case err != nil:
		return caller{}, fmt.Errorf("authorizations: verifying a machine token: %w: %w", portner.ErrUnavailable, err)
	case org == "":
		return caller{}, refuse(portner.InvalidToken, "The access token is not valid.")
	}
	return caller{orgno: org}, nil
}

// readPID reads {"pid":"…"} and nothing else.
func readPID(r *http.Request) (norway.PID, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<10))
	malformed := refuse(portner.InvalidRequest, "The body must be an object with the member pid.")
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

func (a *API) listing(filter func(orgno string) Filter, who func(*http.Request, time.Time) (caller, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		now := a.cfg.Now()
		c, err := who(r, now)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		f := filter(c.orgno)
		if err := f.query(r); err != nil {
			a.fail(w, r, err)
			return
		}
		list := []Authorization{}
		if c.user != (storage.Hash{}) {
			if list, err = a.list(r.Context(), c.user, f, now); err != nil {
				a.fail(w, r, fmt.Errorf("%w: %w", portner.ErrUnavailable, err))
				return
			}
		}
		a.write(w, r, list)
	}
}

// query reads the filter of a URL: require_user_consent (default true) and visibility.
func (f *Filter) query(r *http.Request) error {
	q, err := httpx.ParseQuery(r.URL.RawQuery)
	if err != nil || q.Repeated() != "" {
		return refuse(portner.InvalidRequest, "The query is malformed.")
	}
	switch q.Get("require_user_consent") {
	case "", "true":
	case "false":
		f.Any = true
	default:
		return refuse(portner.InvalidRequest, "The parameter require_user_consent must be true or false.")
	}
	f.Visibility = q.Get("visibility")
	return nil
}

// ending ends an authorization: the person's own, or one that the caller's organisation is the client of or
// owns a scope of. What is none of the caller's is not found.
func (a *API) ending(w http.ResponseWriter, r *http.Request) {
	now := a.cfg.Now()
	c, err := a.either(r, now)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	err = a.revoke(r.Context(), r.PathValue("id"), now, func(g *storage.Grant, cl *client.Client) bool {
		return (!c.self || g.UserKey == c.user) && a.concerns(c.orgno, g, cl)
	})
	switch {
	case errors.Is(err, ErrNotFound):
		httpx.WriteError(w, &portner.Error{Code: portner.InvalidRequest, Status: http.StatusNotFound, Description: "There is no such authorization."})
	case err != nil:
		a.fail(w, r, fmt.Errorf("%w: %w", portner.ErrUnavailable, err))
	default:
		httpx.Secure(w.Header())
		w.WriteHeader(http.StatusNoContent)
	}
}

// either tells a person's token, which is ours, from a machine's.
func (a *API) either(r *http.Request, now time.Time) (caller, error) {
	c, err := a.personal(r, now)
	if a.cfg.Machines != nil && errors.Is(err, portner.InvalidToken) {
		return a.machine(r, now)
	}
	return c, err
}

func (a *API) concerns(orgno string, g *storage.Grant, c *client.Client) bool {
	if c.OrganisationNo == orgno {
		return true
	}
	return slices.ContainsFunc(g.Scopes, func(name string) bool {
		s := a.cfg.Scopes.Scope(name)
		return s != nil && s.OwnerOrgno == orgno
	})
}

// entry is one login as the history API shows it (idporten section 17.2).
type entry struct {
	Time     string `json:"tidspunkt"` // local time
	Service  string `json:"tjeneste"`
	Method   string `json:"eid"`
	ClientID string `json:"integrasjon_id"`
	Orgno    string `json:"orgno"`
}

// maxHits bounds one answer.
const maxHits = 100

func (a *API) history(w http.ResponseWriter, r *http.Request) {
	now := a.cfg.Now()
	c, err := a.person(r, HistoryScope, now)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	most, err := hits(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	logins, err := a.cfg.History.Logins(r.Context(), c.user, now)
	if err != nil {
		a.fail(w, r, fmt.Errorf("authorizations: reading the history: %w: %w", portner.ErrUnavailable, err))
		return
	}
	out := []entry{}
	for i := range logins {
		if l := &logins[i]; l.Orgno == c.orgno && !l.Hidden && len(out) < most {
			out = append(out, entry{l.At.In(oslo()).Format("2006-01-02T15:04:05"), l.Service, l.Method, l.ClientID, l.Orgno})
		}
	}
	a.write(w, r, out)
}

func hits(r *http.Request) (int, error) {
	q, err := httpx.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return 0, refuse(portner.InvalidRequest, "The query is malformed.")
	}
	text := q.Get("maxhits")
	if text == "" {
		return maxHits, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, refuse(portner.InvalidRequest, "The parameter maxhits must be a positive number.")
	}
	return min(n, maxHits), nil
}

// oslo is the zone of "local time"; UTC on a machine without zone data.
func oslo() *time.Location {
	if z, err := time.LoadLocation("Europe/Oslo"); err == nil {
		return z
	}
	return time.UTC
}

// bearer reads the one token of the Authorization header (RFC 6750 section 2.1).
func bearer(r *http.Request) (string, error) {
	h := r.Header["Authorization"]
	if len(h) == 0 {
		return "", errNoToken
	}
	scheme, token, ok := strings.Cut(h[0], " ")
	if len(h) > 1 || !ok || !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > jose.MaxToken {
		return "", refuse(portner.InvalidRequest, "The Authorization header is malformed.")
	}
	return token, nil
}

// errNoToken is answered without an error code (RFC 6750 section 3.1).
var errNoToken = &portner.Error{Code: portner.InvalidToken, Description: "An access token is needed."}

func refuse(code portner.ErrorCode, description string) *portner.Error {
	return &portner.Error{Code: code, Description: description}
}

func (a *API) write(w http.ResponseWriter, r *http.Request, v any) {
	doc, err := json.Marshal(v)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	httpx.WriteJSON(w, http.StatusOK, doc)
}

// fail answers with RFC 6750's challenge, or with 500 or 503.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	e, ok := errors.AsType[*portner.Error](err)
	if !ok {
		e = portner.AsError(err)
		a.log.Fault(context.WithoutCancel(r.Context()), err, httpx.NewCorrelationID(), a.cfg.Now())
	}
	switch {
	case e == errNoToken:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case e.Code == portner.InvalidToken || e.Code == portner.InsufficientScope || e.Code == portner.InvalidRequest:
		w.Header().Set("WWW-Authenticate", `Bearer error="`+string(e.Code)+`"`)
	}
	httpx.WriteError(w, e)
}
