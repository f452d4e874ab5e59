package rar

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/portner-go/portner/internal/jose"
	"github.com/portner-go/portner/norway"
)

// Limits of a request.
const (
	MaxBytes   = 8 << 10 // of authorization_details
	MaxDetails = 10      // objects in it
)

// Why authorization_details are refused. All but ErrDenied become invalid_authorization_details.
var (
	ErrMalformed     = errors.New("rar: authorization_details is not an array of objects with a type")
	ErrUnknownType   = errors.New("rar: unknown type")
	ErrUnknownMember = errors.New("rar: unknown member")
	ErrValue         = errors.New("rar: invalid value")
	ErrMixedTypes    = errors.New("rar: types cannot be mixed")
	// ErrDenied: the request is understood, and there is nothing to grant: no such system user, no
	// mandate. Grant and Choices wrap it.
	ErrDenied = errors.New("rar: denied")
	// ErrNoMandate is an ErrDenied that a person is told by the provider's error page and not by the
	// client, as ID-porten does for people without a mandate (idporten section 18.4).
	ErrNoMandate = fmt.Errorf("%w: the person has no mandate", ErrDenied)
	// ErrNotGranted: what a token request asks for is not one of the granted details.
	ErrNotGranted = errors.New("rar: not granted")
)

// Detail is one object of authorization_details.
type Detail struct {
	Type string          // the member "type"
	JSON json.RawMessage // the whole object, as it was sent
}

// Request is who asks, for a type's Choices and Grant.
type Request struct {
	ClientID string     // the client
	Orgno    string     // the organisation behind the client, or the one it acts for (consumer_org)
	Supplier string     // who acts for Orgno: the organisation that runs the client; "" if it is Orgno itself
	Subject  string     // the host's identifier of the person; "" for machines
	PID      norway.PID // the person's number; zero for machines and for persons without
	Name     string     // the person's name; "" for machines, and if the login told none
	Locale   string     // the language of the pages
	Now      time.Time  // the instant of the request
}

// Choice is one thing a person may pick on the host's page.
type Choice struct {
	ID   string // what the form posts; unique within the choices, and never a person's number
	Name string // what the person reads
	Hint string // a second line, such as an organisation number
}

// Type is one type of authorization_details.
type Type struct {
	// Name is the value of the member "type".
	Name string
	// Members are the names of the further members a request may have. Others are ErrUnknownMember.
	Members []string
	// Validate checks the values of one detail, without asking anybody else. Errors wrap ErrValue.
	// nil: any value will do.
	Validate func(d Detail) error
	// Alone refuses requests that hold other types too (Ansattporten's rule).
	Alone bool
	// Choices lists what the person may choose from, for all details of the type together. nil: there
	// is nothing to choose, and no page. It is asked again for each step of the login, so that what is
	// granted is what may be granted then.
	Choices func(ctx context.Context, r Request, details []Detail) ([]Choice, error)
	// Multiple reports whether more than one choice may be picked. nil: one at most.
	Multiple func(details []Detail) bool
	// Required reports whether a person who picks nobody is refused. nil: the login goes on.
	Required func(details []Detail) bool
	// Grant turns the requested details into granted ones; chosen are the IDs picked, none for a type
	// without Choices or if the person declined. An error that does not wrap ErrDenied or ErrValue is
	// a fault: nothing is granted then.
	Grant func(ctx context.Context, r Request, details []Detail, chosen []string) ([]json.RawMessage, error)
}

// Registry holds the types a provider understands. It is immutable.
type Registry struct {
	types map[string]Type
	names []string
}

// NewRegistry reports all problems of the types at once.
func NewRegistry(types ...Type) (*Registry, error) {
	r := &Registry{types: make(map[string]Type, len(types))}
	var errs []error
	for i, t := range types {
		if t.Name == "" {
			errs = append(errs, fmt.Errorf("rar: types[%d] has no Name", i))
		} else if _, twice := r.types[t.Name]; twice {
			errs = append(errs, fmt.Errorf("rar: %s is there twice", t.Name))
		}
		if t.Grant == nil {
			errs = append(errs, fmt.Errorf("rar: types[%d] has no Grant", i))
		}
		t.Members = slices.Clone(t.Members)
		r.types[t.Name] = t
		r.names = append(r.names, t.Name)
	}
	return r, errors.Join(errs...)
}

// Interactive reports whether any type lets a person choose, so that the host needs a page for it.
func (r *Registry) Interactive() bool {
	for _, t := range r.types {
		if t.Choices != nil {
			return true
		}
	}
	return false
}

// Names are the types, for authorization_details_types_supported.
func (r *Registry) Names() []string { return slices.Clone(r.names) }

// Parse reads and validates authorization_details. The JSON is read strictly: no member twice or in two
// cases, no depth beyond reason.
func (r *Registry) Parse(raw []byte) ([]Detail, error) {
	if len(raw) > MaxBytes {
		return nil, ErrMalformed
	}
	details, err := split(raw)
	if err != nil {
		return nil, err
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

// check compares the members with those the type knows and asks its Validate.
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

// split reads the array and the type of each of its objects.
func split(raw []byte) ([]Detail, error) {
	// One member around the array lets the strict reader read it.
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

// Grant returns the granted authorization_details as a JSON array, "[]" if nothing is granted. chosen
// are the IDs of the choices picked; the caller has checked them against Ask.
func (r *Registry) Grant(ctx context.Context, req Request, details []Detail, chosen []string) (json.RawMessage, error) {
	granted := []json.RawMessage{}
	err := r.each(details, func(t Type, own []Detail) error {
		g, err := t.Grant(ctx, req, own, chosen)
		if err != nil {
			return err
		}
		granted = append(granted, g...)
		return nil
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

// Narrow returns those of the granted details that are wanted: what a token request may ask for (RFC 9396
// sections 6 and 6.1). A wanted detail must be, member for member, one of the granted ones, else
// ErrNotGranted. Granted is an array as Grant returns it, or nil; the result is made of it alone.
func Narrow(wanted, granted []byte) (json.RawMessage, error) {
	want, err := split(wanted)
	if err != nil {
		return nil, err
	}
	var have []json.RawMessage
	if len(granted) > 0 {
		if err := json.Unmarshal(granted, &have); err != nil {
			return nil, fmt.Errorf("rar: reading what was granted: %w", err)
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

// canonical is a text that is equal for equal values: encoding/json sorts the members, and numbers stay
// as they were written.
func canonical(raw json.RawMessage) string {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return ""
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}
