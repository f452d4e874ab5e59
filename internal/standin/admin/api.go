package admin

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/internal/httpx"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/internal/standin/changes"
	"github.com/portner-go/portner/storage"
)

// prefixes are the paths below which the self-service API has been.
var prefixes = []string{"", "/api/v1", "/external/api/v1"}

// maxBody bounds the body of a request, in bytes.
const maxBody = 1 << 20

// endpoint answers a request with a status and a value, which is encoded as JSON unless it is nil.
type endpoint func(r *http.Request) (status int, body any, err error)

// json returns the handler of an endpoint.
func (h *handler) json(e endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		status, body, err := e(r)
		if err != nil {
			h.writeError(w, err)
			return
		}
		if body != nil {
			w.Header().Set("Content-Type", "application/json")
		}
		w.WriteHeader(status)
		if body != nil {
			_ = json.NewEncoder(w).Encode(body)
		}
	})
}

// routes returns the handler of the API and of the pages.
func (h *handler) routes() http.Handler {
	mux := http.NewServeMux()
	for _, prefix := range prefixes {
		api := func(pattern string, e endpoint) {
			method, path, _ := strings.Cut(pattern, " ")
			mux.Handle(method+" "+prefix+path, h.json(e))
		}
		for _, l := range h.cfg.Lists {
			switch l.Member {
			case "clients":
				h.routeEntries(api, l)
				h.routeClients(api, l)
				h.routeCustomers(api, l)
			case "scopes":
				h.routeScopes(api, l)
			case "scope_access":
				h.routeAccess(api, l)
			default:
				h.routeEntries(api, l)
			}
		}
		h.routeState(api)
	}
	h.routePages(mux)
	mux.Handle("GET /static/", h.cfg.Look)
	return h.unrouted(mux)
}

// unrouted returns a handler that serves mux, and writes the errors of requests that no pattern matches in the form of the API.
func (h *handler) unrouted(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch status, allow := httpx.Unmatched(mux, r); {
		case status == 0 || !httpx.CleanPath(r.URL): // mux redirects to the clean path
			mux.ServeHTTP(w, r)
		case status == http.StatusMethodNotAllowed:
			w.Header()["Allow"] = allow
			h.writeError(w, errNoMethod)
		default:
			h.writeError(w, errNoPath)
		}
	})
}

type router func(pattern string, e endpoint)

// routeEntries adds the paths of a list: /clients and /clients/{key}.
func (h *handler) routeEntries(api router, l List) {
	path := "/" + l.Member
	api("GET "+path, func(r *http.Request) (int, any, error) { return h.getList(r, l) })
	api("POST "+path, func(r *http.Request) (int, any, error) {
		e, err := readEntry(r)
		if err != nil {
			return 0, nil, err
		}
		created, err := h.create(r.Context(), l, e)
		return http.StatusCreated, created, h.explained(l, err)
	})
	api("GET "+path+"/{key}", func(r *http.Request) (int, any, error) {
		e, err := h.entry(l, r.PathValue("key"))
		return http.StatusOK, l.shown(e), err
	})
	api("PUT "+path+"/{key}", func(r *http.Request) (int, any, error) { return h.put(r, l, r.PathValue("key")) })
	api("DELETE "+path+"/{key}", func(r *http.Request) (int, any, error) {
		_, err := h.remove(r.Context(), l, r.PathValue("key"))
		return http.StatusNoContent, nil, h.explained(l, err)
	})
}

func (h *handler) getList(r *http.Request, l List) (int, any, error) {
	all, err := h.entries(l)
	shown := []changes.Entry{}
	for _, e := range all {
		if active(e) || strings.EqualFold(r.URL.Query().Get("inactive"), "true") {
			shown = append(shown, l.shown(e))
		}
	}
	return http.StatusOK, shown, err
}

func (h *handler) put(r *http.Request, l List, key string) (int, any, error) {
	e, err := readEntry(r)
	if err != nil {
		return 0, nil, err
	}
	e, err = h.update(r.Context(), l, key, l.replacement(key, e))
	return http.StatusOK, l.shown(e), h.explained(l, err)
}

