package helseid_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner"
	"github.com/portner-go/portner/nhn/helseid"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/rar"
	"github.com/portner-go/portner/storage"
)

const (
	parent   = "991825827"
	child    = "987464291"
	stranger = "910753614"
	pid      = "21879498012"
)

var secret = portner.Secret("q8H2vTz5yWm0RkN7uXc4LbP9sJdF1gAe")

// registrations is a RegistrationSource.
type registrations map[string]helseid.Registration

func (r registrations) Registration(_ context.Context, clientID string) (helseid.Registration, error) {
	if clientID == "fault" {
		return helseid.Registration{}, errors.New("no database")
	}
	one, ok := r[clientID]
	if !ok {
		return one, fmt.Errorf("test: %w", storage.ErrNotFound)
	}
	return one, nil
}

func service(t testing.TB, change ...func(*helseid.Config)) *helseid.Service {
	t.Helper()
	cfg := helseid.Config{
		PseudonymKey: secret,
		Registrations: registrations{
			"single":    {Tenancy: helseid.SingleTenant, Children: []string{child}},
			"childless": {Tenancy: helseid.SingleTenant},
			"multi":     {Tenancy: helseid.MultiTenant, Parents: []string{parent}},
			"none":      {Tenancy: helseid.NoTenancy},
		},
		APIs: []helseid.API{{Name: "nhn:sample", Scopes: []string{"nhn:sample/read"}, Claims: helseid.APIClaims()}},
	}
	for _, c := range change {
		c(&cfg)
	}
	s, err := helseid.New(cfg)
	require.NoError(t, err)
	return s
}

func registry(t testing.TB) *rar.Registry {
	t.Helper()
	r, err := rar.NewRegistry(service(t).DetailTypes()...)
	require.NoError(t, err)
	return r
}

// detail is an organisation as a client names it.
func detail(system, value string) string {
	return `{"type":"helseid_authorization","practitioner_role":{"organization":{"identifier":{"system":"` + system + `","type":"ENH","value":"` + value + `"}}}}`
}

const (
	systemParent = "urn:oid:1.0.6523"
	systemChild  = "urn:oid:2.16.578.1.12.4.1.4.101"
	systemSample = "urn:oid:2.16.578.1.12.4.1.2.101"
)

// TestOrganisations: which organisation a client may name, and the number of the error.
func TestOrganisations(t *testing.T) {
	t.Parallel()
	r := registry(t)
	for name, tc := range map[string]struct{ client, details, want string }{
		"a listed child":                         {"single", detail(systemChild, child), ""},
		"the system of the samples":              {"single", detail(systemSample, child), ""},
		"an array":                               {"single", "[" + detail(systemChild, child) + "]", ""},
		"a child that is not listed":             {"single", detail(systemChild, stranger), "HID-1002"},
		"a parent of a single-tenant client":     {"single", detail(systemParent, "NO:ORGNR:"+parent+":"+child), "HID-1005"},
		"a client without children":              {"childless", detail(systemChild, child), "HID-1006"},
		"parent and child":                       {"multi", detail(systemParent, "NO:ORGNR:"+parent+":"+stranger), ""},
		"parent with a colon":                    {"multi", detail(systemParent, "NO:ORGNR:"+parent+":"), ""},
		"parent without a colon":                 {"multi", detail(systemParent, "NO:ORGNR:"+parent), ""},
		"a parent that did not delegate":         {"multi", detail(systemParent, "NO:ORGNR:"+stranger+":"+child), "HID-1001"},
		"a multi-tenant client without a parent": {"multi", detail(systemChild, child), "HID-1007"},
		"eight digits":                           {"single", detail(systemChild, child[:8]), "HID-1004"},
		"a wrong check digit":                    {"single", detail(systemChild, "987464292"), "HID-1004"},
		"no number":                              {"multi", detail(systemParent, "NO:ORGNR:"), "HID-1004"},
		"a child alone":                          {"multi", detail(systemParent, "NO:ORGNR::"+child), "HID-1004"},
		"three numbers":                          {"multi", detail(systemParent, "NO:ORGNR:"+parent+":"+child+":"+child), "HID-1004"},
		"another system":                         {"single", detail("urn:oid:1.2.3", child), "HID-1007"},
		"the system of parents":                  {"single", detail(systemParent, child), "HID-1007"},
		"the system of children":                 {"multi", detail(systemChild, "NO:ORGNR:"+parent), "HID-1007"},
		"another type":                           {"single", strings.Replace(detail(systemChild, child), "ENH", "HER", 1), "HID-1007"},
		"no organisation":                        {"single", `{"type":"helseid_authorization","practitioner_role":{}}`, "HID-1007"},
		"two organisations":                      {"single", "[" + detail(systemChild, child) + "," + detail(systemChild, child) + "]", "HID-1007"},
		"a client without organisations":         {"none", detail(systemChild, child), "HID-1010"},
		"a client without a registration":        {"unknown", detail(systemChild, child), "HID-1010"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			details, err := r.Parse([]byte(tc.details))
			require.NoError(t, err)
			req := rar.Request{ClientID: tc.client}
			err = r.Check(t.Context(), req, details)
			if tc.want == "" {
				require.NoError(t, err)
				granted, err := r.Grant(t.Context(), req, details)
				require.NoError(t, err)
				left, err := r.Refresh(t.Context(), req, granted)
				require.NoError(t, err)
				require.JSONEq(t, string(granted), string(left))
				return
			}
			e, ok := errors.AsType[*portner.Error](err)
			require.True(t, ok, err)
			require.Equal(t, portner.InvalidAuthorizationDetails, e.Code)
			require.True(t, strings.HasPrefix(e.Description, tc.want+": "), e.Description)
		})
	}
}

