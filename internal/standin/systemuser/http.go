package systemuser

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/resource"
)

// Root is the path below which systems and system users are.
const Root = "/authentication/api/v1/"

// Scopes of callers.
const (
	ScopeRegisterWrite = "altinn:authentication/systemregister.write"
	ScopeRegisterAdmin = "altinn:authentication/systemregister.admin"
	ScopeRequestWrite  = "altinn:authentication/systemuser.request.write"
	ScopeRequestRead   = "altinn:authentication/systemuser.request.read"
	ScopeLookup        = "altinn:maskinporten/systemuser.read"
	ScopePortal        = "altinn:portal/enduser"
)

// call is one request and its caller.
type call struct {
	*API
	r     *http.Request
	now   time.Time
	token *resource.Token
}

// answer is the response to a call. Without a body it is empty.
type answer struct {
	status   int
	body     any
	location string
}

// route is an endpoint: who may call it, and what it does.
type route struct {
	pattern string
	scopes  []string // one of them; nil for none
	user    bool     // the caller is a user of Altinn, otherwise a machine
	serve   func(*call) (answer, error)
}

func (a *API) endpoints() []route {
	register, request, read := []string{ScopeRegisterWrite, ScopeRegisterAdmin}, []string{ScopeRequestWrite}, []string{ScopeRequestRead}
	portal, owners := []string{ScopePortal}, []string{ScopeParties, ScopePartiesAdmin}
	return []route{
		{"GET " + AccessManagement + "authorizedparties", nil, true, (*call).ownParties},
		{"GET " + AccessManagement + "{party}/{partyId}", nil, true, (*call).oneParty},
		{"POST " + AccessManagement + "resourceowner/authorizedparties", owners, false, (*call).partiesOfSubject},

		{"GET " + Root + "systemregister", portal, true, (*call).listSystems},
		{"GET " + Root + "systemregister/{systemId}", portal, true, (*call).showSystem},
		{"GET " + Root + "systemregister/vendor", register, false, (*call).vendorSystems},
		{"POST " + Root + "systemregister/vendor", register, false, (*call).createSystem},
		{"GET " + Root + "systemregister/vendor/{systemId}", register, false, (*call).vendorSystem},
		{"PUT " + Root + "systemregister/vendor/{systemId}", register, false, (*call).replaceSystem},
		{"DELETE " + Root + "systemregister/vendor/{systemId}", register, false, (*call).deleteSystem},

		{"POST " + Root + "systemuser/request/vendor", request, false, (*call).createRequest},
		{"GET " + Root + "systemuser/request/vendor/{requestId}", read, false, (*call).vendorRequest},
		{"DELETE " + Root + "systemuser/request/vendor/{requestId}", request, false, (*call).deleteRequest},
		{"GET " + Root + "systemuser/request/vendor/byexternalref/{systemId}/{orgNo}/{externalRef}", read, false, (*call).requestByReference},
		{"GET " + Root + "systemuser/request/vendor/bysystem/{systemId}", read, false, (*call).requestsOfSystem},
		{"GET " + Root + "systemuser/request/{party}/{requestId}", portal, true, (*call).partyRequest},
		{"POST " + Root + "systemuser/request/{party}/{requestId}/approve", portal, true, (*call).approve},
		{"POST " + Root + "systemuser/request/{party}/{requestId}/reject", portal, true, (*call).reject},

		{"GET " + Root + "systemuser/byExternalId", []string{ScopeLookup}, false, (*call).lookup},
		{"GET " + Root + "systemuser/vendor/byquery", request, false, (*call).vendorUser},
		{"GET " + Root + "systemuser/vendor/bysystem/{systemId}", register, false, (*call).usersOfSystem},
		{"GET " + Root + "systemuser/{party}", portal, true, (*call).partyUsers},
		{"DELETE " + Root + "systemuser/{party}/{systemUserId}", portal, true, (*call).deleteUser},
	}
}

// routes registers the endpoints.
func (a *API) routes() {
	a.mux = http.NewServeMux()
	for _, e := range a.endpoints() {
		a.mux.HandleFunc(e.pattern, func(w http.ResponseWriter, r *http.Request) { a.serve(w, r, e) })
	}
}

// ServeHTTP serves the endpoints below [Root] and [AccessManagement]. The status of every other path is 404, and that of another method 405.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{API: a, r: r, now: a.cfg.Now()}
	switch status, allow := httpx.Unmatched(a.mux, r); status {
	case 0:
		a.mux.ServeHTTP(w, r)
	case http.StatusMethodNotAllowed:
		w.Header()["Allow"] = allow
		c.refuse(w, errMethod)
	default:
		c.refuse(w, errNotFound)
	}
}

