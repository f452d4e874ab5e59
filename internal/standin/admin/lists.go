package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/seal"
	"github.com/portner-go/portner/internal/standin/changes"
)

// Field is a member of an entry with a field in the form.
type Field struct {
	Member string
	// Kind is how the value is entered.
	Kind FieldKind
	// Options are the values of a Choice. "" is the default of the stand-in.
	Options []string
}

// FieldKind is how the value of a Field is entered.
type FieldKind int

// Kinds of fields.
const (
	Line   FieldKind = iota // a string
	Lines                   // a list of strings, one a line
	Choice                  // one of Options
	Check                   // a boolean
	Secret                  // a string that is not shown
	Number                  // an integer
)

// Clients is the list of client registrations. defaults are members of new ones.
func Clients(defaults map[string]string) List {
	return List{
		List: changes.List{Member: "clients", Key: changes.By("client_id")}, Hidden: "client_secret", Deactivated: true,
		Kept: []string{"jwks", "onbehalfof", "created"}, Fixed: []string{"integration_type"}, Defaults: defaults,
		Fields: []Field{
			{Member: "client_id"},
			{Member: "client_name"},
			{Member: "client_orgno"},
			{Member: "integration_type", Kind: Choice, Options: []string{"", "idporten", "api_klient", "ansattporten", "maskinporten", "krr", "eformidling", "idporten_saml2"}},
			{Member: "application_type", Kind: Choice, Options: []string{"", client.Web, client.Browser, client.Native}},
			{Member: "token_endpoint_auth_method", Kind: Choice, Options: []string{"", client.ClientSecretBasic, client.ClientSecretPost, client.PrivateKeyJWT, client.None}},
			{Member: "client_secret", Kind: Secret},
			{Member: "redirect_uris", Kind: Lines},
			{Member: "post_logout_redirect_uris", Kind: Lines},
			{Member: "scopes", Kind: Lines},
			{Member: "grant_types", Kind: Lines},
			{Member: "active", Kind: Check},
		},
	}
}

// Scopes is the list of scopes.
func Scopes() List {
	return List{
		List: changes.List{Member: "scopes", Key: changes.ScopeName}, Deactivated: true, Kept: []string{"created"},
		Fields: []Field{
			{Member: "name"},
			{Member: "owner_orgno"},
			{Member: "description"},
			{Member: "allowed_integration_types", Kind: Lines},
			{Member: "accessible_for_all", Kind: Check},
			{Member: "requires_user_consent", Kind: Check},
			{Member: "active", Kind: Check},
		},
	}
}

// ScopeAccess is the list of the organisations that may use a scope.
func ScopeAccess() List {
	return List{
		List: changes.List{Member: "scope_access", Key: changes.By("scope", "consumer_orgno")},
		Fields: []Field{
			{Member: "scope"},
			{Member: "consumer_orgno"},
			{Member: "state", Kind: Choice, Options: []string{"APPROVED", "REQUESTED", "DENIED"}},
		},
	}
}

// Accounts is a list of users with a password, and fields for these members besides.
func Accounts(deactivated bool, members ...string) List {
	l := List{
		List: changes.List{Member: "users", Key: changes.By("username")}, Hidden: "password", Deactivated: deactivated,
		Fields: []Field{{Member: "username"}, {Member: "password", Kind: Secret}, {Member: "pid"}},
	}
	for _, member := range members {
		l.Fields = append(l.Fields, Field{Member: member})
	}
	if deactivated {
		l.Fields = append(l.Fields, Field{Member: "active", Kind: Check})
	}
	return l
}

// Other is a list with the fields that the stand-in names. Its entries differ in the values of the first keys of them.
func Other(member string, keys int, fields ...Field) List {
	l := List{List: changes.List{Member: member}, Fields: fields}
	var members []string
	for _, f := range fields[:keys] {
		members = append(members, f.Member)
	}
	l.Key = changes.By(members...)
	return l
}

// refusal is the reason why a change is not made, before the stand-in sees it.
type refusal struct {
	status int
	member string // "" for the entry as a whole
	text   string
}

// Error returns the member and the text.
func (r *refusal) Error() string { return cmp.Or(r.member, "entry") + ": " + r.text }

