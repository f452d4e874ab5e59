package standin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/internal/standin/strictjson"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/scope"
)

// Common are the members that the configuration files of all providers have.
type Common struct {
	Schema string `json:"$schema,omitempty"`
	// Settings are flags.
	Settings Settings `json:"settings,omitempty"`

	Issuer string `json:"issuer,omitempty"`
	// TestIssuer repeats the issuer if other machines reach the server; see Sites.CheckTest.
	TestIssuer string `json:"test_issuer,omitempty"`

	Clients     []ClientEntry  `json:"clients,omitempty"`
	Scopes      []scope.Scope  `json:"scopes,omitempty"`
	ScopeAccess []scope.Access `json:"scope_access,omitempty"`

	Certificates Certificates `json:"business_certificates,omitzero"`

	Signing
}

// ClientEntry is a registration. Its secret is in clear.
type ClientEntry struct {
	client.Client
	ClientSecret string `json:"client_secret,omitempty"`
}

// UnmarshalJSON decodes client_secret, and every other member as client.Client does.
func (e *ClientEntry) UnmarshalJSON(text []byte) error {
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &members); err != nil {
		return err
	}
	for _, name := range StoreMembers {
		if members[name] != nil {
			return &portner.FieldError{Field: name, Err: errors.New("is an unknown member")}
		}
	}
	if secret, ok := members["client_secret"]; ok {
		if err := json.Unmarshal(secret, &e.ClientSecret); err != nil {
			return &portner.FieldError{Field: "client_secret", Err: errors.New("must be a string")}
		}
		delete(members, "client_secret")
	}
	rest, err := json.Marshal(members)
	if err != nil {
		return err
	}
	return e.Client.UnmarshalJSON(rest)
}

// ClientMembers are the members of a ClientEntry without a field. StoreMembers are members of a [client.Client] that a file may
// not have: it has active and client_secret in their place.
var (
	ClientMembers = []string{"active"}
	StoreMembers  = []string{"disabled", "client_secrets"}
)

// ScopeMembers are the members of a [scope.Scope] without a field.
var ScopeMembers = []string{
	"active", "description#nn", "description#en", "description#se", "long_description#nn", "long_description#en", "long_description#se",
}

// MarshalJSON encodes an entry as a configuration file has it.
func (e ClientEntry) MarshalJSON() ([]byte, error) {
	text, err := json.Marshal(e.Client)
	if err != nil || e.ClientSecret == "" {
		return text, err
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, err
	}
	members["client_secret"], err = json.Marshal(e.ClientSecret)
	if err != nil {
		return nil, err
	}
	return json.Marshal(members)
}

// Merge returns a configuration file with changes.
type Merge func(file []byte) ([]byte, error)

// byteOrderMark may be at the start of a file (RFC 8259 §8.1 lets a reader ignore it).
const byteOrderMark = "\xef\xbb\xbf"

// Plain returns a configuration without its comments, which are what follows // on a line, outside strings, and without a byte order mark:
// encoding/json rejects both, and what reads a part of the file must read what is decoded as a whole. Spaces take their place, so that the
// lines and columns of errors stay.
func Plain(text []byte) []byte {
	plain := slices.Clone(text)
	if bytes.HasPrefix(plain, []byte(byteOrderMark)) {
		copy(plain, "   ")
	}
	inString, inComment := false, false
	for i := 0; i < len(plain); i++ {
		switch c := plain[i]; {
		case c == '\n':
			inString, inComment = false, false // a string has no line break
		case inComment:
			plain[i] = ' '
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case c == '/' && !inString && i+1 < len(plain) && plain[i+1] == '/':
			plain[i], inComment = ' ', true
		}
	}
	return plain
}

