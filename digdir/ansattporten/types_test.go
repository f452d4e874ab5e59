package ansattporten_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/digdir/ansattporten"
	"github.com/portner-go/portner/internal/optest"
	"github.com/portner-go/portner/norway"
	"github.com/portner-go/portner/rar"
)

func jsonText(v any) ([]byte, error) { return json.Marshal(v) }

// TestSyntax checks the members of requested details (docs/spec/ansattporten.md §4.2).
func TestSyntax(t *testing.T) {
	t.Parallel()
	r := types(&register{})
	for members, want := range map[string]error{
		`"type":"ansattporten:altinn:service","resource":"urn:altinn:resource:2480:40"`: nil,
		`"type":"ansattporten:altinn:service","resource":"urn:altinn:resource:2480:40","organizationform":"enterprise",
			"allow_multiple_organizations":true,"allow_deleted_organizations":"true","representation_is_required":"false"`: nil,
		`"type":"ansattporten:altinn:service"`:                                                                               rar.ErrValue,
		`"type":"ansattporten:altinn:service","resource":"urn:altinn:resource:2480"`:                                         rar.ErrValue,
		`"type":"ansattporten:altinn:service","resource":"urn:altinn:resource:a:b"`:                                          rar.ErrValue,
		`"type":"ansattporten:altinn:service","resource":["urn:altinn:resource:2480:40"]`:                                    rar.ErrValue,
		`"type":"ansattporten:altinn:service","resource":"urn:altinn:resource:2480:40\n"`:                                    rar.ErrValue,
		`"type":"ansattporten:altinn:service","ressurs":"urn:altinn:resource:2480:40"`:                                       rar.ErrUnknownMember,
		`"type":"ansattporten:altinn:service","resource":"urn:altinn:resource:2480:40","actions":["read"]`:                   rar.ErrUnknownMember,
		`"type":"ansattporten:altinn:service","resource":"urn:altinn:resource:2480:40","organizationform":"both"`:            rar.ErrValue,
		`"type":"ansattporten:altinn:service","resource":"urn:altinn:resource:2480:40","organizationform":""`:                rar.ErrValue,
		`"type":"ansattporten:altinn:service","resource":"urn:altinn:resource:2480:40","allow_multiple_organizations":"yes"`: rar.ErrValue,
		`"type":"ansattporten:altinn:service","resource":"urn:altinn:resource:2480:40","allow_multiple_organizations":1`:     rar.ErrValue,
		`"type":"ansattporten:altinn:service","resource":"urn:altinn:resource:2480:40","representation_is_required":null`:    rar.ErrValue,
		`"type":"ansattporten:altinn:resource","resource":"urn:altinn:resource:sak-3"`:                                       nil,
		`"type":"ansattporten:altinn:resource","resource":"urn:altinn:resource:sak-3","actions":["read","write"]`:            nil,
		`"type":"ansattporten:altinn:resource","resource":"urn:altinn:resource:2480:40"`:                                     rar.ErrValue,
		`"type":"ansattporten:altinn:resource","resource":"urn:altinn:resource:sak-3","actions":[]`:                          rar.ErrValue,
		`"type":"ansattporten:altinn:resource","resource":"urn:altinn:resource:sak-3","actions":"read"`:                      rar.ErrValue,
		`"type":"ansattporten:orgno"`:                                                           nil,
		`"type":"ansattporten:orgno","organizationform":"business"`:                             nil,
		`"type":"ansattporten:orgno","resource":"urn:altinn:resource:sak-3"`:                    rar.ErrUnknownMember,
		`"type":"idporten:fullmakt","permission_roles":["a","b"]`:                               nil,
		`"type":"idporten:fullmakt"`:                                                            rar.ErrValue,
		`"type":"idporten:fullmakt","permission_roles":[]`:                                      rar.ErrValue,
		`"type":"idporten:fullmakt","permission_roles":"a"`:                                     rar.ErrValue,
		`"type":"idporten:fullmakt","permission_roles":[""]`:                                    rar.ErrValue,
		`"type":"idporten:fullmakt","permission_roles":["a"],"allow_multiple":true`:             rar.ErrUnknownMember,
		`"type":"idporten:fullmakt","permission_roles":["` + strings.Repeat(`a","`, 60) + `a"]`: rar.ErrValue,
		`"type":"ansattporten:other"`:                                                           rar.ErrUnknownType,
	} {
		_, err := r.Parse([]byte("[{" + members + "}]"))
		if want == nil {
			require.NoError(t, err, members)
		} else {
			require.ErrorIs(t, err, want, members)
		}
	}
}