// routeClients adds the paths below a client: its secret and its keys.
func (h *handler) routeClients(api router, l List) {
	api("POST /clients/{key}/secret", func(r *http.Request) (int, any, error) {
		e, err := h.update(r.Context(), l, r.PathValue("key"), func(old changes.Entry) (changes.Entry, error) {
			if !usesSecret(old) {
				return nil, &refusal{http.StatusBadRequest, "token_endpoint_auth_method", "the client has no secret"}
			}
			old["client_secret"] = encode(client.GenerateSecret())
			return old, nil
		})
		return http.StatusOK, e, h.explained(l, err)
	})
	keys := func(e changes.Entry) (int, any, error) {
		set := changes.Entry{"keys": json.RawMessage("[]")}
		if jwks, err := changes.ParseEntry(e["jwks"]); err == nil {
			set = jwks
		}
		set["created"], set["last_updated"] = e["created"], e["last_updated"]
		for name, value := range set {
			if value == nil {
				delete(set, name)
			}
		}
		return http.StatusOK, set, nil
	}
	api("GET /clients/{key}/jwks", func(r *http.Request) (int, any, error) {
		e, err := h.entry(l, r.PathValue("key"))
		if err != nil {
			return 0, nil, err
		}
		return keys(e)
	})
	replace := func(r *http.Request) (int, any, error) {
		set, err := readEntry(r)
		if err != nil {
			return 0, nil, err
		}
		delete(set, "created")
		delete(set, "last_updated")
		e, err := h.update(r.Context(), l, r.PathValue("key"), func(old changes.Entry) (changes.Entry, error) {
			old["jwks"] = encode(set)
			return old, nil
		})
		if err != nil {
			return 0, nil, h.explained(l, err)
		}
		return keys(e)
	}
	api("POST /clients/{key}/jwks", replace)
	api("PUT /clients/{key}/jwks", replace)
}

// routeScopes adds the paths of scopes, whose names have slashes: a parameter has the name.
func (h *handler) routeScopes(api router, l List) {
	api("GET /scopes", func(r *http.Request) (int, any, error) {
		if !hasScope(r) {
			return h.getList(r, l)
		}
		name, err := scopeOf(r)
		if err != nil {
			return 0, nil, err
		}
		e, err := h.entry(l, name)
		return http.StatusOK, l.shown(e), err
	})
	api("GET /scopes/all", func(r *http.Request) (int, any, error) {
		_, body, err := h.getList(r, l)
		all, _ := body.([]changes.Entry)
		public := slices.DeleteFunc(all, func(e changes.Entry) bool { return e.Text("visibility") != "" && e.Text("visibility") != "PUBLIC" })
		return http.StatusOK, public, err
	})
	api("POST /scopes", func(r *http.Request) (int, any, error) {
		e, err := readEntry(r)
		if err != nil {
			return 0, nil, err
		}
		created, err := h.create(r.Context(), l, e)
		return http.StatusCreated, created, h.explained(l, err)
	})
	api("PUT /scopes", func(r *http.Request) (int, any, error) {
		name, err := scopeOf(r)
		if err != nil {
			return 0, nil, err
		}
		return h.put(r, l, name)
	})
	api("DELETE /scopes", func(r *http.Request) (int, any, error) {
		name, err := scopeOf(r)
		if err != nil {
			return 0, nil, err
		}
		e, err := h.remove(r.Context(), l, name)
		return http.StatusOK, e, h.explained(l, err)
	})
}

// scopeOf returns the parameter scope, which names one scope.
func scopeOf(r *http.Request) (string, error) {
	q, err := httpx.ParseQuery(r.URL.RawQuery)
	switch name := q.Get("scope"); {
	case err != nil:
		return "", &refusal{http.StatusBadRequest, "scope", "the query of the URL is malformed"}
	case q.Count("scope") > 1:
		return "", &refusal{http.StatusBadRequest, "scope", "is repeated: one request is for one scope"}
	case name == "":
		return "", &refusal{http.StatusBadRequest, "scope", "is required, as a parameter of the URL"}
	default:
		return name, nil
	}
}

// hasScope reports whether a request is for one scope. It is true for a malformed query, which scopeOf rejects.
func hasScope(r *http.Request) bool {
	q, err := httpx.ParseQuery(r.URL.RawQuery)
	return err != nil || q.Count("scope") > 0
}

