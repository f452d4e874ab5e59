package client

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/jose"
)

// registration is a Client without its methods.
type registration Client

// record is the JSON form of a Client. Its fields hide those of the Client with the same names.
type record struct {
	registration
	Active   *bool          `json:"active,omitempty"`
	Disabled *bool          `json:"disabled,omitempty"`
	Secrets  []secretRecord `json:"client_secrets,omitempty"`
}

// secretRecord is the JSON form of a Secret.
type secretRecord struct {
	SHA256    string    `json:"sha256"` // base64url without padding
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	Guessable bool      `json:"guessable,omitempty"`
}

// MarshalJSON encodes every field, for a store: UnmarshalJSON of the text returns an equal Client. The member "active" is
// always present. The member "client_secrets" holds the hashes of the secrets; set Secrets to nil before a
// registration is shown to others.
func (c Client) MarshalJSON() ([]byte, error) {
	active := !c.Disabled
	r := record{registration: registration(c), Active: &active}
	for _, s := range c.Secrets {
		r.Secrets = append(r.Secrets, secretRecord{base64.RawURLEncoding.EncodeToString(s.Hash[:]), s.ExpiresAt, s.Guessable})
	}
	return json.Marshal(r)
}

// UnmarshalJSON decodes a registration and reports every problem at once, as portner.FieldErrors by member name. Unlike
// encoding/json it rejects unknown members, repeated members, null, and names that differ in case. The member "disabled"
// may stand in place of "active". [Parse] validates the values, too.
func (c *Client) UnmarshalJSON(text []byte) error {
	decoded, err := decode(text)
	if err == nil {
		*c = decoded
	}
	return err
}

// LogValue returns the client_id.
func (c Client) LogValue() slog.Value { return slog.StringValue(c.ClientID) }

// Parse decodes and validates a registration. It reports every problem at once, as portner.FieldErrors by member name.
func Parse(text []byte, env Environment) (*Client, error) {
	c, err := decode(text)
	undecoded := map[string]bool{}
	for _, e := range portner.FieldErrors(err) {
		undecoded[topMember(e.Field)] = true
	}
	if err != nil && len(undecoded) == 0 {
		return nil, err // no JSON object
	}
	var problems fields.Checker
	problems.Join("", err)
	for _, e := range portner.FieldErrors(c.Validate(env)) {
		if !undecoded[topMember(e.Field)] {
			problems.Add(e.Field, e.Err)
		}
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return &c, nil
}

// topMember returns the member of a registration that a path begins with.
func topMember(path string) string {
	if i := strings.IndexAny(path, ".["); i >= 0 {
		return path[:i]
	}
	return path
}

// decode decodes a registration as far as possible.
func decode(text []byte) (Client, error) {
	var r record
	var problems fields.Checker
	o, err := jose.ParseObject(text)
	if err != nil {
		return Client{}, fmt.Errorf("client: registration: %w", err)
	}
	decodeObject(o, reflect.ValueOf(&r).Elem(), "", &problems)
	c := Client(r.registration)
	switch {
	case r.Active != nil && r.Disabled != nil:
		problems.Add("disabled", errors.New("must not be given together with active"))
	case r.Active != nil:
		c.Disabled = !*r.Active
	case r.Disabled != nil:
		c.Disabled = *r.Disabled
	}
	for i, s := range r.Secrets {
		secret := Secret{ExpiresAt: s.ExpiresAt, Guessable: s.Guessable}
		hash, err := base64.RawURLEncoding.Strict().DecodeString(s.SHA256)
		problems.Want(err == nil && len(hash) == sha256.Size, fmt.Sprintf("client_secrets[%d].sha256", i), "must be a SHA-256 hash in base64url without padding")
		copy(secret.Hash[:], hash)
		c.Secrets = append(c.Secrets, secret)
	}
	return c, problems.Err()
}

// decodeObject decodes the members of an object into the fields of a struct. It records the problems of all members; path
// is that of the object.
func decodeObject(o jose.Object, into reflect.Value, path string, problems *fields.Checker) {
	known := membersOf(into.Type())
	for _, name := range o.Names() {
		at := name
		if path != "" {
			at = path + "." + name
		}
		index, ok := known[name]
		if !ok {
			problems.Add(at, errors.New("is an unknown member"))
			continue
		}
		raw, _ := o.Raw(name)
		decodeValue(raw, into.FieldByIndex(index), at, problems)
	}
}

func decodeValue(raw string, into reflect.Value, path string, problems *fields.Checker) {
	_, ownDecoder := into.Addr().Interface().(json.Unmarshaler)
	switch {
	case raw == "null":
		problems.Add(path, errors.New("must not be null"))
	case into.Kind() == reflect.Slice && !ownDecoder:
		decodeList(raw, into, path, problems)
	case into.Kind() == reflect.Struct && !ownDecoder:
		o, err := jose.ParseObject([]byte(raw))
		if err != nil {
			problems.Add(path, errors.New("must be an object"))
			return
		}
		decodeObject(o, into, path, problems)
	case json.Unmarshal([]byte(raw), into.Addr().Interface()) != nil:
		problems.Add(path, errors.New("must be "+nameOf(into.Type())))
	}
}

func decodeList(raw string, into reflect.Value, path string, problems *fields.Checker) {
	var elements []json.RawMessage
	if json.Unmarshal([]byte(raw), &elements) != nil {
		problems.Add(path, errors.New("must be a list"))
		return
	}
	list := reflect.MakeSlice(into.Type(), len(elements), len(elements))
	for i, e := range elements {
		decodeValue(string(e), list.Index(i), at(path, i), problems)
	}
	if len(elements) > 0 {
		into.Set(list)
	}
}

// nameOf returns what a JSON value has to be to decode into t.
func nameOf(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[time.Time]():
		return "an RFC 3339 time"
	case reflect.TypeFor[*bool]():
		return "a boolean"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "a boolean"
	case reflect.Int:
		return "an integer"
	}
	return "another type"
}

// membersOf returns the fields of a struct type by the names of their JSON members.
func membersOf(t reflect.Type) map[string][]int {
	if m, ok := memberCache.Load(t); ok {
		return m.(map[string][]int)
	}
	m := map[string][]int{}
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			m[name] = f.Index
		}
	}
	memberCache.Store(t, m)
	return m
}

var memberCache sync.Map