// selection parses details and returns the selection of the user.
func selection(t testing.TB, r *register, details string) (*rar.Selection, error) {
	t.Helper()
	parsed, err := types(r).Parse([]byte(details))
	require.NoError(t, err)
	o, err := types(r).Offer(t.Context(), requester(), parsed)
	if err != nil {
		return nil, err
	}
	return o.Selection, nil
}

func grant(t testing.TB, r *register, details string, chosen ...string) (string, error) {
	t.Helper()
	parsed, err := types(r).Parse([]byte(details))
	require.NoError(t, err)
	o, err := types(r).Offer(t.Context(), requester(), parsed)
	if err != nil {
		return "", err
	}
	granted, err := o.Grant(t.Context(), chosen, nil)
	return string(granted), err
}

func requester() rar.Request {
	return rar.Request{Subject: "kari", Identifiers: optest.Identifiers(personPID), Name: "Kari Nordmann"}
}

func ids(q *rar.Selection) []string {
	var all []string
	if q != nil {
		for _, c := range q.Choices {
			all = append(all, c.ID)
		}
	}
	return all
}

// TestFilter checks which organisations a detail offers.
func TestFilter(t *testing.T) {
	t.Parallel()
	const main, sub, gone = digdir, leikanger, brreg
	r := &register{resources: map[string]ansattporten.Resource{
		service: {Reportees: []ansattporten.Reportee{
			{},
			{Orgno: main, UnitType: "AS", Rights: []string{"Read"}},
			{Orgno: sub, UnitType: "BEDR"},
			{Orgno: gone, UnitType: "ENK", Deleted: true},
			{Orgno: main, UnitType: "AS"},
		}},
		case3: {Reportees: []ansattporten.Reportee{{Orgno: main, Rights: []string{"read"}}, {Orgno: sub, Rights: []string{"write"}}}},
	}}
	resource := func(members string) string {
		return `[{"type":"ansattporten:altinn:resource","resource":"` + case3 + `"` + members + `}]`
	}
	for details, want := range map[string][]string{
		detail(): {"self", main, sub},
		detail(`"organizationform":"enterprise"`):       {"self", main},
		detail(`"organizationform":"business"`):         {"self", sub},
		detail(`"allow_deleted_organizations":true`):    {"self", main, sub, gone},
		detail(`"allow_deleted_organizations":"false"`): {"self", main, sub},
		detail(`"representation_is_required":true`):     {main, sub},
		resource(``):                                   {main, sub},
		resource(`,"actions":["read","delete"]`):       {main},
		resource(`,"actions":["delete"]`):              nil,
		`[{"type":"ansattporten:orgno"}]`:              nil,
		strings.ReplaceAll(detail(), "2480:40", "1:1"): nil,
	} {
		q, err := selection(t, r, details)
		require.NoError(t, err, details)
		require.Equal(t, want, ids(q), details)
	}
	q, err := selection(t, r, detail())
	require.NoError(t, err)
	require.Equal(t, rar.Choice{ID: "self", Name: "Kari Nordmann"}, q.Choices[0])
	require.False(t, q.Multiple || q.Required)
	for _, b := range []string{`true`, `"true"`} {
		q, err = selection(t, r, detail(`"allow_multiple_organizations":`+b, `"representation_is_required":`+b))
		require.NoError(t, err)
		require.True(t, q.Multiple && q.Required)
	}
}

