package rar

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/pseudonym"
)

// Limits of a request.
const (
	MaxBytes   = 8 << 10 // length of authorization_details
	MaxDetails = 10      // number of objects
)

// Reasons to reject authorization_details. The client receives invalid_authorization_details, except for ErrDenied.
var (
	ErrMalformed     = errors.New("rar: authorization_details is not an array of objects with a type")
	ErrUnknownType   = errors.New("rar: unknown type")
	ErrUnknownMember = errors.New("rar: unknown member")
	ErrValue         = errors.New("rar: invalid value")
	ErrMixedTypes    = errors.New("rar: types cannot be mixed")
	// ErrDenied reports a valid request that grants no right, such as one without a required choice. The functions Choices and
	// Grant of a Type may return an error that wraps it.
	ErrDenied = errors.New("rar: denied")
	// ErrNoMandate is an ErrDenied that is not sent to the client: the provider shows the user an error page that says that the
	// user has no mandate.
	ErrNoMandate = fmt.Errorf("%w: the user has no mandate", ErrDenied)
	// ErrNotGranted reports that a token request names a detail that was not granted.
	ErrNotGranted = errors.New("rar: not granted")
)

// Detail is one object of authorization_details.
type Detail struct {
	Type string          // value of the member "type"
	JSON json.RawMessage // the whole object, as received
}

// Request describes the client and the user of a request to the functions of a Type.
type Request struct {
	ClientID     string                 // client_id
	Organisation string                 // organisation number of the consumer: that of the client, or the one it acts for; "" if unknown
	Supplier     string                 // organisation number of the one that acts for the consumer; "" if the consumer itself does
	Subject      string                 // the host's identifier of the user; "" for machines
	Identifiers  []pseudonym.Identifier // identifiers of the user; nil for machines
	Name         string                 // name of the user; "" if it is unknown
	Locale       string                 // language of the pages
	Now          time.Time              // instant of the request

	loads *loads // what Once has loaded
}

// Choice is one party that the user may select on the representation page.
type Choice struct {
	ID   string // value of the form field; unique, and never a national identity number
	Name string // name for the user; replaced by ID if a page must not show it, as a client_name
	Hint string // second line, such as an organisation number; left out if a page must not show it
}

// Type is one type of authorization_details.
//
// A detail is granted only if a page showed it and the user answered that page in the same request. If the type has Choices, this
// is the representation page, and without a selected choice nothing of the type is granted. Details of other types are approved
// one by one on the consent page. NoApproval is the exception.
type Type struct {
	// Name is the value of the member "type". Required.
	Name string
	// Members are the names of the other members of a request. Unknown members are rejected with ErrUnknownMember.
	Members []string
	// Single accepts an object of the type as authorization_details, without the array of RFC 9396 §2.
	Single bool
	// Validate checks the values of one detail. Errors wrap ErrValue, or are a *portner.Error, not a wrapped one, which is sent to the client.
	// If a *portner.FieldError wraps ErrValue, the response names its field, which is that of the member. If nil, every value is valid.
	Validate func(d Detail) error
	// Check reports whether the values of all details of the type exist in the registers of the host, such as the identifier of a
	// resource, and whether the client may name them. It is called for each new authorization request before the user has logged in, so r
	// has no user, and the answer must be cheap. An error that wraps ErrValue, or a *portner.Error, which is sent to the client, rejects
	// the request before any page; every other error is a fault. If nil, every value exists.
	Check func(ctx context.Context, r Request, details []Detail) error
	// Alone rejects requests that also have details of other types, with ErrMixedTypes.
	Alone bool
	// NoApproval grants details of the type to every client with a live session, also for prompt=none, and no page shows them. Set it
	// only if a detail gives the client no right beyond its scopes and no information about the user, such as the name of a form
	// to open. Do not set it for details that a client could use against the user, such as a payment or access to a file. It
	// excludes Choices.
	NoApproval bool
	// Describe returns the texts of the pages for all details of the type, one for each detail and in their order, in r.Locale.
	// If nil, the page shows the name of the type and the JSON.
	Describe func(ctx context.Context, r Request, details []Detail) ([]Text, error)
	// Choices returns what the user may select, for all details of the type. If nil, there is no selection. It is called at most
	// once in an HTTP request, and again at each step of a login, because rights can end in the meantime.
	Choices func(ctx context.Context, r Request, details []Detail) ([]Choice, error)
	// Multiple reports whether more than one choice may be selected. If nil, at most one may be.
	Multiple func(details []Detail) bool
	// Required reports whether a choice must be selected. If nil, none must be.
	Required func(details []Detail) bool
	// Grant returns the granted details. The argument details has those that the user approved. The argument selected has the IDs that the user
	// selected among the Choices of the type; it is empty for a type without Choices. An error that does not wrap ErrDenied or ErrValue is a
	// fault, and no details are granted. Required.
	Grant func(ctx context.Context, r Request, details []Detail, selected []string) ([]json.RawMessage, error)
	// Refresh returns what is left of granted details: it is called with all of them before a code is redeemed or tokens are
	// refreshed, because rights can end after the login. It returns them unchanged, leaves out details, or leaves out elements of
	// their arrays, so that no array becomes empty. An error that wraps ErrDenied reports that no detail is left; every other error
	// is a fault. For details that rest on no right that can end, return them all. If nil, the details are in the tokens of the code
	// only, and a refresh leaves them out.
	Refresh func(ctx context.Context, r Request, granted []Detail) ([]json.RawMessage, error)
}

