package standin

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/examples/internal/strictjson"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/scope"
)

// Common are the members that the configuration files of all providers have.
type Common struct {
	Schema string `json:"$schema,omitempty"`
	Issuer string `json:"issuer,omitempty"`

	Clients     []ClientEntry  `json:"clients,omitempty"`
	Scopes      []scope.Scope  `json:"scopes,omitempty"`
	ScopeAccess []scope.Access `json:"scope_access,omitempty"`

	Certificates Certificates `json:"business_certificates,omitzero"`
}

// ClientEntry is a registration with its secret in clear.
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
			return &portner.FieldError{Field: name, Err: errors.New("unknown member")}
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

// ClientMembers are the members that a ClientEntry reads beside its fields, and StoreMembers those of a client.Client that are
// for stores: a file has active and client_secret in their place.
var (
	ClientMembers = []string{"active"}
	StoreMembers  = []string{"disabled", "client_secrets", "keys_uploaded_at"}
)

// ScopeMembers are the members that a scope.Scope reads beside its fields.
var ScopeMembers = []string{
	"active", "description#nn", "description#en", "description#se", "long_description#nn", "long_description#en", "long_description#se",
}

// ReadConfig reads a configuration file into c, and reports every problem at once, by the path of the member. check validates
// what was read.
func ReadConfig[C any](path string, check func(c *C) error) (c C, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("-config: %w", err)
	}
	err = strictjson.Decode(data, &c,
		strictjson.Also{Type: reflect.TypeFor[scope.Scope](), Members: ScopeMembers},
		strictjson.Also{Type: reflect.TypeFor[ClientEntry](), Members: ClientMembers})
	if err == nil {
		err = check(&c)
	}
	if err != nil {
		return c, fmt.Errorf("%s:\n%w", path, err)
	}
	return c, nil
}

// Problems collects the problems of a configuration.
type Problems []error

// Add records a problem of the member at path.
func (p *Problems) Add(path, format string, args ...any) {
	*p = append(*p, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
}

// Orgno records a member that is not an organisation number.
func (p *Problems) Orgno(path, orgno string) {
	if o, err := norway.ParseOrgno(orgno); err != nil || o.String() != orgno {
		p.Add(path, "must be nine digits with the right check digit")
	}
}

// PID records a member that is not a national identity number.
func (p *Problems) PID(path, pid string) {
	if _, err := norway.ParsePID(pid); err != nil {
		p.Add(path, "must be a national identity number: %s", strings.TrimPrefix(err.Error(), "norway: "))
	}
}

// Unique records every value that an earlier one equals.
func (p *Problems) Unique(list, member string, values []string) {
	for i, v := range values {
		if slices.Index(values, v) != i {
			p.Add(fmt.Sprintf("%s[%d].%s", list, i, member), "%q occurs twice", v)
		}
	}
}

// Err returns the problems joined, or nil.
func (p Problems) Err() error { return errors.Join(p...) }

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
				continue // an invalid client_secret is reported already
			}
			// The file has the secret in clear, in a member of its own.
			p.Add(at+"."+strings.Replace(e.Field, "client_secrets", "client_secret", 1), "%s", e.Err)
		}
		ids = append(ids, e.ClientID)
	}
	p.Unique("clients", "client_id", ids)
}

// Registration returns the client of an entry. A secret that does not look random is accepted: the file is for development.
func (e ClientEntry) Registration(now time.Time) (client.Client, error) {
	c := e.Client
	if len(c.JWKS) > 0 {
		c.KeysUploadedAt = now
	}
	if e.ClientSecret == "" {
		return c, nil
	}
	expires := now.Add(360 * 24 * time.Hour)
	secret, err := client.NewSecret(e.ClientSecret, expires)
	if err != nil {
		secret, err = client.InsecureSecret(e.ClientSecret, expires)
	}
	c.Secrets = []client.Secret{secret} // also an invalid one: it is not reported as missing, too
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

// WarnScopes logs the scopes that a client registered and would be refused. It is no error: the owner of a scope may intend it.
func (c Common) WarnScopes(src scope.Source, log *slog.Logger) {
	for _, e := range c.Clients {
		registered, err := e.Registration(time.Time{})
		if err != nil || registered.Disabled {
			continue
		}
		for _, r := range scope.CheckRegistration(registered.ScopeClient(), src) {
			log.Warn("client registered a scope that it is refused", "client_id", registered.ClientID, "scope", r.Scope, "reason", string(r.Reason))
		}
	}
}

// With adds the entries of b whose keys c does not have: what the file says replaces what is built in.
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

// ResolvePaths makes the paths of files relative to the folder of the configuration file.
func ResolvePaths(configFile string, lists ...[]string) {
	for _, files := range lists {
		for i, f := range files {
			if !filepath.IsAbs(f) {
				files[i] = filepath.Join(filepath.Dir(configFile), f)
			}
		}
	}
}

// Seconds returns n seconds.
func Seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// RandomSecret returns a secret that lives as long as the process.
func RandomSecret() portner.Secret {
	b := make([]byte, 32)
	rand.Read(b)
	return b
}

// GenerateKeys returns a key set with one new key for each algorithm.
func GenerateKeys(algorithms ...string) (*keyset.Set, error) {
	var keys []keyset.Key
	for _, alg := range algorithms {
		k, err := keyset.Generate(alg)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keyset.New(keyset.Config{Keys: keys})
}

// PasswordMatches compares a password with the one of the configuration, in constant time. A real directory stores slow hashes.
func PasswordMatches(given, want string) bool {
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}