// TestSeveralResources checks that the choices are the union of all details, and that one detail is granted for each resource with
// rights.
func TestSeveralResources(t *testing.T) {
	t.Parallel()
	const other = "urn:altinn:resource:3000:1"
	r := brregServices()
	r.resources[other] = ansattporten.Resource{Name: "Annen", Reportees: []ansattporten.Reportee{{Orgno: digdir, Name: "DIGDIR"}, {Orgno: brreg, Name: "BRREG"}}}
	both := strings.TrimSuffix(detail(), "]") + `,{"type":"ansattporten:altinn:service","resource":"` + other + `"}]`
	q, err := selection(t, r, both)
	require.NoError(t, err)
	require.Equal(t, []string{"self", leikanger, digdir, brreg}, ids(q))
	got, err := grant(t, r, both, digdir)
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(got, `"ID":"0192:`+digdir+`"`))
	got, err = grant(t, r, both, brreg)
	require.NoError(t, err)
	require.JSONEq(t, `[{"type":"ansattporten:altinn:service","resource":"`+other+`","resource_name":"Annen",
		"reportees":[{"Rights":[],"Authority":"iso6523-actorid-upis","ID":"0192:`+brreg+`","Name":"BRREG"}]}]`, got)
	got, err = grant(t, r, both, "self")
	require.NoError(t, err)
	require.Equal(t, `[{"type":"ansattporten:altinn:service"}]`, got, "an entry with only the type")
	got, err = grant(t, r, both)
	require.NoError(t, err)
	require.Equal(t, `[]`, got)

	// One choice applies to both details: several organisations must be allowed by both, and one can require representation.
	one := strings.Replace(both, `2480:40"`, `2480:40","allow_multiple_organizations":true,"representation_is_required":true`, 1)
	q, err = selection(t, r, one)
	require.NoError(t, err)
	require.False(t, q.Multiple)
	require.True(t, q.Required)
	require.NotContains(t, ids(q), "self", "also if only the other detail requires representation")
}

// TestGranted checks the granted details of the other types (docs/spec/ansattporten.md §4.3).
func TestGranted(t *testing.T) {
	t.Parallel()
	r := brregServices()
	r.resources[case3] = ansattporten.Resource{Name: "Sak", Reportees: []ansattporten.Reportee{{Orgno: digdir, Name: "DIGDIR", UnitType: "ORGL", Rights: []string{"read", "sign"}}}}
	r.employers = []ansattporten.Reportee{{}, {Orgno: digdir, Name: "DIGDIR", UnitType: "ORGL"}, {Orgno: leikanger, UnitType: "BEDR"}}
	got, err := grant(t, r, `[{"type":"ansattporten:altinn:resource","resource":"`+case3+`","actions":["write","read","read"]}]`, digdir)
	require.NoError(t, err)
	require.JSONEq(t, `[{"type":"ansattporten:altinn:resource","resource":"`+case3+`","resource_name":"Sak","authorized_parties":[
		{"orgno":{"authority":"iso6523-actorid-upis","ID":"0192:`+digdir+`"},"resource":"`+case3+`","actions":["read"],"name":"DIGDIR","unit_type":"ORGL"}]}]`, got)

	employer := `[{"type":"ansattporten:orgno","organizationform":"enterprise"}]`
	q, err := selection(t, r, employer)
	require.NoError(t, err)
	require.Equal(t, []string{digdir}, ids(q), "the user is no employer")
	got, err = grant(t, r, employer, digdir)
	require.NoError(t, err)
	require.JSONEq(t, `[{"type":"ansattporten:orgno","authorized_parties":[
		{"orgno":{"Authority":"iso6523-actorid-upis","ID":"0192:`+digdir+`"},"name":"DIGDIR","rights":[]}]}]`, got)
	got, err = grant(t, r, employer)
	require.NoError(t, err)
	require.Equal(t, `[]`, got)
}