// ParseConfig decodes a configuration, merges changes into it, and validates it with check. It reports every problem at once, with the path of
// the member. A document without a text is empty. merge may be nil.
func ParseConfig[C any](d Document, merge Merge, check func(c *C) error) (c C, err error) {
	text := Plain(d.Text)
	if text == nil {
		text = []byte("{}")
	}
	c, decoded, err := decode[C](d, text)
	if err == nil && merge != nil {
		var merged []byte
		if merged, err = merge(text); err != nil {
			return c, d.Wrap(err)
		}
		if !bytes.Equal(merged, text) {
			c, decoded, err = decode[C](d, merged)
		}
	}
	if decoded {
		err = errors.Join(err, check(&c))
	}
	return c, d.Wrap(err)
}

// decode decodes a configuration, and allows the plain http that it names, if it may. decoded reports whether c can be checked: there may be
// unknown members, but with AllowHTTP a document with them allows nothing, so that the check would report what it names.
func decode[C any](d Document, text []byte) (c C, decoded bool, err error) {
	c, decoded, err = decodeConfig[C](text)
	if !d.AllowHTTP {
		return c, decoded, err
	}
	if err == nil {
		var value any
		err = json.Unmarshal(text, &value)
		allowPlainHTTPIn(value)
	}
	return c, err == nil, err
}

// decodeConfig decodes a document. decoded reports whether c has the values of the known members, also if there are unknown ones.
func decodeConfig[C any](data []byte) (c C, decoded bool, err error) {
	decoded, err = strictjson.DecodeKnown(data, &c,
		strictjson.Also{Type: reflect.TypeFor[scope.Scope](), Members: ScopeMembers},
		strictjson.Also{Type: reflect.TypeFor[ClientEntry](), Members: ClientMembers})
	return c, decoded, err
}

// Problems collects the problems of a configuration. The zero value is empty.
type Problems struct{ fields.Checker }

// maxProblems is how many problems are reported. A mistake of a script that writes the file is in each entry.
const maxProblems = 50

// Err returns the recorded problems joined, at most the first 50 and the number of the others, or nil.
func (p *Problems) Err() error {
	err := p.Checker.Err()
	found := portner.FieldErrors(err)
	if len(found) <= maxProblems {
		return err
	}
	first := make([]error, 0, maxProblems+1)
	for _, e := range found[:maxProblems] {
		first = append(first, e)
	}
	return errors.Join(append(first, fmt.Errorf("and %d more", len(found)-maxProblems))...)
}

// Add records a problem of the member at path.
func (p *Problems) Add(path, format string, args ...any) {
	p.Checker.Add(path, fmt.Errorf(format, args...))
}

// Orgno records a member that is not an organisation number.
func (p *Problems) Orgno(path, orgno string) {
	if o, err := norway.ParseOrgno(orgno); err != nil || o.String() != orgno {
		p.Add(path, "must be nine digits with the right check digit")
	}
}

// PID records a member that CheckPID rejects.
func (p *Problems) PID(path, pid string) { p.Checker.Add(path, CheckPID(pid)) }

// CheckPID returns an error for a text that is not a national identity number, or that may be the number of a real person. Stand-ins reject
// those. The error does not have the text.
func CheckPID(pid string) error {
	number, err := norway.ParsePID(pid)
	switch {
	case err != nil:
		return fmt.Errorf("must be a national identity number%s", strings.TrimPrefix(err.Error(), norway.ErrPID.Error()))
	case !number.IsSynthetic():
		return errors.New("must be a synthetic national identity number, with 40, 65 or 80 added to the month")
	}
	return nil
}

// Unique records every value that equals an earlier one.
func (p *Problems) Unique(list, member string, values []string) {
	seen := make(map[string]bool, len(values))
	for i, v := range values {
		if seen[v] {
			p.Add(fmt.Sprintf("%s[%d].%s", list, i, member), "%q occurs twice", v)
		}
		seen[v] = true
	}
}