// TestOrganisationIsLost: an organisation that a client may not name any more is not in later tokens, and a fault of the source is a fault.
func TestOrganisationIsLost(t *testing.T) {
	t.Parallel()
	r := registry(t)
	granted := json.RawMessage("[" + detail(systemChild, child) + "]")
	_, err := r.Refresh(t.Context(), rar.Request{ClientID: "childless"}, granted)
	require.ErrorIs(t, err, rar.ErrDenied)
	_, err = r.Refresh(t.Context(), rar.Request{ClientID: "fault"}, granted)
	require.ErrorIs(t, err, portner.ErrUnavailable)
	require.NotErrorIs(t, err, rar.ErrDenied)
	details, err := r.Parse(granted)
	require.NoError(t, err)
	require.ErrorIs(t, r.Check(t.Context(), rar.Request{ClientID: "fault"}, details), portner.ErrUnavailable)
}

// TestJournal: journal_id is a GUID and the only member of value, and a request has one journal.
func TestJournal(t *testing.T) {
	t.Parallel()
	r := registry(t)
	const good = `{"type":"nhn:sfm:journal-id","value":{"journal_id":"5f0a4cbd-2c24-4f3b-9d0e-6c1f1d8a4a11"}}`
	details, err := r.Parse([]byte(good))
	require.NoError(t, err)
	require.NoError(t, r.Check(t.Context(), rar.Request{}, details))
	for _, bad := range []string{
		strings.Replace(good, "5f0a4cbd", "5f0a4cb", 1), strings.Replace(good, "journal_id", "id", 1), `{"type":"nhn:sfm:journal-id"}`,
		`{"type":"nhn:sfm:journal-id","value":"5f0a4cbd-2c24-4f3b-9d0e-6c1f1d8a4a11"}`, strings.Replace(good, `11"}`, `11","x":1}`, 1),
	} {
		_, err := r.Parse([]byte(bad))
		require.ErrorIs(t, err, rar.ErrValue, bad)
	}
	details, err = r.Parse([]byte("[" + good + "," + good + "]"))
	require.NoError(t, err)
	require.ErrorIs(t, r.Check(t.Context(), rar.Request{}, details), rar.ErrValue)
}

// TestSubject: the sub of a person is 44 characters of standard base64, follows from the key and the number alone, and is no pairwise subject.
func TestSubject(t *testing.T) {
	t.Parallel()
	number, err := norway.ParsePID(pid)
	require.NoError(t, err)
	login := helseid.Login{PID: number, SecurityLevel: "4", GivenName: "Kari", MiddleName: "Test", FamilyName: "Testesen"}
	a, err := service(t).Authentication(login)
	require.NoError(t, err)
	require.Regexp(t, `^[A-Za-z0-9+/]{43}=$`, a.Identity.Subject)
	require.Equal(t, []string{"Level4", "Kari Test Testesen"}, []string{a.ACR, a.Identity.Attributes["name"]})
	again, err := service(t).Authentication(login)
	require.NoError(t, err)
	require.Equal(t, a.Identity.Subject, again.Identity.Subject)
	other, err := service(t, func(c *helseid.Config) { c.PseudonymKey = portner.NewSecret() }).Authentication(login)
	require.NoError(t, err)
	require.NotEqual(t, a.Identity.Subject, other.Identity.Subject)
	for _, bad := range []helseid.Login{{SecurityLevel: "4"}, {PID: number}, {PID: number, SecurityLevel: "5"}} {
		_, err := service(t).Authentication(bad)
		require.Error(t, err)
	}
}

// TestNewReportsFields: New names every invalid field.
func TestNewReportsFields(t *testing.T) {
	t.Parallel()
	valid := helseid.API{Name: "nhn:sample", Scopes: []string{"nhn:sample/read"}, Claims: []string{"name"}}
	for field, change := range map[string]func(*helseid.Config){
		"Registrations":     func(c *helseid.Config) { c.Registrations = nil },
		"PseudonymKey":      func(c *helseid.Config) { c.PseudonymKey = nil },
		"APIs[0].Name":      func(c *helseid.Config) { c.APIs[0] = helseid.API{Name: "nhn/sample"} },
		"APIs[1].Name":      func(c *helseid.Config) { c.APIs = append(c.APIs, valid) },
		"APIs[0].Scopes[1]": func(c *helseid.Config) { c.APIs[0].Scopes = []string{"nhn:sample/read", "nhn:other/read"} },
		"APIs[0].Claims[1]": func(c *helseid.Config) { c.APIs[0].Claims = []string{"name", "sub"} },
	} {
		cfg := helseid.Config{Registrations: registrations{}, PseudonymKey: secret, APIs: []helseid.API{valid}}
		_, err := helseid.New(cfg)
		require.NoError(t, err)
		change(&cfg)
		_, err = helseid.New(cfg)
		found := map[string]bool{}
		for _, e := range portner.FieldErrors(err) {
			found[e.Field] = true
		}
		require.Equal(t, map[string]bool{field: true}, maps.Collect(maps.All(found)), field)
	}
}