// Registry holds the types that a provider supports; the zero value holds none. It is immutable and safe for concurrent use.
type Registry struct {
	types map[string]Type
	names []string
}

// NewRegistry returns a Registry. It reports every problem of the types at once, by field name.
func NewRegistry(types ...Type) (*Registry, error) {
	r := &Registry{types: make(map[string]Type, len(types))}
	var c fields.Checker
	for i, t := range types {
		field := fmt.Sprintf("types[%d]", i)
		_, known := r.types[t.Name]
		c.Require(t.Name != "", field+".Name")
		c.Want(t.Name == "" || !known, field+".Name", "is repeated")
		c.Require(t.Grant != nil, field+".Grant")
		c.Want(!slices.Contains(t.Members, "type"), field+".Members", "must not contain type, which every detail has")
		c.Want(t.Choices != nil || t.Multiple == nil, field+".Multiple", "requires Choices")
		c.Want(t.Choices != nil || t.Required == nil, field+".Required", "requires Choices")
		c.Want(t.Choices == nil || !t.NoApproval, field+".NoApproval", "excludes Choices, which the user approves by selecting")
		t.Members = slices.Clone(t.Members)
		r.types[t.Name] = t
		r.names = append(r.names, t.Name)
	}
	if err := c.Err(); err != nil {
		return nil, fmt.Errorf("rar: %w", err)
	}
	return r, nil
}

// Names returns the types for the metadata member authorization_details_types_supported.
func (r *Registry) Names() []string { return slices.Clone(r.names) }

// Parse parses and validates authorization_details. It returns ErrMalformed for more than MaxBytes or MaxDetails, for an empty array,
// for repeated members, also in another case, and for more than seven levels of nesting. It returns the errors of Type.Validate
// unchanged.
func (r *Registry) Parse(raw []byte) ([]Detail, error) {
	if len(raw) > MaxBytes {
		return nil, ErrMalformed
	}
	raw = bytes.TrimSpace(raw)
	single := bytes.HasPrefix(raw, []byte("{"))
	if single {
		raw = slices.Concat([]byte("["), raw, []byte("]"))
	}
	details, err := split(raw)
	if err != nil {
		return nil, err
	}
	if single && (len(details) != 1 || !r.types[details[0].Type].Single) {
		return nil, ErrMalformed
	}
	if len(details) == 0 || len(details) > MaxDetails {
		return nil, ErrMalformed
	}
	for _, d := range details {
		t, ok := r.types[d.Type]
		if !ok {
			return nil, ErrUnknownType
		}
		if t.Alone && slices.ContainsFunc(details, func(o Detail) bool { return o.Type != d.Type }) {
			return nil, ErrMixedTypes
		}
		if err := t.check(d); err != nil {
			return nil, err
		}
	}
	return details, nil
}