const fullmaktRequest = `[{"type":"idporten:fullmakt","permission_roles":["helse","skatt"]}]`

func mandates() *register {
	other := must(norway.ParsePID("21879498012"))
	return &register{mandates: []ansattporten.Mandate{
		{ID: "m1", Name: "Gro Gammel", PID: other, Permissions: []ansattporten.Permission{{Owner: "digdir", Role: "helse"}, {Owner: "digdir", Role: "bank"}}},
		{ID: "m2", Name: "Per Prøve", PID: other, Permissions: []ansattporten.Permission{{Owner: "digdir", Role: "bank"}}},
	}}
}

// TestFullmakt checks that one of the roles suffices, that other roles are left out, and that a user who acts for no other person
// has an empty array.
func TestFullmakt(t *testing.T) {
	t.Parallel()
	r := mandates()
	q, err := selection(t, r, fullmaktRequest)
	require.NoError(t, err)
	require.Equal(t, &rar.Selection{Choices: []rar.Choice{{ID: "m1", Name: "Gro Gammel", Hint: "helse"}}}, q)
	got, err := grant(t, r, fullmaktRequest, "m1")
	require.NoError(t, err)
	require.JSONEq(t, `[{"type":"idporten:fullmakt","authorizer":{"name":"Gro Gammel","pid":"21879498012"},
		"authorized_representative":{"name":"Kari Nordmann","pid":"`+personPID+`"},"permissions":[{"owner":"digdir","role":"helse"}]}]`, got)
	got, err = grant(t, r, fullmaktRequest)
	require.NoError(t, err)
	require.Equal(t, `[]`, got)

	_, err = selection(t, r, `[{"type":"idporten:fullmakt","permission_roles":["skatt"]}]`)
	require.ErrorIs(t, err, rar.ErrNoMandate)
	parsed, err := types(r).Parse([]byte(fullmaktRequest))
	require.NoError(t, err)
	_, err = types(r).Offer(t.Context(), rar.Request{Subject: "eidas"}, parsed)
	require.ErrorIs(t, err, rar.ErrNoMandate, "a user without a national identity number has no mandates")
	r.mandates[0].ID = "21879498012"
	_, err = selection(t, r, fullmaktRequest)
	require.ErrorContains(t, err, "holds a national identity number")
	require.NotContains(t, err.Error(), "21879498012")
}

// TestFullmaktErrorPage checks that a user without a mandate gets an error page and no redirect to the client.
func TestFullmaktErrorPage(t *testing.T) {
	t.Parallel()
	op := newOP(t, &register{})
	p := op.Browser().Login(t, op.Request("tjeneste", "openid", "authorization_details", fullmaktRequest), "kari")
	require.Nil(t, p.Left)
	require.Equal(t, http.StatusForbidden, p.Status)
	require.Contains(t, p.Body, "access_denied")

	op = newOP(t, mandates())
	b, q := op.Browser(), op.Request("tjeneste", "openid", "authorization_details", fullmaktRequest)
	p = b.Login(t, q, "kari")
	a := op.Exchange(t, q, b.Post(t, p, url.Values{"choice": {"m1"}}).Code(t))
	require.Equal(t, personPID, claims(t, a.String("id_token"))["pid"], "pid is that of the user who logged in")
	require.NotContains(t, a.String("access_token"), "21879498012")
}

// TestRegisterFaults checks that a source that fails or returns invalid numbers is a fault.
func TestRegisterFaults(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*register{
		"down":           {err: errors.New("no answer")},
		"a wrong number": {resources: map[string]ansattporten.Resource{service: {Reportees: []ansattporten.Reportee{{Orgno: "991825828"}}}}},
	} {
		_, err := selection(t, r, detail())
		require.Error(t, err, name)
		require.False(t, errors.Is(err, rar.ErrDenied) || errors.Is(err, rar.ErrValue), "a fault")
		_, err = grant(t, r, detail(), digdir)
		require.Error(t, err, name)
		_, p := represent(t, newOP(t, r), detail(), nil)
		require.Equal(t, "temporarily_unavailable", p.Left.Query().Get("error"), name)
	}
	_, p := represent(t, newOP(t, &register{err: fmt.Errorf("%w: no such resource", rar.ErrValue)}), detail(), nil)
	require.Equal(t, "invalid_authorization_details", p.Left.Query().Get("error"))
}

