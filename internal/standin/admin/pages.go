package admin

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/internal/standin/changes"
	"github.com/portner-go/portner/keyset"
)

//go:embed web/*.html
var web embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"instant": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"join":    func(list []string) string { return strings.Join(list, " ") },
	"about":   func(t texts, refusal any) map[string]any { return map[string]any{"T": t, "R": refusal} },
}).ParseFS(web, "web/*.html"))

// frame is the data of the layout.
type frame struct {
	T              texts
	Title, Site    string
	BodyID, Issuer string
	Languages      []texts
	Return         string // page to which the switch of the language returns
	Notice         string
}

func (h *handler) frame(r *http.Request, title, bodyID string) frame {
	f := frame{T: textsOf(r), Title: title, Site: h.cfg.Name, BodyID: bodyID, Issuer: h.cfg.Issuer, Return: r.URL.RequestURI()}
	if r.Method != http.MethodGet {
		f.Return = "/"
	}
	for _, lang := range languages {
		f.Languages = append(f.Languages, allTexts[lang])
	}
	return f
}

// render writes a page. It may load styles and images of its own origin only.
func (h *handler) render(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, data); err != nil {
		h.writeError(w, err)
		return
	}
	head := w.Header()
	head.Set("Content-Type", "text/html; charset=utf-8")
	head.Set("X-Frame-Options", "DENY")
	head.Set("Referrer-Policy", "same-origin") // keeps the Origin header field of a post
	head.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// page answers a request with a page. An error is written as in the API.
type page func(w http.ResponseWriter, r *http.Request) error

// html returns the handler of a page.
func (h *handler) html(p page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		if err := p(w, r); err != nil {
			h.writeError(w, err)
		}
	})
}

func (h *handler) routePages(mux *http.ServeMux) {
	mux.Handle("GET /{$}", h.html(h.overview))
	mux.Handle("GET /page/refusals", h.html(h.refusalsPage))
	mux.Handle("GET /page/list/{list}", h.html(h.listPage))
	mux.Handle("GET /page/list/{list}/edit", h.html(h.editPage))
	mux.Handle("POST /page/list/{list}/save", h.html(h.save))
	mux.Handle("POST /page/list/{list}/remove", h.html(h.removeEntry))
	mux.Handle("POST /page/sessions/end", h.html(h.endSession))
	mux.Handle("POST /page/authorizations/revoke", h.html(h.revoke))
	mux.Handle("POST /page/discard", h.html(h.discardPage))
	mux.Handle("POST /page/language", h.html(h.chooseLanguage))
}

// line is an element of a list of links.
type line struct{ URL, Name, Note string }

func (h *handler) overview(w http.ResponseWriter, r *http.Request) error {
	t := textsOf(r)
	data := struct {
		frame
		Lists    []line
		Refusals []refusalView
		Sessions []Session
		HasSSO   bool
		Keys     []keyset.KeyState
		Changed  int
		Now      time.Time
	}{Now: h.cfg.Now(), frame: h.frame(r, t.Title, "admin-overview"), Keys: h.cfg.Keys(), Changed: h.cfg.Keeper.Changes().Len(), HasSSO: h.cfg.Sessions != nil}
	for _, l := range h.cfg.Lists {
		all, err := h.entries(l)
		if err != nil {
			return err
		}
		data.Lists = append(data.Lists, line{URL: listURL(l), Name: t.listName(l.Member), Note: strconv.Itoa(len(all))})
	}
	data.Refusals = h.refusals()
	data.Refusals = data.Refusals[:min(len(data.Refusals), 5)]
	if h.cfg.Sessions != nil {
		data.Sessions = h.cfg.Sessions.List(h.cfg.Now())
	}
	h.render(w, http.StatusOK, "overview.html", data)
	return nil
}

// refusalView is a rejected request with a link to what can be changed.
type refusalView struct {
	refused
	FixURL   string // "" if nothing of the configuration permits the request
	Register bool   // the link leads to a new client
}