// routeAccess adds the paths of the access of organisations to scopes.
func (h *handler) routeAccess(api router, l List) {
	list := func(scope string) (int, any, error) {
		all, err := h.entries(l)
		found := []changes.Entry{}
		for _, e := range all {
			if scope == "" || e.Text("scope") == scope {
				found = append(found, h.access(e))
			}
		}
		return http.StatusOK, found, err
	}
	api("GET /scopes/access", func(r *http.Request) (int, any, error) {
		if !hasScope(r) {
			return list("")
		}
		name, err := scopeOf(r)
		if err != nil {
			return 0, nil, err
		}
		return list(name)
	})
	api("GET /scopes/access/all", func(*http.Request) (int, any, error) { return list("") })
	set := func(state string) endpoint {
		return func(r *http.Request) (int, any, error) {
			name, err := scopeOf(r)
			if err != nil {
				return 0, nil, err
			}
			e := changes.Entry{"scope": encode(name), "consumer_orgno": encode(r.PathValue("orgno")), "state": encode(state)}
			err = h.cfg.Keeper.Change(r.Context(), func(c changes.Changes) (changes.Changes, error) {
				if scopes, ok := h.list("scopes"); ok && state != "APPROVED" {
					if _, err := h.entry(scopes, e.Text("scope")); err != nil {
						return nil, err
					}
				}
				return c.With(l.Member, l.Key(e), encode(e)), nil
			})
			return http.StatusOK, h.access(e), h.explained(l, err)
		}
	}
	api("PUT /scopes/access/{orgno}", set("APPROVED"))
	api("DELETE /scopes/access/{orgno}", set("DENIED"))
}

// access returns an access with the owner of its scope.
func (h *handler) access(e changes.Entry) changes.Entry {
	if scopes, ok := h.list("scopes"); ok {
		if s, err := h.entry(scopes, e.Text("scope")); err == nil && s["owner_orgno"] != nil {
			e["owner_orgno"] = s["owner_orgno"]
		}
	}
	return e
}

// routeState adds the paths of what is not in the configuration.
func (h *handler) routeState(api router) {
	api("GET /refusals", func(*http.Request) (int, any, error) {
		list := []refused{}
		for _, e := range h.cfg.Refusals.List(h.cfg.Now()) {
			list = append(list, describe(e))
		}
		return http.StatusOK, list, nil
	})
	api("GET /keys", func(*http.Request) (int, any, error) { return http.StatusOK, h.cfg.Keys(), nil })
	api("GET /changes", func(*http.Request) (int, any, error) {
		lists := map[string][]string{}
		for list, entries := range h.cfg.Keeper.Changes() {
			for key := range entries {
				lists[list] = append(lists[list], key)
			}
			slices.Sort(lists[list])
		}
		return http.StatusOK, lists, nil
	})
	api("DELETE /changes", func(r *http.Request) (int, any, error) {
		return http.StatusNoContent, nil, h.explained(List{}, h.discard(r))
	})
	if h.cfg.Sessions != nil {
		api("GET /sessions", func(*http.Request) (int, any, error) { return http.StatusOK, h.cfg.Sessions.List(h.cfg.Now()), nil })
		api("DELETE /sessions/{id}", func(r *http.Request) (int, any, error) {
			return http.StatusNoContent, nil, h.cfg.Sessions.End(r.Context(), r.PathValue("id"), h.cfg.Now())
		})
	}
	if h.cfg.Authorizations != nil {
		api("GET /users/{user}/authorizations", func(r *http.Request) (int, any, error) {
			list, err := h.cfg.Authorizations.List(r.Context(), r.PathValue("user"), h.cfg.Now())
			return http.StatusOK, list, err
		})
		api("DELETE /users/{user}/authorizations/{id}", func(r *http.Request) (int, any, error) {
			return http.StatusNoContent, nil, h.cfg.Authorizations.Revoke(r.Context(), r.PathValue("user"), r.PathValue("id"), h.cfg.Now())
		})
	}
}

// discard makes the configuration file apply alone.
func (h *handler) discard(r *http.Request) error {
	return h.cfg.Keeper.Change(r.Context(), func(changes.Changes) (changes.Changes, error) { return changes.Changes{}, nil })
}

// refused is a rejected request in the API.
type refused struct {
	Time          time.Time         `json:"time"`
	Event         portner.EventName `json:"event"`
	CorrelationID string            `json:"correlation_id,omitempty"`
	Endpoint      string            `json:"endpoint"`
	ClientID      string            `json:"client_id,omitempty"`
	Reason        string            `json:"reason,omitempty"`
	Parameter     string            `json:"parameter,omitempty"`
	Received      string            `json:"received,omitempty"`
	Expected      string            `json:"expected,omitempty"`
	Property      string            `json:"property,omitempty"`
}