func (a *API) serve(w http.ResponseWriter, r *http.Request, e route) {
	body, err := readBody(w, r) // before the clock is read: the caller decides when the body ends
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	c := &call{API: a, r: r, now: a.cfg.Now()}
	denied := c.authenticate(e)
	if denied != nil {
		err = denied
	}
	var out answer
	if err == nil {
		out, err = e.serve(c)
	}
	if err != nil {
		c.refuse(w, err)
		return
	}
	httpx.Secure(w.Header())
	if out.location != "" {
		w.Header().Set("Location", out.location)
	}
	if out.body == nil {
		w.WriteHeader(out.status)
		return
	}
	text, err := json.Marshal(out.body)
	if err != nil {
		c.refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(out.status)
	_, _ = w.Write(text)
}

// authenticate verifies the token of the caller.
func (c *call) authenticate(e route) error {
	t, err := c.cfg.Tokens.Verify(c.r.Context(), resource.RequestFrom(c.r))
	if err != nil {
		return err
	}
	rules := resource.Rules{AnyScope: e.scopes, AllowNoScope: e.scopes == nil, DelegationSources: c.cfg.DelegationSources, RequireMachine: !e.user}
	if err := rules.Check(t, c.now); err != nil {
		return err
	}
	c.token = t
	if _, ok := c.userID(); e.user && !ok {
		return errNoUser
	}
	if !e.user && t.Consumer.Orgno == "" {
		return errForbidden
	}
	return nil
}

// userID returns the user of a token of Altinn.
func (c *call) userID() (int64, bool) {
	raw, ok := c.token.Claim("urn:altinn:userid")
	if !ok || c.token.Issuer != c.cfg.Issuer {
		return 0, false
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return 0, false
	}
	id, err := strconv.ParseInt(text, 10, 64)
	return id, err == nil && id > 0
}

// vendor is the organisation of a machine.
func (c *call) vendor() string { return c.token.Consumer.Orgno }

// owns reports whether the caller may change a system: it is the vendor, or an administrator of the register.
func (c *call) owns(s *System) bool {
	return s.Vendor.Orgno() == c.vendor() || slices.Contains(c.token.Scopes, ScopeRegisterAdmin)
}

// maxBody bounds a body, in bytes.
const maxBody = 64 << 10

// readBody reads the body, which only POST and PUT have.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.Method != http.MethodPost && r.Method != http.MethodPut {
		return nil, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, errTooLarge
	} else if err != nil {
		return nil, malformed("$", "the body is incomplete")
	}
	return body, nil
}

// decode decodes the body into a struct. Unknown, repeated and null members of the wrong type are rejected.
func (c *call) decode(into any) error {
	if kind, _, _ := strings.Cut(c.r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(kind), "application/json") {
		return bare(http.StatusUnsupportedMediaType, "body_media_type")
	}
	body, err := io.ReadAll(c.r.Body)
	if err != nil {
		return err
	}
	if _, err := jose.ParseObject(body); err != nil {
		return malformed("$", "the body is no JSON object, or has a member twice")
	}
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return malformed("$", describe(err))
	}
	return nil
}

// describe returns the error of a body without its values.
func describe(err error) string {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return "the member " + e.Field + " has the wrong type"
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return "the member " + name + " is unknown"
	}
	return "the body cannot be read"
}

// refuse writes the response for an error, and logs it.
func (c *call) refuse(w http.ResponseWriter, err error) {
	corrID := httpx.NewCorrelationID()
	event := portner.Event{Name: portner.EventRefused, Time: c.now, CorrelationID: corrID}
	var p *problem
	switch e := err.(type) {
	case *problem:
		p, event.Reason = e, e.reason
	case *resource.Error:
		reply := c.cfg.Tokens.Reply(e) // RFC 6750 §3: the challenge tells what the token lacks
		p, event.Reason = bare(reply.Status, e.Reason), e.Reason
		p.Detail, p.challenge = e.Description, http.Header(reply.Header).Get("Www-Authenticate")
	default:
		c.log.Fault(c.r.Context(), err, corrID, c.now)
		status := http.StatusInternalServerError
		if errors.Is(err, portner.ErrUnavailable) {
			status = http.StatusServiceUnavailable
		}
		write(w, bare(status, "fault"))
		return
	}
	if c.log.Active() {
		if c.token != nil {
			event.ClientID = c.token.ClientID
		}
		c.log.Emit(c.r.Context(), event)
	}
	write(w, p)
}

// write writes an error.
func write(w http.ResponseWriter, p *problem) {
	text, contentType := p.body()
	h := w.Header()
	httpx.Secure(h)
	if contentType != "" {
		h.Set("Content-Type", contentType)
	}
	if p.challenge != "" {
		h.Set("Www-Authenticate", p.challenge)
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(text)
}