func (h *handler) refusals() (list []refusalView) {
	clients, _ := h.list("clients")
	for _, e := range h.cfg.Refusals.List(h.cfg.Now()) {
		v := refusalView{refused: describe(e)}
		switch {
		case clients.Member == "":
		case v.ClientID != "":
			if _, err := h.entry(clients, v.ClientID); err == nil {
				v.FixURL = listURL(clients) + "/edit?" + url.Values{"key": {v.ClientID}, "refusal": {v.CorrelationID}}.Encode() + fragment(v.Property)
			}
		case v.Reason == "client_unknown" && v.Received != "" && !strings.ContainsAny(v.Received, "*…"):
			v.FixURL, v.Register = listURL(clients)+"/edit?"+url.Values{"client_id": {v.Received}, "refusal": {v.CorrelationID}}.Encode(), true
		}
		list = append(list, v)
	}
	return list
}

// fragment leads to the field of a property.
func fragment(property string) string {
	if property == "" {
		return ""
	}
	return "#f-" + property
}

func (h *handler) refusalsPage(w http.ResponseWriter, r *http.Request) error {
	h.render(w, http.StatusOK, "refusals.html", struct {
		frame
		Refusals []refusalView
	}{h.frame(r, textsOf(r).Refusals, "admin-refusals"), h.refusals()})
	return nil
}

func listURL(l List) string { return "/page/list/" + url.PathEscape(l.Member) }

func editURL(l List, key string) string {
	return listURL(l) + "/edit?" + url.Values{"key": {key}}.Encode()
}

// pageList returns the list of a path.
func (h *handler) pageList(r *http.Request) (List, error) {
	l, ok := h.list(r.PathValue("list"))
	if !ok {
		return l, errNotFound
	}
	return l, nil
}

func (h *handler) listPage(w http.ResponseWriter, r *http.Request) error {
	l, err := h.pageList(r)
	if err != nil {
		return err
	}
	all, err := h.entries(l)
	if err != nil {
		return err
	}
	t := textsOf(r)
	data := struct {
		frame
		Lines  []line
		NewURL string
	}{frame: h.frame(r, t.listName(l.Member), "admin-list"), NewURL: listURL(l) + "/edit"}
	switch q := r.URL.Query(); {
	case q.Get("saved") != "":
		data.Notice = t.Saved + ": " + q.Get("saved")
	case q.Get("removed") != "":
		data.Notice = t.Removed + ": " + q.Get("removed")
	}
	for _, e := range all {
		one := line{URL: editURL(l, l.Key(e)), Name: l.Key(e), Note: cmp.Or(e.Text("client_name"), e.Text("description"), e.Text("state"))}
		if !active(e) {
			one.Note = strings.TrimPrefix(one.Note+" · "+t.Inactive, " · ")
		}
		data.Lines = append(data.Lines, one)
	}
	h.render(w, http.StatusOK, "list.html", data)
	return nil
}

// fieldView is a field of the form.
type fieldView struct {
	Field
	ID, Label, Value string
	Options          []string
	Fixed            bool
	Problem          string
}

// Is reports whether the field has a kind, for the template.
func (f fieldView) Is(kind string) bool {
	return kind == map[FieldKind]string{Line: "line", Number: "line", Lines: "lines", Choice: "choice", Check: "check", Secret: "secret"}[f.Kind]
}

// Checked reports whether a Check is on.
func (f fieldView) Checked() bool { return f.Value == "true" }

// form is the data of edit.html.
type form struct {
	frame
	Action, RemoveAction, BackURL string
	Key                           string // "" for a new entry
	Fields                        []fieldView
	Rest                          string
	Problems                      []string
	Deactivated                   bool
	Refusal                       *refusalView
	Added                         bool
	Secret                        string // a new secret, to be shown once
	User                          string // whose authorizations are shown
	Authorizations                []authorizations.Authorization
}