// create adds an entry, and returns it with its secret.
func (h *handler) create(ctx context.Context, l List, e changes.Entry) (created changes.Entry, err error) {
	e = maps.Clone(e)
	for member, value := range l.Defaults {
		if e[member] == nil {
			e[member] = encode(value)
		}
	}
	if l.Member == "clients" {
		h.completeClient(e)
	}
	if l.Member == "clients" || l.Member == "scopes" {
		e["created"], e["last_updated"] = h.stamp(), h.stamp()
	}
	key := l.Key(e)
	if key == "" {
		return nil, &refusal{400, l.Fields[0].Member, "is required"}
	}
	err = h.cfg.Keeper.Change(ctx, func(c changes.Changes) (changes.Changes, error) {
		if _, err := h.entry(l, key); !errors.Is(err, errNotFound) {
			return nil, cmp.Or(err, error(&refusal{409, l.Fields[0].Member, fmt.Sprintf("%q exists", key)}))
		}
		return c.With(l.Member, key, encode(e)), nil
	})
	return e, err
}

// completeClient adds what the self-service chooses for a new client: its identifier, and its secret.
func (h *handler) completeClient(e changes.Entry) {
	if e.Text("client_id") == "" {
		e["client_id"] = encode(seal.NewUUID())
	}
	if usesSecret(e) && e.Text("client_secret") == "" {
		e["client_secret"] = encode(client.GenerateSecret())
	}
}

// usesSecret reports whether a client authenticates with a secret.
func usesSecret(e changes.Entry) bool {
	c := client.Client{ApplicationType: e.Text("application_type"), TokenEndpointAuthMethod: e.Text("token_endpoint_auth_method")}
	return c.AuthMethod() == client.ClientSecretBasic || c.AuthMethod() == client.ClientSecretPost
}

// update replaces the entry with a key by what edit returns for it. e is the entry as it then is, with its secret.
func (h *handler) update(ctx context.Context, l List, key string, edit func(old changes.Entry) (changes.Entry, error)) (e changes.Entry, err error) {
	err = h.cfg.Keeper.Change(ctx, func(c changes.Changes) (changes.Changes, error) {
		old, err := h.entry(l, key)
		if err != nil {
			return nil, err
		}
		if e, err = edit(maps.Clone(old)); err != nil {
			return nil, err
		}
		if l.Key(e) != key {
			return nil, &refusal{400, l.Fields[0].Member, fmt.Sprintf("must be %q: entries keep their key", key)}
		}
		if l.Member == "clients" || l.Member == "scopes" {
			e["last_updated"] = h.stamp()
		}
		return c.With(l.Member, key, encode(e)), nil
	})
	return e, err
}

// replacement returns an edit that writes e: members that it does not have end, but for those that the list keeps.
func (l List) replacement(key string, e changes.Entry) func(old changes.Entry) (changes.Entry, error) {
	return func(old changes.Entry) (changes.Entry, error) {
		next := maps.Clone(e)
		for _, member := range append(l.Kept[:len(l.Kept):len(l.Kept)], l.Hidden) {
			if next[member] == nil && old[member] != nil {
				next[member] = old[member]
			}
		}
		for _, member := range l.Fixed {
			if next[member] == nil && old[member] != nil {
				next[member] = old[member]
			}
			if next.Text(member) != old.Text(member) {
				return nil, &refusal{400, member, "cannot be changed"}
			}
		}
		if first := l.Fields[0].Member; len(l.Fields) > 0 && l.Key(next) == "" && next[first] == nil {
			next[first] = encode(key)
		}
		if l.Member == "clients" && !usesSecret(next) {
			delete(next, "client_secret")
		}
		return next, nil
	}
}

// remove deactivates an entry, or leaves it out. It returns the entry as it then is.
func (h *handler) remove(ctx context.Context, l List, key string) (changes.Entry, error) {
	if l.Deactivated {
		return h.update(ctx, l, key, func(old changes.Entry) (changes.Entry, error) {
			old["active"] = encode(false)
			return old, nil
		})
	}
	var removed changes.Entry
	err := h.cfg.Keeper.Change(ctx, func(c changes.Changes) (changes.Changes, error) {
		var err error
		if removed, err = h.entry(l, key); err != nil {
			return nil, err
		}
		return c.With(l.Member, key, nil), nil
	})
	if err == nil {
		if _, still := h.entry(l, key); still == nil {
			return nil, &refusal{409, "", "is built in and cannot be removed"}
		}
	}
	return removed, err
}

func (h *handler) stamp() json.RawMessage { return encode(h.cfg.Now().UTC().Truncate(time.Second)) }

// encode returns a value as JSON.
func encode(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // of strings, times and JSON that was decoded before
	}
	return text
}