// CheckClients records the problems of the registrations.
func (c Common) CheckClients(p *Problems, env client.Environment) {
	var ids []string
	for i, e := range c.Clients {
		at := fmt.Sprintf("clients[%d]", i)
		registered, err := e.Registration(time.Time{})
		if err != nil {
			p.Add(at+".client_secret", "%s", strings.TrimPrefix(err.Error(), "client: client_secret "))
		}
		for _, e := range portner.FieldErrors(registered.Validate(env)) {
			if strings.HasPrefix(e.Field, "client_secrets[") {
				continue // recorded above
			}
			// The file has client_secret in place of client_secrets.
			p.Add(at+"."+strings.Replace(e.Field, "client_secrets", "client_secret", 1), "%w", e.Err)
		}
		if !e.KeysUploadedAt.IsZero() && len(e.JWKS) == 0 {
			p.Add(at+".keys_uploaded_at", "has no effect without jwks")
		}
		ids = append(ids, e.ClientID)
	}
	p.Unique("clients", "client_id", ids)
}

// Registration returns the client of an entry. It rejects the secrets that client.NewSecret rejects.
func (e ClientEntry) Registration(now time.Time) (client.Client, error) {
	c := e.Client
	if len(c.JWKS) > 0 && c.KeysUploadedAt.IsZero() { // reading the file registers them, and they expire a year later
		c.KeysUploadedAt = now
	}
	if e.ClientSecret == "" {
		return c, nil
	}
	secret, err := client.NewSecret(e.ClientSecret, now.Add(360*24*time.Hour))
	c.Secrets = []client.Secret{secret} // also if invalid, so that Validate does not report it as missing
	return c, err
}

// ClientRegistry returns the registrations.
func (c Common) ClientRegistry(env client.Environment, now time.Time) (*client.Registry, error) {
	var all []client.Client
	for _, e := range c.Clients {
		r, err := e.Registration(now)
		if err != nil {
			return nil, fmt.Errorf("client %q: %w", e.ClientID, err)
		}
		all = append(all, r)
	}
	return client.NewRegistry(env, all...)
}

// WarnScopes logs each registered scope whose requests will be rejected. This is no error: the owner of the scope may intend it. delegated
// reports whether an organisation may use a scope for a consumer; nil means that there are no delegations.
func (c Common) WarnScopes(src scope.Source, delegated func(supplier, name string) bool, log *slog.Logger) {
	for _, e := range c.Clients {
		registered, err := e.Registration(time.Time{})
		if err != nil || registered.Disabled {
			continue
		}
		of := registered.ScopeClient()
		if registered.HasGrant(client.JWTBearer) { // Maskinporten checks the access of the consumer
			of.Organisation = registered.OrganisationNo
		}
		for _, r := range scope.CheckRegistration(of, src) {
			if r.Reason == scope.NoAccess && delegated != nil && delegated(registered.OrganisationNo, r.Scope) {
				continue // with consumer_org
			}
			log.Warn("client registered a scope that will be rejected", "client_id", registered.ClientID, "scope", r.Scope, "reason", string(r.Reason))
		}
	}
}

// With returns c with the entries of b whose keys c does not have: entries of the file replace built-in ones.
func (c Common) With(b Common) Common {
	c.Clients = Merged(c.Clients, b.Clients, func(e ClientEntry) string { return e.ClientID })
	c.Scopes = MergedScopes(c.Scopes, b.Scopes)
	c.ScopeAccess = Merged(c.ScopeAccess, b.ScopeAccess, func(a scope.Access) string { return a.Scope + " " + a.ConsumerOrgno })
	return c
}

// MergedScopes returns the records of own, and those of others that have another name.
func MergedScopes(own, others []scope.Scope) []scope.Scope {
	return Merged(own, others, func(s scope.Scope) string {
		if s.Name == "" {
			return s.Prefix + ":" + s.Subscope
		}
		return s.Name
	})
}

// Merged returns the entries of own, and those of others that have another key.
func Merged[T any](own, others []T, key func(T) string) []T {
	all := slices.Clone(own)
	for _, o := range others {
		if !slices.ContainsFunc(own, func(e T) bool { return key(e) == key(o) }) {
			all = append(all, o)
		}
	}
	return all
}

// Seconds returns n seconds.
func Seconds(n int) time.Duration { return time.Duration(n) * time.Second }