// Check checks the values of details that Parse returned against the registers of the host: it calls Type.Check once for each type
// that has one. It returns the first error, unchanged.
func (r *Registry) Check(ctx context.Context, req Request, details []Detail) error {
	for i, d := range details {
		sameType := func(o Detail) bool { return o.Type == d.Type }
		if check := r.types[d.Type].Check; check == nil || slices.ContainsFunc(details[:i], sameType) {
			continue
		}
		others := func(o Detail) bool { return o.Type != d.Type }
		if err := r.types[d.Type].Check(ctx, req, slices.DeleteFunc(slices.Clone(details), others)); err != nil {
			return err
		}
	}
	return nil
}

// check validates the members of a detail and calls Validate.
func (t Type) check(d Detail) error {
	o, err := jose.ParseObject(d.JSON)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	for _, name := range o.Names() {
		if name != "type" && !slices.Contains(t.Members, name) {
			return fmt.Errorf("%w of %s", ErrUnknownMember, t.Name)
		}
	}
	if t.Validate == nil {
		return nil
	}
	return t.Validate(d)
}

// split parses the array and the type of each object.
func split(raw []byte) ([]Detail, error) {
	// The strict parser reads objects only, so the array becomes a member of one.
	doc := append(append([]byte(`{"d":`), raw...), '}')
	o, err := jose.ParseObject(doc)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if o.Len() != 1 || o.Kind("d") != jose.KindArray {
		return nil, ErrMalformed
	}
	objects, err := o.Objects("d")
	if err != nil {
		return nil, ErrMalformed
	}
	var texts []json.RawMessage
	if err := json.Unmarshal(raw, &texts); err != nil || len(texts) != len(objects) {
		return nil, ErrMalformed
	}
	details := make([]Detail, len(objects))
	for i := range objects {
		name, err := objects[i].String("type")
		if err != nil || name == "" {
			return nil, ErrMalformed
		}
		details[i] = Detail{Type: name, JSON: texts[i]}
	}
	return details, nil
}

// Grant returns the granted authorization_details of a request without a user as a JSON array, "[]" if no detail is granted. The
// authenticated client approves them. Types with Choices grant nothing. For a user see [Registry.Offer].
func (r *Registry) Grant(ctx context.Context, req Request, details []Detail) (json.RawMessage, error) {
	granted := []json.RawMessage{}
	err := r.each(details, func(t Type, own []Detail) error {
		if t.Choices != nil {
			return nil
		}
		g, err := t.Grant(ctx, req, own, nil)
		granted = append(granted, g...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return json.Marshal(granted)
}

// each calls f once for each type among the details, in the order of their first detail.
func (r *Registry) each(details []Detail, f func(t Type, own []Detail) error) error {
	var done []string
	for _, d := range details {
		if slices.Contains(done, d.Type) {
			continue
		}
		done = append(done, d.Type)
		t, ok := r.types[d.Type]
		if !ok {
			return ErrUnknownType
		}
		var own []Detail
		for _, o := range details {
			if o.Type == d.Type {
				own = append(own, o)
			}
		}
		if err := f(t, own); err != nil {
			return err
		}
	}
	return nil
}

// Narrow returns the granted details that a token request names (RFC 9396 §6 and §6.1). Each requested detail must be equal to a
// granted one, member by member; otherwise Narrow returns ErrNotGranted. The argument granted is an array as Grant returns it, or
// nil. The result consists of its texts.
func Narrow(requested, granted []byte) (json.RawMessage, error) {
	want, err := split(requested)
	if err != nil {
		return nil, err
	}
	var have []json.RawMessage
	if len(granted) > 0 {
		if err := json.Unmarshal(granted, &have); err != nil {
			return nil, fmt.Errorf("rar: parsing the granted details: %w", err)
		}
	}
	texts := make([]string, len(have))
	for i := range have {
		texts[i] = canonical(have[i])
	}
	keep := make([]bool, len(have))
	for _, w := range want {
		i := slices.Index(texts, canonical(w.JSON))
		if i < 0 {
			return nil, ErrNotGranted
		}
		keep[i] = true
	}
	narrowed := []json.RawMessage{}
	for i := range have {
		if keep[i] {
			narrowed = append(narrowed, have[i])
		}
	}
	return json.Marshal(narrowed)
}

// canonical returns a text that is equal for equal values: encoding/json sorts the members, and numbers keep their text.
func canonical(raw json.RawMessage) string {
	var v any
	if err := decode(raw, &v); err != nil {
		return ""
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}