func (h *handler) editPage(w http.ResponseWriter, r *http.Request) error {
	l, err := h.pageList(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	e := changes.Entry{"active": encode(true)}
	if key := q.Get("key"); key != "" {
		if e, err = h.entry(l, key); err != nil {
			return err
		}
	} else {
		for member, value := range l.Defaults {
			e[member] = encode(value)
		}
		if id := q.Get("client_id"); id != "" {
			e["client_id"] = encode(id)
		}
	}
	f := h.form(r, l, q.Get("key"), e)
	h.addRefusal(&f, q.Get("refusal"))
	if h.cfg.Authorizations != nil && l.Member == "users" && f.Key != "" {
		f.User = f.Key
		if f.Authorizations, err = h.cfg.Authorizations.List(r.Context(), f.Key, h.cfg.Now()); err != nil {
			return err
		}
	}
	h.render(w, http.StatusOK, "edit.html", f)
	return nil
}

// form returns the form of an entry.
func (h *handler) form(r *http.Request, l List, key string, e changes.Entry) form {
	t := textsOf(r)
	title := t.listName(l.Member) + " – " + strings.ToLower(t.New)
	if key != "" {
		title = key
	}
	f := form{
		frame: h.frame(r, title, "admin-edit"), Action: listURL(l) + "/save", RemoveAction: listURL(l) + "/remove", BackURL: listURL(l),
		Key: key, Deactivated: l.Deactivated,
	}
	rest := l.shown(e)
	for i, field := range l.Fields {
		v := fieldView{Field: field, ID: "f-" + field.Member, Label: t.label(field.Member), Options: field.Options, Value: valueOf(field, e)}
		v.Fixed = key != "" && (i == 0 || slices.Contains(l.Fixed, field.Member) || field.Member == "consumer_orgno" && l.Member == "scope_access")
		if field.Kind == Choice && !slices.Contains(v.Options, v.Value) {
			v.Options = append(v.Options[:len(v.Options):len(v.Options)], v.Value)
		}
		f.Fields = append(f.Fields, v)
		delete(rest, field.Member)
	}
	delete(rest, "created")
	delete(rest, "last_updated")
	if len(rest) > 0 {
		text, err := json.MarshalIndent(rest, "", "  ")
		if err == nil {
			f.Rest = string(text)
		}
	}
	return f
}

// valueOf returns the text of a field.
func valueOf(f Field, e changes.Entry) string {
	switch f.Kind {
	case Secret:
		return ""
	case Lines:
		var list []string
		if json.Unmarshal(e[f.Member], &list) != nil {
			return ""
		}
		return strings.Join(list, "\n")
	case Check:
		if e[f.Member] == nil {
			return map[bool]string{true: "true"}[f.Member == "active"]
		}
		return string(e[f.Member])
	}
	if text := e.Text(f.Member); text != "" || e[f.Member] == nil {
		return text
	}
	return strings.Trim(string(e[f.Member]), `"`) // a number
}

// addRefusal shows why a request was rejected, above the form that can permit it, and adds a rejected URI to its list.
func (h *handler) addRefusal(f *form, correlationID string) {
	if correlationID == "" {
		return
	}
	list := h.refusals()
	i := slices.IndexFunc(list, func(v refusalView) bool { return v.CorrelationID == correlationID })
	if i < 0 {
		return
	}
	f.Refusal = &list[i]
	for j := range f.Fields {
		v := &f.Fields[j]
		if v.Kind != Lines || v.Member != list[i].Property || !strings.HasSuffix(list[i].Parameter, "redirect_uri") || list[i].Received == "" {
			continue
		}
		if !slices.Contains(strings.Split(v.Value, "\n"), list[i].Received) {
			v.Value = strings.TrimPrefix(v.Value+"\n"+list[i].Received, "\n")
			f.Added = true
		}
	}
}

// posted returns the entry of a form.
func (l List) posted(form url.Values) (changes.Entry, error) {
	e := changes.Entry{}
	if rest := strings.TrimSpace(form.Get("rest")); rest != "" {
		var err error
		if e, err = parseEntry([]byte(rest)); err != nil {
			return nil, err
		}
	}
	for _, f := range l.Fields {
		value := strings.TrimSpace(form.Get(f.Member))
		switch {
		case f.Kind == Lines:
			var list []string
			for one := range strings.Lines(value) {
				if one = strings.TrimSpace(one); one != "" {
					list = append(list, one)
				}
			}
			if len(list) > 0 {
				e[f.Member] = encode(list)
			}
		case f.Kind == Check:
			if on := form.Get(f.Member) != ""; on != (f.Member == "active") {
				e[f.Member] = encode(on)
			}
		case f.Kind == Number && json.Unmarshal([]byte(value), new(int64)) == nil:
			e[f.Member] = json.RawMessage(value)
		case value != "":
			e[f.Member] = encode(value)
		}
	}
	return e, nil
}

func (h *handler) save(w http.ResponseWriter, r *http.Request) error {
	l, err := h.pageList(r)
	if err == nil {
		err = r.ParseForm()
	}
	if err != nil {
		return err
	}
	key := r.PostForm.Get("key")
	e, err := l.posted(r.PostForm)
	var saved changes.Entry
	switch {
	case err != nil:
	case key == "":
		saved, err = h.create(r.Context(), l, e)
	default:
		saved, err = h.update(r.Context(), l, key, l.replacement(key, e))
	}
	if err != nil {
		return h.again(w, r, l, key, h.explained(l, err))
	}
	if key == "" && l.Member == "clients" && r.PostForm.Get("client_secret") == "" && saved.Text("client_secret") != "" {
		f := h.form(r, l, l.Key(saved), saved)
		f.Secret, f.Notice = saved.Text("client_secret"), f.T.Saved+": "+l.Key(saved)
		h.render(w, http.StatusOK, "edit.html", f)
		return nil
	}
	http.Redirect(w, r, listURL(l)+"?"+url.Values{"saved": {l.Key(saved)}}.Encode(), http.StatusSeeOther)
	return nil
}

// again shows the form with what was posted and why it is not saved.
func (h *handler) again(w http.ResponseWriter, r *http.Request, l List, key string, err error) error {
	var found *problems
	var refused *refusal
	var list []problem
	switch {
	case errors.As(err, &found):
		list = found.list
	case errors.As(err, &refused):
		list = []problem{{Message: refused.text, Field: refused.member}}
	default:
		return err
	}
	e, _ := l.posted(r.PostForm)
	f := h.form(r, l, key, e)
	f.Rest = r.PostForm.Get("rest")
	for _, p := range list {
		f.Problems = append(f.Problems, strings.TrimPrefix(p.Field+": "+p.Message, ": "))
		for i := range f.Fields {
			if member, _, _ := strings.Cut(p.Field, "["); member == f.Fields[i].Member {
				f.Fields[i].Problem = p.Message
			}
		}
	}
	h.render(w, http.StatusBadRequest, "edit.html", f)
	return nil
}

func (h *handler) removeEntry(w http.ResponseWriter, r *http.Request) error {
	l, err := h.pageList(r)
	if err == nil {
		err = r.ParseForm()
	}
	if err != nil {
		return err
	}
	key := r.PostForm.Get("key")
	if _, err := h.remove(r.Context(), l, key); err != nil {
		return h.explained(l, err)
	}
	http.Redirect(w, r, listURL(l)+"?"+url.Values{"removed": {key}}.Encode(), http.StatusSeeOther)
	return nil
}

func (h *handler) endSession(w http.ResponseWriter, r *http.Request) error {
	if h.cfg.Sessions == nil {
		return errNotFound
	}
	if err := h.cfg.Sessions.End(r.Context(), r.PostFormValue("id"), h.cfg.Now()); err != nil {
		return err
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

func (h *handler) revoke(w http.ResponseWriter, r *http.Request) error {
	if h.cfg.Authorizations == nil {
		return errNotFound
	}
	user := r.PostFormValue("user")
	if err := h.cfg.Authorizations.Revoke(r.Context(), user, r.PostFormValue("id"), h.cfg.Now()); err != nil {
		return err
	}
	http.Redirect(w, r, "/page/list/users/edit?"+url.Values{"key": {user}}.Encode(), http.StatusSeeOther)
	return nil
}

func (h *handler) discardPage(w http.ResponseWriter, r *http.Request) error {
	if err := h.discard(r); err != nil {
		return h.explained(List{}, err)
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

// chooseLanguage keeps the language of the form, and returns to its page.
func (h *handler) chooseLanguage(w http.ResponseWriter, r *http.Request) error {
	lang, back := r.PostFormValue("lang"), r.PostFormValue("return")
	u, err := url.Parse(back)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || !slices.Contains(languages, lang) {
		return &refusal{http.StatusBadRequest, "return", "must be a page of this server"}
	}
	http.SetCookie(w, &http.Cookie{
		Name: languageCookie, Value: lang, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: strings.HasPrefix(h.cfg.Base, "https:"),
	})
	http.Redirect(w, r, u.RequestURI(), http.StatusSeeOther)
	return nil
}