// TestWithoutNumber checks that a user without a national identity number represents no reportee, and can have an employer.
func TestWithoutNumber(t *testing.T) {
	t.Parallel()
	r := brregServices()
	r.employers = []ansattporten.Reportee{{Orgno: digdir, Name: "DIGDIR"}}
	op := newOP(t, r)
	q := op.Request("tjeneste", "openid", "acr_values", "low", "authorization_details", detail())
	a := op.Exchange(t, q, op.Browser().Login(t, q, "entra").Code(t))
	require.Equal(t, []any{}, a.JSON["authorization_details"])
	b := op.Browser()
	q = op.Request("tjeneste", "openid", "acr_values", "low", "authorization_details", `[{"type":"ansattporten:orgno"}]`)
	p := b.Login(t, q, "entra")
	require.Equal(t, []string{digdir}, p.Choices(), "the employer")
}

// A host may have a nil pointer of one of these types.
type (
	hostReportees struct{ ansattporten.ReporteeSource }
	hostEmployers struct{ ansattporten.EmployerSource }
	hostMandates  struct{ ansattporten.MandateSource }
)

// TestNilSources checks that a registry rejects types without a source, also if it is an interface that holds a nil pointer.
func TestNilSources(t *testing.T) {
	t.Parallel()
	for _, typ := range []rar.Type{
		ansattporten.ServiceType(nil), ansattporten.ResourceType(nil), ansattporten.OrgnoType(nil), ansattporten.FullmaktType(nil),
		ansattporten.ServiceType((*hostReportees)(nil)), ansattporten.ResourceType((*hostReportees)(nil)), ansattporten.OrgnoType((*hostEmployers)(nil)),
		ansattporten.FullmaktType((*hostMandates)(nil)),
	} {
		require.NotEmpty(t, typ.Name)
		_, err := rar.NewRegistry(typ)
		require.Error(t, err, typ.Name)
	}
}

// TestDetailsAreDescribed: the representation page shows the resource, the actions and the roles that a choice approves.
func TestDetailsAreDescribed(t *testing.T) {
	t.Parallel()
	r := brregServices()
	r.resources[case3] = ansattporten.Resource{Reportees: []ansattporten.Reportee{{Orgno: digdir, Rights: []string{"read"}}}}
	r.employers = []ansattporten.Reportee{{Orgno: digdir}}
	r.mandates = []ansattporten.Mandate{{ID: "m1", PID: must(norway.ParsePID("21879498012")), Permissions: []ansattporten.Permission{{Role: "helse"}}}}
	for _, tt := range []struct {
		locale, details string
		want            rar.Text
	}{
		{"nb", detail(), rar.Text{Title: "Produkter og tjenester fra Brønnøysundregistrene", Lines: []string{service, "Tjenesten får vite hvilke rettigheter du har der."}}},
		{"en-GB", `[{"type":"ansattporten:altinn:resource","resource":"` + case3 + `","actions":["read","write"]}]`, rar.Text{Title: case3, Lines: []string{case3, "Actions: read, write"}}},
		{"", `[{"type":"ansattporten:altinn:resource","resource":"` + case3 + `"}]`, rar.Text{Title: case3, Lines: []string{case3}}},
		{"nn", `[{"type":"ansattporten:orgno"}]`, rar.Text{Title: "Verksemda du arbeider for", Lines: []string{"Tenesta får vite kva rettar du har der."}}},
		{"se", `[{"type":"idporten:fullmakt","permission_roles":["helse","bank"]}]`, rar.Text{Title: "Fápmudus nuppi olbmos", Lines: []string{"Rollat: helse, bank"}}},
	} {
		parsed, err := types(r).Parse([]byte(tt.details))
		require.NoError(t, err)
		q := requester()
		q.Locale = tt.locale
		o, err := types(r).Offer(t.Context(), q, parsed)
		require.NoError(t, err)
		require.Len(t, o.Represented, 1, tt.details)
		require.Equal(t, tt.want, o.Represented[0].Text, tt.details)
		require.Empty(t, o.Approvable, "the choice is the approval")
	}
}