func describe(e portner.Event) refused {
	x := e.Explanation
	return refused{e.Time, e.Name, e.CorrelationID, e.Endpoint, e.ClientID, e.Reason, x.Parameter, x.Received, x.Expected, x.Property}
}

// readEntry reads the body of a request.
func readEntry(r *http.Request) (changes.Entry, error) {
	text, err := io.ReadAll(r.Body)
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, &refusal{http.StatusRequestEntityTooLarge, "", "is too large"}
	}
	if err != nil {
		return nil, err
	}
	return parseEntry(text)
}

// parseEntry rejects what encoding/json accepts: repeated members, which only one reader would see.
func parseEntry(text []byte) (changes.Entry, error) {
	if _, err := jose.ParseObject(text); err != nil {
		return nil, &refusal{http.StatusBadRequest, "", "must be a JSON object whose members differ"}
	}
	return changes.ParseEntry(text)
}

// problem is an element of errors in the response of the self-service API.
type problem struct {
	Message string `json:"errorMessage"`
	IsField bool   `json:"isFieldError"`
	Object  string `json:"objectName"`
	Field   string `json:"fieldIdentifier"`
}

// problems is the error of a change that the stand-in refused, with every problem of the entry.
type problems struct {
	err  error
	list []problem
}

// Error returns the text of all problems.
func (p *problems) Error() string {
	var texts []string
	for _, one := range p.list {
		texts = append(texts, strings.TrimPrefix(one.Field+": "+one.Message, ": "))
	}
	return strings.Join(texts, "; ")
}

// Unwrap returns the error of the stand-in.
func (p *problems) Unwrap() error { return p.err }

// explained returns an error with the problems of an entry of l, by its members. Problems that the change makes elsewhere have their path.
func (h *handler) explained(l List, err error) error {
	var r *changes.Refused
	found := portner.FieldErrors(err)
	if !errors.As(err, &r) || len(found) == 0 {
		return err
	}
	p := &problems{err: err}
	for _, e := range found {
		list, key, member := r.Split(e.Field)
		one := problem{Message: e.Err.Error(), IsField: true, Object: list, Field: member}
		if list != l.Member {
			one.Field = strings.TrimSuffix(list+" "+key+" "+member, " ")
		}
		p.list = append(p.list, one)
	}
	return p
}

// Errors for requests that match no pattern.
var (
	errNoPath   = errors.New("there is no such path")
	errNoMethod = errors.New("the path has other methods, which the header field Allow lists")
)

// writeError writes an error in the form of the self-service API.
func (h *handler) writeError(w http.ResponseWriter, err error) {
	var refusal *refusal
	var found *problems
	status, code, list := http.StatusInternalServerError, "server_error", []problem{}
	text := "the server failed; its log says why"
	switch {
	case errors.As(err, &found):
		status, code, text, list = http.StatusBadRequest, "invalid_request", found.Error(), found.list
	case errors.As(err, &refusal):
		status, code, text = refusal.status, "invalid_request", refusal.Error()
		list = []problem{{refusal.text, refusal.member != "", "", refusal.member}}
	case errors.Is(err, errNotFound), errors.Is(err, storage.ErrNotFound), errors.Is(err, authorizations.ErrNotFound):
		status, code, text = http.StatusNotFound, "not_found", "there is no such entry"
	case errors.Is(err, errNoPath):
		status, code, text = http.StatusNotFound, "not_found", err.Error()
	case errors.Is(err, errNoMethod):
		status, code, text = http.StatusMethodNotAllowed, "invalid_request", err.Error()
	case errors.Is(err, changes.ErrSize):
		status, code, text = http.StatusRequestEntityTooLarge, "invalid_request", err.Error()
	case errors.Is(err, portner.ErrUnavailable), errors.Is(err, storage.ErrConflict):
		status, code, text = http.StatusServiceUnavailable, "temporarily_unavailable", "the store is not available, or other nodes change the configuration: try again"
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct {
		Status        int       `json:"status"`
		Timestamp     time.Time `json:"timestamp"`
		CorrelationID string    `json:"correlation_id"`
		Errors        []problem `json:"errors"`
		Error         string    `json:"error"`
		Description   string    `json:"error_description"`
	}{status, h.cfg.Now().UTC(), seal.NewID(), list, code, text})
}
