package portner_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/authorize"
	"github.com/portner-go/portner/client"
	"github.com/portner-go/portner/client/businesscert"
	"github.com/portner-go/portner/digdir/altinn"
	"github.com/portner-go/portner/digdir/authorizations"
	"github.com/portner-go/portner/digdir/maskinporten"
	"github.com/portner-go/portner/dpop"
	"github.com/portner-go/portner/exchange"
	"github.com/portner-go/portner/internal/fields"
	"github.com/portner-go/portner/keyset"
	"github.com/portner-go/portner/logout"
	"github.com/portner-go/portner/nhn/helseid"
	"github.com/portner-go/portner/provider"
	"github.com/portner-go/portner/pseudonym"
	"github.com/portner-go/portner/resource"
	"github.com/portner-go/portner/scope"
	"github.com/portner-go/portner/session"
	"github.com/portner-go/portner/storage/memory"
	"github.com/portner-go/portner/token"
)

// configured is a configuration with its New function.
type configured struct {
	name   string
	config reflect.Type
	new    func(reflect.Value) error
}

func configuration[C any](name string, f func(C) error) configured {
	return configured{name, reflect.TypeFor[C](), func(v reflect.Value) error { return f(v.Interface().(C)) }}
}

// second makes a New function one that returns its error alone.
func second[C, T any](f func(C) (T, error)) func(C) error {
	return func(c C) error {
		_, err := f(c)
		return err
	}
}

// configurations returns the exported configurations with fields that hold interfaces or values of other packages.
func configurations(t *testing.T) []configured {
	return []configured{
		configuration("altinn", second(altinn.New)), configuration("authorizations", second(authorizations.New)),
		configuration("authorize", second(authorize.New)), configuration("businesscert", second(businesscert.New)),
		configuration("client", second(client.NewAuthenticator)), configuration("exchange", second(exchange.New)),
		configuration("helseid", second(helseid.New)), configuration("logout", second(logout.New)),
		configuration("maskinporten", second(maskinporten.New)), configuration("provider", second(provider.New)),
		configuration("resource", second(resource.New)), configuration("session", second(session.New)), configuration("token", second(token.New)),
		configuration("dpop", func(p dpop.Policy) error { return p.Validate() }),
		configuration("keyset", func(s keyset.Shared) error {
			return second(func(s keyset.Shared) (*keyset.Set, error) { return s.Open(t.Context()) })(s)
		}),
	}
}

// Implementations of interfaces by a host.
type (
	attempts      struct{ client.AttemptLimiter }
	sender        struct{ logout.Sender }
	revocations   struct{ businesscert.Revocation }
	machines      struct{ authorizations.Machines }
	organisations struct{ altinn.OrganisationSource }
	persons       struct{ altinn.UserSource }
	registrations struct{ helseid.RegistrationSource }
)

// nothing are nil pointers and functions, of which one implements each interface of a configuration.
var nothing = []any{
	(*memory.Store)(nil), client.SourceFunc(nil), token.UserFunc(nil), (*scope.Registry)(nil), (*resource.RemoteKeys)(nil),
	(*attempts)(nil), (*sender)(nil), (*revocations)(nil), (*machines)(nil), (*organisations)(nil), (*persons)(nil), (*registrations)(nil),
}

// TestNilInInterfaces: a New function rejects an interface that holds a nil pointer or function, whose methods panic, by the name of the field.
func TestNilInInterfaces(t *testing.T) {
	t.Parallel()
	for _, c := range configurations(t) {
		for _, f := range reflect.VisibleFields(c.config) {
			if !f.IsExported() || f.Type.Kind() != reflect.Interface {
				continue
			}
			i := slices.IndexFunc(nothing, func(v any) bool { return reflect.TypeOf(v).Implements(f.Type) })
			require.GreaterOrEqual(t, i, 0, "no nil value for %s.%s", c.name, f.Name)
			requireReported(t, c, f, reflect.ValueOf(nothing[i]))
		}
	}
}

// constructed are types whose zero value a New function rejects: a constructor makes their values. The zero values of rar.Registry, acr.Levels
// and client.Registry are empty and may be used.
var constructed = []reflect.Type{
	reflect.TypeFor[*authorize.TestLogin](), reflect.TypeFor[*businesscert.Verifier](), reflect.TypeFor[*client.Authenticator](),
	reflect.TypeFor[*dpop.Nonces](), reflect.TypeFor[*keyset.Set](), reflect.TypeFor[*pseudonym.Pairwise](), reflect.TypeFor[*session.Keeper](),
	reflect.TypeFor[*session.Vault](), reflect.TypeFor[*token.Minter](),
}

// TestZeroValuesOfConstructed: a New function rejects a pointer to a zero value that no constructor has made, by the name of the field.
func TestZeroValuesOfConstructed(t *testing.T) {
	t.Parallel()
	for _, c := range configurations(t) {
		for _, f := range reflect.VisibleFields(c.config) {
			if f.IsExported() && slices.Contains(constructed, f.Type) {
				requireReported(t, c, f, reflect.New(f.Type.Elem()))
			}
		}
	}
}

// requireReported checks that a configuration with a value in one field is rejected with its name, also if the other fields are invalid.
func requireReported(t *testing.T, c configured, f reflect.StructField, v reflect.Value) {
	t.Helper()
	config := reflect.New(c.config).Elem()
	if issuer := config.FieldByName("Issuer"); issuer.IsValid() {
		issuer.SetString("https://op.example.no")
	}
	config.FieldByIndex(f.Index).Set(v)
	var err error
	require.NotPanics(t, func() { err = c.new(config) }, "%s.%s", c.name, f.Name)
	require.True(t, slices.ContainsFunc(fields.Names(err), func(name string) bool { return name == f.Name || strings.HasPrefix(name, f.Name+".") }),
		"%s.%s with a nil or zero %s: %v", c.name, f.Name, v.Type(), err)
}