// TestOneQuery: a register is queried once for all details, for what a page shows and for what is granted.
func TestOneQuery(t *testing.T) {
	t.Parallel()
	var ten []string
	for i := range rar.MaxDetails {
		ten = append(ten, fmt.Sprintf(`{"type":"ansattporten:altinn:resource","resource":"urn:altinn:resource:r%d"}`, i%7))
	}
	for _, details := range []string{
		"[" + strings.Join(ten, ",") + "]", `[{"type":"ansattporten:orgno"},{"type":"ansattporten:orgno"}]`,
		`[{"type":"idporten:fullmakt","permission_roles":["helse"]},{"type":"idporten:fullmakt","permission_roles":["bank"]}]`,
	} {
		r := &register{resources: map[string]ansattporten.Resource{}}
		for i := range 7 {
			r.resources[fmt.Sprint("urn:altinn:resource:r", i)] = ansattporten.Resource{Reportees: []ansattporten.Reportee{{Orgno: digdir}}}
		}
		r.employers = []ansattporten.Reportee{{Orgno: digdir}}
		r.mandates = []ansattporten.Mandate{{ID: digdir, PID: must(norway.ParsePID("21879498012")), Permissions: []ansattporten.Permission{{Role: "helse"}}}}
		parsed, err := types(r).Parse([]byte(details))
		require.NoError(t, err)
		require.Zero(t, r.calls, "before the login")
		o, err := types(r).Offer(t.Context(), requester(), parsed)
		require.NoError(t, err)
		granted, err := o.Grant(t.Context(), []string{digdir}, nil)
		require.NoError(t, err)
		require.NotEqual(t, "[]", string(granted))
		require.Equal(t, 1, r.calls, details)
	}
}

// TestUnknownResource: a resource that does not exist is rejected before any page, with and without PAR, whoever the user is; a register
// that fails is a fault. A pending request is not checked again: the offer to the user is loaded from the register.
func TestUnknownResource(t *testing.T) {
	t.Parallel()
	r := brregServices()
	op := newOP(t, r)
	for _, typ := range []string{detail(), strings.Replace(strings.Replace(detail(), "altinn:service", "altinn:resource", 1), service, "urn:altinn:resource:skjema", 1)} {
		ask := func() url.Values {
			return op.Browser().Get(t, op.Request("tjeneste", "openid", "authorization_details", typ).URL()).Left.Query()
		}
		r.missing, r.lookup = true, nil
		require.Equal(t, "invalid_authorization_details", ask().Get("error"), typ)
		require.Equal(t, "The member resource of authorization_details is missing or invalid.", ask().Get("error_description"))
		a := op.Call(t, "/par", "tjeneste", op.Request("tjeneste", "openid", "authorization_details", typ).Params)
		require.Equal(t, []any{http.StatusBadRequest, "invalid_authorization_details"}, []any{a.Status, a.JSON["error"]})
		r.missing, r.lookup = false, errors.New("down")
		require.Equal(t, "temporarily_unavailable", ask().Get("error"), typ)
		r.lookup = nil
	}
	require.Zero(t, r.calls, "no user has logged in")

	b, q := op.Browser(), op.Request("tjeneste", "openid", "authorization_details", detail())
	page := b.Get(t, q.URL())
	require.Equal(t, "login", page.Step())
	r.missing = true
	p := b.Post(t, page, url.Values{"user": {"kari"}})
	require.Equal(t, "representation", p.Step())
}
